"""Decode a Cohere chat, streamed or plain. Imports: flo2.

The light form parses the events that begin and end an answer and the first content; the others it
knows by their names. A stream ends with `message-end`; a `[DONE]` may follow (recordings/cohere).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from flo2 import Chunk, Event, Observed, ReadUsage
from flo2.dialects.openai_chat.errors import error_from_frame
from flo2.dialects.sse import Frame, SSEParser
from flo2.errors import ResponseTooLarge
from flo2_provider_cohere.dialect.answer import AnswerReader
from flo2_provider_cohere.dialect.errors import broken
from flo2_provider_cohere.dialect.words import CHAT

__all__ = ["BodyDecoder", "StreamDecoder"]

_NOTHING: Final = Chunk(b"")
_GARBAGE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_decode: Final = msgspec.json.Decoder().decode
_QUIET: Final = frozenset(
    {
        b"citation-end",
        b"citation-start",
        b"content-delta",
        b"content-end",
        b"content-start",
        b"tool-call-delta",
        b"tool-call-end",
        b"tool-call-start",
        b"tool-plan-delta",
    }
)


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = _decode(data)
    except _GARBAGE:
        return None
    return found if isinstance(found, dict) else None


def _shown(data: bytes) -> str:
    return data[:100].decode("utf-8", "replace")


class StreamDecoder:
    """Decode a stream, frame by frame.

    Args:
        full: Give every event; else only what metering needs.
        read_usage: Turns a usage object into meters.
        model: Which model was asked.
    """

    def __init__(self, *, full: bool, read_usage: ReadUsage, model: str = "") -> None:
        self.observed: Observed = Observed()
        self._parser = SSEParser()
        self._reader = AnswerReader(
            full=full, read_usage=read_usage, observed=self.observed, model=model
        )
        self._full = full
        self._broken = False

    def feed(self, data: bytes) -> Chunk:
        """Take the next bytes of the body; give all frames that are now complete."""
        if self._broken:
            return _NOTHING
        try:
            frames = self._parser.feed(data)
        except ResponseTooLarge as exc:
            out: list[Event] = []
            self._broken = True
            self._reader.fail(broken(exc.message, CHAT, retryable=False), out)
            return Chunk(b"", tuple(out))
        return self._take(frames) if frames else _NOTHING

    def close(self) -> Chunk:
        """Take the end of the body; without `message-end` the answer has failed."""
        chunk = self._take(self._parser.close())
        if self.observed.complete or self.observed.error is not None:
            return chunk
        out = list(chunk.events)
        self._reader.fail(broken("the stream ended before its end", CHAT), out)
        return Chunk(chunk.raw, tuple(out))

    def _take(self, frames: list[Frame]) -> Chunk:
        events: list[Event] = []
        raw = [frame.raw for frame in frames if self._frame(frame, events)]
        return Chunk(raw[0] if len(raw) == 1 else b"".join(raw), tuple(events))

    def _frame(self, frame: Frame, events: list[Event]) -> bool:
        """Read one frame; say whether it may be passed on."""
        observed, data = self.observed, frame.data
        if not data or observed.complete or observed.error is not None:
            return frame.complete or not data
        if not self._full and observed.has_content and frame.event in _QUIET and frame.complete:
            return True
        payload = _object(data)
        if payload is None:
            if frame.complete and data.rstrip() != b"[DONE]":
                reason = f"a frame of the stream is no JSON object: {_shown(data)!r}"
                self._reader.fail(broken(reason, CHAT), events)
            return frame.complete
        if "type" not in payload and isinstance(payload.get("message"), str):
            self._reader.fail(error_from_frame(payload, data), events)
        else:
            self._reader.take(payload, events)
        return True


class BodyDecoder:
    """Decode a plain answer: `feed` gathers it, `close` reads it."""

    def __init__(self, *, full: bool, read_usage: ReadUsage, model: str = "") -> None:
        self.observed: Observed = Observed()
        self._reader = AnswerReader(
            full=full, read_usage=read_usage, observed=self.observed, model=model
        )
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> Chunk:
        """Keep the bytes."""
        self._pieces.append(data)
        return _NOTHING

    def close(self) -> Chunk:
        """Read the whole body."""
        raw = b"".join(self._pieces)
        out: list[Event] = []
        payload = _object(raw)
        if payload is None:
            reason = f"the answer is no JSON object: {_shown(raw)!r}"
            self._reader.fail(broken(reason, CHAT), out)
        elif isinstance(payload.get("message"), str):  # an error, as Cohere says them
            self._reader.fail(error_from_frame(payload, raw), out)
        else:
            self._reader.whole(payload, out)
        return Chunk(raw, tuple(out))
