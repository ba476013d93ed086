"""A price of zero has a source and a date, as any other."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from flo2.canonical import Usage
from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.prices import Layer, PriceRow, PricingContext, build
from flo2.prices.free import free_rows

ROWS = free_rows("mine", source="it runs here", read_on=date(2026, 11, 25), pattern="(?!paid).+")
AT = datetime(2026, 11, 25, tzinfo=UTC)


def priced(model, meters, *layers, context=None):
    where = PricingContext("mine", "chat", model, model, AT, context or {})
    return build([*layers, Layer("free", ROWS)]).price(Usage(dict.fromkeys(meters, 7)), where)


def test_every_token_meter_costs_nothing_and_says_why():
    cost = priced("llama", (*INPUT_METERS, *OUTPUT_METERS))
    assert (cost.status, cost.total) == ("settled", Decimal(0))
    assert {line.row for line in cost.lines} == {row.id for row in ROWS}
    assert {(row.source, row.evidence, row.per) for row in ROWS} == {
        ("it runs here", "operator", 1_000_000)
    }


def test_what_the_pattern_leaves_out_is_unpriced_and_so_is_what_is_no_token():
    assert priced("paid-model", ["input_tokens"]).status == "unpriced"
    assert priced("llama", ["web_search_requests"]).status == "unpriced"
    assert priced("llama", ["input_tokens"], context={"service_tier": "flex"}).status == "unpriced"


def test_rows_of_the_operator_s_own_come_first():
    row = PriceRow(
        "own",
        "mine",
        frozenset({"llama"}),
        "input_tokens",
        Decimal(1),
        1,
        "the power bill",
        date(2026, 11, 25),
        "operator",
    )
    assert priced("llama", ["input_tokens"], Layer("file", [row])).total == Decimal(7)
    assert priced("other", ["input_tokens"], Layer("file", [row])).total == Decimal(0)
