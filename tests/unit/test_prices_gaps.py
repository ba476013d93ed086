"""Holes between the rows of a model, against a look at every count, hour and instant."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flo2.prices import PriceRow, Schedule, Tier, Window
from flo2.prices.gaps import gaps

START = datetime(2026, 1, 1, tzinfo=UTC)


def row(number, **kw):
    return PriceRow(
        id=f"r{number}",
        provider="acme",
        models=frozenset({"m"}),
        dimension="input_tokens",
        unit_price=Decimal(1),
        per=1,
        source="s",
        read_on=date(2026, 1, 1),
        evidence="operator",
        **kw,
    )


def has_hole(priced):
    """Say whether something unpriced lies between two priced things."""
    first = next((n for n, each in enumerate(priced) if each), 0)
    last = max((n for n, each in enumerate(priced) if each), default=0)
    return any(priced) and not all(priced[first : last + 1])


cuts = st.lists(st.integers(0, 20), min_size=2, max_size=6, unique=True).map(sorted)


@given(cuts=cuts, kept=st.lists(st.booleans(), min_size=6, max_size=6))
def test_holes_between_counts(cuts, kept):
    stretches = [each for each, keep in zip(pairwise(cuts), kept, strict=False) if keep]
    rows = [row(n, tier=Tier(start, stop)) for n, (start, stop) in enumerate(stretches)]
    priced = [any(start <= n < stop for start, stop in stretches) for n in range(22)]
    assert bool(list(gaps(rows))) is has_hole(priced)


@given(cuts=cuts, kept=st.lists(st.booleans(), min_size=6, max_size=6))
def test_holes_between_days(cuts, kept):
    stretches = [each for each, keep in zip(pairwise(cuts), kept, strict=False) if keep]

    def day(n):
        return START + timedelta(days=n)

    rows = [
        row(n, valid_from=day(start), valid_until=day(stop))
        for n, (start, stop) in enumerate(stretches)
    ]
    priced = [any(start <= n < stop for start, stop in stretches) for n in range(22)]
    assert bool(list(gaps(rows))) is has_hole(priced)


windows = st.builds(
    lambda day, start, hours: Window(day, start * 3600, min(start + hours, 24) * 3600),
    st.integers(0, 6),
    st.integers(0, 23),
    st.integers(1, 24),
)


@given(st.lists(st.tuples(st.lists(windows, min_size=1, max_size=5), st.booleans()), max_size=3))
def test_hours_without_a_price(given_schedules):
    schedules = [Schedule(each, outside=outside) for each, outside in given_schedules]
    rows = [row(n, schedule=each) for n, each in enumerate(schedules)]
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    hours = [monday + timedelta(hours=n) for n in range(7 * 24)]
    whole = all(any(each.holds(hour) for each in schedules) for hour in hours)
    assert bool(list(gaps(rows))) is (bool(rows) and not whole)


def test_a_beginning_and_an_end_are_no_holes():
    assert list(gaps([row(1, tier=Tier(5, 10)), row(2, tier=Tier(10, 20))])) == []
    assert list(gaps([row(1, valid_from=START), row(2, valid_until=START)])) == []
    assert list(gaps([row(1, schedule=Schedule([Window(0, 0, 60)])), row(2)])) == []


def test_a_hole_is_told_once_and_names_what_lies_around_it():
    rows = [row(1, tier=Tier(0, 5)), row(2, tier=Tier(8, None))]
    assert list(gaps(rows)) == ["no price for 5 to 7 units, between rows 'r1' and 'r2'"]
