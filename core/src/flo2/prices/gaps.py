"""Find holes between the rows of a model: a time, a count or an hour that none of them prices.

That a price begins or ends is no hole; that it stops and goes on is. Pure. Imports: prices.rows,
prices.schedule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from flo2.prices.rows import PriceRow
from flo2.prices.schedule import DAY_S, Schedule

__all__ = ["gaps"]

_WEEK: Final = 7
_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def gaps(rows: Iterable[PriceRow]) -> Iterator[str]:
    """Say of each hole which rows lie around it.

    Rows are compared by name and pattern, meter and context, as overlaps are.
    """
    groups: defaultdict[tuple[str, str, str, tuple[object, ...]], list[PriceRow]] = defaultdict(
        list
    )
    for row in rows:
        said = tuple(sorted((key, tuple(sorted(values))) for key, values in row.when.items()))
        for name in row.models or {f"/{row.pattern}/"}:
            groups[row.provider, name, row.dimension, said].append(row)
    found = dict.fromkeys(hole for group in groups.values() for hole in _of_group(group))
    yield from found


def _of_group(rows: Sequence[PriceRow]) -> Iterator[str]:
    instants = sorted({i for row in rows for i in (row.valid_from, row.valid_until) if i})
    spans = pairwise([None, *instants, None])
    held = [[row for row in rows if _holds(row, begin, end)] for begin, end in spans]
    first = next((n for n, here in enumerate(held) if here), 0)
    last = max((n for n, here in enumerate(held) if here), default=0)
    for number in range(first, last + 1):
        if not held[number]:
            begin, end = instants[number - 1], instants[number]
            before, after = held[number - 1][0], _next(held, number)[0]
            yield (
                f"no price from {begin.isoformat()} to {end.isoformat()}, between rows "
                f"{before.id!r} and {after.id!r}"
            )
        else:
            yield from _of_span(held[number])


def _next(held: Sequence[list[PriceRow]], number: int) -> list[PriceRow]:
    return next(here for here in held[number:] if here)


def _holds(row: PriceRow, begin: datetime | None, end: datetime | None) -> bool:
    starts = row.valid_from is None or (begin is not None and row.valid_from <= begin)
    return starts and (row.valid_until is None or (end is not None and end <= row.valid_until))


def _of_span(rows: Sequence[PriceRow]) -> Iterator[str]:
    """Look at the counts of rows that hold at one time, then at the hours of each count."""
    cuts = sorted({cut for row in rows for cut in _edges(row) if cut is not None})
    if cuts and any(row.is_graduated for row in rows) and cuts[0] > 1:
        yield f"no price for the first {cuts[0] - 1} units, before row {rows[0].id!r}"
    below: PriceRow | None = None
    starts = cuts or [0]
    for begin, end in zip(starts, [*starts[1:], None], strict=True):
        here = [row for row in rows if _covers(row, begin, end)]
        if here:
            below = here[0]
            yield from _of_hours(here)
        elif below is not None and end is not None:
            above = min((r for r in rows if _edges(r)[0] >= end), key=lambda r: _edges(r)[0])
            yield (
                f"no price for {begin} to {end - 1} units, between rows {below.id!r} and "
                f"{above.id!r}"
            )


def _edges(row: PriceRow) -> tuple[int, int | None]:
    return (0, None) if row.tier is None else (row.tier.start, row.tier.stop)


def _covers(row: PriceRow, begin: int, end: int | None) -> bool:
    start, stop = _edges(row)
    return start <= begin and (stop is None or (end is not None and end <= stop))


def _of_hours(rows: Sequence[PriceRow]) -> Iterator[str]:
    """Look for an hour of the week at which none of some rows holds."""
    schedules = [row.schedule for row in rows if row.schedule is not None]
    if len(schedules) < len(rows) or len({(s.zone, s.holidays) for s in schedules}) > 1:
        return  # one holds at all hours; or where zones differ, nothing is said
    for day in range(_WEEK):
        edges = {0, DAY_S}
        for schedule in schedules:
            edges |= {e for w in schedule.windows if w.day == day for e in (w.start, w.stop)}
        for begin, end in pairwise(sorted(edges)):
            if not any(_at(schedule, day, begin) for schedule in schedules):
                yield (
                    f"no price on {_NAMES[day]} from {_clock(begin)} to {_clock(end)}, beside row "
                    f"{rows[0].id!r}"
                )
    if schedules[0].holidays and not any(schedule.outside for schedule in schedules):
        yield f"no price on the holidays of row {rows[0].id!r}"


def _at(schedule: Schedule, day: int, second: int) -> bool:
    inside = any(w.day == day and w.start <= second < w.stop for w in schedule.windows)
    return inside is not schedule.outside


def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second % 3600 // 60:02}"
