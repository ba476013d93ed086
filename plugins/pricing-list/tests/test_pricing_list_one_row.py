"""P18 on the book that is shipped: what is used is priced by one row, all through a model's life.

Every name is asked for, in every context its rows tell apart, at every instant, hour of the week
and size of prompt at which its prices may change.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, product

import pytest
from attrs import evolve

from flo2.prices import Layer, PriceRow, Schedule, Tier, Window, build
from flo2_pricing_list import GenaiPrices, PriceList

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
MOMENT, LATER = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
MODELS = 3000
UNPUBLISHED = {
    # No source we read states the peak price of these weeks; its present one began on 2026-09-10.
    ("deepseek", "deepseek-v4-flash", "hour", datetime(2026, 8, 17, tzinfo=UTC), meter)
    for meter in ("input_tokens", "cache_read_tokens", "output_tokens")
}


def row(name, *, dimension="input_tokens", **more):
    return PriceRow(
        name, "acme", frozenset({"m"}), dimension, Decimal(1), 1, "test", date(2026, 3, 1),
        "simulated", **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def book():
    return build([PriceList().layer(), GenaiPrices().layer()])


def contexts(rows, defaults):
    """Give every context that the rows of a model tell apart, one value for each set of values."""
    stated = defaultdict(set)
    for row in rows:
        for key, values in row.when.items():
            stated[key] |= {min(values)}
    keys = {key: sorted({min(defaults.get(key, {""}))} | values) for key, values in stated.items()}
    for values in product(*keys.values()):
        yield {key: value for key, value in zip(keys, values, strict=True) if value}


def stretches(rows):
    """Give instants: one in each stretch of time, and each hour of a week where hours matter."""
    instants = sorted({i for row in rows for i in (row.valid_from, row.valid_until) if i})
    starts = [EARLIEST, *instants]
    for begin, end in zip(starts, [*instants, LATEST], strict=True):
        hours = [begin]
        if any(row.schedule for row in rows):
            days = {day for row in rows if row.schedule for day in row.schedule.holidays}
            hours += [begin + timedelta(hours=hour) for hour in range(24 * 7)]
            hours += [
                datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
                for day in days
                for hour in range(24)
            ]
        yield begin, [hour for hour in hours if begin <= hour < end]


def holes(tables):
    """Name the meters that have no price at a size of prompt below one at which they have."""
    for smaller, larger in pairwise(tables):
        yield from larger.keys() - smaller.keys()


def faults(book, provider, name, rows):
    """Say where two rows price a meter, and where none does between others that do.

    That a price ends at a size of prompt is no hole: longer ones are not sold in that context.
    """
    for context in contexts(rows, book.defaults.get(provider, {})):
        resolved = book.resolve(provider, name, context)
        if resolved.problem is not None:
            continue  # a combination that nobody sells
        priced = []  # for each stretch of time, the meters that have a price at all of its hours
        for begin, instants in stretches(rows):
            spans = [resolved.span(at).tables for at in instants]
            for table in {id(table): table for tables in spans for table in tables}.values():
                yield from (("two", begin, each) for each, rates in table.items() if len(rates) > 1)
            yield from (("size", begin, each) for tables in spans for each in holes(tables))
            hours = [set(tables[0]) for tables in spans]
            yield from (
                ("hour", begin, each) for each in set.union(*hours) - set.intersection(*hours)
            )
            priced.append((begin, set.union(*hours)))
        for meter in set.union(*(meters for _, meters in priced)):
            life = [begin for begin, meters in priced if meter in meters]
            inside = [begin for begin, _ in priced if life[0] <= begin <= life[-1]]
            yield from (("time", begin, meter) for begin in inside if begin not in life)


def test_p18_one_row_prices_each_meter_of_the_shipped_book(book):
    asked, found = 0, set()
    for provider in book.providers():
        for name in book.models(provider):
            asked += 1
            rows = book.rows_for(provider, name)
            found |= {(provider, name, *each) for each in faults(book, provider, name, rows)}
    assert found == UNPUBLISHED
    assert asked > MODELS


@pytest.mark.parametrize(
    ("fault", "changed"),
    [
        ("size", {"tier": Tier(start=10)}),
        ("hour", {"schedule": Schedule((Window(0, 0, 60),))}),
        ("time", {"valid_until": MOMENT}),
    ],
)
def test_what_has_no_price_is_found(fault, changed):
    """The search itself: a row that prices less than the others leaves a hole of its kind."""
    rows = [row("a", valid_until=LATER), row("b", valid_from=LATER)]
    sound = build([Layer("test", rows)])
    assert list(faults(sound, "acme", "m", rows)) == []
    rows[0] = evolve(rows[0], **changed)
    if fault == "size":
        rows.append(row("c", dimension="output_tokens", valid_until=LATER, tier=Tier(stop=10)))
    holed = build([Layer("test", rows)])
    assert {each[0] for each in faults(holed, "acme", "m", rows)} == {fault}
