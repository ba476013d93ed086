from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from flo2.canonical.usage import Usage
from flo2.errors import PricingError
from flo2.prices import PricingContext, Schedule, Tier, Window, build
from flo2_pricing_list import GenaiPrices, PriceList
from flo2_pricing_list.schema import parse

BOOK = build([PriceList().layer(), GenaiPrices().layer()])
MILLION = Usage({"input_tokens": 1_000_000})


def cost(model, at, usage=MILLION, provider="deepseek"):
    when = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return BOOK.price(usage, PricingContext(provider, "chat", model, model, when)).total


@pytest.mark.parametrize(
    ("model", "at", "price"),
    [
        ("deepseek-v4-flash", "2026-07-01T02:00", "0.14"),  # before there were peaks
        ("deepseek-v4-flash", "2026-08-17T05:00", "0.22"),
        ("deepseek-v4-flash", "2026-11-24T00:59:59", "0.15"),  # a Tuesday
        ("deepseek-v4-flash", "2026-11-24T01:00", "0.3"),
        ("deepseek-v4-flash", "2026-11-24T04:00", "0.15"),
        ("deepseek-v4-flash", "2026-11-24T09:59:59", "0.3"),
        ("deepseek-v4-flash", "2026-11-28T02:00", "0.15"),  # a Saturday
        ("deepseek-v4-flash", "2026-10-01T02:00", "0.15"),  # National Day, a Thursday
        ("deepseek-v4-flash", "2027-01-04T02:00", None),  # the holidays of 2027 are not entered
        ("deepseek-v4-pro-0901", "2026-11-24T02:00", "1.32"),
        ("deepseek-v4-pro", "2026-11-24T05:00", "0.66"),
        ("deepseek-chat", "2026-11-24T02:00", "0.28"),
        ("deepseek-chat", "2025-09-28T02:00", None),
        ("deepseek-v3.1-terminus", "2026-11-24T02:00", "0.27"),  # of genai-prices, at all hours
    ],
)
def test_deepseek_costs_twice_as_much_at_peak_hours(model, at, price):
    assert cost(model, at) == (None if price is None else Decimal(price))


def test_a_short_recording_is_billed_as_ten_seconds():
    at = "2026-11-24T05:00"
    whisper = [
        cost("whisper-large-v3", at, Usage({"input_seconds": s}), "groq") for s in (3, 10, 36)
    ]
    assert whisper == [
        Decimal("0.000308333333"),
        Decimal("0.000308333333"),
        Decimal("0.00111"),
    ]


def read(price):
    text = f"""
    provider = "acme"
    source = "s"
    read_on = 2026-11-25
    evidence = "operator"
    [[model]]
    name = "m"
      [[model.price]]
      rates = {{ input_seconds = "0.36" }}
      {price}
    """
    return parse(tomllib.loads(text, parse_float=Decimal), file="p.toml").rows


def test_a_file_may_say_hours_minimum_step_and_graduated_tiers():
    (row,) = read("""
      schedule = { days = ["sun", "mon"], hours = ["22:00-24:00"], zone = "Asia/Shanghai",
                   holidays = [2026-10-01], outside = true }
      per = 3600
      minimum = "10"
      step = 1
    """.replace("\n                  ", ""))  # fmt: skip
    assert row.schedule == Schedule(
        [Window(0, 79_200, 86_400), Window(6, 79_200, 86_400)],
        "Asia/Shanghai",
        frozenset({date(2026, 10, 1)}),
        outside=True,
    )
    assert (row.minimum, row.step) == (Decimal(10), Decimal(1))
    assert row.id.startswith("acme/m/input_seconds~outside-")
    (row,) = read("graduated = true\nover = 1000")
    assert row.tier == Tier(1001, None, graduated=True)
    (row,) = read("graduated = true")
    assert row.tier == Tier(0, None, graduated=True)


@pytest.mark.parametrize(
    ("price", "problem"),
    [
        ("schedule = 5", "a schedule is a table, got 5"),
        ("schedule = { hour = [] }", "unknown key 'hour'"),
        ('schedule = { days = ["monday"] }', "expected a list of mon, tue"),
        ("schedule = { days = [] }", "expected a list of mon, tue"),
        ('schedule = { hours = ["1-4"] }', "expected a list such as ['01:00-04:00']"),
        ('schedule = { hours = ["01:60-04:00"] }', "expected a list such as"),
        ("schedule = { hours = [] }", "expected a list such as"),
        ('schedule = { hours = ["22:00-02:00"] }', "is no stretch of a day"),
        ('schedule = { hours = ["22:00-25:00"] }', "is no stretch of a day"),
        ('schedule = { holidays = ["2026-10-01"] }', "expected a list of dates"),
        ('schedule = { outside = "yes" }', "expected true or false"),
        ("schedule = { zone = 8 }", "expected the name of a zone"),
        ('schedule = { zone = "Mars/Olympus" }', "there is no time zone 'Mars/Olympus'"),
        ("minimum = 0", "minimum Decimal('0') must be a Decimal above 0"),
        ('step = "-1"', "step Decimal('-1') must be a Decimal above 0"),
        ("graduated = 1", "expected true or false, got 1"),
        ("graduated = true\nstep = 1", "a graduated tier with a minimum or a step"),
    ],
)
def test_what_a_file_says_wrong_is_named_with_its_place(price, problem):
    with pytest.raises(PricingError) as caught:
        read(price)
    assert problem in str(caught.value)
    assert "@ p.toml: model[0].price[0]." in str(caught.value)
