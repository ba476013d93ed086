"""Ids of function calls: Google gives one only sometimes, every other dialect needs one.

Where it is missing, one is made from where the call stands, the same one each time, so that a
client of another dialect can answer to it and identical calls stay apart. In a conversation of this
dialect calls and results without ids belong together by name and order; a made id never goes out.
Pure. Imports: nothing of flo2.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

__all__ = ["Calls", "is_made"]

_MADE: Final = re.compile(r"call_g[0-9a-f]{24}")


def is_made(call_id: str) -> bool:
    """Say whether an id was made here, not by the provider or a client."""
    return _MADE.fullmatch(call_id) is not None


class Calls:
    """The calls of one conversation, or of one answer.

    Args:
        seed: What tells this answer from all others; "" for a conversation.
    """

    def __init__(self, seed: str = "") -> None:
        self._seed = seed
        self._made = 0
        self._waiting: list[tuple[str, str]] = []

    def new_turn(self) -> None:
        """Forget calls that were not answered: a result answers the turn directly before it."""
        self._waiting.clear()

    def called(self, call_id: str | None, name: str) -> str:
        """Give the id of a call, its own or a made one."""
        found = call_id or self._make(name)
        self._waiting.append((name, found))
        return found

    def answered(self, call_id: str | None, name: str) -> str:
        """Give the id of the call that a result belongs to."""
        for i, (called, waiting_id) in enumerate(self._waiting):
            if waiting_id == call_id if call_id else called == name:
                return self._waiting.pop(i)[1]
        return call_id or self._make(name)

    def _make(self, name: str) -> str:
        self._made += 1
        seed = f"{self._seed}\n{self._made}\n{name}"
        return f"call_g{hashlib.sha256(seed.encode('utf-8', 'replace')).hexdigest()[:24]}"
