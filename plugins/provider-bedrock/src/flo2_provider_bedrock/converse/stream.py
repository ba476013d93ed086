"""Decode Converse's event stream: in full, or only what metering needs.

    messageStart → (contentBlockStart? → contentBlockDelta* → contentBlockStop)* → messageStop
    → metadata (usage)

Text and reasoning have no start of their own. Every event carries padding in `p`, which means
nothing. Pure. Imports: flo2, eventstream.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html,
read 2026-11-25; recordings/bedrock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import evolve

from flo2 import (
    Annotation,
    Chunk,
    Event,
    Failed,
    Finish,
    Observed,
    Opaque,
    PartDelta,
    PartStart,
    PartStop,
    ProviderError,
    ReadUsage,
    Reasoning,
    Start,
    Text,
    ToolCall,
    UsageUpdate,
)
from flo2.dialects.jsonio import loads
from flo2_provider_bedrock.converse.answer import ending, finish_of
from flo2_provider_bedrock.converse.block_parse import parse_block
from flo2_provider_bedrock.converse.usage import in_its_place
from flo2_provider_bedrock.converse.vocabulary import NAME
from flo2_provider_bedrock.errors import garbled, stream_error
from flo2_provider_bedrock.eventstream import EventStreamParser, Message

__all__ = ["StreamDecoder"]

_FIRST: Final = (PartStart(0, Text("")),)
_LIGHT: Final = frozenset({"messageStart", "messageStop", "metadata"})


class StreamDecoder:
    """Turn the bytes of a stream into chunks.

    Args:
        full: Give every event. Otherwise only start, usage, finish and failure, and one empty
            `PartStart` for the first content.
        read_usage: Normalises the usage object.
        id: Names the answer, which has no id of its own.
        model: The model that was asked, which the answer does not name.
    """

    def __init__(self, *, full: bool, read_usage: ReadUsage, id: str = "", model: str = "") -> None:  # noqa: A002  # as in `Start`
        self.observed: Observed = Observed(response_id=id or None, model=model or None)
        self._parser = EventStreamParser()
        self._full = full
        self._read_usage = read_usage
        self._start = Start(id, model, origin=NAME)
        self._finish: Finish | None = None
        self._blocks = _Blocks()
        self._ended = False
        self._handlers: Mapping[str, Callable[[Mapping[str, Any]], tuple[Event, ...]]] = {
            "messageStart": self._message_start,
            "contentBlockStart": self._blocks.start,
            "contentBlockDelta": self._blocks.delta,
            "contentBlockStop": self._blocks.stop,
            "messageStop": self._message_stop,
            "metadata": self._metadata,
        }

    def feed(self, data: bytes) -> Chunk:
        """Take the next bytes; give all messages that are now complete."""
        if self._ended:
            return Chunk(b"")
        messages, problem = self._parser.feed(data)
        raw: list[bytes] = []
        events: list[Event] = []
        for message in messages:
            raw.append(message.raw)
            events += self._event(message)
            if self._ended:
                break
        if problem is not None and not self._ended:
            events += self._fail(garbled(problem))
        return Chunk(b"".join(raw), tuple(events))

    def close(self) -> Chunk:
        """Take the end; without `metadata` before it, the answer has failed."""
        if self._ended:
            return Chunk(b"")
        what = "the stream ended before its metadata event"
        return Chunk(b"", self._fail(garbled(what, kind="connection")))

    def _event(self, message: Message) -> tuple[Event, ...]:
        error = stream_error(message)
        if error is not None:
            return self._fail(error)
        kind = message.headers.get(":event-type", "")
        if kind.startswith("contentBlock") and not self._full:
            return self._first_content()
        handle = self._handlers.get(kind)
        if handle is None or (not self._full and kind not in _LIGHT):
            return ()
        try:
            data = loads(message.payload)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            size = len(message.payload)
            return self._fail(garbled(f"a {kind} event is no JSON object ({size} bytes)"))
        if kind.startswith("contentBlock"):
            self.observed.has_content = True
        return handle(data)

    def _first_content(self) -> tuple[Event, ...]:
        if self.observed.has_content:
            return ()
        self.observed.has_content = True
        return _FIRST

    def _message_start(self, data: Mapping[str, Any]) -> tuple[Event, ...]:  # a handler
        return (self._start,)

    def _message_stop(self, data: Mapping[str, Any]) -> tuple[Event, ...]:
        self._finish = finish_of(data.get("stopReason"), ending(data))
        self.observed.finish = self._finish.raw
        return ()

    def _metadata(self, data: Mapping[str, Any]) -> tuple[Event, ...]:
        """Take the last event: usage, and what a plain answer has beside its content."""
        events: list[Event] = []
        if isinstance(raw := data.get("usage"), dict):
            self.observed.usage = in_its_place(self._read_usage(raw), data)
            events.append(UsageUpdate(self.observed.usage))
        if self._finish is None:
            return (*events, *self._fail(garbled("the stream has metadata and no messageStop")))
        extras = {**self._finish.extras, **ending(data)}
        self.observed.complete = self._ended = True
        return (*events, Finish(self._finish.reason, self._finish.raw, extras=extras))

    def _fail(self, error: ProviderError) -> tuple[Event, ...]:
        self.observed.error = error
        self._ended = True
        return (Failed(error),)


class _Blocks:
    """The content blocks of one stream; their own indices may have gaps, ours have none."""

    def __init__(self) -> None:
        self._index: dict[int, int] = {}
        self._opaque: dict[int, dict[str, Any]] = {}
        self._begun: set[int] = set()
        self._silent: set[int] = set()

    def start(self, data: Mapping[str, Any]) -> tuple[Event, ...]:
        """Take a contentBlockStart; text and reasoning begin with their first delta."""
        at, begun = data.get("contentBlockIndex"), data.get("start")
        if not isinstance(at, int) or not isinstance(begun, dict) or not begun:
            return ()
        call = begun.get("toolUse")
        part = parse_block({"toolUse": {"input": {}, **call}}) if isinstance(call, dict) else None
        if isinstance(part, ToolCall):
            self._silent.add(at)
            return (PartStart(self._at(at), evolve(part, arguments="")),)
        self._at(at)
        self._opaque[at] = {kind: dict(value) for kind, value in begun.items() if value is not None}
        return ()

    def _at(self, at: int) -> int:
        return self._index.setdefault(at, len(self._index))

    def delta(self, data: Mapping[str, Any]) -> tuple[Event, ...]:
        """Take a contentBlockDelta."""
        at, delta = data.get("contentBlockIndex"), data.get("delta")
        if not isinstance(at, int) or not isinstance(delta, dict):
            return ()
        if (gathered := self._opaque.get(at)) is not None:
            _gather(gathered, delta)
            return ()
        match delta:
            case {"text": str() as text}:
                return self._in(at, Text(""), PartDelta(self._at(at), text) if text else None)
            case {"toolUse": {"input": str() as text}}:
                if not text:
                    return ()
                self._silent.discard(at)
                return (PartDelta(self._at(at), text),)
            case {"reasoningContent": dict() as thought}:
                return self._thought(at, thought)
            case {"citation": dict() as citation}:
                return self._in(at, Text(""), Annotation(self._at(at), citation))
            case _:
                return ()

    def _thought(self, at: int, delta: Mapping[str, Any]) -> tuple[Event, ...]:
        match delta:
            case {"text": str() as text}:
                return self._in(at, Reasoning(origin=NAME), PartDelta(self._at(at), text))
            case {"signature": str() as signature}:
                sealed = PartDelta(self._at(at), signature=signature)
                return self._in(at, Reasoning(origin=NAME), sealed)
            case {"redactedContent": str() as blob}:
                return self._in(at, Reasoning(encrypted=blob, origin=NAME), None)
            case _:
                return ()

    def _in(self, at: int, part: Text | Reasoning, event: Event | None) -> tuple[Event, ...]:
        """Begin a part with its first delta."""
        known = at in self._begun
        self._begun.add(at)
        begins: tuple[Event, ...] = () if known else (PartStart(self._at(at), part),)
        return begins if event is None else (*begins, event)

    def stop(self, data: Mapping[str, Any]) -> tuple[Event, ...]:
        """Take a contentBlockStop."""
        at = data.get("contentBlockIndex")
        if not isinstance(at, int) or at not in self._index:
            return ()
        index = self._index[at]
        if (gathered := self._opaque.pop(at, None)) is not None:
            return (PartStart(index, Opaque(NAME, _whole(gathered))), PartStop(index))
        if at in self._silent:
            # A tool without arguments; it means {}.
            return (PartDelta(index, "{}"), PartStop(index))
        return (PartStop(index),)


def _gather(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add a delta to a block that is passed on whole."""
    for kind, value in delta.items():
        holder = block.setdefault(kind, {})
        match value:
            case {"input": str() as text} if kind == "toolUse":
                holder["input"] = holder.get("input", "") + text
            case list() if kind == "toolResult":
                holder["content"] = [*holder.get("content", ()), *value]
            case dict():
                holder |= value
            case _:
                continue


def _whole(block: dict[str, Any]) -> dict[str, Any]:
    """Give a gathered block the form it has in a plain answer."""
    call = block.get("toolUse")
    if isinstance(call, dict):
        text = call.get("input", "")
        try:
            call["input"] = loads(text) if text else {}
        except ValueError:
            call["input"] = text
    return block
