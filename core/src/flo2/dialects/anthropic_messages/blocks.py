"""The content blocks of a stream while they come in.

Text, thinking and tool calls are passed on piece by piece. A block that is not modelled is gathered
and given whole at its end, because nobody else knows how its deltas add up.
Pure. Imports: canonical.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from flo2.canonical import (
    Annotation,
    Event,
    Opaque,
    Part,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Text,
    ToolCall,
)
from flo2.dialects.anthropic_messages.block_parse import parse_block
from flo2.dialects.anthropic_messages.vocabulary import NAME
from flo2.dialects.jsonio import loads
from flo2.errors import InvalidRequest

__all__ = ["BlockStream", "answer_part"]


def answer_part(block: Mapping[str, Any]) -> Part:
    """Read a block of an answer; one that is not as documented stays opaque."""
    try:
        part = parse_block(block, "content")
    except InvalidRequest:
        return Opaque(NAME, block)
    if isinstance(part, Reasoning) and part.signature == "":
        # Every thinking block has the field; in an answer "" says that there is no seal (yet).
        return evolve(part, signature=None)
    return part


class BlockStream:
    """Turn block events into part events."""

    def __init__(self) -> None:
        self._gathered: dict[int, dict[str, Any]] = {}
        self._json: dict[int, list[str]] = {}
        self._calls: dict[int, str] = {}

    def start(self, data: Mapping[str, Any]) -> tuple[Event, ...]:
        """Take a content_block_start."""
        index, block = data.get("index"), data.get("content_block")
        if not isinstance(index, int) or not isinstance(block, dict):
            return ()
        match part := answer_part(block):
            case ToolCall():
                # `input` is {} here and follows as JSON text; should it be filled, it is the whole.
                self._calls[index] = part.arguments
                return (PartStart(index, evolve(part, arguments="")),)
            case Text(extras={"citations": []}):
                # An empty list only says that citations will follow.
                rest = {key: value for key, value in part.extras.items() if key != "citations"}
                return (PartStart(index, evolve(part, extras=rest)),)
            case Text() | Reasoning():
                return (PartStart(index, part),)
            case _:
                pass
        self._gathered[index] = dict(block)
        return ()

    def delta(self, data: Mapping[str, Any]) -> tuple[Event, ...]:
        """Take a content_block_delta; one of an unknown kind means nothing to a known part."""
        index, delta = data.get("index"), data.get("delta")
        if not isinstance(index, int) or not isinstance(delta, dict):
            return ()
        if index in self._gathered:
            self._gather(index, delta)
            return ()
        match delta:
            case {"type": "text_delta", "text": str() as text}:
                return (PartDelta(index, text),)
            case {"type": "input_json_delta", "partial_json": str() as text}:
                if not text:
                    return ()
                self._calls.pop(index, None)
                return (PartDelta(index, text),)
            case {"type": "thinking_delta", "thinking": str() as text}:
                return (PartDelta(index, text),)
            case {"type": "signature_delta", "signature": str() as signature}:
                return (PartDelta(index, signature=signature),)
            case {"type": "citations_delta", "citation": dict() as citation}:
                return (Annotation(index, citation),)
            case _:
                return ()

    def _gather(self, index: int, delta: Mapping[str, Any]) -> None:
        block = self._gathered[index]
        for key, value in delta.items():
            before = block.get(key)
            if key == "partial_json":
                self._json.setdefault(index, []).append(str(value))
            elif key == "citation":
                block["citations"] = [*(block.get("citations") or ()), value]
            elif key == "type":
                continue
            elif isinstance(before, str) and isinstance(value, str):
                block[key] = before + value
            elif value is not None:
                block[key] = value

    def stop(self, data: Mapping[str, Any]) -> tuple[Event, ...]:
        """Take a content_block_stop."""
        index = data.get("index")
        if not isinstance(index, int):
            return ()
        if (block := self._gathered.pop(index, None)) is not None:
            if text := "".join(self._json.pop(index, ())):
                try:
                    block["input"] = loads(text)
                except ValueError:
                    block["input"] = text
            return (PartStart(index, answer_part(block)), PartStop(index))
        if (arguments := self._calls.pop(index, None)) is not None:
            # A tool without arguments sends at most an empty partial_json; it means {}.
            return (PartDelta(index, arguments), PartStop(index))
        return (PartStop(index),)
