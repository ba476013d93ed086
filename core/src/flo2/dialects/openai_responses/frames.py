"""Write the events of a stream, numbered. Imports: sse."""

from __future__ import annotations

import hashlib
from typing import Any

from flo2.dialects.jsonio import dumps
from flo2.dialects.sse import frame

__all__ = ["Frames", "delta_head", "made_id"]


class Frames:
    """Write events, each with its `sequence_number`."""

    __slots__ = ("sequence",)

    def __init__(self) -> None:
        self.sequence: int = 0

    def event(self, kind: str, **fields: Any) -> bytes:
        """Write one event."""
        data = {"type": kind, **fields, "sequence_number": self.sequence}
        self.sequence += 1
        return frame(dumps(data), kind.encode())

    def delta(self, head: bytes, text: str) -> bytes:
        """Write one event of many: `head` is all of it up to the text (see `delta_head`)."""
        number = self.sequence
        self.sequence = number + 1
        return b'%b%b,"sequence_number":%d}\n\n' % (head, dumps(text), number)


def delta_head(kind: str, **fields: Any) -> bytes:
    """Write the part of a delta event that does not change within its part."""
    return frame(dumps({"type": kind, **fields}), kind.encode())[:-3] + b',"delta":'


def made_id(prefix: str, response_id: str, number: int) -> str:
    """Make the id of an item that its provider gave none; the same answer always alike."""
    digest = hashlib.sha256(f"{response_id}:{number}".encode()).hexdigest()
    return f"{prefix}_{digest[:32]}"
