"""A call under a contract: rates, discounts in their order, capacity, subcalls, bounds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from flo2.canonical import SubUsage, Usage
from flo2.contracts import AccountContracts, read_contract
from flo2.errors import ContractError
from flo2.prices import Bounds, CostLine, Layer, PriceRow, PricingContext, Tier, build

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
TIERS = {"service_tier": frozenset({"", "default"})}


def row(dimension, price, model="big", **more):
    given = {
        "id": f"{model}/{dimension}{more.get('when', '')}",
        "provider": "acme",
        "models": frozenset({model}),
        "dimension": dimension,
        "unit_price": Decimal(price),
        "per": 1_000_000,
        "source": "test",
        "read_on": date(2026, 11, 25),
        "evidence": "published",
    }
    return PriceRow(**given | more)


FLEX = {"service_tier": frozenset({"flex"})}
BOOK = build(
    [
        Layer(
            "list",
            [
                row("input_tokens", 2),
                row("output_tokens", 10),
                row("output_tokens", 6, when=FLEX),
                row("input_tokens", 1, when=FLEX),
                row("input_seconds", "0.111", per=3600, id="seconds"),
                row("output_tokens", 4, "small"),
            ],
            {"acme": TIERS},
        )
    ]
)


def agreed(**terms):
    return AccountContracts([read_contract("deal", {"valid_from": "2026-01-01"} | terms)])


def rate(prices, **more):
    return {"provider": "acme", "models": ["big"], "prices": prices} | more


def context(model="big", **said):
    return PricingContext("acme", "chat", model, model, AT, said)


def amounts(contracts, quantities, *, book=BOOK, **said):
    cost = contracts.price(book, Usage(quantities), context(**said))
    assert cost.status == "settled", cost.reason
    return [(line.dimension, line.amount, line.list_amount) for line in cost.lines]


def factors(contracts, quantities, **said):
    """Give each line's factors, their names without the contract's."""
    (contract,) = contracts.versions
    cost = contracts.price(BOOK, Usage(quantities), context(**said))
    return [
        [(name.replace(f"{contract.id}/", ""), factor) for name, factor in line.factors]
        for line in cost.lines
    ]


def d(percent, order=0, stacks="multiply", **more):
    return {
        "name": f"d{percent}", "percent": str(percent), "order": order, "stacks": stacks,
    } | more  # fmt: skip


@pytest.mark.parametrize(
    ("discounts", "expected"),
    [
        ([], []),
        ([d(10), d(20)], [("d10", "0.9"), ("d20", "0.8")]),
        ([d(10, 2), d(20, 1)], [("d20", "0.8"), ("d10", "0.9")]),
        ([d(10, 1, "add"), d(20, 2, "add")], [("d10+d20", "0.7")]),
        (
            [d(10, 1, "add"), d(5, 2), d(20, 3, "add")],
            [("d10", "0.9"), ("d5", "0.95"), ("d20", "0.8")],
        ),
        ([d(10, 1), d(30, 2, "best_only"), d(5, 3)], [("d30", "0.7"), ("d5", "0.95")]),
        ([d(20, 1), d(20, 2, "best_only", name="same")], [("d20", "0.8")]),
        ([d(20, 1), d(30, 2), d(40, 3, "best_only")], [("d20", "0.8"), ("d30", "0.7")]),
        (
            [{"name": "geo", "surcharge": "10", "order": 1}, d(50, 2)],
            [("geo", "1.1"), ("d50", "0.5")],
        ),
        ([d(10, models=["small"]), d(20, meters=["input_*"]), d(30, on="rates")], []),
        ([d(10, when={"service_tier": ["", "flex"]})], [("d10", "0.9")]),
        ([d(10, valid_until="2026-11-25T12:00:00Z")], []),
        ([d(10, valid_from="2026-11-25T12:00:00Z")], [("d10", "0.9")]),
    ],
)
def test_discounts_stack_as_declared(discounts, expected):
    (found,) = factors(agreed(discounts=discounts), {"output_tokens": 5})
    assert found == [(name, Decimal(factor)) for name, factor in expected]


def test_a_rate_takes_the_place_of_the_list_and_what_it_does_not_name_stays():
    contracts = agreed(rates=[rate({"input_tokens": "1.5"})])
    used = {"input_tokens": 1_000_000, "output_tokens": 1_000_000}
    assert amounts(contracts, used) == [
        ("input_tokens", Decimal("1.5"), 2),
        ("output_tokens", 10, 10),
    ]
    # At another tier the rate does not hold: it says nothing of it.
    assert amounts(contracts, used, service_tier="flex") == [
        ("input_tokens", 1, 1),
        ("output_tokens", 6, 6),
    ]


def test_batch_and_flex_have_rates_of_their_own():
    contracts = agreed(
        rates=[
            rate({"output_tokens": "9"}),
            rate({"output_tokens": "5"}, when={"service_tier": ["flex"]}),
            rate({"output_tokens": "4"}, when={"processing": ["batch"]}),
        ]
    )
    used = {"output_tokens": 1_000_000}
    assert amounts(contracts, used) == [("output_tokens", 9, 10)]
    assert amounts(contracts, used, service_tier="flex") == [("output_tokens", 5, 6)]
    # The list has no batch price: the rate is the only one there is.
    assert amounts(contracts, used, processing="batch") == [("output_tokens", 4, 4)]
    cost = contracts.price(BOOK, Usage(used), context(service_tier="scale"))
    assert (cost.status, cost.lines) == ("unpriced", ())


def test_discounts_of_rates_and_of_all():
    contracts = agreed(
        rates=[rate({"input_tokens": "1"})],
        discounts=[d(50, on="rates"), d(10, 1, on="all"), d(20, 2, on="list")],
    )
    assert amounts(contracts, {"input_tokens": 1_000_000, "output_tokens": 1_000_000}) == [
        ("input_tokens", Decimal("0.45"), 2),
        ("output_tokens", Decimal("7.2"), 10),
    ]


def test_graduated_rates_share_the_list_amount_by_what_they_bill():
    contracts = agreed(
        rates=[
            rate({"output_tokens": "9"}, below=1001, graduated=True),
            rate({"output_tokens": "5"}, at_least=1001, graduated=True),
        ]
    )
    assert amounts(contracts, {"output_tokens": 1500}) == [
        ("output_tokens", Decimal("0.009"), Decimal("0.01")),
        ("output_tokens", Decimal("0.0025"), Decimal("0.005")),
    ]


def test_a_line_that_was_rounded_is_rounded_once():
    contracts = agreed(discounts=[d(50)])
    (line,) = contracts.price(BOOK, Usage({"input_seconds": 7}), context()).lines
    assert (line.list_amount, line.amount, line.rounded) == (
        Decimal("0.000215833333"),
        Decimal("0.000107916667"),
        True,
    )
    (free,) = agreed(discounts=[d(100)]).price(BOOK, Usage({"input_seconds": 7}), context()).lines
    assert (free.amount, free.rounded) == (0, False)


def test_what_runs_on_capacity_costs_nothing_by_the_call():
    contracts = agreed(
        capacity=[
            {
                "name": "ptu", "providers": ["acme"], "models": ["big"], "meters": ["*_tokens"],
                "when": {"deployment": ["provisioned"]}, "hourly": 1,
            }
        ],
        discounts=[d(10)],
    )  # fmt: skip
    assert amounts(contracts, {"output_tokens": 1_000_000}) == [("output_tokens", 9, 10)]
    # The list does not sell it by the token, so it has no list price either.
    (contract,) = contracts.versions
    cost = contracts.price(BOOK, Usage({"output_tokens": 7}), context(deployment="provisioned"))
    assert cost.lines == (
        CostLine(
            "output_tokens", 7, Decimal(0), 1, Decimal(0), Decimal(0), "USD",
            f"{contract.id}/ptu", BOOK.version,
            factors=((f"{contract.id}/ptu", Decimal(0)),), contract=contract.id,
        ),
    )  # fmt: skip
    assert cost.total == 0
    # A meter that the capacity does not pay for has no price there.
    other = contracts.price(BOOK, Usage({"input_seconds": 7}), context(deployment="provisioned"))
    assert other.status == "unpriced"


def test_capacity_beside_a_list_price_keeps_the_list_amount():
    contracts = agreed(capacity=[{"name": "ptu", "providers": ["acme"], "hourly": 1}])
    assert amounts(contracts, {"output_tokens": 1_000_000}) == [("output_tokens", 0, 10)]


def test_other_models_inside_an_answer_have_terms_of_their_own():
    contracts = agreed(rates=[rate({"output_tokens": "8"})], discounts=[d(50, models=["small"])])
    sub = SubUsage("small", "advisor", {"output_tokens": 1_000_000}, {})
    own = SubUsage(None, "compaction", {"output_tokens": 1_000_000}, {})
    usage = Usage({"output_tokens": 2_000_000}, subcalls=(sub, own))
    cost = contracts.price(BOOK, usage, context())
    assert [(line.model, line.amount, line.list_amount) for line in cost.lines] == [
        ("", 16, 20),
        ("small", 2, 4),
        ("big", 8, 10),
    ]
    assert cost.total == 26


def test_the_tier_of_a_prompt_is_that_of_all_of_it():
    book = build(
        [
            Layer(
                "list",
                [
                    row("input_tokens", 2, tier=Tier(stop=1001), id="low"),
                    row("input_tokens", 4, tier=Tier(start=1001), id="high"),
                    row("cache_read_tokens", 1, tier=Tier(stop=1001), id="clow"),
                    row("cache_read_tokens", 3, tier=Tier(start=1001), id="chigh"),
                ],
            )
        ]
    )
    contracts = agreed(rates=[rate({"cache_read_tokens": "0.5"})])
    used = {"input_tokens": 600, "cache_read_tokens": 600}
    assert amounts(contracts, used, book=book) == [
        ("input_tokens", Decimal("0.0024"), Decimal("0.0024")),
        ("cache_read_tokens", Decimal("0.0003"), Decimal("0.0018")),
    ]


@pytest.mark.parametrize(
    ("usage", "status"),
    [
        (Usage({"output_tokens": -1}), "pending"),
        (Usage({"output_tokens": 1}, problem="the sum is wrong"), "pending"),
        (Usage({"output_tokens": Decimal("NaN")}), "pending"),
        (Usage({"output_tokens": 10**70}), "pending"),
        (Usage({"pages": 1}), "unpriced"),
    ],
)
@pytest.mark.parametrize("special", [True, False])
def test_what_has_no_figure_at_list_price_has_none_under_a_contract(usage, status, special):
    terms = {"rates": [rate({"input_tokens": "1"})]} if special else {"discounts": [d(1)]}
    cost = agreed(**terms).price(BOOK, usage, context())
    assert (cost.status, cost.total, cost.lines) == (status, None, ())


def test_a_model_that_only_the_contract_knows_is_priced_by_it():
    contracts = agreed(rates=[rate({"output_tokens": "3"}, models=["ft:*"])])
    cost = contracts.price(BOOK, Usage({"output_tokens": 1_000_000}), context("ft:mine"))
    assert [(line.amount, line.list_amount) for line in cost.lines] == [(3, 3)]


def test_rates_that_a_new_price_list_makes_ambiguous_price_nothing():
    rates = [rate({"output_tokens": "9"}), rate({"output_tokens": "8"}, when={"x": ["a"]})]
    contracts = agreed(rates=rates)
    assert amounts(contracts, {"output_tokens": 1_000_000}) == [("output_tokens", 9, 10)]
    book = build([Layer("list", [row("output_tokens", 10)], {"acme": {"x": ["", "a"]}})])
    assert contracts.problems(book.defaults) != []
    cost = contracts.price(book, Usage({"output_tokens": 1}), context())
    assert (cost.status, cost.total) == ("unpriced", None)
    bounds = contracts.bounds(book, Bounds(Decimal(0), Decimal(1)), context(), (0, 5, 5))
    assert bounds == Bounds(Decimal(0), None)


def test_repricing_by_the_versions_a_line_names():
    contracts = agreed(discounts=[d(50)])
    (line,) = contracts.price(BOOK, Usage({"output_tokens": 1}), context()).lines
    assert contracts.named(line.contract, AT).id == line.contract
    assert contracts.named("deal@gone", AT) is None


def test_two_versions_of_one_date_are_refused():
    one = read_contract("deal", {"valid_from": "2026-01-01", "discounts": [d(1)]})
    two = read_contract("deal", {"valid_from": "2026-01-01", "discounts": [d(2)]})
    with pytest.raises(ContractError, match="a change needs a date of its own"):
        AccountContracts([one, two])
