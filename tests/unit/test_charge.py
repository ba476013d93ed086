from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.canonical import Charge, charge_of
from flo2.prices import Cost, CostLine
from flo2.prices.charged import charged
from flo2.prices.cost import DIFFERENCE

AMOUNTS = st.decimals(0, 10**6, places=14, allow_nan=False)
TICK = Decimal("1e-10")


@pytest.mark.parametrize(
    ("value", "unit", "amount"),
    [
        (2733250, TICK, "0.000273325"),
        (0, TICK, "0"),
        (0.00012, Decimal(1), "0.00012"),
        (6e-8, Decimal(1), "0.00000006"),
        (0.0076509169000000005, Decimal(1), "0.0076509169000000005"),
        ("0.0076", Decimal(1), "0.0076"),
        (Decimal("1.5"), Decimal(1), "1.5"),
    ],
)
def test_a_charge_keeps_the_digits_it_was_written_with(value, unit, amount):
    assert charge_of(value, unit) == Charge(Decimal(amount))


@pytest.mark.parametrize(
    "value", [None, True, -1, -0.5, "x", "-3", [], {}, float("nan"), float("inf"), 10**70]
)
def test_what_is_no_amount_is_no_charge(value):
    assert charge_of(value) is None


@given(st.floats(1e-20, 1e6))
def test_a_number_in_json_keeps_its_text(value):
    text = json.dumps(value)
    assert charge_of(json.loads(text)) == Charge(Decimal(text))


def cost(amount, currency="USD", status="settled"):
    if amount is None:
        return Cost((), status, None, currency, "b", "no row")
    line = CostLine("input_tokens", 1, amount, 1, amount, amount, currency, "r", "b")
    return Cost((line,), status, amount, currency, "b")


def difference(amount, listed, currency="USD"):
    return CostLine(DIFFERENCE, 1, amount, 1, amount, listed, currency, "", "b")


@given(st.none() | AMOUNTS, AMOUNTS)
def test_the_lines_of_a_reported_cost_add_up_to_what_the_provider_says(ours, theirs):
    found = charged(cost(ours), Charge(theirs))
    assert (found.status, found.total) == ("reported", theirs)
    assert sum((line.amount for line in found.lines), Decimal(0)) == theirs
    listed = sum((line.list_amount for line in found.lines), Decimal(0))
    assert listed == (theirs if ours is None else ours)


def test_an_equal_figure_has_no_difference():
    ours = cost(Decimal("0.5"))
    assert charged(ours, Charge(Decimal("0.50"))).lines == ours.lines


def test_a_lower_charge_is_a_negative_difference():
    ours = cost(Decimal(2))
    assert charged(ours, Charge(Decimal("1.5"))) == Cost(
        (*ours.lines, difference(Decimal("-0.5"), Decimal(0))),
        "reported",
        Decimal("1.5"),
        "USD",
        "b",
    )


def test_what_we_cannot_price_is_booked_as_stated_and_says_why_we_cannot():
    stated = Decimal("0.07")
    assert charged(cost(None, status="unpriced"), Charge(stated)) == Cost(
        (difference(stated, stated),), "reported", stated, "USD", "b", "no row"
    )


def test_currencies_are_never_compared():
    stated = Decimal(3)
    assert charged(cost(Decimal(2), "EUR"), Charge(stated)) == Cost(
        (difference(stated, stated),),
        "reported",
        stated,
        "USD",
        "b",
        "our figure is 2 EUR, another currency",
    )
