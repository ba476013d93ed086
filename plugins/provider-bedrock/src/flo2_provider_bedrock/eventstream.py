"""AWS's binary event stream: cut bytes into messages, and write messages.

    total length (4) | headers length (4) | CRC of these 8 (4) | headers | payload | CRC of all (4)
    a header: name length (1) | name | type (1) | value; all that Bedrock sends are strings (7)

Sans-IO and incremental: any chunking gives the same messages. Both checksums are checked; after a
bad one nothing can be trusted, as there is nothing to find the next message by. Pure.

Source: https://smithy.io/2.0/aws/amazon-eventstream.html, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

__all__ = ["MAX_MESSAGE_BYTES", "EventStreamParser", "GarbledStream", "Message", "encode_message"]

MAX_MESSAGE_BYTES: Final = 24 * 1024 * 1024
"""The format's own bound is 16 MB of payload and 128 KB of headers (smithy.io, as above)."""

_PRELUDE: Final = Struct(">III")
_LENGTHS: Final = Struct(">II")
_CRC: Final = Struct(">I")
_SHORT: Final = Struct(">H")
_STRING: Final = 7
# Sizes of the values of the other types; 6 and 7 begin with their length.
_SIZES: Final[Mapping[int, int]] = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_FRAMING: Final = 16
_REMEMBERED: Final = 32


class GarbledStream(Exception):  # it says what is the case
    """The bytes are no event stream; feed no more."""


# A NamedTuple, as `Frame` of the server-sent events is: one is made per streamed token.
class Message(NamedTuple):
    """One message.

    Attributes:
        headers: Those with a text value; `:message-type`, `:event-type`, `:exception-type`, …
        raw: The bytes as they came.
    """

    headers: Mapping[str, str]
    payload: bytes
    raw: bytes


class EventStreamParser:
    """Cut a stream into messages as its bytes come in."""

    __slots__ = ("_known", "_pending")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._known: dict[bytes, Mapping[str, str]] = {}

    @property
    def idle(self) -> bool:
        """Whether the bytes so far end with a message."""
        return not self._pending

    def feed(self, data: bytes) -> tuple[list[Message], GarbledStream | None]:
        """Take the next bytes.

        Returns:
            The messages that are complete now, and what is wrong with those after them, or None.
        """
        pending = self._pending
        pending += data
        messages: list[Message] = []
        at, size, problem = 0, len(pending), None
        while size - at >= _PRELUDE.size:
            total, headers, crc = _PRELUDE.unpack_from(pending, at)
            problem = _bad_prelude(bytes(pending[at : at + 8]), total, headers, crc)
            if problem is not None or size - at < total:
                break
            raw = bytes(pending[at : at + total])
            if crc32(raw[:-4]) != _CRC.unpack_from(raw, total - 4)[0]:
                problem = GarbledStream("a message of the event stream fails its checksum")
                break
            try:
                named = self._headers(raw[12 : 12 + headers])
            except (IndexError, ValueError):
                problem = GarbledStream(
                    "a message of the event stream has headers of no known form"
                )
                break
            messages.append(Message(named, raw[12 + headers : -4], raw))
            at += total
        del pending[:at]
        return messages, problem

    def _headers(self, data: bytes) -> Mapping[str, str]:
        """Read headers; a stream has few sets of them, each for thousands of messages."""
        named = self._known.get(data)
        if named is None:
            named = _headers(data)
            if len(self._known) < _REMEMBERED:
                self._known[data] = named
        return named


def _bad_prelude(prelude: bytes, total: int, headers: int, crc: int) -> GarbledStream | None:
    if crc32(prelude) != crc:
        return GarbledStream("the head of a message of the event stream fails its checksum")
    if total > MAX_MESSAGE_BYTES or total < _FRAMING + headers:
        return GarbledStream(f"a message of the event stream claims a length of {total} bytes")
    return None


def _headers(data: bytes) -> dict[str, str]:
    """Read the headers of a message.

    Raises:
        IndexError, ValueError: they are not of the format.
    """
    found: dict[str, str] = {}
    at, size = 0, len(data)
    while at < size:
        start = at + 1
        at = start + data[at]
        name, kind = data[start:at].decode(), data[at]
        at += 1
        if kind in {6, _STRING}:
            start = at + 2
            at = start + int.from_bytes(data[at:start], "big")
            if kind == _STRING:
                found[name] = data[start:at].decode()
        elif kind in _SIZES:
            at += _SIZES[kind]
        else:
            raise ValueError(kind)
        if at > size:
            raise ValueError(at)
    return found


def encode_message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Write one message with text headers."""
    written = b"".join(
        bytes([len(name)]) + name + bytes([_STRING]) + _SHORT.pack(len(value)) + value
        for name, value in ((n.encode(), v.encode()) for n, v in headers.items())
    )
    lengths = _LENGTHS.pack(_FRAMING + len(written) + len(payload), len(written))
    message = lengths + _CRC.pack(crc32(lengths)) + written + payload
    return message + _CRC.pack(crc32(message))
