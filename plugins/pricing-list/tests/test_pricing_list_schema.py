from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from flo2.errors import PricingError
from flo2.prices import PriceRow, Tier
from flo2_pricing_list.schema import parse

GOOD = """
provider = "acme"
source = "https://acme.example/pricing"
read_on = 2026-11-25
evidence = "operator"

[defaults]
service_tier = ["", "default"]

[[model]]
name = "m"
aliases = ["m-latest"]
pattern = 'm-\\d{8}'
  [[model.price]]
  up_to = 1000
  rates = { input_tokens = "2.50", output_tokens = 10 }
  [[model.price]]
  over = 1000
  when = { service_tier = ["flex"] }
  valid_from = 2026-10-12
  valid_until = 2026-12-01T00:00:00+01:00
  per = 1000
  evidence = "derived"
  source = "half"
  read_on = 2026-11-01
  rates = { web_search_requests = 0.1 }
"""


def read(text):
    return parse(tomllib.loads(text, parse_float=Decimal), file="acme.toml")


def test_a_file_becomes_rows():
    table = read(GOOD)
    models = frozenset({"m", "m-latest"})
    common = {"provider": "acme", "models": models, "pattern": r"m-\d{8}", "currency": "USD"}
    stated = {
        "source": "https://acme.example/pricing",
        "read_on": date(2026, 11, 25),
        "evidence": "operator",
        "per": 1_000_000,
        "tier": Tier(0, 1001),
    }
    assert table.rows == (
        PriceRow(
            id="acme/m/input_tokens(0..1001)",
            dimension="input_tokens",
            unit_price=Decimal("2.50"),
            **common,
            **stated,
        ),
        PriceRow(
            id="acme/m/output_tokens(0..1001)",
            dimension="output_tokens",
            unit_price=Decimal(10),
            **common,
            **stated,
        ),
        PriceRow(
            id="acme/m/web_search_requests[service_tier=flex](1001..)@2026-10-12",
            dimension="web_search_requests",
            unit_price=Decimal("0.1"),
            per=1000,
            when={"service_tier": frozenset({"flex"})},
            tier=Tier(1001),
            valid_from=datetime(2026, 10, 12, tzinfo=UTC),
            valid_until=datetime(2026, 11, 30, 23, tzinfo=UTC),
            source="half",
            read_on=date(2026, 11, 1),
            evidence="derived",
            **common,
        ),
    )
    assert table.defaults == {"acme": {"service_tier": frozenset({"", "default"})}}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('provider = "acme"', "", "missing text 'provider', got ''"),
        ("evidence = ", "evidense = ", "unknown key 'evidense'; did you mean 'evidence'?"),
        ('"operator"', '"rumour"', "'rumour' is none of ['published'"),
        ("read_on = 2026-11-25", 'read_on = "today"', "expected a date like 2026-11-25"),
        ("output_tokens =", "ouput_tokens =", "did you mean 'output_tokens'?"),
        ('"2.50"', '"2,50"', "'2,50' is no decimal number"),
        ('"2.50"', "true", "money from True (bool) is refused"),
        ('"2.50"', '"-1"', "must be a Decimal of 0 or more @ acme.toml: model[0].price[0].rates."),
        ('["flex"]', '["*"]', "no wildcards: list the values"),
        ('["flex"]', '"flex"', "expected a list of texts, got 'flex'"),
        ("over = 1000", "over = 1000\n  at_least = 5", "give 'over' or 'at_least', not both"),
        ("up_to = 1000", "up_to = 1000\n  below = 5", "give 'up_to' or 'below', not both"),
        ("up_to = 1000", 'up_to = "many"', "expected a count of tokens, got 'many'"),
        ("up_to = 1000", "at_least = 5\n  up_to = 3", "holds no total"),
        ("2026-10-12", '"soon"', "expected a date (UTC) or an instant with its zone"),
        ("2026-10-12", "2026-10-12T00:00:00", "expected a date (UTC) or an instant with its zone"),
        ("per = 1000\n", 'per = "k"\n', "expected a whole number of units, got 'k'"),
        ("per = 1000\n", "per = 0\n", "per 0 must be 1 or more"),
        ('["m-latest"]', '"m-latest"', "expected a list of texts, got 'm-latest'"),
        ("'m-\\d{8}'", "5", "expected a regular expression, got 5"),
        ("'m-\\d{8}'", "'('", "pattern '('"),
        ("over = 1000", "up_to = 1000\n  colour = 1", "unknown key 'colour'"),
        ('name = "m"', "", "missing text 'name'"),
    ],
)
def test_a_mistake_is_named_with_its_place(old, new, problem):
    assert old in GOOD
    with pytest.raises(PricingError) as caught:
        read(GOOD.replace(old, new, 1))
    assert problem in str(caught.value)
    assert " @ acme.toml: " in str(caught.value)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"providers": [5]}, "a provider is a table, got 5 @ f: providers[0]."),
        ({"providers": [], "x": 1}, "unknown key 'x' @ f: x"),
        ({"provider": "p"}, "no [[model]] in the table @ f: model"),
        ({"provider": "p", "model": [1]}, "a model is a table, got 1 @ f: model[0]."),
        (
            {"provider": "p", "model": [{"name": "m"}]},
            "model 'm' has no [[model.price]] @ f: model[0].price",
        ),
        (
            {"provider": "p", "model": [{"name": "m", "price": [{}]}]},
            "a price is a table with `rates`, got {} @ f: model[0].price[0].",
        ),
        (
            {"provider": "p", "defaults": [], "model": []},
            "expected a table of lists, got [] @ f: defaults",
        ),
    ],
)
def test_a_wrong_shape_is_named(document, problem):
    with pytest.raises(PricingError) as caught:
        parse(document, file="f")
    assert problem in str(caught.value).splitlines()


def test_all_problems_come_at_once():
    text = GOOD.replace('"2.50"', "false").replace('["flex"]', '["*"]').replace("[defaults]", "[d]")
    with pytest.raises(PricingError) as caught:
        read(text)
    assert len(str(caught.value).splitlines()) == 3


def test_the_same_row_twice_is_refused():
    twice = GOOD + '  [[model.price]]\n  up_to = 1000\n  rates = { input_tokens = "3" }\n'
    with pytest.raises(PricingError, match="is there twice"):
        read(twice)
