"""What a validator says, and how strict it is.

Imports: attrs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

from attrs import frozen

__all__ = ["Findings", "Level", "Violation"]

Level = Literal["strict", "compatible"]
"""`strict`: what the vendor's own API guarantees. `compatible`: what hosts of the same API send and
its official SDK still reads right."""

_SHOWN: Final = 120


@frozen
class Violation:
    """One broken rule.

    Attributes:
        where: Frame number and JSON path: `frame 3: choices[0].delta.role`.
        rule: What should have been.
        seen: What was there.
    """

    where: str
    rule: str
    seen: str

    def __str__(self) -> str:
        """Give it as one line."""
        return f"{self.where}: {self.rule}; seen: {self.seen}"


class Findings:
    """Collect violations of one answer.

    Attributes:
        level: How strict to be.
        violations: What was found so far.
    """

    def __init__(self, level: Level) -> None:
        self.level: Level = level
        self.violations: list[Violation] = []
        self._where = ""

    @property
    def is_strict(self) -> bool:
        """Whether rules that only the vendor itself keeps are checked."""
        return self.level == "strict"

    @contextmanager
    def at(self, where: str) -> Iterator[None]:
        """Name the frame that is being looked at."""
        before, self._where = self._where, where
        try:
            yield
        finally:
            self._where = before

    def add(self, path: str, rule: str, seen: Any) -> None:
        """Note a broken rule."""
        where = ": ".join(each for each in (self._where, path) if each)
        self.violations.append(Violation(where or "body", rule, _shown(seen)))

    def expect(self, path: str, rule: str, seen: Any, *, holds: bool, strict: bool = False) -> bool:
        """Note a rule unless it holds.

        Args:
            path: Where in the frame.
            rule: What should be.
            seen: What is.
            holds: Whether the rule is kept.
            strict: Only the vendor itself keeps this rule.

        Returns:
            `holds`.
        """
        if not holds and (self.is_strict or not strict):
            self.add(path, rule, seen)
        return holds


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
