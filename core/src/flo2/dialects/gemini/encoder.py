"""Encode an answer for a client of this dialect: as a stream, or in one piece.

Pure. Imports: canonical.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from flo2.canonical import (
    Annotation,
    Audio,
    Choice,
    Event,
    Failed,
    Finish,
    LogprobsDelta,
    Loss,
    Part,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Refusal,
    Response,
    Start,
    Text,
    ToolCall,
    Usage,
    UsageUpdate,
    Vector,
)
from flo2.dialects.base import Rendered
from flo2.dialects.gemini.answer_render import AnswerWriter, Piece
from flo2.dialects.gemini.errors import encode_stream_error, frame
from flo2.dialects.gemini.seals import seals
from flo2.dialects.gemini.usage import write_usage
from flo2.dialects.gemini.vocabulary import NAME
from flo2.dialects.jsonio import dumps

__all__ = ["StreamEncoder", "encode_response"]


class _Growing:
    """A part that is sent, or carried, when it is complete."""

    __slots__ = ("encrypted", "part", "signature", "text")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.text: list[str] = []
        self.signature: list[str] = []
        self.encrypted: list[str] = []


class _Candidate:
    """One candidate while its events come in."""

    def __init__(self, losses: list[Loss], number: int, *, own: bool) -> None:
        self.writer = AnswerWriter(losses, number, own=own)
        self.parts: dict[int, Part] = {}
        self.growing: dict[int, _Growing] = {}
        self.notes: list[Mapping[str, Any]] = []
        self.logprobs: list[Mapping[str, Any]] = []
        self.finish: Finish | None = None


class StreamEncoder:
    """Turn events into a stream.

    Text goes out as it comes; a tool call when its arguments are complete, for the dialect has them
    as an object; how it ends and what it used in one last chunk, as the provider does.
    """

    def __init__(self) -> None:
        self._losses: list[Loss] = []
        self._candidates: dict[int, _Candidate] = {}
        self._start = Start("", "")
        self._usage: Usage | None = None
        self._ended = False

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What of the answer could not be said in this dialect, so far."""
        return tuple(self._losses)

    def feed(self, event: Event) -> bytes:
        """Render one event; b"" when it must wait."""
        if self._ended:
            return b""
        match event:
            case Start():
                self._start = event
            case UsageUpdate():
                self._usage = event.usage
            case Failed():
                self._ended = True
                return self._rest() + encode_stream_error(event.error)
            case Vector():
                pass  # no answer to a chat
            case _:
                return self._of_choice(event)
        return b""

    def _of_choice(
        self, event: PartStart | PartDelta | PartStop | Annotation | LogprobsDelta | Finish
    ) -> bytes:
        found = self._candidates.get(event.choice)
        if found is None:
            own = self._start.origin == NAME
            found = _Candidate(self._losses, event.choice, own=own)
            self._candidates[event.choice] = found
        match event:
            case PartDelta():
                return self._delta(found, event)
            case PartStart():
                return self._begin(found, event)
            case PartStop():
                return self._complete(found, event.index, event.choice)
            case Annotation():
                found.notes.append(event.data)
            case LogprobsDelta():
                found.logprobs.append(event.data)
            case Finish():
                found.finish = event
                return self._complete_all(found, event.choice)
        return b""

    def _begin(self, found: _Candidate, event: PartStart) -> bytes:
        # Thinking is over when another part begins; the arguments of calls may yet go on.
        thought = [i for i, one in found.growing.items() if isinstance(one.part, Reasoning)]
        before = b"".join([self._complete(found, index, event.choice) for index in thought])
        found.parts[event.index] = event.part
        return before + self._opening(found, event)

    def _opening(self, found: _Candidate, event: PartStart) -> bytes:
        part = event.part
        match part:
            case Text() | Refusal():
                if isinstance(part, Text):
                    found.notes += part.citations
                return self._pieces(found, part, event.index, event.choice)
            case Reasoning() if part.origin == NAME:
                return self._pieces(found, part, event.index, event.choice)
            case Reasoning():
                bare = evolve(part, text="", signature=None, encrypted=None)
                growing = found.growing[event.index] = _Growing(bare)
                seal = PartDelta(
                    event.index, part.text, part.signature or "", encrypted=part.encrypted or ""
                )
                return self._thought(growing, seal, event.choice)
            case ToolCall():
                growing = found.growing[event.index] = _Growing(evolve(part, arguments=""))
                growing.text.append(part.arguments)
                return b""
            case Audio() if not part.data:
                return b""
            case _:
                return self._pieces(found, part, event.index, event.choice)

    def _delta(self, found: _Candidate, event: PartDelta) -> bytes:
        part = found.parts.get(event.index)
        match part:
            case ToolCall():
                if (growing := found.growing.get(event.index)) is not None:
                    growing.text.append(event.text)
                return b""
            case Reasoning() if part.origin == NAME:
                more = Reasoning(event.text, event.signature or None, origin=NAME)
                more = evolve(more, extras={**_place(part), **event.extras})
                return self._pieces(found, more, event.index, event.choice)
            case Reasoning():
                growing = found.growing.get(event.index) or _Growing(part)
                return self._thought(growing, event, event.choice)
            case Audio():
                if not event.data:
                    if event.text:
                        found.writer.lose(f"parts[{event.index}]", "a transcript has no field")
                    return b""
                piece = evolve(part, data=event.data)
                return self._pieces(found, piece, event.index, event.choice)
            case Text() | Refusal() | None:
                if event.text and not event.extras:
                    return self._chunk(event.choice, [{"text": event.text}])
                text = Text(event.text, extras=event.extras)
                return self._pieces(found, text, event.index, event.choice)
            case _:
                return b""

    def _thought(self, growing: _Growing, more: PartDelta, choice: int) -> bytes:
        growing.text.append(more.text)
        growing.signature.append(more.signature)
        growing.encrypted.append(more.encrypted)
        return self._chunk(choice, [{"text": more.text, "thought": True}]) if more.text else b""

    def _complete(self, found: _Candidate, index: int, choice: int) -> bytes:
        growing = found.growing.pop(index, None)
        if growing is None:
            return b""
        part, text = growing.part, "".join(growing.text)
        if isinstance(part, ToolCall):
            return self._pieces(found, evolve(part, arguments=text), index, choice)
        signature, encrypted = "".join(growing.signature), "".join(growing.encrypted)
        if isinstance(part, Reasoning) and (signature or encrypted):
            sealed = evolve(
                part, text=text, signature=signature or None, encrypted=encrypted or None
            )
            pieces = found.writer.pieces(sealed, f"parts[{index}]")
            # The text has gone out already; only what carries it is left to say.
            return self._chunk(choice, [{**piece, "text": ""} for piece in pieces])
        return b""

    def _complete_all(self, found: _Candidate, choice: int) -> bytes:
        return b"".join([self._complete(found, index, choice) for index in sorted(found.growing)])

    def _pieces(self, found: _Candidate, part: Part, index: int, choice: int) -> bytes:
        pieces = found.writer.pieces(part, f"parts[{index}]")
        return self._chunk(choice, pieces) if pieces else b""

    def _chunk(self, choice: int, pieces: list[Piece]) -> bytes:
        content = {"parts": pieces, "role": "model"}
        return self._frame([{"content": content, "index": choice}])

    def _frame(self, candidates: list[Piece]) -> bytes:
        start = self._start
        told: Piece = {"candidates": candidates} if candidates else {}
        if self._usage is not None:
            told["usageMetadata"] = write_usage(self._usage)
        told["modelVersion"] = start.model
        told["responseId"] = start.id
        if start.origin == NAME:
            told |= start.extras
        return frame(told)

    def _rest(self) -> bytes:
        return b"".join(
            [self._complete_all(found, choice) for choice, found in self._candidates.items()]
        )

    def close(self) -> bytes:
        """Render the end: what waited, then one chunk with each candidate's end and the usage."""
        if self._ended:
            return b""
        self._ended = True
        out = self._rest()
        ends: list[Piece] = []
        blocked: Piece = {}
        for _, found in sorted(self._candidates.items()):
            writer = found.writer
            if (
                feedback := _feedback(found.finish, own=writer.own)
            ) is not None and not found.parts:
                blocked = {"promptFeedback": feedback}
                continue
            content = {"content": {"parts": [{"text": ""}], "role": "model"}}
            end = {} if found.finish is None else writer.ending(found.finish, found.notes)
            ends.append({**content, **end, **writer.logprobs(found.logprobs)})
        if blocked and self._start.origin == NAME:
            self._start = evolve(self._start, extras={**self._start.extras, **blocked})
        return out + self._frame(ends)


