"""Decode a Responses stream, or a plain answer.

    response.created → response.in_progress → (output_item.added → … → output_item.done)*
    → response.completed | response.incomplete | error, response.failed

Usage is in the last event alone, which repeats the whole answer; no `[DONE]` follows it. The light
form parses the first and the last event and passes the others by. Imports: canonical, base, sse.

Source: https://platform.openai.com/docs/api-reference/responses-streaming (read 2026-11-25).
"""

from __future__ import annotations

from typing import Any, Final

from flo2.canonical import Event, Failed, PartStart, Start, Text, UsageUpdate
from flo2.dialects.base import Chunk, Observed, ReadUsage
from flo2.dialects.exact_charge import exact_charge
from flo2.dialects.jsonio import bare_error, loads
from flo2.dialects.openai_responses.errors import broken, error_inside
from flo2.dialects.openai_responses.heads import finish_of, start_of, usage_of
from flo2.dialects.openai_responses.items import ItemReader
from flo2.dialects.openai_responses.vocabulary import JSON
from flo2.dialects.sse import Frame, SSEParser
from flo2.errors import ProviderError, ResponseTooLarge

__all__ = ["BodyDecoder", "StreamDecoder"]

_NOTHING: Final = Chunk(b"")
_FIRST: Final = PartStart(0, Text(""))
_ENDS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
_HEADS: Final = frozenset({"response.created", "response.in_progress", "response.queued"})
_READ: Final = frozenset(
    each.encode()
    for each in (
        *_ENDS,
        *_HEADS,
        "response.output_item.added",
        "response.output_item.done",
        "error",
    )
)
"""Events that a light decoder parses; of the others only the first delta matters to it."""

_QUIET: Final = frozenset({"message", "reasoning"})
"""Items that begin before anything is said."""


class _Reader:
    """What has been read of one answer.

    Args:
        full: Read all content; else the first piece alone, which says that content has begun.
        read_usage: Turns a usage object into meters.
    """

    def __init__(self, *, full: bool, read_usage: ReadUsage) -> None:
        self.observed: Observed = Observed()
        self.items: ItemReader = ItemReader()
        self.full: bool = full
        self._read_usage = read_usage
        self._started = False

    def start(self, response: JSON, out: list[Event]) -> None:
        """Read the head of the answer, once."""
        if self._started:
            return
        self._started = True
        start: Start = start_of(response)
        self.observed.response_id, self.observed.model = start.id or None, start.model or None
        out.append(start)

    def content(self, out: list[Event]) -> None:
        """Note that content has begun."""
        if not self.observed.has_content:
            self.observed.has_content = True
            if not self.full:
                out.append(_FIRST)

    def end(self, response: JSON, raw: bytes, out: list[Event]) -> None:
        """Read the end of the answer: its usage, and how it finished."""
        self.start(response, out)
        if isinstance(model := response.get("model"), str) and model:
            self.observed.model = model
        usage = usage_of(response, self._read_usage)
        if usage is not None:
            if usage.reported is not None:
                usage = exact_charge(usage, self._read_usage, response["usage"], raw)
            self.observed.usage = usage
            out.append(UsageUpdate(usage))
        status = response.get("status")
        if status in ("completed", "incomplete"):
            finish = finish_of(response, called=self.items.called)
            self.observed.finish = finish.raw
            self.observed.complete = True
            out.append(finish)
        elif self.observed.error is None:
            if response.get("error"):
                self.fail(error_inside(response, raw), out)
            else:
                self.fail(broken(f"the answer has the status {status!r}", retryable=False), out)

    def fail(self, error: ProviderError, out: list[Event]) -> None:
        """Note that the answer broke off."""
        self.observed.error = error
        self.observed.complete = False
        out.append(Failed(error))


