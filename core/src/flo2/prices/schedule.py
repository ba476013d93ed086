"""At which hours of which days a price holds.

Pure data. Imports: errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import evolve, field, frozen

from flo2.errors import PricingError

__all__ = ["DAY_S", "Schedule", "Window"]

DAY_S: Final = 86_400
_DAYS: Final = 7


@frozen(order=True)
class Window:
    """A stretch of a day.

    Attributes:
        day: 0 is Monday, 6 Sunday.
        start: First second of the day inside, by the clock on the wall.
        stop: First second past it, at most 86 400: a window never crosses midnight.
    """

    day: int
    start: int
    stop: int

    def __attrs_post_init__(self) -> None:
        """Refuse what is no stretch of a day."""
        if not 0 <= self.day < _DAYS or not 0 <= self.start < self.stop <= DAY_S:
            raise PricingError(
                f"window {self.day}/{self.start}..{self.stop} is no stretch of a day of the week"
            )


def _merged(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Sort windows and join those that touch, so that equal hours have one form."""
    found: list[Window] = []
    for window in sorted(windows):
        last = found[-1] if found else None
        if last is not None and last.day == window.day and window.start <= last.stop:
            found[-1] = evolve(last, stop=max(last.stop, window.stop))
        else:
            found.append(window)
    return tuple(found)


@frozen
class Schedule:
    """Windows of a week, in one zone.

    An instant is looked up by the clock on the wall of the zone, so a day that loses or gains an
    hour shortens or lengthens the window it falls into, as a published table means it.

    Attributes:
        windows: When it holds; touching ones are joined.
        zone: A name of the IANA database.
        holidays: Days of that zone on which no window holds.
        outside: It holds at all other times instead, and on all of a holiday.
    """

    windows: tuple[Window, ...] = field(converter=_merged)
    zone: str = "UTC"
    holidays: frozenset[date] = frozenset()
    outside: bool = False

    def __attrs_post_init__(self) -> None:
        """Refuse what would hold never, and a zone nobody knows."""
        if not self.windows:
            raise PricingError("a schedule needs at least one window")
        try:
            _zone(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise PricingError(f"there is no time zone {self.zone!r}") from exc

    def holds(self, at: datetime) -> bool:
        """Say whether it holds at an instant (aware)."""
        local = at.astimezone(_zone(self.zone))
        second = local.hour * 3600 + local.minute * 60 + local.second
        inside = local.date() not in self.holidays and any(
            window.day == local.weekday() and window.start <= second < window.stop
            for window in self.windows
        )
        return inside is not self.outside

    def excludes(self, other: Schedule) -> bool:
        """Say whether it is certain that the two never hold at once."""
        if (self.zone, self.holidays) != (other.zone, other.holidays):
            return False  # they may meet on a holiday of one, or where the zones differ
        if self.outside and other.outside:
            return False  # both hold somewhere outside, unless their windows fill the week
        if not self.outside and not other.outside:
            return not any(_meet(a, b) for a in self.windows for b in other.windows)
        inner, outer = (other, self) if self.outside else (self, other)
        # Joined windows: each inner one lies in one outer one, or sticks out.
        return all(any(_within(a, b) for b in outer.windows) for a in inner.windows)

    def canonical(self) -> list[object]:
        """Write it in the one form that is hashed."""
        return [
            [[each.day, each.start, each.stop] for each in self.windows],
            self.zone,
            sorted(each.isoformat() for each in self.holidays),
            self.outside,
        ]

    def __str__(self) -> str:
        """Say it in words: `Mon 01:00–04:00, Mon 06:00–10:00 UTC but holidays`."""
        names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
        by_hours: dict[tuple[int, int], list[str]] = {}
        for each in self.windows:
            by_hours.setdefault((each.start, each.stop), []).append(names[each.day])
        said = ", ".join(
            f"{'/'.join(days)} {_clock(start)}–{_clock(stop)}"
            for (start, stop), days in by_hours.items()
        )
        return (
            ("outside " if self.outside else "")
            + f"{said} {self.zone}"
            + (f" but {len(self.holidays)} holidays" if self.holidays else "")
        )


def _zone(name: str) -> tzinfo:
    # Systems without a database of zones know UTC all the same.
    return UTC if name == "UTC" else ZoneInfo(name)


def _meet(a: Window, b: Window) -> bool:
    return a.day == b.day and a.start < b.stop and b.start < a.stop


def _within(a: Window, b: Window) -> bool:
    return a.day == b.day and b.start <= a.start and a.stop <= b.stop


def _clock(second: int) -> str:
    hours, rest = divmod(second, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")
