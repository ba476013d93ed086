"""Write an answer as Cohere says it, plain and streamed. Imports: flo2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from flo2 import (
    Annotation,
    Event,
    Failed,
    Finish,
    Loss,
    Opaque,
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
)
from flo2.canonical import FinishReason, LogprobsDelta
from flo2.dialects.base import Rendered
from flo2.dialects.sse import frame
from flo2_provider_cohere.dialect.errors import encode_stream_error
from flo2_provider_cohere.dialect.usage import write_usage
from flo2_provider_cohere.dialect.words import CHAT, FINISH_OF, WORD_OF

__all__ = ["StreamEncoder", "encode_response"]

_JSON = dict[str, Any]
_encode: Final = msgspec.json.Encoder().encode
_EMPTY: Final = {
    "role": "assistant",
    "content": [],
    "tool_plan": "",
    "tool_calls": [],
    "citations": [],
}


def _word(reason: FinishReason | None, raw: str | None, losses: list[Loss]) -> str:
    if raw in FINISH_OF:
        return str(raw)
    word = WORD_OF[reason or "other"]
    if reason in {"content_filter", "refusal", "pause", "other", "context_window"}:
        losses.append(Loss("finish_reason", f"{raw or reason!r} is written as {word!r}", "note"))
    return word


def _is_plan(part: Reasoning) -> bool:
    return part.origin == CHAT and bool(part.extras.get("tool_plan"))


def _block(part: Part, path: str, losses: list[Loss]) -> _JSON | None:
    """Write a part as a content block; None for what is none, or is lost."""
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Refusal():
            losses.append(Loss(path, "a refusal becomes plain text", "note"))
            return {"type": "text", "text": part.text}
        case Reasoning():
            if part.signature or part.encrypted:
                losses.append(Loss(f"{path}.signature", "a reasoning signature has no field"))
            return {"type": "thinking", "thinking": part.text}
        case Opaque(dialect=dialect, data=data) if dialect == CHAT:
            return dict(data)
        case _:
            kind = part.data.get("type") if isinstance(part, Opaque) else type(part).__name__
            losses.append(Loss(path, f"{kind!r} has no form in a chat answer"))
            return None


def _call(part: ToolCall, arguments: str) -> _JSON:
    function = {"name": part.name, "arguments": arguments}
    return {"id": part.id, "type": "function", "function": function}


def _citation(data: Mapping[str, Any], path: str, *, own: bool, losses: list[Loss]) -> _JSON | None:
    if own:
        return dict(data)
    losses.append(Loss(path, f"a citation of kind {data.get('type')!r} has no form here"))
    return None


def encode_response(response: Response) -> Rendered:
    """Write a plain answer for a client."""
    losses: list[Loss] = []
    own = response.origin == CHAT
    losses += [
        Loss(f"choices[{number}]", "one answer is all there is room for")
        for number in range(1, len(response.choices))
    ]
    message: _JSON = {"role": "assistant"}
    body: _JSON = {"id": response.id, "message": message}
    if response.choices:
        choice = response.choices[0]
        for index, part in enumerate(choice.parts):
            _add(message, part, f"choices[0].parts[{index}]", own=own, losses=losses)
        body["finish_reason"] = _word(choice.finish, choice.finish_raw, losses)
        if choice.logprobs and own:
            body["logprobs"] = list(choice.logprobs)
        elif choice.logprobs:
            losses.append(Loss("logprobs", "log probabilities of another form"))
    if response.usage is not None:
        body["usage"] = write_usage(response.usage, CHAT)
    if own:
        body = {**response.extras, **body}
    return Rendered(_encode(body), tuple(losses))


def _add(message: _JSON, part: Part, path: str, *, own: bool, losses: list[Loss]) -> None:
    if isinstance(part, Reasoning) and _is_plan(part):
        message["tool_plan"] = message.get("tool_plan", "") + part.text
    elif isinstance(part, ToolCall):
        message.setdefault("tool_calls", []).append(_call(part, part.arguments or "{}"))
    elif (block := _block(part, path, losses)) is not None:
        message.setdefault("content", []).append(block)
    if isinstance(part, Text):
        notes = (
            _citation(each, f"{path}.citations", own=own, losses=losses) for each in part.citations
        )
        if kept := [note for note in notes if note is not None]:
            message.setdefault("citations", []).extend(kept)


class StreamEncoder:
    """Write a stream for a client, usage always at its end."""

    def __init__(self) -> None:
        self._losses: list[Loss] = []
        self._own = False
        self._failed = False
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._numbers: dict[int, tuple[str, int]] = {}
        self._open: set[int] = set()
        self._counts = {"content": 0, "plan": 0, "call": 0, "citation": 0}

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What of the answer could not be said in this dialect, so far."""
        return tuple(self._losses)

    def feed(self, event: Event) -> bytes:
        """Render one event; b"" when it has no form of its own, or must wait."""
        if getattr(event, "choice", 0):
            if isinstance(event, Finish):
                self._lose(f"choices[{event.choice}]", "one answer is all there is room for")
            return b""
        match event:
            case Start():
                self._own = event.origin == CHAT
                head = {"id": event.id, "type": "message-start", "delta": {"message": _EMPTY}}
                return frame(_encode(head), b"message-start")
            case PartStart():
                return self._part(event)
            case PartDelta():
                return self._delta(event.index, event.text)
            case PartStop():
                return self._stop(event.index)
            case Annotation():
                return self._annotation(event)
            case UsageUpdate():
                self._usage = event.usage
            case Finish():
                self._finish = event
            case LogprobsDelta():
                self._lose("logprobs", "log probabilities of a stream are left out")
            case Failed():
                self._failed = True
                return encode_stream_error(event.error)
            case _:
                pass
        return b""

    def close(self) -> bytes:
        """Render the end of the stream; after a failure there is nothing more to say."""
        if self._failed:
            return b""
        out = b"".join(self._stop(index) for index in sorted(self._open))
        finish = self._finish
        delta: _JSON = {}
        if finish is not None:
            delta["finish_reason"] = _word(finish.reason, finish.raw, self._losses)
        if self._usage is not None:
            delta["usage"] = write_usage(self._usage, CHAT)
        return out + _frame("message-end", delta) + b"data: [DONE]\n\n"

    def _lose(self, path: str, reason: str) -> None:
        self._losses.append(Loss(path, reason))

    def _begin(self, index: int, kind: str) -> int:
        counted = kind if kind in self._counts else "content"
        number = self._counts[counted]
        self._counts[counted] = number + 1
        self._numbers[index] = kind, number
        self._open.add(index)
        return number

    def _part(self, event: PartStart) -> bytes:
        part, index = event.part, event.index
        out = b"".join(self._stop(each) for each in sorted(self._open))
        path = f"choices[0].parts[{index}]"
        if isinstance(part, Reasoning) and _is_plan(part):
            self._begin(index, "plan")
            return out + self._delta(index, part.text)
        if isinstance(part, ToolCall):
            message = {"tool_calls": _call(part, part.arguments)}
            number = self._begin(index, "call")
            return out + _frame("tool-call-start", {"message": message}, index=number)
        block = _block(part, path, self._losses)
        if block is None:
            return out
        number = self._begin(index, "thinking" if block.get("type") == "thinking" else "text")
        out += _frame("content-start", {"message": {"content": block}}, index=number)
        for note in part.citations if isinstance(part, Text) else ():
            out += self._annotation(Annotation(index, note))
        return out

    def _delta(self, index: int, text: str) -> bytes:
        if not text or index not in self._numbers:
            return b""
        kind, number = self._numbers[index]
        if kind == "plan":
            return _frame("tool-plan-delta", {"message": {"tool_plan": text}})
        if kind == "call":
            message: _JSON = {"tool_calls": {"function": {"arguments": text}}}
            return _frame("tool-call-delta", {"message": message}, index=number)
        return _frame("content-delta", {"message": {"content": {kind: text}}}, index=number)

    def _stop(self, index: int) -> bytes:
        if index not in self._open:
            return b""
        self._open.discard(index)
        kind, number = self._numbers[index]
        if kind == "plan":
            return b""
        return _frame("tool-call-end" if kind == "call" else "content-end", index=number)

    def _annotation(self, event: Annotation) -> bytes:
        path = f"choices[0].parts[{event.index}].citations"
        note = _citation(event.data, path, own=self._own, losses=self._losses)
        if note is None:
            return b""
        number = self._counts["citation"]
        self._counts["citation"] = number + 1
        start = _frame("citation-start", {"message": {"citations": note}}, index=number)
        return start + _frame("citation-end", index=number)


def _frame(kind: str, delta: _JSON | None = None, *, index: int | None = None) -> bytes:
    event: _JSON = {"type": kind}
    if index is not None:
        event["index"] = index
    if delta is not None:
        event["delta"] = delta
    return frame(_encode(event), kind.encode())
