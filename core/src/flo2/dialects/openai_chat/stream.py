"""Decode a Chat Completions stream, or a plain answer.

The light form parses only frames that can hold an id, the first content, a finish, usage or an
error, and recognises the others by byte search. Imports: canonical, base, sse.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct, field

from flo2.canonical import Event, UsageUpdate
from flo2.dialects.base import Chunk, Observed, ReadUsage
from flo2.dialects.jsonio import bare_error
from flo2.dialects.openai_chat.answer import AnswerReader
from flo2.dialects.openai_chat.errors import error_from_frame, plain_text
from flo2.dialects.openai_chat.light import glance
from flo2.dialects.sse import Frame, SSEParser
from flo2.errors import ProviderError, ResponseTooLarge

__all__ = ["BodyDecoder", "StreamDecoder"]

_NOTHING: Final = Chunk(b"")
_decode: Final = msgspec.json.Decoder().decode
_GARBAGE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def _is_quiet(raw: bytes, frames: int) -> bool:
    """Tell from the bytes alone that chunks hold content and nothing else.

    A quote inside JSON text is escaped, so `"usage"` with its quotes is a key (or a whole string:
    then the chunk is parsed for nothing).
    """
    if b'"error"' in raw or b'"executed_tools"' in raw or raw.count(b'"choices"') != frames:
        return False
    for key, null, spaced in _SILENT:
        keys = raw.count(key)
        if keys and keys != raw.count(null) and keys != raw.count(null) + raw.count(spaced):
            return False
    return True


_SILENT: Final = (
    (b'"usage"', b'"usage":null', b'"usage": null'),
    (b'"finish_reason"', b'"finish_reason":null', b'"finish_reason": null'),
)


class StreamDecoder:
    """Decode a stream, frame by frame.

    Args:
        full: Give every event; else only what metering needs.
        hide_usage: Leave the usage-only frame out of `raw`.
        read_usage: Turns a usage object into meters.
    """

    observed: Observed
    reads: ClassVar[type[AnswerReader]] = AnswerReader

    def __init__(self, *, full: bool, hide_usage: bool, read_usage: ReadUsage) -> None:
        self._parser = SSEParser()
        self._reader = self.reads(full=full, whole=False, read_usage=read_usage)
        self.observed = self._reader.observed
        self._full = full
        self._hide_usage = hide_usage
        self._done = False
        self._broken = False

    def feed(self, data: bytes) -> Chunk:
        """Take the next bytes of the body; give all frames that are now complete."""
        # A read that is whole frames of plain content passes as it is: the common case.
        if (
            not self._full
            and self._reader.is_warm
            and self._parser.idle
            and data[-2:] == b"\n\n"
            and b"\r" not in data
            and _is_quiet(data, data.count(b"\n\n"))
        ):
            return Chunk(data)
        if self._broken:
            return _NOTHING
        try:
            frames = self._parser.feed(data)
        except ResponseTooLarge as exc:
            out: list[Event] = []
            self._broken = True
            self._reader.fail(_broke(exc.message, self.reads, retryable=False), out)
            return Chunk(b"", tuple(out))
        return self._take(frames) if frames else _NOTHING

    def close(self) -> Chunk:
        """Take the end of the body; without the terminator the answer has failed.

        A rest that is no whole frame is not in `raw`: what follows it would be glued to it.
        """
        frames = self._parser.close()
        chunk = self._take(frames)
        observed = self.observed
        if observed.complete or observed.error:
            return chunk
        out = list(chunk.events)
        self._reader.flush(out)
        # Some compatible hosts leave [DONE] out; a finish and the usage are then all there is.
        if self._reader.finished and observed.usage is not None:
            observed.complete = True
            return Chunk(chunk.raw, tuple(out))
        rest = b"".join([each.raw for each in frames])
        if (told := bare_error(rest)) is not None:
            self._reader.fail(error_from_frame(told, rest), out)
        else:
            self._reader.fail(_broke("the stream ended before its end", self.reads), out)
        return Chunk(chunk.raw if all(each.complete for each in frames) else b"", tuple(out))

    def _take(self, frames: list[Frame]) -> Chunk:
        events: list[Event] = []
        light = not self._full
        raw = [
            frame.raw
            for frame in frames
            if (light and frame.complete and self._reader.is_warm and _is_quiet(frame.raw, 1))
            or self._frame(frame, events)
        ]
        return Chunk(raw[0] if len(raw) == 1 else b"".join(raw), tuple(events))

    def _frame(self, frame: Frame, events: list[Event]) -> bool:
        """Read one frame; say whether it may be passed on."""
        data = frame.data
        if not data or self._done or self.observed.error is not None:
            return frame.complete
        # One host writes a space behind it (recordings/openrouter).
        if data.rstrip() == b"[DONE]":
            self._done = self.observed.complete = True
            self._reader.flush(events)
            return True
        try:
            payload = _decode(data)
        except _GARBAGE:
            payload = None
        if not isinstance(payload, dict):
            if frame.event == b"error" and frame.complete:
                self._reader.fail(error_from_frame(payload or _text(data), data), events)
                return True
            if frame.complete:
                self._reader.fail(
                    _broke(f"a frame of the stream is no JSON object: {_text(data)!r}", self.reads),
                    events,
                )
            return frame.complete
        self._reader.take(payload, data, events)
        if frame.event == b"error" and self.observed.error is None:
            self._reader.fail(error_from_frame(payload, data), events)
        return not (self._hide_usage and _is_usage_only(payload))


def _is_usage_only(payload: dict[str, Any]) -> bool:
    return payload.get("choices") == [] and bool(payload.get("usage")) and not payload.get("error")


def _text(data: bytes) -> str:
    return data[:100].decode("utf-8", "replace")


def _broke(message: str, reader: type[AnswerReader], *, retryable: bool = True) -> ProviderError:
    text = f"{message} ({reader.origin})"
    return ProviderError(text, status=200, kind="upstream", retryable=retryable)


class BodyDecoder(Struct, eq=False):
    """Decode a plain answer: `feed` gathers it, `close` reads it."""

    reads: ClassVar[type[AnswerReader]] = AnswerReader

    full: bool
    read_usage: ReadUsage
    observed: Observed = field(default_factory=Observed)
    _pieces: list[bytes] = field(default_factory=list)

    def feed(self, data: bytes) -> Chunk:
        """Keep the bytes."""
        self._pieces.append(data)
        return _NOTHING

    def close(self) -> Chunk:
        """Read the whole body."""
        raw = b"".join(self._pieces)
        if not self.full and self.reads is AnswerReader:
            usage = glance(raw, self.observed, self.read_usage)
            if usage is not None:
                return Chunk(raw, (UsageUpdate(usage),))
        reader = self.reads(
            full=self.full, whole=True, read_usage=self.read_usage, observed=self.observed
        )
        out: list[Event] = []
        try:
            payload = _decode(raw)
        except _GARBAGE:
            payload = None
        if not isinstance(payload, dict):
            what = f"the answer is no JSON object: {plain_text(raw)[:100]!r}"
            reader.fail(_broke(what, self.reads), out)
            return Chunk(raw, tuple(out))
        reader.take(payload, raw, out)
        reader.flush(out)
        if self.observed.error is None:
            if payload.get("choices"):
                self.observed.complete = True
            else:
                reader.fail(_broke("the answer holds no choices", self.reads), out)
        return Chunk(raw, tuple(out))
