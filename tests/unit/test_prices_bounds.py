from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from flo2.prices import Bounds, Layer, PriceRow, PricingContext, Tier, build
from flo2.prices.bounds import ceiling

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)


def row(dimension, price, name=None, **kw):
    return PriceRow(
        id=name or dimension,
        provider="acme",
        models=frozenset({"m"}),
        dimension=dimension,
        unit_price=Decimal(price),
        per=kw.pop("per", 1_000_000),
        source="test",
        read_on=date(2026, 11, 25),
        evidence="simulated",
        **kw,
    )


FLAT = (
    row("input_tokens", "4"),
    row("cache_read_tokens", "0.4"),
    row("cache_write_1h_tokens", "8"),
    row("output_tokens", "20"),
)
TIERED = (
    row("input_tokens", "1", tier=Tier(stop=101)),
    row("output_tokens", "10", tier=Tier(stop=101)),
    row("input_tokens", "2", "in+", tier=Tier(start=101)),
    row("output_tokens", "15", "out+", tier=Tier(start=101)),
)


def bounds(rows, low, high, out, *, said=None, model="m", **kw):
    book = build([Layer("test", rows, {"acme": {"service_tier": frozenset({"", "default"})}})])
    context = PricingContext("acme", "chat", model, model, AT, said or {})
    return book.bounds(context, low, high, out, **kw)


def usd(low, high):
    return Bounds(Decimal(low), None if high is None else Decimal(high))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((FLAT, 1000, 2000, 100), usd("0.0004", "0.018")),
        ((FLAT, 0, 0, 0), usd("0", "0")),
        ((FLAT, 1000, 1000, 0), usd("0.0004", "0.008")),
        ((FLAT, 1000, None, 100), usd("0.0004", None)),
        ((FLAT, 1000, 2000, None), usd("0.0004", None)),
        ((FLAT, 2000, 1000, 100), usd("0.0008", "0.018")),
        ((TIERED, 50, 100, 10), usd("0.00005", "0.0002")),
        ((TIERED, 50, 101, 10), usd("0.00005", "0.000352")),
        ((TIERED, 101, 200, 10), usd("0.000202", "0.00055")),
    ],
)
def test_bounds_take_the_cheapest_and_the_dearest_way(asked, expected):
    assert bounds(*asked) == expected


THIRDS = (row("input_tokens", "1", per=3), row("output_tokens", "2"))


@pytest.mark.parametrize("rows", [FLAT, TIERED, THIRDS, FLAT[:3], FLAT[3:]])
@pytest.mark.parametrize(("high", "out"), [(0, 0), (5, 0), (100, 10), (101, 10), (5000, 700)])
def test_the_quick_ceiling_is_the_bound(rows, high, out):
    book = build([Layer("test", rows)])
    resolved = book.resolve("acme", "m", {})
    assert ceiling(resolved, AT, high, out) == bounds(rows, 0, high, out)


def test_meters_that_cannot_occur_are_left_out():
    got = bounds(FLAT, 1000, 2000, 100, input_meters=("input_tokens", "cache_read_tokens"))
    assert got == usd("0.0004", "0.01")


def test_no_finite_bound_for_what_the_book_does_not_know():
    assert bounds(FLAT, 1, 2, 3, model="x") == usd("0", None)
    assert bounds(FLAT, 1, 2, 3, said={"service_tier": "scale"}) == usd("0", None)
    assert bounds(FLAT[:1], 1, 2, 3) == usd("0.000004", None)
    assert bounds(FLAT[:1], 1, 2, 0) == usd("0.000004", "0.000008")


def test_an_undecided_tier_is_reckoned_at_its_dearest_and_cheapest():
    rows = (
        row("input_tokens", "4"),
        row("input_tokens", "2", "flex", when={"service_tier": frozenset({"flex"})}),
        row("input_tokens", "9", "prio", when={"service_tier": frozenset({"priority"})}),
    )
    assert bounds(rows, 1_000_000, 1_000_000, 0) == usd("4", "4")
    got = bounds(rows, 1_000_000, 1_000_000, 0, undecided=["service_tier"])
    assert got == usd("2", "9")


def test_a_rounded_quotient_lies_within_its_bounds():
    rows = (row("input_tokens", "0.111", per=3600),)
    assert bounds(rows, 1, 1, 0) == usd("0.000030833332", "0.000030833334")
