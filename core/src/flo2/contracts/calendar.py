"""Days and months of a zone, as stretches of time.

A month begins when its first day does by the clock on the wall, so that a month with a change of
the clocks is an hour shorter or longer. Pure. Imports: contracts.scope.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from flo2.contracts.scope import Validity

__all__ = ["begins_a_month", "day_of", "month_of", "month_span", "next_month", "read_month"]

_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_DECEMBER: Final = 12
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 9998


def read_month(text: str) -> date:
    """Read `2026-11`; gives its first day.

    Raises:
        ValueError: it is no month.
    """
    match = _MONTH.fullmatch(text)
    if match is None or not _FIRST_YEAR <= int(match[1]) <= _LAST_YEAR:
        raise ValueError(f"{text[:20]!r} is no month; write it like 2026-11")
    return date(int(match[1]), int(match[2]), 1)


def next_month(first: date) -> date:
    """Give the first day of the month after."""
    if first.month < _DECEMBER:
        return date(first.year, first.month + 1, 1)
    return date(first.year + 1, 1, 1)


def month_span(first: date, zone: str) -> Validity:
    """Give the stretch of time of a month."""
    return Validity(_midnight(first, zone), _midnight(next_month(first), zone))


def month_of(at: datetime, zone: str) -> date:
    """Give the first day of the month in which an instant lies."""
    return at.astimezone(_zone(zone)).date().replace(day=1)


def day_of(at: datetime, zone: str) -> date:
    """Give the day on which an instant lies."""
    return at.astimezone(_zone(zone)).date()


def begins_a_month(at: datetime, zone: str) -> bool:
    """Say whether an instant is the first one of a month."""
    return _midnight(month_of(at, zone), zone) == at


def _midnight(day: date, zone: str) -> datetime:
    """Give the first instant of a day, also where the clocks skip midnight."""
    where = _zone(zone)
    first = datetime.combine(day, time(), where).astimezone(UTC)
    # A time that the clocks skip is read as one after it or before it, by the offset in use.
    while first.astimezone(where).date() < day:
        first += timedelta(minutes=15)
    return first


def _zone(name: str) -> tzinfo:
    # Systems without a database of zones know UTC all the same.
    return UTC if name == "UTC" else ZoneInfo(name)
