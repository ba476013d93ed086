"""Fields of an answer's message that nobody models: kept, and written back in their own dialect.

Hosts say there which tools they ran, what they searched and what they drew (`executed_tools`,
`images`). Only objects and lists count: a bare word or number in each delta is a mark of the
transport (`token_id`, `channel`). Imports: canonical.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import Opaque
from flo2.dialects.openai_chat.usage import DIALECT

__all__ = ["Asides", "aside_fields"]

_KNOWN: Final = frozenset(
    {
        "annotations",
        "audio",
        "content",
        "function_call",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "refusal",
        "role",
        "tool_calls",
    }
)


class Asides:
    """The unmodelled fields of one message so far."""

    __slots__ = ("_fields",)

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}

    def take(self, delta: Mapping[str, Any]) -> None:
        """Read one delta; a later value continues or replaces an earlier one."""
        for key in delta.keys() - _KNOWN:
            value = delta[key]
            if value and isinstance(value, dict | list):
                self._fields[key] = _joined(self._fields.get(key), value)

    def parts(self) -> list[Opaque]:
        """Give each field as a part, once."""
        fields, self._fields = self._fields, {}
        return [
            Opaque(DIALECT, {"type": key, "message": {key: fields[key]}}, aside=True)
            for key in sorted(fields)
        ]


def _joined(before: Any, value: Any) -> Any:
    """Continue a list; an entry with an `index` takes the place of its earlier state."""
    if not isinstance(before, list) or not isinstance(value, list):
        return value
    joined = list(before)
    at = {
        entry["index"]: place
        for place, entry in enumerate(joined)
        if isinstance(entry, dict) and isinstance(entry.get("index"), int)
    }
    for entry in value:
        index = entry.get("index") if isinstance(entry, dict) else None
        if isinstance(index, int) and index in at:
            joined[at[index]] = entry
        else:
            joined.append(entry)
    return joined


def aside_fields(part: Opaque) -> dict[str, Any] | None:
    """Give the message's fields that such a part stands for; None for any other part."""
    fields = part.data.get("message") if part.dialect == DIALECT and part.aside else None
    return dict(fields) if isinstance(fields, Mapping) else None
