"""A whole answer, and the fold that makes it out of events.

Pure. Imports: `parts`, `events`, `request`, `usage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any

from attrs import evolve, field, frozen

from flo2.canonical.events import (
    Annotation,
    Event,
    Failed,
    Finish,
    FinishReason,
    LogprobsDelta,
    PartDelta,
    PartStart,
    PartStop,
    Start,
    UsageUpdate,
    Vector,
)
from flo2.canonical.parts import Audio, Extras, Part, Reasoning, Refusal, Text, ToolCall
from flo2.canonical.request import Request
from flo2.canonical.usage import Usage
from flo2.errors import ProviderError

__all__ = ["Choice", "Response", "fold"]


@frozen(slots=False)
class Choice:
    """One of the answers."""

    parts: tuple[Part, ...]
    finish: FinishReason | None = None
    finish_raw: str | None = None
    stop_sequence: str | None = None
    logprobs: tuple[Mapping[str, Any], ...] = ()
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class Response:
    """A whole answer.

    Attributes:
        usage: What it used, or None when the provider did not say.
        error: Set when the answer broke off; `choices` then hold what had arrived.
        origin: The dialect it came from; every `extras` inside belongs to it.
        vectors: What was asked to be embedded, in the order of the inputs.
        asked: The request it answers, where that bears on how it is written.
    """

    id: str
    model: str
    created: int
    choices: tuple[Choice, ...]
    usage: Usage | None = None
    error: ProviderError | None = None
    extras: Extras = field(factory=dict)
    origin: str = ""
    vectors: tuple[Vector, ...] = ()
    asked: Request | None = None


class _Building:
    """One choice while its events come in."""

    __slots__ = ("finish", "logprobs", "parts")

    def __init__(self) -> None:
        self.parts: dict[int, Part] = {}
        self.logprobs: list[Mapping[str, Any]] = []
        self.finish: Finish | None = None

    def done(self) -> Choice:
        finish = self.finish
        parts = tuple(part for _, part in sorted(self.parts.items()))
        if finish is None:
            return Choice(parts, logprobs=tuple(self.logprobs))
        return Choice(
            parts,
            finish=finish.reason,
            finish_raw=finish.raw,
            stop_sequence=finish.stop_sequence,
            logprobs=tuple(self.logprobs),
            extras=finish.extras,
        )


def _append(part: Part, delta: PartDelta) -> Part:
    match part:
        case Text() | Refusal():
            extras = {**part.extras, **delta.extras}
            return evolve(part, text=part.text + delta.text, extras=extras)
        case Reasoning():
            signature = (part.signature or "") + delta.signature
            return evolve(
                part,
                text=part.text + delta.text,
                signature=signature or None,
                encrypted=(part.encrypted or "") + delta.encrypted or None,
                extras={**part.extras, **delta.extras},
            )
        case ToolCall():
            extras = {**part.extras, **delta.extras}
            return evolve(part, arguments=part.arguments + delta.text, extras=extras)
        case Audio():
            return evolve(
                part,
                data=(part.data or "") + delta.data or None,
                transcript=(part.transcript or "") + delta.text or None,
                extras={**part.extras, **delta.extras},
            )
        case _:
            return part


def fold(events: Iterable[Event], *, origin: str = "", asked: Request | None = None) -> Response:
    """Add events up to the answer they mean.

    Args:
        events: Any prefix of an answer's events; a delta without a start opens a Text part.
        origin: The dialect they came from, where the `Start` does not say.
        asked: The request they answer.
    """
    start = Start("", "")
    usage: Usage | None = None
    error: ProviderError | None = None
    choices: dict[int, _Building] = {}
    vectors: list[Vector] = []
    for event in events:
        match event:
            case Start():
                start = event
            case UsageUpdate():
                usage = event.usage
            case Failed():
                error = event.error
            case Vector():
                vectors.append(event)
            case _:
                _apply(choices.setdefault(event.choice, _Building()), event)
    return Response(
        id=start.id,
        model=start.model,
        created=start.created,
        choices=tuple(building.done() for _, building in sorted(choices.items())),
        usage=usage,
        error=error,
        extras=start.extras,
        origin=start.origin or origin,
        vectors=tuple(sorted(vectors, key=attrgetter("index"))),
        asked=asked,
    )


def _apply(
    building: _Building,
    event: PartStart | PartDelta | Annotation | PartStop | LogprobsDelta | Finish,
) -> None:
    match event:
        case PartStart():
            building.parts[event.index] = event.part
        case PartDelta():
            part = building.parts.get(event.index, Text(""))
            building.parts[event.index] = _append(part, event)
        case Annotation():
            part = building.parts.get(event.index, Text(""))
            if isinstance(part, Text):
                part = evolve(part, citations=(*part.citations, event.data))
            building.parts[event.index] = part
        case LogprobsDelta():
            building.logprobs.append(event.data)
        case Finish():
            building.finish = event
        case PartStop():
            pass
