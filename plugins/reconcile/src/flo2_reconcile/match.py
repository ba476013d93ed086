"""Lay a sheet beside the ledger's sums, cell by cell; what differs is a gap.

Imports: bill, booked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

from attrs import frozen

from flo2 import BILLING_KEYS, REQUESTS, Gap, money_of
from flo2.billing import is_money, plus
from flo2_reconcile.bill import Key, Measures, Sheet
from flo2_reconcile.booked import ALL_INPUT, ALL_OUTPUT, Tally
from flo2_reconcile.times import DAY_US

__all__ = ["Compared", "compare"]


@frozen
class Compared:
    """A sheet beside the ledger.

    Attributes:
        dims: The keys that both sides tell.
        measures: What is compared.
        gaps: Cells that differ, and those with entries that wait for their amount.
        cells: How many cells were compared.
        billed, booked: Sums of both sides.
        days: Day's start → sums of both sides, for plots.
    """

    sheet: Sheet
    dims: tuple[str, ...]
    measures: frozenset[str]
    gaps: list[Gap]
    cells: int
    billed: Measures
    booked: Measures
    days: Mapping[int, tuple[Measures, Measures]]


def compare(sheet: Sheet, tally: Tally, untold: Collection[str]) -> Compared:
    """Compare a sheet with the ledger.

    Args:
        sheet: The bill's side.
        tally: The ledger's, in buckets of which the sheet's are made.
        untold: Keys that the ledger has no values of; both sides are added up over them.
    """
    dims = tuple(key for key in sheet.dims if key not in untold)
    billed = _narrowed(sheet.cells, sheet.dims, dims)
    slack = _narrowed(sheet.slack, sheet.dims, dims)
    booked: dict[tuple[int, Key], Measures] = {}
    waiting: dict[tuple[int, Key], int] = {}
    provider = {values[sheet.dims.index("provider")] for _, values in sheet.cells}
    places = [BILLING_KEYS.index(key) for key in dims]
    owner = BILLING_KEYS.index("provider")
    for (at_us, keys), figures in tally.cells.items():
        bucket = sheet.bucket(at_us)
        if bucket is not None and (not provider or keys[owner] in provider):
            _put(booked, (bucket, tuple(keys[each] for each in places)), figures)
    for (at_us, keys), count in tally.waiting.items():
        bucket = sheet.bucket(at_us)
        if bucket is not None and (not provider or keys[owner] in provider):
            place = (bucket, tuple(keys[each] for each in places))
            waiting[place] = waiting.get(place, 0) + count
    measures = sheet.measures | (_others(sheet, booked) if sheet.whole else frozenset())
    gaps: list[Gap] = []
    sums: tuple[Measures, Measures] = ({}, {})
    days: dict[int, tuple[Measures, Measures]] = {}
    every = billed.keys() | booked.keys()
    for place in sorted(every | waiting.keys()):
        start, values = place
        mine = {name: count for name, count in booked.get(place, {}).items() if name in measures}
        theirs = billed.get(place, {})
        for side, figures in ((0, theirs), (1, mine)):
            _add(sums[side], figures)
            _add(days.setdefault(start - start % DAY_US, ({}, {}))[side], figures)
        gap = Gap(
            sheet.report,
            start,
            sheet.end_of(start),
            dict(zip(dims, values, strict=True)),
            {},
            theirs,
            mine,
            measures,
            {name: Decimal(off) for name, off in slack.get(place, {}).items()},
        )
        for name in theirs.keys() | mine.keys():
            gap.left[name] = plus(theirs.get(name, 0), mine.get(name, 0), -1)
        _settle_noise(gap)
        if gap.left or waiting.get(place):
            gaps.append(gap)
    return Compared(sheet, dims, measures, gaps, len(every), *sums, days)


def _settle_noise(gap: Gap) -> None:
    """Drop what is zero, or no more than the source's own rounding."""
    for name, count in list(gap.left.items()):
        off = gap.slack.get(name, Decimal(0))
        if off.copy_negate() <= count <= off:
            del gap.left[name]


def _others(sheet: Sheet, booked: Mapping[tuple[int, Key], Measures]) -> frozenset[str]:
    """Give the meters that the bill would have told, had they been on it."""
    money = any(is_money(name) and name != money_of("") for name in sheet.measures)
    counted = any(not is_money(name) and name != REQUESTS for name in sheet.measures)
    names = {name for figures in booked.values() for name in figures}
    return frozenset(
        name
        for name in names - {REQUESTS, ALL_INPUT, ALL_OUTPUT, money_of("")}
        if (money if is_money(name) else counted)
    )


def _narrowed(
    cells: Mapping[tuple[int, Key], Mapping[str, int | Decimal]],
    dims: tuple[str, ...],
    kept: tuple[str, ...],
) -> dict[tuple[int, Key], Measures]:
    places = [dims.index(key) for key in kept]
    found: dict[tuple[int, Key], Measures] = {}
    for (start, values), figures in cells.items():
        _put(found, (start, tuple(values[each] for each in places)), figures)
    return found


def _put(
    into: dict[tuple[int, Key], Measures],
    place: tuple[int, Key],
    figures: Mapping[str, int | Decimal],
) -> None:
    _add(into.setdefault(place, {}), figures)


def _add(into: Measures, figures: Mapping[str, int | Decimal]) -> None:
    for name, count in figures.items():
        into[name] = plus(into.get(name, 0), count)
