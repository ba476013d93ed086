"""How much weighs what one dialect alone knows: its unmodelled fields, its tools, its content.

They are kept for the dialect they came from; in another each is named, and some are no loss.
Imports: canonical.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import Opaque, OpaqueTool, Severity

__all__ = ["lost_part", "severity_of", "word_of"]

_BOOKKEEPING: Final = frozenset({"defer_loading", "id", "item", "phase", "status"})
"""The id and the state of an item of a conversation, and what kind of message it is; that a tool is
shown to the model only once it was searched for."""

_UNHEARD: Final = frozenset({"client_metadata", "prompt_cache_key", "prompt_cache_retention"})
"""Of a whole request: what no model is told."""

_USUAL: Final[Mapping[str, Any]] = {"background": False, "store": False, "truncation": "disabled"}
"""Values that ask for what other APIs do anyway: keep nothing, cut nothing, answer at once.

Source: https://platform.openai.com/docs/api-reference/responses/create (read 2026-11-25).
"""


def severity_of(key: str, value: Any, *, top: bool, essential: frozenset[str]) -> Severity | None:
    """Say what leaving out an unmodelled field means; None: nothing.

    Args:
        key: Its name.
        value: What it holds.
        top: It stands at the top of the request.
        essential: Fields at the top without which the request means something else.
    """
    if value is None:
        return None
    if not top:
        return "note" if key in _BOOKKEEPING else "drop"
    if key in essential:
        return "refuse"
    if key in _USUAL and value == _USUAL[key]:
        return None
    return "note" if key in _UNHEARD else "drop"


def lost_part(part: Opaque, *, made: bool) -> tuple[str, Severity]:
    """Say that content which only its own dialect knows is left out, and what that means.

    Args:
        part: The content.
        made: A model made it: it bore on the model's answer, which stays, and is no question that
            would go unheard.
    """
    word = word_of(part)
    if part.aside:
        return f"{word!r} that is no content for a model", "note"
    return f"{word!r} is content of {part.dialect} only", "drop" if made else "refuse"


def word_of(thing: Opaque | OpaqueTool) -> str:
    """Name content or a tool that nobody models, in the word its own dialect has for it."""
    data: Any = thing.data
    if isinstance(inner := data.get("content"), list) and len(inner) == 1 and "type" not in data:
        data = inner[0] if isinstance(inner[0], Mapping) else data  # see `openai_responses`
    for key in ("type", "name"):
        if isinstance(word := data.get(key), str):
            return word
    return next((key for key in data if key != "thoughtSignature"), "content")
