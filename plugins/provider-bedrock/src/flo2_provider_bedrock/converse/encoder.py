"""Encode events as Converse's event stream. Pure. Imports: flo2, eventstream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    ProviderError,
    Reasoning,
    Refusal,
    RefusedCall,
    Start,
    Text,
    ToolCall,
    Usage,
    UsageUpdate,
)
from flo2.dialects.jsonio import dumps
from flo2_provider_bedrock.converse.answer import stop_reason
from flo2_provider_bedrock.converse.block_render import BlockWriter
from flo2_provider_bedrock.converse.usage import write_usage
from flo2_provider_bedrock.converse.vocabulary import MESSAGE_TYPE, NAME
from flo2_provider_bedrock.errors import EXCEPTION_OF
from flo2_provider_bedrock.eventstream import encode_message

__all__ = ["StreamEncoder", "encode_stream_error"]


def _event(kind: str, **fields: Any) -> bytes:
    return encode_message({":event-type": kind, **MESSAGE_TYPE}, dumps(fields))


def encode_stream_error(error: RefusedCall | ProviderError) -> bytes:
    """Write an error as the last message of a stream."""
    name = EXCEPTION_OF[error.kind]
    headers = {
        ":exception-type": name[:1].lower() + name[1:],
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return encode_message(headers, dumps({"message": error.message}))


class StreamEncoder:
    """Turn events into a stream."""

    def __init__(self) -> None:
        self._out = BlockWriter("")
        self._begun = False
        self._ended = False
        self._open: list[int] = []
        self._parts: dict[int, Part] = {}
        self._usage: Usage | None = None
        self._finish: Finish | None = None

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What of the answer could not be said in this dialect, so far."""
        return tuple(self._out.losses)

    def feed(self, event: Event) -> bytes:
        """Render one event; b"" when it must wait."""
        if self._ended:
            return b""
        match event:
            case Start():
                self._out.own = event.origin == NAME
                return self._begin()
            case UsageUpdate():
                self._usage = event.usage
            case Failed():
                self._ended = True
                return encode_stream_error(event.error)
            case Finish() | PartStart() | PartDelta() | Annotation() | PartStop():
                return self._of_choice(event)
            case _:
                pass  # log probabilities and vectors have no form here
        return b""

    def _of_choice(self, event: Finish | PartStart | PartDelta | Annotation | PartStop) -> bytes:
        if event.choice:
            path = f"choices[{event.choice}]"
            if all(loss.path != path for loss in self._out.losses):
                self._out.lose(path, "one answer a request")
            return b""
        match event:
            case Finish():
                self._finish = event
                return b""
            case PartStart():
                return self._begin() + self._start(event.index, event.part)
            case PartDelta():
                return self._delta(event)
            case Annotation():
                return self._annotation(event)
            case PartStop():
                return self._stop(event.index) if event.index in self._open else b""

    def close(self) -> bytes:
        """Render the end: messageStop, then metadata."""
        if self._ended:
            return b""
        out = self._begin() + self._stop(*self._open)
        self._ended = True
        finish, extras = self._finish, {}
        if finish is not None and self._out.own:
            extras = dict(finish.extras)
        raw = None if finish is None else finish.raw
        reason = stop_reason(None if finish is None else finish.reason, raw, own=self._out.own)
        more = extras.pop("additionalModelResponseFields", None)
        fields: Mapping[str, Any] = {} if more is None else {"additionalModelResponseFields": more}
        out += _event("messageStop", stopReason=reason, **fields)
        metrics = {"metrics": {"latencyMs": 0}, **extras}
        return out + _event("metadata", usage=write_usage(self._usage), **metrics)

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return _event("messageStart", role="assistant")

    def _stop(self, *indices: int) -> bytes:
        """End blocks; one that its dialect does not end stays open, as it may go on."""
        self._open = [index for index in self._open if index not in indices]
        return b"".join(_event("contentBlockStop", contentBlockIndex=index) for index in indices)

    def _start(self, index: int, part: Part) -> bytes:
        out = b""
        path = f"content[{index}]"
        match part:
            case Opaque() if part.dialect == NAME:
                return out + _whole(index, part.data)
            case Text() | Refusal() | ToolCall():
                pass
            case Reasoning() if part.encrypted is None or part.origin == NAME:
                pass
            case _:
                self._out.lose(path, f"an answer holds no {type(part).__name__.lower()} here")
                return out
        self._parts[index] = part
        self._open.append(index)
        match part:
            case ToolCall():
                call = {"toolUseId": part.id, "name": part.name}
                if self._out.own:
                    call |= part.extras
                out += _event("contentBlockStart", contentBlockIndex=index, start={"toolUse": call})
                return out + (self._said(index, part.arguments) if part.arguments else b"")
            case Reasoning() if part.encrypted is not None:
                return out + self._block(index, {"redactedContent": part.encrypted})
            case Reasoning():
                out += self._said(index, part.text) if part.text else b""
                return out + (self._sealed(index, part.signature) if part.signature else b"")
            case Text():
                out += self._said(index, part.text) if part.text or not part.citations else b""
                cited = (Annotation(index, each) for each in part.citations)
                return out + b"".join(map(self._annotation, cited))
            case _:
                return out + self._said(index, part.text)

    def _said(self, index: int, text: str) -> bytes:
        match self._parts.get(index):
            case ToolCall():
                delta: Mapping[str, Any] = {"toolUse": {"input": text}}
            case Reasoning():
                return self._block(index, {"text": text})
            case None:
                return b""
            case _:
                delta = {"text": text}
        return _event("contentBlockDelta", contentBlockIndex=index, delta=delta)

    def _block(self, index: int, reasoning: Mapping[str, Any]) -> bytes:
        delta = {"reasoningContent": reasoning}
        return _event("contentBlockDelta", contentBlockIndex=index, delta=delta)

    def _sealed(self, index: int, signature: str) -> bytes:
        part = self._parts.get(index)
        if isinstance(part, Reasoning) and part.origin == NAME:
            return self._block(index, {"signature": signature})
        return b""

    def _delta(self, event: PartDelta) -> bytes:
        begun = b"" if event.index in self._parts else self._start(event.index, Text(""))
        out = self._said(event.index, event.text) if event.text else b""
        return (
            begun + out + (self._sealed(event.index, event.signature) if event.signature else b"")
        )

    def _annotation(self, event: Annotation) -> bytes:
        if not self._out.own:
            self._out.lose(f"content[{event.index}].citations", "annotations of another dialect")
            return b""
        delta = {"citation": event.data}
        return _event("contentBlockDelta", contentBlockIndex=event.index, delta=delta)


def _whole(index: int, block: Mapping[str, Any]) -> bytes:
    """Write a block of this dialect's own making, with what it holds in one delta."""
    start = {kind: dict(value) for kind, value in block.items() if isinstance(value, Mapping)}
    deltas: dict[str, Any] = {}
    if "input" in start.get("toolUse", {}):
        deltas["toolUse"] = {"input": dumps(start["toolUse"].pop("input")).decode()}
    if "content" in start.get("toolResult", {}):
        deltas["toolResult"] = start["toolResult"].pop("content")
    out = _event("contentBlockStart", contentBlockIndex=index, start=start)
    if deltas:
        out += _event("contentBlockDelta", contentBlockIndex=index, delta=deltas)
    return out + _event("contentBlockStop", contentBlockIndex=index)
