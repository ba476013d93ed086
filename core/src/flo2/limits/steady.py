"""A clock that tells what time it is, and never jumps. Pure but for the clocks it is given."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Steady"]


class Steady:
    """Wall time as the monotonic clock carries it on.

    It starts at the wall clock's time, so that processes agree, and goes as fast as real time from
    there: a wall clock that is set forward would otherwise make what was just used look old. Where
    the wall clock turns out to be behind it (it was set back), it goes at half speed until both
    agree again: windows only get longer by that.
    """

    __slots__ = ("_clock", "_now_us", "_read_s", "_told_us")

    def __init__(self, now_us: Callable[[], int], clock: Callable[[], float]) -> None:
        """Begin at the wall clock's time.

        Args:
            now_us: The wall clock, microseconds.
            clock: The monotonic clock, seconds.
        """
        self._now_us = now_us
        self._clock = clock
        self._told_us = now_us()
        self._read_s = clock()

    def __call__(self) -> int:
        """Give the time, in microseconds since the epoch; never less than before."""
        read_s = self._clock()
        gone_us = round((read_s - self._read_s) * 1_000_000)
        if gone_us <= 0:
            return self._told_us
        ahead_us = self._told_us + gone_us - self._now_us()
        if ahead_us > 0:
            gone_us -= min(ahead_us, gone_us // 2)
        self._read_s = read_s
        self._told_us += gone_us
        return self._told_us
