r"""Server-sent events: split a byte stream into frames, and write frames.

Sans-IO and incremental: any chunking gives the same frames, and the raw bytes of all frames
together are the input, byte for byte. Does not look into `data`. Imports: errors.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from flo2.errors import ResponseTooLarge

__all__ = ["MAX_FRAME_BYTES", "Frame", "SSEParser", "frame"]

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
"""The largest frame that is waited for; an image in base64 may come in one."""

# A line end directly after a line end. Possessive, so that a lone CRLF is never read as CR, LF.
_BLANK_LINE: Final = re.compile(rb"(?:\r\n?+|\n)(?:\r\n?+|\n)")
_BOM: Final = b"\xef\xbb\xbf"
# The longest blank line is CR LF CR LF: three bytes of it may be in the previous chunk.
_LOOK_BACK: Final = 3


# A NamedTuple and not an attrs class: one is made per streamed token, and `tuple.__new__` costs
# 0.15 µs where a frozen attrs class costs 0.7 µs (timeit, CPython 3.11).
class Frame(NamedTuple):
    """One event of the stream.

    Attributes:
        raw: The bytes as they came, blank line included.
        event: The `event` field, b"" when there is none.
        data: The `data` lines, joined by LF; b"" for a comment or another frame without data.
        complete: False for a rest that the stream's end left without its blank line.
    """

    raw: bytes
    event: bytes
    data: bytes
    complete: bool = True


def _parse(raw: bytes, *, complete: bool, first: bool) -> Frame:
    """Read the fields of one frame; `retry`, `id`, comments and unknown fields are passed over."""
    event = b""
    data: list[bytes] = []
    # bytes.splitlines knows CR, LF and CRLF and nothing else, just as the format does.
    for line in (raw.removeprefix(_BOM) if first else raw).splitlines():
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif name == b"event":
            event = value.removeprefix(b" ")
    return Frame(raw, event, b"\n".join(data), complete)


class SSEParser:
    """Cut a stream into frames as its bytes come in.

    Args:
        max_frame_bytes: An unfinished frame may not grow past this.
    """

    __slots__ = ("_first", "_max", "_pending")

    def __init__(self, *, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max = max_frame_bytes
        self._pending = bytearray()
        self._first = True

    @property
    def idle(self) -> bool:
        """True between two frames: the next byte begins a new one (and is not the first)."""
        return not self._pending and not self._first

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes, give the frames that are complete now.

        Raises:
            ResponseTooLarge: the frame in progress passed the limit; feed no more.
        """
        pending = self._pending
        if pending:
            # Search only where a blank line can be new, so that a long line stays linear.
            if not _has_blank_line(bytes(pending[-_LOOK_BACK:]) + data):
                if len(pending) + len(data) > self._max:
                    raise ResponseTooLarge(
                        f"a frame of the stream is larger than {self._max} bytes and has no end"
                    )
                pending += data
                return []
            data = bytes(pending) + data
            pending.clear()
        if b"\r" in data:
            return self._feed_any(data)
        pieces = data.split(b"\n\n")
        rest = pieces.pop()
        if rest:
            pending += rest
        if not pieces:
            return []
        frames: list[Frame] = []
        append, new, cls = frames.append, tuple.__new__, Frame
        for piece in pieces:
            raw = piece + b"\n\n"
            # The two forms nearly every frame has: `data: …` and `event: …` LF `data: …`.
            if piece[:6] == b"data: ":
                if b"\n" not in piece:
                    append(new(cls, (raw, b"", piece[6:], True)))
                    continue
            elif piece[:7] == b"event: ":
                event, _, line = piece.partition(b"\n")
                if line[:6] == b"data: " and b"\n" not in line:
                    append(new(cls, (raw, event[7:], line[6:], True)))
                    continue
            append(_parse(raw, complete=True, first=self._first and not frames))
        self._first = False
        return frames

    def _feed_any(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        start, size = 0, len(data)
        for match in _BLANK_LINE.finditer(data):
            end = match.end()
            # A CR at the end may yet get its LF, which then belongs to this frame.
            if end == size and data[-1:] == b"\r":
                break
            frames.append(_parse(data[start:end], complete=True, first=self._first))
            self._first = False
            start = end
        self._pending += data[start:]
        return frames

    def close(self) -> list[Frame]:
        """Take the end of the stream; give what is left, as one frame or none."""
        if not self._pending:
            return []
        raw = bytes(self._pending)
        self._pending.clear()
        # A blank line of CR was waiting for its LF: the end says that none comes.
        blank = _BLANK_LINE.search(raw)
        complete = blank is not None and blank.end() == len(raw)
        return [_parse(raw, complete=complete, first=self._first)]


def _has_blank_line(data: bytes) -> bool:
    if b"\r" in data:
        return _BLANK_LINE.search(data) is not None
    return b"\n\n" in data


def frame(data: bytes, event: bytes = b"") -> bytes:
    """Write one frame; line ends inside `data` become lines of their own."""
    head = b"event: " + event + b"\n" if event else b""
    if b"\n" in data or b"\r" in data:
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        return head + b"".join(b"data: " + line + b"\n" for line in lines) + b"\n"
    return head + b"data: " + data + b"\n\n"
