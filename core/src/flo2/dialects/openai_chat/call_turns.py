"""Bring the pieces of a choice's tool calls in order: one call after another.

A client may take a call for complete when the next one begins (openai-python 3.57 does, in
lib/streaming/chat/_completions.py), so pieces of calls that alternate must wait for their turn.
Pure. Imports: canonical.
"""

from __future__ import annotations

import msgspec

from flo2.canonical import Annotation, PartDelta, PartStart, PartStop, ToolCall

__all__ = ["CallTurns", "PartEvent"]

PartEvent = PartStart | PartDelta | Annotation | PartStop


class CallTurns:
    """Whose turn it is, and who waits."""

    __slots__ = ("_is_free_text", "_said", "_waiting", "open")

    def __init__(self) -> None:
        self.open: int | None = None  # the part whose arguments may go on
        self._is_free_text = False
        self._said: list[str] = []
        self._waiting: dict[int, list[PartEvent]] = {}

    def holds(self, event: PartEvent) -> bool:
        """Keep an event of a call whose turn has not come; say whether it was kept."""
        if held := self._waiting.get(event.index):
            held.append(event)
            return True
        if isinstance(event, PartDelta):
            if event.index == self.open:
                self._said.append(event.text)
        elif isinstance(event, PartStart) and isinstance(event.part, ToolCall):
            if self.open is not None and not self._is_whole():
                self._waiting[event.index] = [event]
                return True
            self.open, self._said = event.index, [event.part.arguments]
            self._is_free_text = event.part.kind == "custom"
        return False

    def _is_whole(self) -> bool:
        """Say whether nothing can follow.

        No arguments at all may be those of a function without any, or be still to come; free text
        may always go on.
        """
        if self._is_free_text:
            return False
        try:
            return isinstance(msgspec.json.decode("".join(self._said)), dict)
        except msgspec.DecodeError:
            return False

    def next(self) -> list[PartEvent]:
        """End the turn; give what the call that waited longest has said."""
        self.open = None
        return self._waiting.pop(next(iter(self._waiting))) if self._waiting else []
