"""Count what is used under one limit: in this process alone, or together with other workers.

Shared, a worker takes a lease of the allowance from the store and hands it out itself. A lease
counts in the store from the moment it is drawn and is handed out for a second at most; what is left
of it then goes back. So no window ever holds more than the limit, whatever the workers do and
wherever one of them dies; what another worker holds just now may be refused early.
Imports: window, shelf, errors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from anyio import Lock
from attrs import frozen

from flo2.errors import StoreError
from flo2.limits.shelf import Shelf
from flo2.limits.window import SLOTS, Window

__all__ = ["LEASE_US", "Counter", "Denied", "OwnCounter", "SharedCounter", "Standing"]

LEASE_US: Final = 1_000_000
"""How long a lease is handed out, in microseconds; at most one slot of the shortest window."""

_SHARE: Final = 8
"""A lease is at most this part of what is free, so that something is left for other workers."""
_DENIED_US: Final = 250_000
"""For how long a refusal is repeated without asking the store again, in microseconds."""
# Besides the slots of a window: one in which a lease from the slot before may still be handed out,
# and one by which the clocks of two workers may differ.
_SHARED_SLOTS: Final = SLOTS + 2


@frozen
class Denied:
    """There is no room.

    Attributes:
        wait_us: How long until there is, if nothing else is taken, in microseconds.
    """

    wait_us: int


@frozen
class Standing:
    """How a limit stands.

    Attributes:
        free: What may still be taken now.
        reset_us: How long until all of it may be, if nothing more is taken.
    """

    free: int
    reset_us: int


class Counter(Protocol):
    """Counts what is used under one limit."""

    async def take(self, limit: int, amount: int) -> int | Denied:
        """Take an amount, if there is room.

        Returns:
            Where it is counted, for `put_back`.

        Raises:
            StoreError: what others have taken cannot be read.
        """
        ...

    def put_back(self, place: int, amount: int) -> None:
        """Give back what was not needed of an amount; negative: more was."""
        ...

    def standing(self, limit: int) -> Standing:
        """Say what is left."""
        ...

    async def flush(self) -> None:
        """Tell the other workers what they need not wait for.

        Raises:
            StoreError: it cannot be told.
        """
        ...

    @property
    def idle(self) -> bool:
        """Whether it counts nothing, so that it may be forgotten."""
        ...


class OwnCounter:
    """Counts in this process alone, exactly."""

    def __init__(self, slot_us: int, now: Callable[[], int]) -> None:
        """Begin with nothing.

        Args:
            slot_us: Length of a slot of the window.
            now: Microseconds that never run backwards.
        """
        self._window = Window(slot_us)
        self._now = now

    async def take(self, limit: int, amount: int) -> int | Denied:
        """Take an amount, if there is room."""
        now, window = self._now(), self._window
        if window.draw(now, limit, amount, amount):
            return window.newest
        return Denied(window.wait_us(now, limit, amount) or 0)

    def put_back(self, place: int, amount: int) -> None:
        """Give back what was not needed."""
        self._window.add(place, -amount)

    def standing(self, limit: int) -> Standing:
        """Say what is left."""
        now = self._now()
        return Standing(max(limit - self._window.used(now), 0), self._window.empty_in_us(now))

    async def flush(self) -> None:
        """Do nothing: there is nobody to tell."""

    @property
    def idle(self) -> bool:
        """Whether nothing counts any more."""
        return self._window.used(self._now()) == 0


@frozen
class _Drawn:
    """What came of a look into the store."""

    taken: int
    slot: int
    used: int
    reset_us: int
    wait_us: int


class SharedCounter:
    """Counts together with the other workers of a store, by leases."""

    def __init__(
        self, shelf: Shelf, account: str, name: str, slot_us: int, now: Callable[[], int]
    ) -> None:
        """Begin without a lease.

        Args:
            shelf: Where the workers count together.
            account: Whose counter it is.
            name: Its name.
            slot_us: Length of a slot of the window.
            now: Microseconds since the epoch that never jump.
        """
        self._shelf = shelf
        self._account = account
        self._name = name
        self._slot_us = slot_us
        self._now = now
        self._lock = Lock()
        self._left = 0  # of the lease
        self._slot = 0  # in which the lease counts
        self._ends_us = 0  # when the lease is handed out no longer
        self._returns: dict[int, int] = {}  # what goes back, by slot; negative: more was used
        self._used = 0
        self._resets_us = 0
        self._denied: tuple[int, int, int] | None = None  # how much, until when, room from when on

    async def take(self, limit: int, amount: int) -> int | Denied:
        """Take an amount out of the lease, or of a new one."""
        if (found := self._at_hand(amount)) is not None:
            return found
        async with self._lock:
            if (found := self._at_hand(amount)) is not None:
                return found
            drawn = await self._draw(limit, amount)
            if not drawn.taken:
                now = self._now()
                again_us = now + min(drawn.wait_us, _DENIED_US)
                self._denied = (amount, again_us, now + drawn.wait_us)
                return Denied(drawn.wait_us)
            self._denied = None
            self._left -= amount
            return self._slot

    def _at_hand(self, amount: int) -> int | Denied | None:
        now = self._now()
        if self._left >= amount and now < self._ends_us:
            self._left -= amount
            return self._slot
        if self._denied is not None:
            least, again_us, room_us = self._denied
            if amount >= least and now < again_us:
                return Denied(room_us - now)
        return None

    def put_back(self, place: int, amount: int) -> None:
        """Give back what was not needed, to the lease it came from or to the store."""
        if place == self._slot and self._now() < self._ends_us:
            self._left += amount
            amount = min(self._left, 0)  # what the lease cannot make up for
            self._left -= amount
        if amount:
            self._returns[place] = self._returns.get(place, 0) + amount

    def standing(self, limit: int) -> Standing:
        """Say what was left when the store was last asked, less what was handed out since."""
        now = self._now()
        if now >= self._resets_us:
            return Standing(limit, 0)
        left = self._left if now < self._ends_us else 0
        return Standing(max(limit - self._used + left, 0), self._resets_us - now)

    async def flush(self) -> None:
        """Give back what goes back, and a lease that has ended."""
        async with self._lock:
            if self._returns or (self._left and self._now() >= self._ends_us):
                await self._draw(0, 0)

    @property
    def idle(self) -> bool:
        """Whether it holds nothing; what counts stands in the store."""
        return not self._returns and not self._left and self._now() >= self._resets_us

    async def _draw(self, limit: int, amount: int) -> _Drawn:
        """Return what goes back, and draw a lease of at least an amount, 0 for none."""
        now = self._now()
        if self._left:
            self._returns[self._slot] = self._returns.get(self._slot, 0) + self._left
            self._left = 0
        self._ends_us = 0  # what comes back meanwhile goes to the store
        returns, self._returns = self._returns, {}

        def step(known: str | None) -> tuple[str | None, _Drawn]:
            window = _read(known, self._slot_us, self._name)
            before = dict(window.slots)
            window.used(now)
            for slot, back in returns.items():
                window.add(slot, -back)
            taken = 0
            if amount:
                free = limit - window.used(now)
                taken = window.draw(now, limit, amount, max(amount, free // _SHARE))
            wait_us = window.wait_us(now, limit, amount) or 0
            drawn = _Drawn(taken, window.newest, window.used(now), window.empty_in_us(now), wait_us)
            return (None if window.slots == before else _written(window.slots)), drawn

        try:
            drawn = await self._shelf.change(self._account, self._name, step)
        except StoreError:
            # Perhaps it was done. Given back twice would be too much, used twice is not.
            self._keep({slot: back for slot, back in returns.items() if back < 0})
            raise
        except BaseException:  # cancelled before it began
            self._keep(returns)
            raise
        self._left, self._slot = drawn.taken, drawn.slot
        self._ends_us = now + LEASE_US
        self._used, self._resets_us = drawn.used, now + drawn.reset_us
        return drawn

    def _keep(self, returns: Mapping[int, int]) -> None:
        for slot, back in returns.items():
            self._returns[slot] = self._returns.get(slot, 0) + back


def _read(known: str | None, slot_us: int, name: str) -> Window:
    try:
        slots = {} if known is None else {int(k): int(v) for k, v in json.loads(known).items()}
    except (ValueError, TypeError, AttributeError) as exc:
        raise StoreError(f"counter {name!r} cannot be read back ({exc}); delete its row") from exc
    return Window(slot_us, kept=_SHARED_SLOTS, slots=slots)


def _written(slots: Mapping[int, int]) -> str:
    return json.dumps({str(slot): amount for slot, amount in slots.items()})
