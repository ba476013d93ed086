"""What holds for every plan, every split of a month and every count."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flo2 import InvalidRequest
from flo2_platform_fee.assigning import assign, put_plan
from flo2_platform_fee.documents import credit, documents, issue, verify
from flo2_platform_fee.fees import Assignment, FeeLine, fee_lines, rounded, stretches
from flo2_platform_fee.metering import exchanges_of
from flo2_platform_fee.months import month_body
from flo2_platform_fee.plans import FeePlan, Step, Tariff, read_plan

from .ledgers import (  # noqa: TID252  # tests have no package
    DECEMBER_2,
    FLAT,
    NOVEMBER,
    a_store,
    at,
    calls,
    charged,
)

DAYS = 30
prices = st.decimals("0", "1000", places=4, allow_nan=False)
counts = st.integers(0, 10_000)
cuts = st.sets(st.integers(1, DAYS - 1), max_size=6)


@st.composite
def tariffs(draw: st.DrawFn, mode: Any) -> Tariff:
    overs = sorted({0, *draw(st.sets(st.integers(1, 9_000), max_size=5))})
    steps = tuple(Step(over, draw(prices)) for over in overs)
    return Tariff("requests", mode, steps, draw(st.integers(1, 1000)))


@st.composite
def plans(draw: st.DrawFn) -> FeePlan:
    document: dict[str, Any] = {
        "subscription": str(draw(prices)),
        "proration": draw(st.sampled_from(["day", "whole"])),
        "trial_days": draw(st.integers(0, 40)),
    }
    for meter in ("seats", "requests", "active_keys"):
        if draw(st.booleans()):
            tariff = draw(tariffs(draw(st.sampled_from(["graduated", "volume"]))))
            steps = [{"over": step.over, "price": str(step.price)} for step in tariff.steps]
            document[meter] = {"mode": tariff.mode, "per": tariff.per, "steps": steps}
    return read_plan("plan", document)


def cost(plan: FeePlan, assigned: list[Assignment], units: int) -> list[FeeLine]:
    counted = {("plan", "requests"): units, ("plan", "active_keys"): units}
    return fee_lines(stretches(assigned, {"plan": plan}, NOVEMBER), counted, NOVEMBER)


def split(places: set[int], since: date, seats: int) -> list[Assignment]:
    edges = [0, *sorted(places), DAYS + 5]
    days = [NOVEMBER + timedelta(each) for each in edges]
    days[0] = min(since, days[1])
    return [Assignment("plan", a, b, seats) for a, b in pairwise(days) if a < b]


@given(plans(), cuts, counts, st.integers(-20, 0), st.integers(0, 50))
def test_any_split_of_a_time_costs_the_same(
    plan: FeePlan, places: set[int], units: int, begun: int, seats: int
):
    since = NOVEMBER + timedelta(begun)
    whole = [Assignment("plan", since, None, seats)]
    assert cost(plan, split(places, since, seats), units) == cost(plan, whole, units)


@given(prices, cuts)
def test_parts_of_a_month_add_up_to_the_whole(price: Decimal, places: set[int]):
    plan = read_plan("plan", {"subscription": str(price)})
    parts = [
        line.exact
        for each in split(places, NOVEMBER, 0)
        for line in cost(plan, [each], 0)
    ]  # fmt: skip
    assert sum(parts, Fraction(0)) == Fraction(price)


@given(tariffs("graduated"), counts, counts)
def test_graduated_units_cost_what_each_of_their_steps_says(tariff: Tariff, units: int, more: int):
    assert tariff.amount(units) <= tariff.amount(units + more)
    low, high = sorted([min(step.price for step in tariff.steps),
                        max(step.price for step in tariff.steps)])  # fmt: skip
    of_all = tariff.amount(units) * tariff.per
    assert Fraction(low) * units <= of_all <= Fraction(high) * units
    one_more = (tariff.amount(units + 1) - tariff.amount(units)) * tariff.per
    holding = [step.price for step in tariff.steps if step.over <= units][-1]
    assert one_more == Fraction(holding)


@given(tariffs("volume"), counts)
def test_volume_units_all_cost_what_the_last_ones_step_says(tariff: Tariff, units: int):
    reached = [step.price for step in tariff.steps if step.over < units]
    expected = Fraction(reached[-1]) * units / tariff.per if reached else 0
    assert tariff.amount(units) == expected


@given(st.fractions(0, 10**9), st.sampled_from([("USD", 2), ("JPY", 0), ("KWD", 3)]))
def test_a_line_is_rounded_by_at_most_half_a_cent_and_up_at_the_half(
    amount: Fraction, of: tuple[str, int]
):
    currency, digits = of
    off = Fraction(rounded(amount, currency)) - amount
    assert -Fraction(1, 2 * 10**digits) < off <= Fraction(1, 2 * 10**digits)


@given(st.integers(0, 10**9), st.decimals("0", "1000000", places=6, allow_nan=False))
def test_a_fee_never_depends_on_tokens_or_what_they_cost(tokens: int, paid: Decimal):
    totals = []
    for some, money in ((0, "0"), (tokens, str(paid))):
        store = a_store()
        calls(store, [at(3), at(4), at(30)], tokens=some, paid=money)
        charged(store, {**FLAT, "requests": {"price": "0.10"}, "active_keys": {"price": "1"}})
        body = month_body(store, "default", NOVEMBER, DECEMBER_2)
        totals.append((body["lines"], body["total"]))
    assert totals[0] == totals[1]
    assert totals[0][1] == "31.30"


@given(st.lists(st.integers(0, 6), max_size=25), st.integers(1, 4))
def test_pages_of_any_size_give_each_exchange_once(offsets: list[int], page: int):
    store = a_store()
    calls(store, [at(3) + each for each in offsets])
    found = list(exchanges_of(store, "default", at(1), at(30), page=page))
    assert found == list(exchanges_of(store, "default", at(1), at(30)))
    assert len({each.exchange_id for each in found}) == len(offsets)


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=20))
def test_numbers_are_gapless_and_unique_however_many_issue_at_once(wanted: list[str]):
    store = a_store(*"abcde")
    put_plan(store, "plan", FLAT)
    for name in "abcde":
        assign(store, name, Assignment("plan", NOVEMBER), 0)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda name: issue(store, name, NOVEMBER, DECEMBER_2), wanted))
    assert [each.number for each in documents(store)] == list(range(1, len(set(wanted)) + 1))
    assert {each.body["account"] for each in documents(store)} == set(wanted)
    assert len({each.number for each in made}) == len(set(wanted))
    assert verify(store) == len(set(wanted))


@given(st.lists(st.integers(1, 1500), min_size=1, max_size=8))
def test_credits_at_once_never_exceed_the_invoice(cents: list[int]):
    store = a_store()
    charged(store, FLAT)
    issue(store, "default", NOVEMBER, DECEMBER_2)

    def one(place: int) -> Decimal:
        amount = Decimal(cents[place]) / 100
        try:
            credit(store, 1, amount, "outage", f"ref {place}", DECEMBER_2)
        except InvalidRequest as refused:
            assert refused.code == "credit_too_large"  # noqa: PT017  # or it is credited
            return Decimal(0)
        return amount

    with ThreadPoolExecutor(4) as pool:
        given_back = sum(pool.map(one, range(len(cents))), Decimal(0))
    notes = [each.body for each in documents(store) if each.body["kind"] == "credit_note"]
    assert sum((Decimal(each["amount"]) for each in notes), Decimal(0)) == given_back
    assert given_back <= Decimal(30)
    assert verify(store) == 1 + len(notes)
