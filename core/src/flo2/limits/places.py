"""Count calls that run at once: in this process alone, or together with other workers.

Shared, each worker writes into the store how many of its calls run, for half a minute at a time; a
worker that died holds its places for that long. Imports: counters, shelf, errors.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from anyio import Lock

from flo2.errors import StoreError
from flo2.limits.counters import Denied, Standing
from flo2.limits.shelf import Shelf

__all__ = ["HELD_US", "OwnPlaces", "SharedPlaces"]

HELD_US: Final = 30_000_000
"""For how long a worker holds its places without saying so again, in microseconds."""

_RENEWED_US: Final = HELD_US // 3
_WAIT_US: Final = 1_000_000
"""What a refused call is told to wait; when another one ends is not known."""


class OwnPlaces:
    """Counts the calls of this process."""

    def __init__(self) -> None:
        """Begin with none."""
        self._running = 0

    async def take(self, limit: int, amount: int) -> int | Denied:
        """Begin a call, if there is room."""
        if self._running + amount > limit:
            return Denied(_WAIT_US)
        self._running += amount
        return 0

    def put_back(self, _place: int, amount: int) -> None:
        """End a call."""
        self._running -= amount

    def standing(self, limit: int) -> Standing:
        """Say how many more may begin."""
        return Standing(max(limit - self._running, 0), _WAIT_US if self._running else 0)

    async def flush(self) -> None:
        """Do nothing: there is nobody to tell."""

    @property
    def idle(self) -> bool:
        """Whether no call runs."""
        return self._running == 0


class SharedPlaces:
    """Counts the calls of all workers of a store."""

    def __init__(
        self,
        shelf: Shelf,
        account: str,
        name: str,
        worker: str,
        now: Callable[[], int],
        changed: Callable[[], None],
    ) -> None:
        """Begin with none.

        Args:
            shelf: Where the workers count together.
            account: Whose counter it is.
            name: Its name.
            worker: The name of this worker among them.
            now: Microseconds since the epoch that never jump.
            changed: Called when a place is free that the others do not know of yet.
        """
        self._shelf = shelf
        self._account = account
        self._name = name
        self._worker = worker
        self._now = now
        self._changed = changed
        self._lock = Lock()
        self._running = 0
        self._told = 0  # how many the store says are ours
        self._until_us = 0
        self._others = 0

    async def take(self, limit: int, amount: int) -> int | Denied:
        """Begin a call, if there is room."""
        if self._spare(amount):
            self._running += amount
            return 0
        async with self._lock:
            if not self._spare(amount) and not await self._tell(limit, amount):
                return Denied(_WAIT_US)
            self._running += amount
            return 0

    def _spare(self, amount: int) -> bool:
        return self._running + amount <= self._told and self._now() < self._until_us

    def put_back(self, _place: int, amount: int) -> None:
        """End a call."""
        self._running -= amount
        self._changed()

    def standing(self, limit: int) -> Standing:
        """Say how many more may begin, as far as is known of the others."""
        free = max(limit - self._others - self._running, 0)
        return Standing(free, 0 if free == limit else _WAIT_US)

    async def flush(self) -> None:
        """Say how many run, where that has changed or is about to be forgotten."""
        async with self._lock:
            stale = self._until_us - self._now() < HELD_US - _RENEWED_US
            if self._told != self._running or (self._told and stale):
                await self._tell(None, 0)

    @property
    def idle(self) -> bool:
        """Whether no call runs and the others know it."""
        return self._running == 0 and self._told == 0

    async def _tell(self, limit: int | None, more: int) -> bool:
        """Write how many run and shall run; False: with so many more it would be too many."""
        now, running = self._now(), self._running
        self._told = min(self._told, running)  # what runs not is no longer ours to begin

        def step(known: str | None) -> tuple[str | None, tuple[int, bool]]:
            held = _read(known, self._name)
            others = {
                worker: (count, until_us)
                for worker, (count, until_us) in held.items()
                if worker != self._worker and until_us > now
            }
            count = sum(count for count, _ in others.values())
            fits = limit is None or count + running + more <= limit
            mine = running + more if fits else running
            if mine:
                others[self._worker] = (mine, now + HELD_US)
            return json.dumps(others), (count, fits)

        self._others, fits = await self._shelf.change(self._account, self._name, step)
        self._told = running + more if fits else running
        self._until_us = now + HELD_US
        return fits


def _read(known: str | None, name: str) -> dict[str, tuple[int, int]]:
    try:
        held = {} if known is None else json.loads(known)
        return {str(worker): (int(count), int(until)) for worker, (count, until) in held.items()}
    except (ValueError, TypeError, AttributeError) as exc:
        raise StoreError(f"counter {name!r} cannot be read back ({exc}); delete its row") from exc
