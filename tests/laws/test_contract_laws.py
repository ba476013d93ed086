"""Laws of contracts; numbers are those of the pricing reference, section 6.

P24 to P29 are about contracts; P10 to P17 and P19 to P23 hold under a contract as well. What would
leave more than one row (P18) is refused by `flo2.contracts.check`.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_UP, Decimal, localcontext
from fractions import Fraction

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from flo2 import money
from flo2.canonical.usage import Usage
from flo2.contracts import AccountContracts, as_json, read_contract
from flo2.contracts.folding import Fold
from flo2.contracts.invoice import ExchangeRate, make_invoice
from flo2.contracts.parts import Called, Part
from flo2.contracts.scope import Validity
from flo2.contracts.statement import Statement, Used, make_statement
from flo2.ledger.codec import canonical, decode, encode
from flo2.prices import CostLine, Layer, PriceRow, PricingContext, Tier, build
from flo2.records import Intent, Settle, fold_entry

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
MONTH = Validity(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
METERS = ("input_tokens", "cache_read_tokens", "output_tokens")
DEFAULTS = {"acme": {"service_tier": frozenset({"", "default"})}}

prices = st.decimals(min_value=0, max_value=1000, places=6)
positive = st.decimals(min_value="0.000001", max_value=1000, places=6)
percents = st.decimals(min_value=0, max_value=100, places=2)
counts = st.integers(0, 10**9)
used = st.fixed_dictionaries(dict.fromkeys(METERS, counts))


def row(dimension, price, **kw):
    return PriceRow(
        id=dimension,
        provider="acme",
        models=frozenset({"m"}),
        dimension=dimension,
        unit_price=price,
        per=1_000_000,
        source="law",
        read_on=date(2026, 11, 25),
        evidence="simulated",
        **kw,
    )


@st.composite
def books(draw):
    return build([Layer("law", [row(meter, draw(prices)) for meter in METERS], DEFAULTS)])


def context(at=AT, **said):
    return PricingContext("acme", "chat", "m", "m", at, said)


def agreed(document, name="deal"):
    return AccountContracts([read_contract(name, {"valid_from": "2026-01-01"} | document)])


@st.composite
def discounts(draw, *, most=4):
    """Discounts of different orders, stacked in any way; those that add stay below 100 %."""
    found = []
    for order in range(draw(st.integers(0, most))):
        stacks = draw(st.sampled_from(["multiply", "add", "best_only"]))
        percent = draw(percents) if stacks != "add" else draw(percents) / most
        found.append(
            {"name": f"d{order}", "percent": str(percent), "order": order, "stacks": stacks}
            | ({"meters": ["*_tokens"]} if draw(st.booleans()) else {})
        )
    return found


@st.composite
def documents(draw):
    rates = {}
    if names := draw(st.sets(st.sampled_from(METERS), max_size=2)):
        rates = {meter: str(draw(prices)) for meter in names}
        rates = {"rates": [{"provider": "acme", "models": ["m"], "prices": rates}]}
    capacity = {"name": "ptu", "providers": ["acme"], "meters": ["output_*"], "hourly": "7"}
    return (
        {"discounts": draw(discounts())}
        | rates
        | ({"capacity": [capacity]} if draw(st.booleans()) else {})
    )


def cost(contracts, book, quantities, **kw):
    return contracts.price(book, Usage(quantities), context(**kw))


# Prices under a contract ------------------------------------------------------------------------


@given(book=books(), document=documents(), used=used)
def test_p10_lines_add_up_and_each_is_quantity_times_price_times_factors(book, document, used):
    contracts = agreed(document)
    got = cost(contracts, book, used)
    assert got.total == money.total(line.amount for line in got.lines)
    listed = book.price(Usage(used), context())
    assert [line.list_amount for line in got.lines] == [line.amount for line in listed.lines]
    for line in got.lines:
        amount = Fraction(line.unit_price) * line.quantity / line.per
        for _, factor in line.factors:
            amount *= Fraction(factor)
        assert Fraction(line.amount) == amount
        assert line.contract == (contracts.at(AT).id if document_says_something(document) else "")


def document_says_something(document):
    return any(document.values())


@given(book=books(), document=documents(), one=used, two=used)
def test_p11_costs_add_up(book, document, one, two):
    contracts = agreed(document)
    both = {meter: one[meter] + two[meter] for meter in METERS}
    parts = (cost(contracts, book, one), cost(contracts, book, two))
    assert money.total(part.total for part in parts) == cost(contracts, book, both).total


@given(book=books(), document=documents(), used=used, meter=st.sampled_from(METERS), more=counts)
def test_p12_p13_more_never_costs_less_and_nothing_costs_nothing(book, document, used, meter, more):
    contracts = agreed(document)
    got = cost(contracts, book, used).total
    assert 0 <= got <= cost(contracts, book, used | {meter: used[meter] + more}).total
    assert cost(contracts, book, {}).total == 0


@given(book=books(), document=documents(), used=used, data=st.data())
def test_p14_moving_tokens_into_the_cache_saves_exactly_the_difference(book, document, used, data):
    contracts = agreed(document)
    moved = data.draw(st.integers(0, used["input_tokens"]))
    after = used | {
        "input_tokens": used["input_tokens"] - moved,
        "cache_read_tokens": used["cache_read_tokens"] + moved,
    }
    one, cached = ({meter: moved} for meter in ("input_tokens", "cache_read_tokens"))
    saved = cost(contracts, book, used).total - cost(contracts, book, after).total
    assert saved == cost(contracts, book, one).total - cost(contracts, book, cached).total


@given(
    listed=st.lists(prices, min_size=2, max_size=2),
    agreed_=st.lists(prices, min_size=2, max_size=2),
    percent=percents,
    total=st.integers(990, 1010),
)
def test_p15_p16_a_cliff_counts_the_whole_prompt_at_negotiated_rates_too(
    listed, agreed_, percent, total
):
    tiers = (Tier(stop=1001), Tier(start=1001))
    rows = [
        evolve(row("output_tokens", price, tier=tier), id=f"r{tier.start}")
        for price, tier in zip(listed, tiers, strict=True)
    ]
    inputs = [row(meter, Decimal(0)) for meter in METERS[:2]]
    book = build([Layer("law", [*rows, *inputs])])
    low, high = (
        {"provider": "acme", "models": ["m"], "prices": {"output_tokens": str(price)}}
        for price in agreed_
    )
    rates = [low | {"below": 1001}, high | {"at_least": 1001}]
    contracts = agreed({"rates": rates, "discounts": [discount(percent)]})
    used = {"input_tokens": 500, "cache_read_tokens": total - 500, "output_tokens": 10**6}
    (line,) = (each for each in cost(contracts, book, used).lines if each.dimension == METERS[2])
    over = total > 1000
    assert (line.amount, line.list_amount) == (agreed_[over], listed[over])


def discount(percent):
    return {"name": "d", "percent": str(percent)}


@given(
    book=books(),
    one=percents,
    other=percents,
    change=st.integers(-(10**8), 10**8).map(lambda seconds: AT + timedelta(seconds=seconds)),
    away=st.timedeltas(timedelta(-9), timedelta(9)),
    offset=st.integers(-14 * 60, 14 * 60),
)
def test_p17_the_instant_decides_and_a_boundary_belongs_to_the_new_version(
    book, one, other, change, away, offset
):
    first = {"valid_from": "2000-01-01", "discounts": [discount(one)]}
    second = {"valid_from": change.isoformat(), "discounts": [discount(other)]}
    versions = [read_contract("deal", each) for each in (first, second)]
    contracts = AccountContracts(versions)
    at = change + away
    expected = versions[at >= change].id
    for instant in (at, at.astimezone(timezone(timedelta(minutes=offset)))):
        (line,) = cost(contracts, book, {"output_tokens": 1}, at=instant).lines
        assert line.contract == expected


@given(price=prices, used=counts, percent=percents)
def test_p20_the_unit_of_scale_changes_nothing(price, used, percent):
    book = build([Layer("law", [row("output_tokens", Decimal(1))])])
    totals = set()
    for factor, per in ((1, 1), (1000, 1000), (1_000_000, 1_000_000)):
        written = {"output_tokens": money.text(money.multiply(price, factor))}
        rates = {"provider": "acme", "models": ["m"], "prices": written, "per": per}
        contracts = agreed({"rates": [rates], "discounts": [discount(percent) | {"on": "all"}]})
        totals.add(cost(contracts, book, {"output_tokens": used}).total)
    assert len(totals) == 1


@given(book=books(), document=documents(), used=used)
def test_p23_a_settled_record_comes_back_as_it_was_written(book, document, used):
    got = cost(agreed(document), book, used)
    listed = money.total(line.list_amount for line in got.lines)
    settle = Settle(
        "x.1", 1, "settled", "answered", used, got.lines, got.total, listed, "USD", got.book
    )
    assert decode("settle", canonical(settle)) == settle == decode("settle", encode(settle))


@given(book=books(), document=documents(), used=used, value=st.text(min_size=1))
def test_p19_an_unknown_context_value_never_prices(book, document, used, value):
    if value == "default":
        return
    contracts = agreed({key: each for key, each in document.items() if key != "capacity"})
    got = cost(contracts, book, used, service_tier=value)
    assert (got.status, got.total, got.lines) == ("unpriced", None, ())


@given(book=books(), document=documents(), used=used, precision=st.integers(1, 60))
def test_p21_the_ambient_decimal_context_changes_nothing(book, document, used, precision):
    expected = cost(agreed(document), book, used)
    with localcontext() as ambient:
        ambient.prec = precision
        ambient.rounding = ROUND_UP
        assert cost(agreed(document), book, used) == expected


@given(book=books(), document=documents(), later=documents(), used=used)
def test_p22_book_and_contract_as_stored_reproduce_the_lines_bit_by_bit(
    book, document, later, used
):
    first = {"valid_from": "2026-01-01"} | document
    stored = AccountContracts([read_contract("deal", first)]).price(book, Usage(used), context())
    # Stored as JSON, and changed since: a change is a version of its own.
    kept = json.loads(json.dumps(as_json(first)))
    changed = {"valid_from": "2026-11-25T12:00:00.000001Z"} | later
    versions = [read_contract("deal", kept), read_contract("deal", changed)]
    contracts = AccountContracts(versions)
    assert contracts.price(book, Usage(used), context()) == stored
    named = {line.contract for line in stored.lines} - {""}
    for name in named:
        again = contracts.named(name, AT).price(book, Usage(used), context())
        assert again == stored
        assert [str(line.amount) for line in again.lines] == [
            str(line.amount) for line in stored.lines
        ]


@given(book=books(), percents=st.lists(percents, max_size=4), used=used, data=st.data())
def test_p24_multiplied_discounts_commute_and_leave_between_nothing_and_list(
    book, percents, used, data
):
    def priced(orders):
        made = [
            {"name": f"d{i}", "percent": str(percent), "order": order}
            for i, (percent, order) in enumerate(zip(percents, orders, strict=True))
        ]
        return cost(agreed({"discounts": made}), book, used)

    places = list(range(len(percents)))
    one = priced(places)
    other = priced(data.draw(st.permutations(places)))
    same = priced([0] * len(places))
    assert one.total == other.total == same.total
    for line in one.lines:
        assert 0 <= line.amount <= line.list_amount


@given(book=books(), made=discounts(), used=used)
def test_p24_any_stacking_leaves_between_nothing_and_list(book, made, used):
    for line in cost(agreed({"discounts": made}), book, used).lines:
        assert 0 <= line.amount <= line.list_amount


@given(
    book=books(),
    document=documents(),
    used=used,
    away=st.timedeltas(timedelta(-60), timedelta(60)),
    length=st.timedeltas(timedelta(microseconds=1), timedelta(30)),
)
def test_p28_outside_its_validity_a_contract_is_list(book, document, used, away, length):
    since, until = AT + away, AT + away + length
    dates = {"valid_from": since.isoformat(), "valid_until": until.isoformat()}
    got = AccountContracts([read_contract("deal", document | dates)])
    listed = book.price(Usage(used), context())
    priced = got.price(book, Usage(used), context())
    if not since <= AT < until:
        assert priced == listed
    else:
        assert priced == cost(agreed(document | dates), book, used)


@given(
    book=books(),
    document=documents(),
    surcharge=percents,
    used=used,
    more=st.tuples(counts, counts),
)
def test_a_hold_covers_what_a_call_costs_by_list_and_by_contract(
    book, document, surcharge, used, more
):
    extra = {"name": "geo", "surcharge": str(surcharge), "order": 99, "on": "all"}
    document = document | {"discounts": [*document["discounts"], extra]}
    contracts = agreed(document)
    prompt = used["input_tokens"] + used["cache_read_tokens"]
    sizes = (0, prompt + more[0], used["output_tokens"] + more[1])
    bounds = contracts.bounds(book, book.bounds(context(), *sizes), context(), sizes)
    assert bounds.low <= cost(contracts, book, used).total <= bounds.high


# Terms of a month -------------------------------------------------------------------------------


def calls(quantities, price, start=MONTH.since):
    """Calls of so many tokens, one a second."""
    return [
        Called(
            f"e{index:04}",
            start + timedelta(seconds=index),
            (Part("acme", "m", "output_tokens", quantity, quantity * price, quantity * price),),
        )
        for index, quantity in enumerate(quantities)
    ]


def folded(document, made):
    contract = read_contract("deal", {"valid_from": "2026-01-01"} | document)
    fold = Fold([contract], "UTC")
    fold.begin(MONTH)
    return fold, [fold.add(each) for each in made]


quantities = st.lists(st.integers(1, 10**6), min_size=1, max_size=8)
unit = st.integers(0, 10**6).map(lambda n: Decimal(n).scaleb(-6))


@st.composite
def steps(draw, *, percent):
    overs = sorted(draw(st.sets(st.integers(1, 3 * 10**6), max_size=3)))
    if percent:
        return [{"over": over, "percent": str(draw(percents))} for over in (0, *overs)]
    return [{"over": over, "price": str(draw(prices))} for over in (0, *overs)]


def total_cost(outcomes):
    return money.total(each.cost for each in outcomes)


@st.composite
def splits(draw, amounts):
    """The same units in other calls, in the same order."""
    whole = sum(amounts)
    cuts = draw(st.sets(st.integers(1, whole), max_size=8)) | {whole}
    return [b - a for a, b in zip([0, *sorted(cuts)], sorted(cuts), strict=False)]


@given(
    amounts=quantities,
    price=unit,
    data=st.data(),
    percent=st.booleans(),
    counts=st.sampled_from(["units", "amount"]),
    free=st.integers(1, 10**6),
)
def test_p25_the_cost_of_a_sequence_does_not_depend_on_how_calls_are_split(
    amounts, price, data, percent, counts, free
):
    tiers = {
        "name": "volume",
        "meters": ["output_tokens"],
        "counts": counts,
        "steps": data.draw(steps(percent=percent or counts == "amount")),
    }
    allowance = {"name": "free", "meters": ["output_tokens"], "quantity": free}
    document = {"volume_tiers": [tiers], "allowances": [allowance]}
    one, first = folded(document, calls(amounts, price))
    other, second = folded(document, calls(data.draw(splits(amounts)), price))
    assert total_cost(first) == total_cost(second)
    assert (one.counted, one.free) == (other.counted, other.free)
    assert one.free.get("deal/free", 0) == min(free, sum(amounts))


@given(amounts=quantities, price=unit, data=st.data(), committed=st.integers(1, 10**6))
def test_p26_drawn_and_overage_are_the_cost_and_what_is_left_is_never_negative(
    amounts, price, data, committed
):
    overage = data.draw(st.sampled_from(["contract", "list"]))
    commitment = {"name": "spend", "amount": committed, "overage": overage}
    made = calls(amounts, price)
    refunds = data.draw(st.lists(st.integers(0, len(made) - 1), max_size=2, unique=True))
    made += [
        Called(f"r{i}", each.at, (replaced(each.parts[0]),))
        for i, each in enumerate(made[index] for index in refunds)
    ]
    fold, outcomes = folded({"commitments": [commitment]}, made)
    ((_, state),) = fold.drawn.items()
    assert money.add(state.drawn, state.overage) == total_cost(outcomes)
    assert 0 <= state.drawn <= committed


def replaced(part):
    return Part(part.provider, part.model, "correction", 1, -part.amount, -part.listed)


@given(amounts=quantities, price=unit, credit=st.integers(1, 10**6))
def test_p27_credits_change_cash_and_not_cost(amounts, price, credit):
    read = reader(amounts, price)
    plain = statement({"discounts": [{"name": "none", "percent": 0}]}, read)
    credited = statement({"credits": [{"name": "c", "amount": credit}]}, read)
    assert (credited.cost, credited.changes) == (plain.cost, 0)
    assert credited.cash == max(plain.cost - credit, 0)
    (used,) = credited.used
    assert used.facts["used"] + used.facts["left"] == credit
    assert used.facts["left"] >= 0


def entry(index, quantity, price, at=MONTH.since):
    us = round(at.timestamp() * 1e6) + index
    intent = Intent(
        f"x{index}.1", f"x{index}", 1, "primary", "a", "k", None, "acme", "acme", "chat", "m", "m",
        us,
    )  # fmt: skip
    amount = quantity * price
    line = CostLine("output_tokens", quantity, price, 1, amount, amount, "USD", "r", "b")
    settle = Settle(
        intent.entry_id, us, "settled", "answered", {"output_tokens": quantity}, (line,), amount,
        amount, "USD", "b",
    )  # fmt: skip
    return fold_entry([intent, settle])


def reader(amounts, price):
    entries = [entry(index, quantity, price) for index, quantity in enumerate(amounts)]

    def read(span):
        inside = span.holds(MONTH.since)
        return [(each, ()) for each in entries] if inside else []

    return read


def statement(document, read, now=datetime(2026, 12, 2, tzinfo=UTC)):
    contract = read_contract("deal", {"valid_from": "2026-01-01"} | document)
    contracts = AccountContracts([contract]).versions
    return make_statement("a", contracts, MONTH.since.date(), now, read)


@given(
    called=prices,
    changes=st.lists(st.decimals(-1000, 1000, places=9), max_size=4),
    credited=prices,
    rate=positive,
)
def test_p29_converting_lines_and_adding_is_adding_and_converting(called, changes, credited, rate):
    terms = tuple(Used("allowance", f"d/{i}", {}, amount) for i, amount in enumerate(changes))
    made = Statement(
        "a", MONTH.since.date(), AT, True, "USD", (), 1, 0, 0, called, called, terms,
        money.total(changes), (), Decimal(0), Decimal(0), credited,
    )  # fmt: skip
    eur = ExchangeRate("USD", "EUR", rate, date(2026, 11, 30), "the provider's invoice")
    converted, plain = make_invoice(made, eur), make_invoice(made)
    assert plain.exact == made.cash
    assert converted.exact == money.multiply(plain.exact, rate)
    assert converted.due == converted.exact.quantize(Decimal("0.01"))


@given(amounts=quantities, price=unit, whole=steps(percent=True))
def test_tiers_for_the_whole_month_are_those_of_its_end_for_every_call(amounts, price, whole):
    tiers = {"name": "v", "meters": ["output_tokens"], "mode": "whole", "steps": whole}
    got = statement({"volume_tiers": [tiers]}, reader(amounts, price))
    reached = max((s for s in whole if sum(amounts) > s["over"]), key=lambda s: s["over"])
    factor = (100 - Fraction(reached["percent"])) / 100
    assert Fraction(got.cost) == Fraction(price) * sum(amounts) * factor