def _place(part: Reasoning) -> Mapping[str, Any]:
    place = seals(part)
    return {} if place is None else {"seals": place}


def _feedback(finish: Finish | None, *, own: bool) -> Any:
    """Give why the prompt was blocked, where the provider said so and answered nothing."""
    return finish.extras.get("promptFeedback") if own and finish is not None else None


def encode_response(response: Response) -> Rendered:
    """Encode a plain answer."""
    losses: list[Loss] = []
    own = response.origin == NAME
    candidates: list[Piece] = []
    top: Piece = {}
    for number, choice in enumerate(response.choices):
        finish = _finish(choice)
        if (feedback := _feedback(finish, own=own)) is not None and not choice.parts:
            top["promptFeedback"] = feedback
            continue
        candidates.append(_candidate(choice, finish, AnswerWriter(losses, number, own=own)))
    answer: Piece = {"candidates": candidates} if candidates else {}
    if response.usage is not None:
        answer["usageMetadata"] = write_usage(response.usage)
    if response.model or not own:
        answer["modelVersion"] = response.model
    if response.id or not own:
        answer["responseId"] = response.id
    extras = response.extras if own else {}
    return Rendered(dumps({**answer, **extras, **top}), tuple(losses))


def _finish(choice: Choice) -> Finish | None:
    if choice.finish is None:
        return None
    return Finish(choice.finish, choice.finish_raw, choice.stop_sequence, extras=choice.extras)


def _candidate(choice: Choice, finish: Finish | None, writer: AnswerWriter) -> Piece:
    notes = [note for part in choice.parts if isinstance(part, Text) for note in part.citations]
    content: Piece = {"parts": writer.merged(choice.parts, "parts"), "role": "model"}
    end = {} if finish is None else writer.ending(finish, notes)
    return {"content": content, **end, **writer.logprobs([*choice.logprobs])}
