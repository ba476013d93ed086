"""How much was used lately, so that no window of a given length ever holds more than a limit.

Time is cut into slots, a sixtieth of the window each. What counts against the limit is the slot of
now and the `kept` slots before it. Any stretch of one window's length touches at most 61 slots in
a row, so with `kept` 60 the sum over every such stretch, wherever it begins, stays within the
limit; the price is that an amount counts for up to a sixtieth of a window longer than it must.
Amounts are whole numbers. Pure. Imports: nothing of flo2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["SLOTS", "Window"]

SLOTS: Final = 60
"""Slots in a window."""


class Window:
    """The amounts that still count, by slot.

    Time never runs backwards here: an earlier one than it has seen is taken for the latest.
    """

    __slots__ = ("_kept", "_newest", "_slots", "_sum", "slot_us")

    def __init__(
        self, slot_us: int, *, kept: int = SLOTS, slots: Mapping[int, int] | None = None
    ) -> None:
        """Begin.

        Args:
            slot_us: Length of a slot, in microseconds.
            kept: How many slots before the one of now count.
            slots: Amounts by the number of their slot, as `slots` gave them.
        """
        self.slot_us: int = slot_us
        self._kept = kept
        self._slots: dict[int, int] = dict(slots or {})
        self._newest = max(self._slots, default=0)
        self._sum = sum(self._slots.values())

    @property
    def slots(self) -> Mapping[int, int]:
        """What still counts, by the number of its slot."""
        return self._slots

    def used(self, now_us: int) -> int:
        """Say how much counts now."""
        self._turn(now_us)
        return self._sum

    def draw(self, now_us: int, limit: int, need: int, want: int) -> int:
        """Take as much of `want` as there is, if that is at least `need`; else nothing.

        Returns:
            What was taken; it counts in the slot that `newest` names.
        """
        free = limit - self.used(now_us)
        taken = min(want, free)
        if taken < need:
            return 0
        self.add(self._newest, taken)
        return taken

    @property
    def newest(self) -> int:
        """The slot of the latest time seen."""
        return self._newest

    def add(self, slot: int, amount: int) -> None:
        """Count an amount, whether or not there is room; a negative one is given back.

        What has left the window since, or was never there, changes nothing.
        """
        if slot < self._newest - self._kept:
            return
        before = self._slots.get(slot, 0)
        after = max(before + amount, 0)
        self._sum += after - before
        if after:
            self._slots[slot] = after
            self._newest = max(self._newest, slot)
        else:
            self._slots.pop(slot, None)

    def wait_us(self, now_us: int, limit: int, need: int) -> int | None:
        """Say how long until there is room, if nothing else is taken; None: there never is."""
        if need > limit:
            return None
        excess = self.used(now_us) + need - limit
        if excess <= 0:
            return 0
        for slot in sorted(self._slots):
            excess -= self._slots[slot]
            if excess <= 0:
                return max(self._leaves_us(slot) - now_us, 1)
        return max(self._leaves_us(self._newest) - now_us, 1)

    def empty_in_us(self, now_us: int) -> int:
        """Say how long until nothing of what counts now counts any more."""
        if not self.used(now_us):
            return 0
        return max(self._leaves_us(max(self._slots)) - now_us, 1)

    def _leaves_us(self, slot: int) -> int:
        return (slot + self._kept + 1) * self.slot_us

    def _turn(self, now_us: int) -> None:
        """Let go of what no longer counts."""
        slot = now_us // self.slot_us
        if slot <= self._newest:
            return
        self._newest = slot
        oldest = slot - self._kept
        for old in [each for each in self._slots if each < oldest]:
            self._sum -= self._slots.pop(old)