class StreamDecoder:
    """Decode a stream, frame by frame.

    Args:
        full: Give every event; else only what metering needs.
        read_usage: Turns a usage object into meters.
    """

    observed: Observed

    def __init__(self, *, full: bool, read_usage: ReadUsage) -> None:
        self._parser = SSEParser()
        self._reader = _Reader(full=full, read_usage=read_usage)
        self.observed = self._reader.observed
        self._full = full
        self._ended = False

    def feed(self, data: bytes) -> Chunk:
        """Take the next bytes of the body; give all frames that are now complete."""
        # A read that is whole deltas and nothing else passes as it is: the common case. A line end
        # inside JSON is escaped, so the count can only find event lines.
        if (
            not self._full
            and self.observed.has_content
            and self._parser.idle
            and data[-2:] == b"\n\n"
            and data.count(b".delta\ndata: ") == data.count(b"\n\n")
        ):
            self.observed.frames += data.count(b"\n\n")
            return Chunk(data)
        try:
            frames = self._parser.feed(data)
        except ResponseTooLarge as exc:
            out: list[Event] = []
            if not self._ended:
                self._ended = True
                self._reader.fail(broken(exc.message, retryable=False), out)
            return Chunk(b"", tuple(out))
        return self._take(frames) if frames else _NOTHING

    def close(self) -> Chunk:
        """Take the end of the body; without a last event the answer has failed.

        A rest that is no whole frame is not in `raw`: what follows it would be glued to it.
        """
        frames = self._parser.close()
        chunk = self._take(frames)
        if self.observed.complete or self.observed.error:
            return chunk
        out = list(chunk.events)
        rest = b"".join([frame.raw for frame in frames])
        told = bare_error(rest)
        error = error_inside(told, rest) if told else broken("the stream ended before its end")
        self._reader.fail(error, out)
        return Chunk(chunk.raw, tuple(out))

    def _take(self, frames: list[Frame]) -> Chunk:
        events: list[Event] = []
        raw = [frame.raw for frame in frames if self._frame(frame, events)]
        return Chunk(raw[0] if len(raw) == 1 else b"".join(raw), tuple(events))

    def _frame(self, frame: Frame, events: list[Event]) -> bool:
        """Read one frame; say whether it may be passed on."""
        name, data = frame.event, frame.data
        if data and frame.complete:
            self.observed.frames += 1
        if not data or self._ended:
            return frame.complete
        if not self._full and name and name not in _READ:
            if name.endswith(b".delta"):
                self._reader.content(events)
            return frame.complete
        try:
            payload = loads(data)
        except ValueError:
            payload = None
        if isinstance(payload, dict):
            self._event(payload, data, events)
            # A whole last event may lack its blank line alone.
            return frame.complete or self._ended
        if frame.complete and data.rstrip() != b"[DONE]":
            text = data[:100].decode("utf-8", "replace")
            self._ended = True
            self._reader.fail(broken(f"a frame of the stream is no JSON object: {text!r}"), events)
        return frame.complete

    def _event(self, payload: JSON, raw: bytes, events: list[Event]) -> None:
        kind = payload.get("type")
        kind = kind if isinstance(kind, str) else ""
        response, reader = payload.get("response"), self._reader
        if kind in _ENDS and isinstance(response, dict):
            if self._full and reader.items.is_empty:
                reader.start(response, events)
                reader.items.whole(response.get("output"), events)
            self._ended = True
            reader.end(response, raw, events)
        elif kind in _HEADS and isinstance(response, dict):
            reader.start(response, events)
        elif kind == "error" or (not kind and payload.get("error")):
            # `response.failed` follows, and may say what was used.
            if self.observed.error is None:
                reader.fail(error_inside(payload, raw), events)
        elif self.observed.error is None:
            if _says_something(kind, payload):
                reader.content(events)
            if self._full:
                reader.items.event(kind, payload, events)


def _says_something(kind: str, payload: JSON) -> bool:
    if kind.endswith(".delta") or kind == "response.output_item.done":
        return True
    item: Any = payload.get("item")
    return (
        kind == "response.output_item.added"
        and isinstance(item, dict)
        and not (isinstance(word := item.get("type"), str) and word in _QUIET)
    )


class BodyDecoder:
    """Decode a plain answer: `feed` gathers it, `close` reads it.

    Args:
        full: Give the parts too.
        read_usage: Turns a usage object into meters.
    """

    observed: Observed

    def __init__(self, *, full: bool, read_usage: ReadUsage) -> None:
        self._reader = _Reader(full=full, read_usage=read_usage)
        self.observed = self._reader.observed
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> Chunk:
        """Keep the bytes."""
        self._pieces.append(data)
        return _NOTHING

    def close(self) -> Chunk:
        """Read the whole body."""
        raw, out = b"".join(self._pieces), list[Event]()
        try:
            response = loads(raw)
        except ValueError:
            response = None
        reader = self._reader
        if not isinstance(response, dict) or "output" not in response:
            if isinstance(response, dict) and response.get("error"):
                reader.fail(error_inside(response, raw), out)
            else:
                what = f"the answer is no response object ({len(raw)} bytes)"
                reader.fail(broken(what), out)
            return Chunk(raw, tuple(out))
        reader.start(response, out)
        if response["output"]:
            reader.content(out)
        if reader.full:
            reader.items.whole(response["output"], out)
        reader.end(response, raw, out)
        return Chunk(raw, tuple(out))
