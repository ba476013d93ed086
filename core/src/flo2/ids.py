"""Ids that sort by time and never meet: milliseconds, a count, and a random part of the process.

Imports: nothing of flo2.
"""

from __future__ import annotations

import secrets

__all__ = ["IdSource"]

_WRAP = 1 << 32


class IdSource:
    """Makes ids of 32 hex digits: 12 of milliseconds, 8 of a count, 12 random ones of this source.

    Unique without asking the kernel for randomness on every call; they are no secrets.
    """

    __slots__ = ("_count", "_tail")

    def __init__(self) -> None:
        """Draw the random part, and begin the count anywhere."""
        self._tail = secrets.token_hex(6)
        self._count = secrets.randbits(32)

    def make(self, now_us: int) -> str:
        """Make an id for something that happens at `now_us` (microseconds since the epoch)."""
        self._count = count = (self._count + 1) % _WRAP
        return f"{now_us // 1000:012x}{count:08x}{self._tail}"
