"""Read the hours at which a price holds, as a price file writes them.

    schedule = { hours = ["01:00-04:00", "06:00-10:00"], days = ["mon", "tue"], zone = "UTC",
                 holidays = [2026-10-01], outside = true }
    schedule = { windows = ["mon 01:00-04:00", "tue 02:00-04:00"] }

Pure. Imports: nothing of this package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from flo2.errors import PricingError
from flo2.prices import Schedule, Window

__all__ = ["read_schedule"]

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_KEYS: Final = frozenset({"hours", "days", "windows", "zone", "holidays", "outside"})
_HOURS: Final = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)
_HOUR_S: Final = 3600
_MINUTES: Final = 60


def read_schedule(table: Any, path: str, bad: Callable[[str, str], None]) -> Schedule | None:
    """Read a schedule; what is wrong is told to `bad(path, problem)`, and gives None."""
    if not isinstance(table, Mapping):
        bad(path, f"a schedule is a table, got {table!r}")
        return None
    problems: list[tuple[str, str]] = [
        (f"{path}.{key}", f"unknown key {key!r}; known: {', '.join(sorted(_KEYS))}")
        for key in sorted(table.keys() - _KEYS)
    ]
    windows, wrong = _windows(table)
    problems += [(f"{path}.{key}", problem) for key, problem in wrong]
    holidays = table.get("holidays", [])
    if not isinstance(holidays, list) or not all(type(day) is date for day in holidays):
        problems.append((f"{path}.holidays", f"expected a list of dates, got {holidays!r}"))
    outside, zone = table.get("outside", False), table.get("zone", "UTC")
    if type(outside) is not bool:
        problems.append((f"{path}.outside", f"expected true or false, got {outside!r}"))
    if not isinstance(zone, str):
        problems.append((f"{path}.zone", f"expected the name of a zone, got {zone!r}"))
    for where, problem in problems:
        bad(where, problem)
    if problems:
        return None
    try:
        return Schedule([Window(*each) for each in windows], zone, frozenset(holidays), outside)
    except PricingError as exc:
        bad(path, str(exc))
        return None


def _windows(
    table: Mapping[str, Any],
) -> tuple[list[tuple[int, int, int]], list[tuple[str, str]]]:
    """Read the windows, each with its day, or as hours of some days; and what is wrong."""
    if "windows" in table:
        texts = table["windows"]
        read = [_window(each) for each in texts] if isinstance(texts, list) else []
        found = [each for each in read if each is not None]
        wrong = []
        if not found or len(found) < len(read) or table.keys() & {"hours", "days"}:
            wrong = [
                (
                    "windows",
                    f"expected a list such as ['mon 01:00-04:00'], alone, got {texts!r}",
                )
            ]
        return found, wrong
    wrong = []
    days = table.get("days", list(_DAYS))
    if not isinstance(days, list) or not days or not all(day in _DAYS for day in days):
        wrong.append(("days", f"expected a list of {', '.join(_DAYS)}, got {days!r}"))
        days = []
    hours = table.get("hours", ["00:00-24:00"])
    stretches = [_stretch(each) for each in hours] if isinstance(hours, list) else []
    if not stretches or None in stretches:
        wrong.append(("hours", f"expected a list such as ['01:00-04:00'], got {hours!r}"))
    return [(_DAYS.index(d), *each) for d in days for each in stretches if each], wrong


def _window(text: Any) -> tuple[int, int, int] | None:
    day, _, hours = text.partition(" ") if isinstance(text, str) else ("", "", "")
    stretch = _stretch(hours)
    return None if stretch is None or day not in _DAYS else (_DAYS.index(day), *stretch)


def _stretch(text: Any) -> tuple[int, int] | None:
    found = _HOURS.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    numbers = [int(each) for each in found.groups()]
    if max(numbers[1], numbers[3]) >= _MINUTES:
        return None
    return numbers[0] * _HOUR_S + numbers[1] * 60, numbers[2] * _HOUR_S + numbers[3] * 60
