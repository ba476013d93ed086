"""Read and write a stream of typed events that only its own dialect can say.

Imports: canonical, base, sse, openai_chat's errors, the plain answer's reader.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from flo2.canonical import Event, Loss, Opaque, PartStart
from flo2.dialects.base import Chunk, ReadUsage
from flo2.dialects.openai_chat.errors import error_from_frame
from flo2.dialects.openai_operation.answer import AnswerDecoder, OpaqueAnswer, read_object, shown
from flo2.dialects.sse import Frame, SSEParser, frame
from flo2.errors import ResponseTooLarge

__all__ = ["EventDecoder", "EventEncoder"]

_MOST_BYTES: Final = 64 << 20
"""A whole picture, or minutes of speech, may come in one frame."""
_IS_STREAM: Final = re.compile(rb"(?:\xef\xbb\xbf)?(?:data|event|id|retry)?:")
_TELLING: Final = 9
"""So many bytes tell a stream from a plain answer."""


class EventDecoder(OpaqueAnswer):
    """Read a stream of typed events.

    Args:
        dialect: Name of the dialect.
        reader: Turns a usage object into meters.
        full: Give each event as an opaque part too.
        content: Types of events that hold content.
        end: Types of events that end what they are about; they tell its usage.
        many: Several of them may come, so that only the end of the stream ends the answer.
        plain: Reads the answer of a model that does not stream and answers as if nobody had asked.
    """

    def __init__(
        self,
        dialect: str,
        reader: ReadUsage,
        *,
        full: bool,
        content: frozenset[str],
        end: frozenset[str],
        many: bool = False,
        plain: AnswerDecoder | None = None,
    ) -> None:
        super().__init__(dialect, reader, full=full)
        self._parser = SSEParser(max_frame_bytes=_MOST_BYTES)
        self._content = content
        self._end = end
        self._many = many
        self._plain = plain
        self._head = b""
        self._ended = False
        self._is_stream: bool | None = None if plain is not None else True
        if plain is not None:
            plain.observed = self.observed

    def feed(self, data: bytes) -> Chunk:
        """Take the next bytes; give all frames that are now complete."""
        if self._is_stream is None:
            self._head += data
            if len(self._head) < _TELLING:
                return Chunk(b"")
            data = self._choose()
        if not self._is_stream and self._plain is not None:
            return self._plain.feed(data)
        if self.observed.error is not None:
            return Chunk(b"")
        try:
            frames = self._parser.feed(data)
        except ResponseTooLarge as exc:
            events: list[Event] = []
            self.fail(self.broke(exc.message, retryable=False), events)
            return Chunk(b"", tuple(events))
        return self._take(frames)

    def _choose(self) -> bytes:
        """Decide by its first bytes whether it is a stream; give them back."""
        self._is_stream = _IS_STREAM.match(self._head) is not None
        return self._head

    def close(self) -> Chunk:
        """Take the end of the body; without an event that ends it, the answer has failed."""
        observed = self.observed
        if self._plain is not None and not self._is_stream:
            if self._is_stream is None:
                self._plain.feed(self._head)
            return self._plain.close()
        chunk = self._take(self._parser.close())
        if observed.error is not None:
            return chunk
        observed.complete = observed.complete or self._ended
        if observed.complete:
            return chunk
        events = list(chunk.events)
        self.fail(self.broke("the stream ended before its end"), events)
        return Chunk(chunk.raw, tuple(events))

    def _take(self, frames: list[Frame]) -> Chunk:
        events: list[Event] = []
        raw = [each.raw for each in frames if self._frame(each, events)]
        return Chunk(b"".join(raw), tuple(events))

    def _frame(self, each: Frame, events: list[Event]) -> bool:
        """Read one frame; say whether it may be passed on."""
        data = each.data
        if not data or self.observed.error is not None or data.rstrip() == b"[DONE]":
            return each.complete or not data
        payload = read_object(data)
        if payload is None:
            if each.complete:
                self.fail(self.broke(f"an event is no JSON object: {shown(data)!r}"), events)
            return each.complete
        kind = payload.get("type")
        if payload.get("error") or kind == "error" or each.event == b"error":
            self.fail(error_from_frame(payload, data), events)
            return True
        if kind in self._content or kind in self._end or self._full:
            self.opaque(payload, events)
        if kind in self._end:
            self._end_with(payload, events)
        return True

    def _end_with(self, payload: dict[str, Any], events: list[Event]) -> None:
        usage = payload.get("usage")
        if isinstance(usage, dict) and usage:
            again = self.observed.usage is not None
            doubt = "one stream told two usages, and nobody says whether they add up"
            self.use(usage, events, doubt if again else None)
        self._ended = True
        self.observed.complete = not self._many


class EventEncoder:
    """Write the events of a stream of the same dialect."""

    def __init__(self) -> None:
        self.losses: tuple[Loss, ...] = ()

    def feed(self, event: Event) -> bytes:
        """Write an event that came opaque."""
        if isinstance(event, PartStart) and isinstance(event.part, Opaque):
            return frame(msgspec.json.encode(event.part.data))
        return b""

    def close(self) -> bytes:
        """Give nothing: the last event has said that it is the last."""
        return b""
