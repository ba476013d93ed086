"""Arguments of a function call that come piece by piece, each with the place it belongs to.

    {"functionCall": {"partialArgs": [{"jsonPath": "$.items[0].name", "stringValue": "app",
                                       "willContinue": true}], "willContinue": true}}

Pure. Imports: nothing of flo2's but `spelling`.

Source: https://ai.google.dev/gemini-api/docs/function-calling, "Streaming function call arguments",
read 2026-11-25; recordings/google/ai-google-google-stream-tool-call-array-arguments-missing-
terminal-function-call-0390c3-0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from flo2.dialects.jsonio import dumps

__all__ = ["PartialArguments"]

_STEP: Final = re.compile(
    r"""\.(?P<name>[^.\[\]]+)|\[(?P<index>\d{1,6})\]|\[(?P<quote>['"])(?P<key>.*?)(?P=quote)\]"""
)
_VALUES: Final = ("stringValue", "numberValue", "boolValue", "nullValue")
_FURTHEST: Final = 100_000

Step = str | int


class PartialArguments:
    """One object while its values come in.

    Args:
        begun: What has come of it whole.
    """

    def __init__(self, begun: Any = None) -> None:
        self._root: dict[str, Any] = dict(begun) if isinstance(begun, dict) else {}
        self._path = ""
        # The text that still grows: its pieces are joined once, when another value begins.
        self._pieces: list[str] = []

    def take(self, piece: Mapping[str, Any]) -> None:
        """Take one entry of `partialArgs`; one without a place or a value means nothing."""
        path = piece.get("jsonPath")
        found = next((key for key in _VALUES if key in piece), None)
        if not isinstance(path, str) or found is None:
            return
        value = None if found == "nullValue" else piece[found]
        if isinstance(value, str):
            if path != self._path:
                self._settle()
                self._path = path
            self._pieces.append(value)
            return
        self._settle()
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        self._set(path, value)

    def text(self) -> str:
        """Give what has come so far, as JSON text."""
        self._settle()
        return dumps(self._root).decode()

    def _settle(self) -> None:
        if self._path:
            self._set(self._path, "".join(self._pieces))
            self._path = ""
            self._pieces.clear()

    def _set(self, path: str, value: Any) -> None:
        steps: list[Step] = []
        for found in _STEP.finditer(path.removeprefix("$")):
            index = found["index"]
            steps.append(int(index) if index is not None else found["name"] or found["key"])
        if not steps or isinstance(steps[0], int):
            return
        holder: Any = self._root
        for step, after in zip(steps, [*steps[1:], None], strict=True):
            last = after is None
            inner: Any = value if last else [] if isinstance(after, int) else {}
            holder = _place(holder, step, inner, replace=last)
            if holder is None:
                return


def _place(holder: Any, step: Step, inner: Any, *, replace: bool) -> Any:
    """Put a value or a container into its place; give what stands there, None: no such place."""
    if isinstance(step, int):
        if not isinstance(holder, list) or step > _FURTHEST:
            return None
        holder.extend([None] * (step + 1 - len(holder)))
        if replace or holder[step] is None:
            holder[step] = inner
    elif not isinstance(holder, dict):
        return None
    elif replace or step not in holder:
        holder[step] = inner
    return holder[step]
