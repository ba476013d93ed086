"""Days, weeks, months by the clock on the wall of a zone; DST-safe. Pure. Imports: instants.

A period begins at the first instant of its first day: at midnight, or, where a change of the clock
leaves midnight out, at the change; where the clock shows midnight twice, at the first.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import frozen

from flo2.instants import instant, microseconds

__all__ = ["PERIODS", "Per", "Period", "period_at", "zone"]

Per = Literal["day", "week", "month", "total"]
PERIODS: Final[tuple[Per, ...]] = get_args(Per)


@frozen
class Period:
    """One day, week or month.

    Attributes:
        key: Its name: `2026-11-25`, `2026-W48`, `2026-11`, or `total`.
        start_us: Its first microsecond; None: it has no beginning.
        end_us: The first microsecond past it, when the budget is whole again; None: never.
    """

    key: str
    start_us: int | None = None
    end_us: int | None = None

    def holds(self, now_us: int) -> bool:
        """Say whether an instant lies in it."""
        return (self.start_us is None or self.start_us <= now_us) and (
            self.end_us is None or now_us < self.end_us
        )


_EVER: Final = Period("total")


@lru_cache(maxsize=512)
def zone(name: str) -> tzinfo:
    """Give a time zone by its IANA name; `UTC` needs no data of the system.

    Raises:
        ValueError: there is none.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError(
            f"there is no time zone {name!r}; write one like 'Europe/Berlin', or 'UTC' (a system "
            "without zones gets them by: pip install tzdata)"
        ) from exc


def period_at(per: Per, where: tzinfo, now_us: int) -> Period:
    """Give the period that holds an instant.

    Args:
        per: How long a period is.
        where: Whose midnight counts.
        now_us: Microseconds since the epoch, UTC.
    """
    if per == "total":
        return _EVER
    today = instant(now_us).astimezone(where).date()
    if per == "day":
        first, following, key = today, today + timedelta(1), today.isoformat()
    elif per == "week":
        first = today - timedelta(today.weekday())
        following = first + timedelta(7)
        year, week, _ = today.isocalendar()
        key = f"{year}-W{week:02d}"
    else:
        first = today.replace(day=1)
        following = (first + timedelta(31)).replace(day=1)
        key = f"{today.year}-{today.month:02d}"
    return Period(key, _begin(first, where), _begin(following, where))


def _begin(day: date, where: tzinfo) -> int:
    """Give the first instant of a day.

    Midnight that the clock leaves out is read by the offset before the change (PEP 495, fold=0),
    which makes it the very instant of the change; of two midnights it is the first.
    """
    return microseconds(datetime.combine(day, time(), where).astimezone(UTC))
