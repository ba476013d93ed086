"""Say of an answer what every API says and its provider left out: ids, and why it ended.

Hosts differ: Gemini's older answers have no id, some hosts of Chat Completions end a stream without
a reason or tell two calls under one id, and a client of another dialect stumbles over the gap: it
answers a call by its id, once. Pure. Imports: canonical.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from flo2.canonical import Event, Finish, PartDelta, PartStart, Start, ToolCall

__all__ = ["Completing"]


class Completing:
    """One answer that its own dialect takes for complete.

    Args:
        answer_id: Its id, where the provider gives none; ids of calls are made out of it.
        model: Its model, the same way.
    """

    __slots__ = ("_answer_id", "_calls", "_ended", "_ids", "_model", "_started")

    def __init__(self, answer_id: str, model: str) -> None:
        self._answer_id = answer_id
        self._model = model
        self._started = False
        self._ids: set[str] = set()
        self._calls: dict[int, bool] = {}  # choices, and whether each calls tools
        self._ended: set[int] = set()

    def of(self, event: Event) -> Sequence[Event]:
        """Take an event; give what it is for a client."""
        if self._started and isinstance(event, PartDelta):
            return (event,)  # nearly all of a stream
        if isinstance(event, Start):
            self._started = True
            return (event if event.id else evolve(event, id=self._answer_id),)
        if isinstance(event, PartStart):
            event = self._part(event)
        elif isinstance(event, Finish):
            self._ended.add(event.choice)
        return (*self._start(), event)

    def _start(self) -> Sequence[Event]:
        if self._started:
            return ()
        self._started = True
        return (Start(self._answer_id, self._model),)

    def _part(self, event: PartStart) -> PartStart:
        part = event.part
        called = isinstance(part, ToolCall)
        self._calls[event.choice] = self._calls.get(event.choice, False) or called
        if not isinstance(part, ToolCall):
            return event
        if not part.id or part.id in self._ids:
            made = f"call_{self._answer_id}_{len(self._ids)}"
            event = evolve(event, part=evolve(part, id=made))
            part = evolve(part, id=made)
        self._ids.add(part.id)
        return event

    def ends(self) -> Sequence[Event]:
        """Give the ends that were not told; an answer has one choice at least."""
        told = self._calls if self._calls or self._ended else {0: False}
        return (
            *self._start(),
            *(
                Finish("tool_calls" if calls else "other", choice=choice)
                for choice, calls in sorted(told.items())
                if choice not in self._ended
            ),
        )
