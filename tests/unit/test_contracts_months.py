"""Terms of a month, unit by unit against a naive reckoning; days, months, zones and fees."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.contracts import AccountContracts, read_contract
from flo2.contracts.calendar import begins_a_month, month_span, read_month
from flo2.contracts.scope import Validity
from flo2.contracts.statement import make_statement
from flo2.money import ZERO
from flo2.prices import CostLine
from flo2.records import Adjust, Intent, Settle, fold_entry

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOVEMBER = date(2025, 11, 1)
LATER = datetime(2026, 6, 1, tzinfo=UTC)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def call(name, when, quantity, *, price="1", listed=None, model="m", currency="USD"):
    us = (when - EPOCH) // timedelta(microseconds=1)
    intent = Intent(
        name, name, 1, "primary", "a", "k", None, "acme", "acme", "chat", model, model, us
    )
    amount = quantity * Decimal(price)
    list_amount = amount if listed is None else quantity * Decimal(listed)
    line = CostLine(
        "units", quantity, Decimal(price), 1, amount, list_amount, currency, "row", "book"
    )
    settle = Settle(
        name, us, "settled", "answered", {"units": quantity}, (line,), amount, list_amount,
        currency, "book",
    )  # fmt: skip
    return fold_entry([intent, settle])


def statement(document, entries, *, month=NOVEMBER, now=LATER, corrections=(), note=None):
    contracts = AccountContracts([read_contract("deal", {"valid_from": "2025-01-01"} | document)])

    def read(span):
        for entry in sorted(entries, key=lambda each: each.intent.started_us):
            if span.holds(EPOCH + timedelta(microseconds=entry.intent.started_us)):
                yield entry, [each for each in corrections if entry.intent.entry_id in each.amounts]

    return make_statement("a", contracts.versions, month, now, read, note)


# Against a naive reckoning ------------------------------------------------------------------------

small = st.lists(st.integers(1, 12), min_size=1, max_size=5)


@given(
    calls=small,
    free=st.integers(1, 20),
    overs=st.sets(st.integers(1, 30), max_size=2),
    percents=st.tuples(*[st.integers(0, 100)] * 3),
    committed=st.integers(1, 40),
    overage=st.sampled_from(["contract", "list"]),
    credit=st.integers(1, 30),
)
def test_a_month_is_what_counting_unit_by_unit_makes_of_it(
    calls, free, overs, percents, committed, overage, credit
):
    steps = [
        {"over": over, "percent": percent}
        for over, percent in zip([0, *sorted(overs)], percents, strict=False)
    ]
    got = statement(
        {
            "allowances": [{"name": "f", "meters": ["units"], "quantity": free}],
            "volume_tiers": [{"name": "v", "meters": ["units"], "steps": steps}],
            "commitments": [{"name": "c", "amount": committed, "overage": overage}],
            "credits": [{"name": "x", "amount": credit}],
        },
        [
            call(f"e{i}", at("2025-11-02") + timedelta(hours=i), n, price="0.5", listed="2")
            for i, n in enumerate(calls)
        ],
    )
    drawn = over = Fraction(0)
    for unit in range(sum(calls)):
        if unit < free:
            continue
        paid = unit - free  # units that were paid for before this one
        percent = [step["percent"] for step in steps if paid >= step["over"]][-1]
        price = Fraction(1, 2) * (100 - percent) / 100
        now = min(price, committed - drawn)
        drawn += now
        if price > now:
            over += price - now if overage == "contract" else 2 * (price - now) / price
    close = Fraction(1, 10**9)  # shares of a price are cut at 1e-12
    (terms,) = (used for used in got.used if used.kind == "commitment")
    assert abs(Fraction(terms.facts["drawn"]) - drawn) <= close
    assert abs(Fraction(terms.facts["overage"]) - over) <= close
    assert abs(Fraction(got.called + got.changes) - drawn - over) <= close
    assert got.credited == min(credit, got.called + got.changes)
    fees = committed - drawn
    assert abs(Fraction(sum(fee.amount for fee in got.fees)) - fees) <= close


# Days, months, terms ------------------------------------------------------------------------------


def test_an_allowance_of_a_day_begins_with_the_day_of_the_zone():
    free = {"name": "f", "meters": ["units"], "quantity": 10, "period": "day"}
    entries = [
        call("a", at("2025-11-03T07:59:59"), 8),  # the day before, in Los Angeles
        call("b", at("2025-11-03T08:00:00"), 8),
        call("c", at("2025-11-04T07:59:59"), 8),
    ]
    got = statement({"zone": "America/Los_Angeles", "allowances": [free]}, entries)
    assert (got.cost, got.used[0].facts) == (6, {"free": Decimal(18)})
    in_utc = statement({"allowances": [free]}, entries)
    assert (in_utc.cost, in_utc.used[0].facts) == (6, {"free": Decimal(18)})


def test_tiers_begin_anew_with_each_month_and_a_month_is_one_of_the_zone():
    tiers = {"name": "v", "meters": ["units"], "steps": [{"over": 0}, {"over": 10, "percent": 50}]}
    entries = [
        call("a", at("2025-10-31T14:59:59"), 100),
        call("b", at("2025-10-31T15:00:00"), 12),  # the first of November in Tokyo
    ]
    got = statement({"zone": "Asia/Tokyo", "volume_tiers": [tiers]}, entries)
    assert (got.entries, got.cost) == (1, 11)
    assert statement({"volume_tiers": [tiers]}, entries).entries == 0


def test_tiers_by_money_and_tiers_with_prices():
    by_money = {
        "name": "v", "counts": "amount", "steps": [{"over": 0}, {"over": 100, "percent": 10}],
    }  # fmt: skip
    entries = [call("a", at("2025-11-02"), 60), call("b", at("2025-11-03"), 60)]
    assert statement({"volume_tiers": [by_money]}, entries).cost == 118
    priced = {
        "name": "v", "meters": ["units"],
        "steps": [{"over": 0, "price": 3, "per": 2}, {"over": 100, "price": 1, "per": 4}],
    }  # fmt: skip
    assert statement({"volume_tiers": [priced]}, entries).cost == 155


def test_a_commitment_over_a_term_and_a_credit_go_on_from_month_to_month():
    document = {
        "commitments": [
            {
                "name": "term", "amount": 100, "period": "term", "overage": "list",
                "valid_from": "2025-10-01", "valid_until": "2025-12-01",
            }
        ],
        "credits": [{"name": "x", "amount": 70, "valid_from": "2025-10-15"}],
    }  # fmt: skip
    entries = [
        call("a", at("2025-10-10"), 20, listed="3"),
        call("b", at("2025-10-20"), 50, listed="3"),
        call("c", at("2025-11-10"), 40, listed="3"),
    ]
    october = statement(document, entries, month=date(2025, 10, 1))
    assert (october.cost, october.credited, october.cash, october.fees) == (70, 50, 20, ())
    november = statement(document, entries)
    facts = {used.kind: used.facts for used in november.used}
    # 30 are left of the commitment; 10 more cost list price.
    assert facts["commitment"] == {"committed": 100, "drawn": 100, "left": 0, "overage": 30}
    assert facts["credit"] == {"used": 20, "left": 0}
    assert (november.cost, november.credited, november.cash) == (60, 20, 40)
    unused = statement(document, entries[:1])
    assert [(fee.kind, fee.amount) for fee in unused.fees] == [("shortfall", 80)]
    assert statement(document, entries[:1], now=at("2025-11-20")).fees == ()


def test_what_is_paid_upfront_is_cash_at_the_beginning_and_none_when_it_is_drawn():
    commitment = {"name": "k", "amount": 100, "upfront": True}
    got = statement({"commitments": [commitment]}, [call("a", at("2025-11-02"), 130)])
    assert (got.cost, got.prepaid, got.upfront, got.cash) == (130, 100, 100, 130)
    idle = statement({"commitments": [commitment]}, [])
    assert (idle.cost, idle.upfront) == (100, 100)


def test_the_credit_that_lapses_first_is_used_first():
    credits_ = [
        {"name": "long", "amount": 10},
        {"name": "short", "amount": 10, "valid_until": "2025-11-10"},
    ]
    entries = [call("a", at("2025-11-02"), 5), call("b", at("2025-11-20"), 5)]
    got = statement({"credits": credits_}, entries)
    assert {used.name: used.facts["used"] for used in got.used} == {
        "deal/long": 5,
        "deal/short": 5,
    }


def test_corrections_count_and_those_of_closed_months_do_not():
    entry = call("a", at("2025-11-02"), 10)
    line = CostLine("units", 10, Decimal(2), 1, Decimal(20), Decimal(20), "USD", "row", "new")
    corrections = [
        Adjust("1", "a", 1, "reprice", "book new", {"a": Decimal(10)}, lines=(line,)),
        Adjust("2", "a", 2, "late_data", "bill 7", {"a": Decimal(3)}),
        Adjust("3", "a", 3, "allowance", "contract deal/f, 2025-11", {"a": Decimal(-4)}),
    ]
    free = {"name": "f", "meters": ["units"], "quantity": 5}
    changes = []
    got = statement({"allowances": [free]}, [entry], corrections=corrections, note=changes.append)
    assert (got.called, got.changes, got.cost) == (23, -10, 13)
    ((change),) = changes
    assert (change.amount, change.booked, change.terms) == (-10, -4, ("deal/f",))


def test_a_correction_in_another_currency_is_in_no_sum():
    entry = call("a", at("2025-11-02"), 10)
    line = CostLine("units", 10, Decimal(2), 1, Decimal(20), Decimal(20), "EUR", "row", "new")
    corrections = [
        Adjust("1", "a", 1, "reprice", "book new", {"a": Decimal(10)}, "EUR", lines=(line,)),
        Adjust("2", "a", 2, "late_data", "bill 7", {"a": Decimal(3)}, "EUR"),
        Adjust("3", "a", 3, "allowance", "contract deal/f, 2025-11", {"a": Decimal(-4)}, "EUR"),
    ]
    free = {"name": "f", "meters": ["units"], "quantity": 5}
    changes = []
    got = statement({"allowances": [free]}, [entry], corrections=corrections, note=changes.append)
    assert (got.called, got.changes, got.cost) == (10, -5, 5)
    assert [(change.amount, change.booked) for change in changes] == [(-5, 0)]


def test_calls_in_another_currency_are_counted_apart():
    entries = [call("a", at("2025-11-02"), 10), call("b", at("2025-11-02"), 10, currency="EUR")]
    got = statement({"credits": [{"name": "x", "amount": 1}]}, entries)
    assert (got.entries, got.foreign, got.cost) == (1, 1, 10)


def test_capacity_is_paid_by_the_hour_while_it_holds():
    capacity = {
        "name": "ptu", "providers": ["acme"], "units": 2, "hourly": "0.333",
        "valid_from": "2025-11-30T22:30:00Z", "valid_until": "2025-12-15",
    }  # fmt: skip
    got = statement({"capacity": [capacity]}, [])
    (fee,) = got.fees
    assert (fee.quantity, fee.amount, fee.rounded) == (10_800, Decimal("0.999"), False)
    to_date = statement({"capacity": [capacity]}, [], now=at("2025-11-30T22:30:01"))
    assert [(fee.quantity, fee.rounded) for fee in to_date.fees] == [(2, False)]
    assert statement({"capacity": [capacity]}, [], now=at("2025-11-30")).fees == ()


def test_an_hour_is_lost_and_won_with_the_clocks():
    march = month_span(date(2025, 3, 1), "Europe/Berlin")
    assert march == Validity(at("2025-02-28T23:00"), at("2025-03-31T22:00"))
    assert begins_a_month(at("2025-10-31T23:00"), "Europe/Berlin")
    assert not begins_a_month(at("2025-10-31T22:00"), "Europe/Berlin")


@pytest.mark.parametrize(
    "text", ["2025-00", "2025-13", "25-01", "2025-1", "0000-01", "9999-12", ""]
)
def test_what_is_no_month_is_refused(text):
    with pytest.raises(ValueError, match="is no month; write it like 2026-11"):
        read_month(text)


def test_without_a_contract_a_month_is_its_calls():
    def read(span):
        return [(call("a", span.since, 10), ())]

    got = make_statement("a", (), NOVEMBER, LATER, read)
    assert (got.cost, got.cash, got.contracts, got.fees, got.changes) == (10, 10, (), (), ZERO)
