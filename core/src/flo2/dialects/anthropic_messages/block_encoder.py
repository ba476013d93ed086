"""Encode the parts of an answer as content blocks of a stream.

Blocks are strictly serial here: one is open at a time and none is opened twice. Deltas for a part
that had to wait (parallel tool calls that arrive interleaved) are held until the open one is done.
Pure. Imports: canonical, sse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from flo2.canonical import (
    Annotation,
    Part,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from flo2.dialects.anthropic_messages.answer_render import AnswerWriter
from flo2.dialects.anthropic_messages.vocabulary import NAME
from flo2.dialects.carrier import CarrierWriter, carry
from flo2.dialects.free_text import free_text_input
from flo2.dialects.jsonio import dumps
from flo2.dialects.sse import frame

__all__ = ["BlockEncoder", "PartEvent", "write_event"]

PartEvent = PartStart | PartDelta | Annotation | PartStop


def write_event(kind: str, **fields: Any) -> bytes:
    """Write one event of the stream."""
    return frame(dumps({"type": kind, **fields}), kind.encode())


class BlockEncoder:
    """Turn the events of parts into the events of blocks.

    Args:
        answer: Writes the blocks, and keeps what is lost.
    """

    def __init__(self, answer: AnswerWriter) -> None:
        self._answer = answer
        self._parts: dict[int, Part] = {}
        self._open: int | None = None
        self._block = -1
        self._waiting: dict[int, list[PartEvent]] = {}
        self._held: list[str] = []
        self._carrier: CarrierWriter | None = None
        self._object_begun = False
        self._lost: set[int] = set()

    def feed(self, event: PartEvent) -> bytes:
        """Render one event of a part."""
        index = event.index
        if index in self._lost:
            return b""
        if index in self._waiting:
            self._waiting[index].append(event)
            return b""
        if isinstance(event, PartStop):
            return self._stop() + self._flush() if index == self._open else b""
        if index != self._open:
            if isinstance(self._parts.get(self._open or 0), ToolCall) and self._open is not None:
                # A tool call's arguments may yet go on; text and thinking are over when another
                # part begins.
                self._waiting[index] = [event]
                return b""
            if not isinstance(event, PartStart):
                return self._reopen(event)
        if isinstance(event, PartStart):
            return self._stop() + self._open_part(index, event.part)
        return self._delta(index, event)

    def _reopen(self, event: PartDelta | Annotation) -> bytes:
        """Go on with a part that was closed, or was never begun (then it is text)."""
        before = self._parts.get(event.index, Text(""))
        if isinstance(before, ToolCall):
            self._answer.lose(f"content[{event.index}]", "arguments after the end of a tool call")
            return b""
        fresh = Reasoning(origin=before.origin) if isinstance(before, Reasoning) else Text("")
        return self._stop() + self._open_part(event.index, fresh) + self._delta(event.index, event)

    def _open_part(self, index: int, part: Part) -> bytes:
        self._parts[index] = part
        block = self._answer.opening(part, f"content[{index}]")
        if block is None:
            self._lost.add(index)
            return b""
        self._open = index
        self._object_begun = False
        self._block += 1
        out = write_event("content_block_start", index=self._block, content_block=block)
        match part:
            case Text():
                out += self._delta(index, PartDelta(index, part.text))
                for citation in part.citations:
                    out += self._delta(index, Annotation(index, citation))
            case Reasoning():
                if part.origin not in ("", NAME):
                    self._carrier = CarrierWriter(evolve(part, text="", signature=None))
                out += self._delta(index, PartDelta(index, part.text, part.signature or ""))
            case ToolCall():
                out += self._delta(index, PartDelta(index, part.arguments))
            case Refusal():
                out += self._delta(index, PartDelta(index, part.text))
            case _:
                pass
        return out

    def _delta(self, index: int, event: PartDelta | Annotation) -> bytes:
        part = self._parts[index]
        if isinstance(event, Annotation):
            if not self._answer.citation(event.data, f"content[{index}]"):
                return b""
            return self._emit({"type": "citations_delta", "citation": event.data})
        match part:
            case Reasoning():
                out = b""
                if self._carrier is not None:
                    self._carrier.add(event)
                if event.text:
                    out += self._emit({"type": "thinking_delta", "thinking": event.text})
                if event.signature and part.origin == NAME:
                    out += self._emit({"type": "signature_delta", "signature": event.signature})
                return out
            case ToolCall(kind="custom"):
                self._held.append(event.text)
                return b""
            case ToolCall() if event.text:
                return self._arguments(event.text)
            case Text() | Refusal() if event.text:
                return self._emit({"type": "text_delta", "text": event.text})
            case _:
                return b""

    def _arguments(self, text: str) -> bytes:
        """Pass on the pieces of an object; hold anything else until it is whole."""
        if not self._object_begun and not self._held:
            self._object_begun = text.lstrip().startswith("{")
        if self._object_begun or not (self._held or text.strip()):
            return self._emit({"type": "input_json_delta", "partial_json": text})
        self._held.append(text)
        return b""

    def _emit(self, delta: Mapping[str, Any]) -> bytes:
        return write_event("content_block_delta", index=self._block, delta=delta)

    def _stop(self) -> bytes:
        if self._open is None:
            return b""
        out = b""
        if self._held:
            part, held = self._parts[self._open], "".join(self._held)
            if isinstance(part, ToolCall) and part.kind == "custom":
                text = free_text_input(held)
            else:
                text = dumps(self._answer.tool_input(held, f"content[{self._open}]")).decode()
            out = self._emit({"type": "input_json_delta", "partial_json": text})
            self._held.clear()
        if self._carrier is not None:
            sealed, self._carrier = carry(self._carrier.reasoning()), None
            out = self._emit({"type": "signature_delta", "signature": sealed})
        self._open = None
        return out + write_event("content_block_stop", index=self._block)

    def _flush(self) -> bytes:
        """Replay the parts that waited, until one of them is still going on."""
        out = b""
        while self._waiting and self._open is None:
            index = next(iter(self._waiting))
            for event in self._waiting.pop(index):
                out += self.feed(event)
        return out

    def close(self) -> bytes:
        """Close what is open and write what waited."""
        out = self._stop()
        while self._waiting:
            out += self._flush() + self._stop()
        return out
