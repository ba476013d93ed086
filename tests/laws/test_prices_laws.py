"""Laws of money and prices; numbers P10 … are those of the pricing reference, section 6."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_UP, Decimal, localcontext
from fractions import Fraction

from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st

from flo2 import money
from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS, Usage
from flo2.prices import Layer, PriceRow, PricingContext, Tier, build

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
METERS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens")
DEFAULTS = {"acme": {"service_tier": frozenset({"", "default"})}}
CLIFF = 1000

prices = st.decimals(min_value=0, max_value=1000, places=6)
counts = st.integers(0, 5 * 10**11)  # two of them together are no more than a call may use
small = st.integers(0, CLIFF // len(METERS))
PERS = st.sampled_from([1, 1000, 1_000_000])


def row(dimension, price, *, name=None, per=1_000_000, **kw):
    return PriceRow(
        id=name or dimension,
        provider="acme",
        models=kw.pop("models", frozenset({"m"})),
        dimension=dimension,
        unit_price=price,
        per=per,
        source="law",
        read_on=date(2026, 11, 25),
        evidence="simulated",
        **kw,
    )


@st.composite
def flat_rows(draw):
    return [row(meter, draw(prices), per=draw(PERS)) for meter in METERS]


@st.composite
def cliff_rows(draw):
    """Rows whose upper tier is never cheaper."""
    rows = []
    for meter in METERS:
        low, more = draw(prices), draw(prices)
        rows += [
            row(meter, low, tier=Tier(stop=CLIFF + 1)),
            row(meter, low + more, name=f"{meter}+", tier=Tier(start=CLIFF + 1)),
        ]
    return rows


def meters(numbers=counts):
    return st.fixed_dictionaries(dict.fromkeys(METERS, numbers))


def book(rows, defaults=DEFAULTS):
    return build([Layer("law", rows, defaults)])


def context(at=AT, **said):
    return PricingContext("acme", "chat", "m", "m", at, said)


def cost(rows, quantities, **kw):
    return book(rows).price(Usage(quantities), context(**kw))


@given(rows=cliff_rows(), used=meters())
def test_p10_total_is_the_sum_of_its_lines_and_agrees_with_fractions(rows, used):
    got = cost(rows, used)
    assert got.total == money.total(line.amount for line in got.lines)
    assert Fraction(got.total) == sum(
        Fraction(line.unit_price) * line.quantity / line.per for line in got.lines
    )
    assert {line.dimension: line.quantity for line in got.lines} == {
        meter: count for meter, count in used.items() if count
    }


@given(rows=flat_rows(), one=meters(), two=meters())
def test_p11_costs_add_up(rows, one, two):
    both = {meter: one[meter] + two[meter] for meter in METERS}
    assert money.add(cost(rows, one).total, cost(rows, two).total) == cost(rows, both).total


@given(rows=cliff_rows(), used=meters(), meter=st.sampled_from(METERS), more=counts)
def test_p12_more_never_costs_less(rows, used, meter, more):
    assert cost(rows, used).total <= cost(rows, used | {meter: used[meter] + more}).total


@given(rows=cliff_rows())
def test_p13_zero_usage_costs_zero(rows):
    assert cost(rows, dict.fromkeys(METERS, 0)).total == 0
    assert cost(rows, {}).total == 0


@given(rows=flat_rows(), used=meters(), data=st.data())
def test_p14_moving_tokens_into_the_cache_saves_exactly_the_difference(rows, used, data):
    moved = data.draw(st.integers(0, used["input_tokens"]))
    after = used | {
        "input_tokens": used["input_tokens"] - moved,
        "cache_read_tokens": used["cache_read_tokens"] + moved,
    }
    rate = {r.dimension: Fraction(r.unit_price) / r.per for r in rows}
    saved = Fraction(cost(rows, used).total) - Fraction(cost(rows, after).total)
    assert saved == moved * (rate["input_tokens"] - rate["cache_read_tokens"])


@given(rows=cliff_rows(), used=meters(small), over=st.booleans())
def test_p15_p16_the_cliff_counts_the_whole_prompt(rows, used, over):
    prompt = sum(used[meter] for meter in METERS if meter in INPUT_METERS)
    fill = CLIFF - prompt + over
    assume(fill > 0)
    used = used | {"cache_read_tokens": used["cache_read_tokens"] + fill}
    lines = cost(rows, used).lines
    assert {line.row.endswith("+") for line in lines} == {over}


@given(
    first=prices,
    second=prices,
    change=st.integers(-(10**8), 10**8).map(lambda seconds: AT + timedelta(seconds=seconds)),
    away=st.timedeltas(timedelta(-9), timedelta(9)),
    offset=st.integers(-14 * 60, 14 * 60),
)
def test_p17_the_instant_decides_and_a_boundary_belongs_to_the_new_row(
    first, second, change, away, offset
):
    rows = [
        row("output_tokens", first, name="old", valid_until=change),
        row("output_tokens", second, name="new", valid_from=change),
    ]
    at = change + away
    expected = "new" if at >= change else "old"
    elsewhere = at.astimezone(timezone(timedelta(minutes=offset)))
    for instant in (at, elsewhere):
        (line,) = cost(rows, {"output_tokens": 1}, at=instant).lines
        assert line.row == expected


@given(
    rows=cliff_rows(), used=meters(), value=st.text(), key=st.sampled_from(["service_tier", "x"])
)
def test_p19_an_unknown_context_value_never_prices(rows, used, value, key):
    assume(value and (key, value) != ("service_tier", "default"))
    got = cost(rows, used, **{key: value})
    assert (got.status, got.total, got.lines) == ("unpriced", None, ())


@given(price=st.decimals(min_value=0, max_value=1000, places=6), used=counts)
def test_p20_the_unit_of_scale_changes_nothing(price, used):
    totals = {
        cost(
            [row("output_tokens", money.exact(price * factor), per=per)], {"output_tokens": used}
        ).total
        for factor, per in ((1, 1), (1000, 1000), (1_000_000, 1_000_000))
    }
    assert len(totals) == 1


@given(rows=cliff_rows(), used=meters(), precision=st.integers(1, 60), flip=st.booleans())
def test_p21_ambient_context_and_order_of_meters_change_no_amount(rows, used, precision, flip):
    expected = {line.dimension: line.amount for line in cost(rows, used).lines}
    items = list(used.items())
    with localcontext() as ambient:
        ambient.prec = precision
        ambient.rounding = ROUND_UP
        got = cost(rows, dict(reversed(items)) if flip else used)
        lines = {line.dimension: line.amount for line in got.lines}
        texts = money.text(got.total)
    assert lines == expected
    assert texts == money.text(cost(rows, used).total)


@given(rows=cliff_rows(), used=meters(), data=st.data())
def test_p22_the_book_of_a_version_reproduces_its_lines_bit_by_bit(rows, used, data):
    stored = cost(rows, used)
    again = book(data.draw(st.permutations(rows)))
    assert again.version == stored.book
    repriced = again.price(Usage(used), context())
    assert repriced == stored
    assert [str(line.amount) for line in repriced.lines] == [
        str(line.amount) for line in stored.lines
    ]


@given(rows=flat_rows(), data=st.data())
def test_any_change_of_a_row_changes_the_version(rows, data):
    index = data.draw(st.integers(0, len(rows) - 1))
    change = data.draw(
        st.sampled_from(
            [
                {"unit_price": rows[index].unit_price + 1},
                {"per": rows[index].per + 1},
                {"source": "elsewhere"},
                {"when": {"service_tier": frozenset({"flex"})}},
                {"tier": Tier(stop=5)},
                {"valid_from": AT},
                {"read_on": date(2025, 1, 1)},
                {"evidence": "published"},
            ]
        )
    )
    other = [*rows]
    other[index] = evolve(rows[index], **change)
    assert book(other).version != book(rows).version


@given(rows=flat_rows(), used=meters(), factor=st.integers(0, 1000))
def test_scaling_all_prices_scales_the_cost(rows, used, factor):
    scaled = [r.with_price(money.multiply(r.unit_price, factor), r.per) for r in rows]
    assert cost(scaled, used).total == money.multiply(cost(rows, used).total, factor)


@given(rows=flat_rows(), used=meters())
def test_an_unrelated_model_changes_nothing_but_the_version(rows, used):
    other = row("output_tokens", Decimal(7), name="other", models=frozenset({"n"}))
    more = book([*rows, other]).price(Usage(used), context())
    less = cost(rows, used)
    assert more.total == less.total
    assert more.book != less.book


@given(rows=cliff_rows(), used=meters(), data=st.data())
def test_bounds_hold_every_cost_they_were_made_for(rows, used, data):
    prompt = sum(used[meter] for meter in METERS if meter in INPUT_METERS)
    answer = sum(used[meter] for meter in METERS if meter in OUTPUT_METERS)
    low = data.draw(st.integers(0, prompt))
    high = prompt + data.draw(st.integers(0, 10**6))
    bounds = book(rows).bounds(context(), low, high, answer + data.draw(st.integers(0, 10**6)))
    assert bounds.low <= cost(rows, used).total <= bounds.high


finite = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)


@given(finite.filter(lambda x: len(x.as_tuple().digits) <= 30 and x.as_tuple().exponent > -30))
def test_p23_numbers_survive_text_json_csv_and_sqlite(value):
    written = money.text(value)
    assert "e" not in written.lower()
    assert Decimal(written) == value
    assert money.exact(written) == value
    assert money.text(money.exact(written)) == written
    assert Decimal(json.loads(json.dumps(written))) == value
    line = io.StringIO()
    csv.writer(line).writerow([written])
    assert Decimal(next(csv.reader([line.getvalue()]))[0]) == value
    with sqlite3.connect(":memory:") as db:
        (stored,) = db.execute("select cast(? as text)", (written,)).fetchone()
    db.close()
    assert Decimal(stored) == value


@given(st.integers(-(10**15), 10**15), st.integers(0, 12), st.integers(0, 12))
def test_equal_numbers_have_one_text(digits, places, zeros):
    value = Decimal(digits).scaleb(-places)
    padded = Decimal(digits * 10**zeros).scaleb(-places - zeros)
    assert padded == value
    assert money.text(padded) == money.text(value)


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**9))
def test_a_quotient_is_exact_or_within_half_a_quantum(numerator, denominator):
    quotient, rounded = money.divide(numerator, denominator)
    error = abs(Fraction(quotient) - Fraction(numerator, denominator))
    assert error == 0 if not rounded else error <= Fraction(money.QUANTUM) / 2
