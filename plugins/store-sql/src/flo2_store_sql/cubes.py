"""What sums are kept: by which dimensions, and over which spans of time. Pure.

A cube is a set of dimensions; its sums are kept by month and by day, the smallest one's by hour
too. Customers and end users are many, so each has a cube of its own: the sums by everything else
stay few, whoever calls. A span that no bucket fits is read from the entries themselves.
Buckets are numbered by their first hour since the Unix epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Final

from attrs import frozen

__all__ = [
    "COLUMNS",
    "CUBES",
    "DAY",
    "DIMENSIONS",
    "HOUR",
    "HOUR_US",
    "MONTH",
    "Cube",
    "Span",
    "bucket_of",
    "cover",
    "cube_for",
    "grain",
    "month_after",
]

HOUR_US: Final = 3_600_000_000
HOUR, DAY, MONTH = 1, 2, 3
_HOURS_A_DAY: Final = 24

_MAIN: Final = (
    "provider",
    "model",
    "key_id",
    "team",
    "feature",
    "route",
    "experiment",
    "arm",
    "role",
)
DIMENSIONS: Final = (*_MAIN, "customer", "end_user")
"""Every dimension that some cube has, as its column is named."""

COLUMNS: Final = {name.removesuffix("_id"): name for name in DIMENSIONS}
"""Dimension, as people name it → column."""


@frozen
class Cube:
    """One set of dimensions, and the lengths of its buckets, the shortest first.

    Besides these every sum is kept by account, status and currency.
    """

    number: int
    dimensions: tuple[str, ...]
    levels: tuple[int, ...]


# The smaller first: the first that has what is asked for is taken.
CUBES: Final = (
    Cube(1, _MAIN, (HOUR, DAY, MONTH)),
    Cube(4, ("provider", "customer"), (DAY, MONTH)),
    Cube(2, (*_MAIN, "customer"), (DAY, MONTH)),
    Cube(3, ("customer", "end_user"), (DAY, MONTH)),
)


@frozen
class Span:
    """Buckets from `first` up to, not including, `last`; None: without end."""

    level: int
    first: int | None
    last: int | None


def grain(cube: Cube, level: int) -> int:
    """Give the number under which a cube's sums of one level are kept."""
    return cube.number * 10 + level


def cube_for(columns: Collection[str]) -> Cube | None:
    """Find the smallest cube that has these columns; None: only the entries have them together."""
    return next((cube for cube in CUBES if set(columns) <= set(cube.dimensions)), None)


def bucket_of(level: int, hour: int) -> int:
    """Give the bucket that an hour lies in."""
    if level == HOUR:
        return hour
    day = hour // _HOURS_A_DAY
    return (_month_of(day) if level == MONTH else day) * _HOURS_A_DAY


def month_after(bucket: int) -> int:
    """Give the bucket of the month after."""
    # 31 days later it is surely the next month; 59 days later it might be the one after.
    return bucket_of(MONTH, bucket + 31 * _HOURS_A_DAY)


def cover(
    since_us: int | None, until_us: int | None, levels: Sequence[int]
) -> tuple[list[Span], list[tuple[int | None, int | None]]]:
    """Lay a span of time out in as few buckets as there are.

    Args:
        since_us: Its beginning; None: it has none.
        until_us: Its end, not included; None: it has none.
        levels: The lengths that may be used, the shortest first.

    Returns:
        The buckets, and what is left over at the edges, in microseconds.
    """
    if since_us is not None and until_us is not None and since_us >= until_us:
        return [], []
    if not levels:
        return [], [(since_us, until_us)]
    level, shorter = levels[-1], levels[:-1]
    first = None if since_us is None else _up(level, since_us)
    last = None if until_us is None else bucket_of(level, until_us // HOUR_US)
    if first is not None and last is not None and first >= last:
        return cover(since_us, until_us, shorter)
    spans, rest = [Span(level, first, last)], []
    if first is not None:
        more, left = cover(since_us, first * HOUR_US, shorter)
        spans += more
        rest += left
    if last is not None:
        more, left = cover(last * HOUR_US, until_us, shorter)
        spans += more
        rest += left
    return spans, rest


def _up(level: int, us: int) -> int:
    bucket = bucket_of(level, us // HOUR_US)
    if bucket * HOUR_US == us:
        return bucket
    if level == MONTH:
        return month_after(bucket)
    return bucket + (_HOURS_A_DAY if level == DAY else 1)


def _month_of(day: int) -> int:
    """Give the first day of a day's month.

    A clock may be wrong by any length of time and its record must still find a bucket, so what no
    calendar reaches is the month before the year 1, or the one after 9999.
    """
    if day < _FIRST_DAY:
        return _FIRST_DAY - 31
    if day >= _END_OF_DAYS:
        return _END_OF_DAYS
    ordinal = day + _EPOCH
    return ordinal - date.fromordinal(ordinal).day + 1 - _EPOCH


_EPOCH: Final = date(1970, 1, 1).toordinal()
_FIRST_DAY: Final = 1 - _EPOCH
_END_OF_DAYS: Final = date.max.toordinal() + 1 - _EPOCH
