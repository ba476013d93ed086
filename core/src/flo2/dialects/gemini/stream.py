"""Decode a stream of generateContent, or a plain answer: in full, or only what metering needs.

A stream is server-sent events with a whole `GenerateContentResponse` each, CR LF at line ends,
cumulative usage in every one and no last word: it is complete when each candidate has said why it
ends, or the prompt was blocked. Pure. Imports: canonical, base, sse.

Source: https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent, read
2026-11-25.
"""

from __future__ import annotations

from typing import Any, Final

from flo2.canonical import Event
from flo2.dialects.base import Chunk, Observed, ReadUsage
from flo2.dialects.gemini.answer import AnswerReader
from flo2.dialects.jsonio import loads
from flo2.dialects.sse import Frame, SSEParser
from flo2.errors import ErrorKind, ProviderError, ResponseTooLarge

__all__ = ["BodyDecoder", "StreamDecoder"]

_NOTHING: Final = Chunk(b"")
# A quote inside of JSON text is escaped, so each of these is a key (or a whole string, which is
# then looked at for nothing).
_TELLING: Final = (b'"finishReason"', b'"groundingMetadata"', b'"promptFeedback"', b'"error"')
_CANDIDATES: Final = b'"candidates"'
_INDEX: Final = b'"index"'
_FIRST: Final = b'"index":0'
_FIRST_SPACED: Final = b'"index": 0'
_USAGE: Final = b'"usageMetadata"'


def _broken(message: str, *, kind: ErrorKind = "upstream", retryable: bool = True) -> ProviderError:
    return ProviderError(message, status=200, kind=kind, retryable=retryable)


class StreamDecoder:
    """Decode a stream, frame by frame.

    Args:
        full: Give every event; else only what metering needs.
        read_usage: Turns a usage object into meters.
    """

    def __init__(self, *, full: bool, read_usage: ReadUsage) -> None:
        self._parser = SSEParser()
        self._reader = AnswerReader(full=full, whole=False, read_usage=read_usage)
        self.observed: Observed = self._reader.observed
        self._full = full
        self._unread: bytes | None = None  # the last frames with usage that were passed over

    def feed(self, data: bytes) -> Chunk:
        """Take the next bytes of the body; give all frames that are now complete."""
        # A read that is whole frames of plain content passes as it is: the common case.
        if (
            not self._full
            and self._reader.is_warm
            and self._parser.idle
            and _is_plain(data, _frames_in(data))
        ):
            if _USAGE in data:
                self._unread = data
            return Chunk(data)
        try:
            frames = self._parser.feed(data)
        except ResponseTooLarge as exc:
            out: list[Event] = []
            self._fail(_broken(exc.message, retryable=False), out)
            return Chunk(b"", tuple(out))
        if not frames:
            return _NOTHING
        out = []
        for one in frames:
            self._frame(one, out)
        return Chunk(b"".join([one.raw for one in frames]), tuple(out))

    def close(self) -> Chunk:
        """Take the end of the body.

        A rest without its blank line is passed on only if the answer is whole: an error event that
        follows half a frame would be read as part of it.
        """
        frames = self._parser.close()
        out: list[Event] = []
        for one in frames:
            self._frame(one, out)
        if self.observed.error is None:
            self._catch_up(out)
            if not self._reader.close(out):
                message = "the stream ended before a finishReason"
                self._fail(_broken(message, kind="connection"), out)
        whole = self.observed.complete
        raw = b"".join([one.raw for one in frames if one.complete or whole])
        return Chunk(raw, tuple(out))

    def _frame(self, one: Frame, out: list[Event]) -> None:
        reader, data = self._reader, one.data
        if reader.observed.error is not None:
            return
        if not data:
            # A failure may be written into the stream as it would be sent alone, without `data:`
            # (recordings/google-vertex/vertexai-sdk-…-streaming-failure-error-mid-stream-769447-0).
            data = one.raw.strip()
            if data[:1] not in {b"{", b"["} or b'"error"' not in data:
                return
        elif not self._full and reader.is_warm and _is_plain(data, 1):
            if _USAGE in data:
                self._unread = one.raw
            return
        try:
            payload = loads(data)
        except ValueError:
            payload = None
        if isinstance(payload, list) and payload:
            payload = payload[0]
        if isinstance(payload, dict):
            if payload.get("usageMetadata") is not None:
                self._unread = None
            reader.take(payload, data, out)
        elif one.complete:
            what = f"the stream holds a frame that is no JSON object ({len(data)} bytes)"
            self._fail(_broken(what), out)

    def _catch_up(self, out: list[Event]) -> None:
        """Read the usage of the last chunk that had some and was passed over."""
        if self._unread is None:
            return
        payload: Any
        try:
            payload = loads(_last_usage(self._unread))
        except ValueError:
            payload = None
        self._unread = None
        usage = payload.get("usageMetadata") if isinstance(payload, dict) else None
        self._reader.take_usage(usage, out)

    def _fail(self, error: ProviderError, out: list[Event]) -> None:
        if self.observed.error is None:
            self._catch_up(out)
            self._reader.fail(error, out)


def _is_plain(data: bytes, frames: int) -> bool:
    """Tell from the bytes alone that chunks hold content of the first candidate and usage alone."""
    if data.count(_CANDIDATES) != frames or any(key in data for key in _TELLING):
        return False
    numbers = data.count(_INDEX)
    return not numbers or numbers == data.count(_FIRST) + data.count(_FIRST_SPACED)


def _frames_in(data: bytes) -> int:
    """Count whole frames; -1 where the last one has not ended."""
    for blank in (b"\r\n\r\n", b"\n\n"):
        if data.endswith(blank):
            return data.count(blank)
    return -1


def _last_usage(raw: bytes) -> bytes:
    """Give the data of the last of some frames that has usage in it."""
    frames = SSEParser().feed(raw)
    return next((one.data for one in reversed(frames) if _USAGE in one.data), b"")


class BodyDecoder:
    """Decode a plain answer: `feed` gathers it, `close` reads it.

    Args:
        full: Give the parts too.
        read_usage: Turns a usage object into meters.
    """

    def __init__(self, *, full: bool, read_usage: ReadUsage) -> None:
        self._reader = AnswerReader(full=full, whole=True, read_usage=read_usage)
        self.observed: Observed = self._reader.observed
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> Chunk:
        """Keep the bytes."""
        self._pieces.append(data)
        return _NOTHING

    def close(self) -> Chunk:
        """Read the whole body."""
        raw = b"".join(self._pieces)
        out: list[Event] = []
        try:
            payload = loads(raw)
        except ValueError:
            payload = None
        if isinstance(payload, list) and payload:
            payload = payload[0]  # an error of a stream that was asked for without `alt=sse`
        if not isinstance(payload, dict):
            self._reader.fail(_broken(f"the answer is no JSON object ({len(raw)} bytes)"), out)
            return Chunk(raw, tuple(out))
        self._reader.take(payload, raw, out)
        if not self._reader.close(out):
            self._reader.fail(_broken("the answer holds no candidate that has ended"), out)
        return Chunk(raw, tuple(out))
