"""Decode the Messages API's event stream: in full, or only what metering needs.

    message_start → (content_block_start → content_block_delta* → content_block_stop)*
    → message_delta+ → message_stop, with `ping`, `error` and unknown events anywhere

`usage` in message_start is an estimate; each message_delta overwrites it, key by key, and may
change the input counts too (provider-run tools). Pure. Imports: canonical, base, sse.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flo2.canonical import (
    Event,
    Failed,
    PartStart,
    Text,
    UsageUpdate,
)
from flo2.dialects.anthropic_messages.blocks import BlockStream
from flo2.dialects.anthropic_messages.errors import stream_error
from flo2.dialects.anthropic_messages.heads import doubt, finish_event, start_event
from flo2.dialects.anthropic_messages.usage import merge_usage
from flo2.dialects.base import Chunk, Observed, ReadUsage
from flo2.dialects.jsonio import bare_error, loads
from flo2.dialects.sse import Frame, SSEParser
from flo2.errors import ErrorKind, ProviderError, ResponseTooLarge

__all__ = ["StreamDecoder"]

_CONTENT_LINE: Final = b"event: content_block_delta\n"
_FIRST: Final = (PartStart(0, Text("")),)
_EVENTS: Final = frozenset(
    {b"message_start", b"message_delta", b"message_stop", b"content_block_start", b"error"}
)


def _broken(
    message: str, *, kind: ErrorKind = "upstream", retryable: bool = False
) -> ProviderError:
    return ProviderError(message, status=200, kind=kind, retryable=retryable)


class StreamDecoder:
    """Turn the bytes of a stream into chunks.

    Args:
        full: Give every event. Otherwise only start, usage, finish and failure, and one empty
            `PartStart` for the first content.
        read_usage: Normalises the usage object.
    """

    def __init__(self, *, full: bool, read_usage: ReadUsage) -> None:
        self.observed: Observed = Observed()
        self._parser = SSEParser()
        self._full = full
        self._read_usage = read_usage
        self._usage: dict[str, Any] = {}
        self._blocks = BlockStream()
        self._fell_back = False
        self._ended = False
        self._handlers: Mapping[str, Callable[[Mapping[str, Any]], tuple[Event, ...]]] = {
            "content_block_delta": self._block_delta,
            "content_block_start": self._block_start,
            "content_block_stop": self._block_stop,
            "message_delta": self._message_delta,
            "message_start": self._message_start,
            "message_stop": self._message_stop,
        }

    def feed(self, data: bytes) -> Chunk:
        """Take the next bytes; give all frames that are now complete."""
        # A read that is whole content frames and nothing else passes as it is: the common case. A
        # line end inside JSON is escaped, so the count can only find event lines.
        if (
            not self._full
            and self.observed.has_content
            and self._parser.idle
            and data[-2:] == b"\n\n"
            and data.count(_CONTENT_LINE) == data.count(b"\n\n")
        ):
            return Chunk(data)
        try:
            frames = self._parser.feed(data)
        except ResponseTooLarge as exc:
            return Chunk(b"", () if self._ended else self._fail(_broken(exc.message)))
        if len(frames) == 1:
            return Chunk(frames[0].raw, self._events(frames))
        return Chunk(b"".join([one.raw for one in frames]), self._events(frames))

    def close(self) -> Chunk:
        """Take the end; without `message_stop` before it, the answer has failed.

        A rest without its blank line is passed on only if it ends the answer: an error event that
        follows half a frame would be read as part of it.
        """
        frames = self._parser.close()
        events = self._events(frames)
        if not self._ended:
            rest = b"".join([one.raw for one in frames])
            what = "the stream ended before message_stop"
            events += self._fail(
                stream_error(rest)
                if bare_error(rest)
                else _broken(what, kind="connection", retryable=True)
            )
        whole = self.observed.complete
        return Chunk(b"".join([one.raw for one in frames if one.complete or whole]), events)

    def _events(self, frames: list[Frame]) -> tuple[Event, ...]:
        events: list[Event] = []
        for one in frames:
            if self._ended:
                break
            if self._full or one.event in _EVENTS or not one.event:
                events += self._event(one)
            elif not self.observed.has_content and one.event == b"content_block_delta":
                events += self._first_content()
        return tuple(events)

    def _event(self, one: Frame) -> tuple[Event, ...]:
        if not one.data:
            return ()
        if not self._full and one.event == b"content_block_start" and b'"fallback"' not in one.data:
            return self._first_content()
        try:
            data = loads(one.data)
        except ValueError:
            # Of half a frame, `close` tells the end.
            return self._garbled(one.data) if one.complete else ()
        if not isinstance(data, dict):
            return self._garbled(one.data)
        kind = data.get("type")
        if kind == "error":
            return self._fail(stream_error(one.data))
        handle = self._handlers.get(kind) if isinstance(kind, str) else None
        return handle(data) if handle else ()

    def _message_stop(self, data: Mapping[str, Any]) -> tuple[Event, ...]:  # a handler
        self.observed.complete = self._ended = True
        return ()

    def _block_delta(self, data: Mapping[str, Any]) -> tuple[Event, ...]:
        if not self._full:
            return self._first_content()
        self.observed.has_content = True
        return self._blocks.delta(data)

    def _block_stop(self, data: Mapping[str, Any]) -> tuple[Event, ...]:
        return self._blocks.stop(data) if self._full else ()

    def _first_content(self) -> tuple[Event, ...]:
        if self.observed.has_content:
            return ()
        self.observed.has_content = True
        return _FIRST

    def _block_start(self, data: Mapping[str, Any]) -> tuple[Event, ...]:
        block = data.get("content_block")
        if isinstance(block, dict) and block.get("type") == "fallback":
            self._fell_back = True
        if not self._full:
            return self._first_content()
        self.observed.has_content = True
        return self._blocks.start(data)

    def _message_start(self, data: Mapping[str, Any]) -> tuple[Event, ...]:
        message = data.get("message")
        if not isinstance(message, dict):
            return ()
        start = start_event(message)
        self.observed.response_id, self.observed.model = start.id or None, start.model or None
        return (start, *self._update(message.get("usage"), final=False))

    def _message_delta(self, data: Mapping[str, Any]) -> tuple[Event, ...]:
        delta = data.get("delta")
        final = isinstance(delta, dict) and delta.get("stop_reason") is not None
        events = self._update(data.get("usage"), final=final)
        if isinstance(delta, dict) and final:
            finish = finish_event(delta, data)
            self.observed.finish = finish.raw
            events += (finish,)
        return events

    def _update(self, raw: Any, *, final: bool) -> tuple[Event, ...]:
        if not isinstance(raw, dict):
            return ()
        self._usage = merge_usage(self._usage, raw)
        usage = doubt(self._read_usage(self._usage), fell_back=self._fell_back)
        self.observed.usage = usage
        return (UsageUpdate(usage, final),)

    def _garbled(self, data: bytes) -> tuple[Event, ...]:
        what = f"the stream holds a frame that is no JSON object ({len(data)} bytes)"
        return self._fail(_broken(what, retryable=True))

    def _fail(self, error: ProviderError) -> tuple[Event, ...]:
        self.observed.error = error
        self._ended = True
        return (Failed(error),)
