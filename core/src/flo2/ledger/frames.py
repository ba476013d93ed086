"""Frames: how a journal lays records into a segment file, and how they are read back.

A frame is `length (u32) · crc32 (u32) · kind (1 byte) · JSON`, little-endian; length and checksum
speak of kind and JSON. A segment begins with a header frame that names the writer, the sequence
number of the first record and the writer's salt. Imports: ledger.codec.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal
from zlib import crc32

import msgspec
from attrs import frozen

from flo2.ledger import codec
from flo2.records import Adjust, Exchange, Intent, Pend, Record, Settle, Void

__all__ = ["Damage", "Header", "Segment", "frames", "header_frame", "read_segment"]

_HEAD: Final = struct.Struct("<II")
_BEGIN: Final = struct.Struct("<IIc")
_HEADER_KIND: Final = b"H"
_KINDS: Final[Mapping[bytes, str]] = {
    b"I": "intent",
    b"S": "settle",
    b"P": "pend",
    b"V": "void",
    b"A": "adjust",
    b"X": "exchange",
}
_MARKS: Final[Mapping[type, tuple[bytes, int]]] = {
    cls: (byte, crc32(byte))
    for byte, cls in zip(_KINDS, (Intent, Settle, Pend, Void, Adjust, Exchange), strict=True)
}
"""Record type → its kind byte, and the checksum that goes on from that byte."""


@frozen
class Header:
    """What a segment says of itself. `first`: sequence number of its first record."""

    writer: str
    first: int
    salt: str
    version: Literal[1] = 1


@frozen
class Damage:
    """Where reading a segment stopped early.

    Attributes:
        path: The segment.
        offset: Where the readable part ends, in bytes.
        lost: Bytes after it.
        cause: `torn`: the last write did not finish, so nothing was ever promised by it ·
            `corrupt`: bytes changed after they were written.
        detail: What was found.
    """

    path: Path
    offset: int
    lost: int
    cause: Literal["torn", "corrupt"]
    detail: str


@frozen
class Segment:
    """A segment read back; `header` None: not even its header is readable."""

    path: Path
    header: Header | None
    records: tuple[tuple[int, Record], ...]
    size: int
    damage: Damage | None = None


_begin: Final = _BEGIN.pack
_encode: Final = msgspec.json.Encoder().encode
"""What `codec.encode` does where no text is odd."""
_HEADER_DECODER: Final = msgspec.json.Decoder(Header)


def frames(records: Iterable[Record]) -> bytes:
    """Lay records, one or a few, into frames, one after the other."""
    laid = b""
    for record in records:
        mark, begun = _MARKS[type(record)]
        try:
            content = _encode(record)
        except UnicodeEncodeError:
            content = codec.encode(record)
        laid += _begin(len(content) + 1, crc32(content, begun), mark) + content
    return laid


def header_frame(header: Header) -> bytes:
    """Lay a segment's header into a frame."""
    content = _HEADER_KIND + msgspec.json.encode(header)
    return _HEAD.pack(len(content), crc32(content)) + content


def read_segment(path: Path, *, after: int = 0, limit: int | None = None) -> Segment:
    """Read a segment up to its first torn or corrupt frame.

    Args:
        path: The file.
        after: Leave out records up to this sequence number (they are checked, not decoded).
        limit: Stop after so many records.

    Raises:
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    header: Header | None = None
    records: list[tuple[int, Record]] = []
    offset, seq = 0, 0

    def stop(cause: Literal["torn", "corrupt"], detail: str) -> Segment:
        damage = Damage(path, offset, len(data) - offset, cause, detail)
        return Segment(path, header, tuple(records), offset, damage)

    while offset < len(data):
        if len(data) - offset < _HEAD.size:
            return stop("torn", "the frame's head is cut off")
        length, checksum = _HEAD.unpack_from(data, offset)
        begin = offset + _HEAD.size
        if begin + length > len(data):
            return stop("torn", f"the frame wants {length} bytes, {len(data) - begin} are there")
        content = data[begin : begin + length]
        if crc32(content) != checksum:
            return stop("corrupt", "the checksum does not match")
        try:
            if header is None:
                header = _header(content)
                seq = header.first - 1
            else:
                seq += 1
                if seq > after:
                    records.append((seq, _record(content)))
        except ValueError as exc:
            return stop("corrupt", f"not readable: {exc}")
        offset = begin + length
        if limit is not None and len(records) >= limit:
            break
    return Segment(path, header, tuple(records), offset)


def _header(content: bytes) -> Header:
    if content[:1] != _HEADER_KIND:
        raise ValueError("the segment does not begin with its header")
    return _HEADER_DECODER.decode(content[1:])


def _record(content: bytes) -> Record:
    kind = _KINDS.get(content[:1])
    if kind is None:
        raise ValueError(f"unknown frame kind {content[:1]!r}; it was written by a newer flo2")
    return codec.decode(kind, content[1:])
