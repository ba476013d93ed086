from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from flo2.canonical.usage import SubUsage, Usage
from flo2.errors import AmbiguousPrice, CurrencyMismatch, PricingError
from flo2.prices import Cost, CostLine, Layer, PriceRow, PricingContext, Tier, build

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
DEFAULTS = {"acme": {"service_tier": frozenset({"", "default"}), "speed": frozenset({""})}}


def row(dimension="input_tokens", price="2.50", model="m", name=None, **kw):
    kw.setdefault("pattern", None)
    return PriceRow(
        id=name or f"{model}/{dimension}",
        provider=kw.pop("provider", "acme"),
        models=kw.pop("models", frozenset({model})),
        dimension=dimension,
        unit_price=Decimal(price),
        per=kw.pop("per", 1_000_000),
        source="https://acme.example/pricing",
        read_on=date(2026, 11, 25),
        evidence="simulated",
        **kw,
    )


def book(*rows):
    return build([Layer("test", rows, DEFAULTS)])


def context(model="m", at=AT, input_total=None, provider="acme", **said):
    return PricingContext(provider, "chat", model, model, at, said, input_total)


def total(book_, meters, **kw):
    return book_.price(Usage(meters), context(**kw)).total


def test_price_gives_exact_lines_that_name_row_and_book():
    prices = book(row(), row("output_tokens", "10"))
    assert prices.price(Usage({"input_tokens": 1234, "output_tokens": 7}), context()) == Cost(
        lines=(
            CostLine(
                dimension="input_tokens",
                quantity=1234,
                unit_price=Decimal("2.50"),
                per=1_000_000,
                amount=Decimal("0.003085"),
                list_amount=Decimal("0.003085"),
                currency="USD",
                row="m/input_tokens",
                book=prices.version,
            ),
            CostLine(
                dimension="output_tokens",
                quantity=7,
                unit_price=Decimal(10),
                per=1_000_000,
                amount=Decimal("0.00007"),
                list_amount=Decimal("0.00007"),
                currency="USD",
                row="m/output_tokens",
                book=prices.version,
            ),
        ),
        status="settled",
        total=Decimal("0.003155"),
        currency="USD",
        book=prices.version,
    )


@pytest.mark.parametrize(
    ("meters", "ctx", "reason"),
    [
        (
            {"input_tokens": 1},
            {"provider": "other"},
            "no price row for provider 'other'",
        ),
        (
            {"input_tokens": 1},
            {"model": "m-2"},
            "no price row for model 'm-2' of provider 'acme'",
        ),
        (
            {"input_tokens": 1, "cache_write_1h_tokens": 5},
            {"service_tier": "default"},
            (
                "no price row for meter 'cache_write_1h_tokens' of model 'm' of provider 'acme' at "
                "2026-11-25T12:00:00+00:00, 6 input tokens, service_tier='default'"
            ),
        ),
        (
            {"input_tokens": 1},
            {"service_tier": "scale"},
            "no price row for model 'm' of provider 'acme' with service_tier='scale'",
        ),
        (
            {"input_tokens": 1},
            {"moon_phase": "full"},
            "no price row for model 'm' of provider 'acme' with moon_phase='full'",
        ),
        (
            {"input_tokens": 1},
            {"service_tier": "FLEX"},
            "no price row for model 'm' of provider 'acme' with service_tier='FLEX'",
        ),
        (
            {"input_tokens": 1},
            {"service_tier": "flex", "speed": "fast"},
            "no price row for model 'm' of provider 'acme' with service_tier='flex', speed='fast'",
        ),
    ],
)
def test_what_the_book_does_not_know_is_named_and_has_no_total(meters, ctx, reason):
    prices = book(
        row(),
        row(name="flex", price="1", when={"service_tier": frozenset({"flex"})}),
        row(name="fast", price="9", when={"speed": frozenset({"fast"})}),
    )
    assert prices.price(Usage(meters), context(**ctx)) == Cost(
        (), "unpriced", None, "USD", prices.version, reason
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "2.5"),
        ({"service_tier": "default"}, "2.5"),
        ({"service_tier": "flex"}, "1.25"),
        ({"service_tier": "priority"}, "5"),
        ({"service_tier": "fast"}, "5"),
    ],
)
def test_context_selects_the_row(said, expected):
    prices = book(
        row(),
        row(name="flex", price="1.25", when={"service_tier": frozenset({"flex"})}),
        row(name="prio", price="5", when={"service_tier": frozenset({"priority", "fast"})}),
    )
    assert total(prices, {"input_tokens": 1_000_000}, **said) == Decimal(expected)


def test_tier_is_a_cliff_on_the_whole_prompt_cache_included():
    prices = book(
        row(name="low", price="1", tier=Tier(stop=200_001)),
        row(name="high", price="2", tier=Tier(start=200_001)),
        row("cache_read_tokens", "0.1"),
    )
    edge = {"input_tokens": 100_000, "cache_read_tokens": 100_000}
    over = {"input_tokens": 100_000, "cache_read_tokens": 100_001}
    assert total(prices, edge) == Decimal("0.11")
    assert total(prices, over) == Decimal("0.2100001")
    assert total(prices, {"input_tokens": 1}, input_total=200_001) == Decimal("0.000002")


def test_a_boundary_instant_belongs_to_the_new_row():
    change = datetime(2026, 8, 1, tzinfo=UTC)
    prices = book(
        row(name="old", price="4", valid_until=change),
        row(name="new", price="3", valid_from=change),
    )
    meters = {"input_tokens": 1_000_000}
    zone = timezone(timedelta(hours=-7))
    assert total(prices, meters, at=change - timedelta(microseconds=1)) == 4
    assert total(prices, meters, at=change) == 3
    assert total(prices, meters, at=change.astimezone(zone)) == 3


def test_before_the_first_known_price_nothing_is_priced():
    prices = book(row(valid_from=AT))
    cost = prices.price(Usage({"input_tokens": 1}), context(at=AT - timedelta(seconds=1)))
    assert (cost.status, cost.total) == ("unpriced", None)


def test_unknown_usage_is_pending():
    prices = book(row())
    usage = Usage({"input_tokens": 5}, problem="total 7 is not 5")
    assert prices.price(usage, context()) == Cost(
        (), "pending", None, "USD", prices.version, "total 7 is not 5"
    )


@pytest.mark.parametrize(
    ("quantity", "reason"),
    [
        (1.5, "meter 'input_tokens' is 1.5: no exact number"),
        (True, "meter 'input_tokens' is True: no exact number"),
        (-3, "meter 'input_tokens' is negative: -3"),
        (Decimal("NaN"), "meter 'input_tokens' is Decimal('NaN'): no exact number"),
        (2**63, "meter 'input_tokens' is 9223372036854775808: no call uses so much"),
        (10**12 + 1, "meter 'input_tokens' is 1000000000001: no call uses so much"),
    ],
)
def test_a_meter_that_is_no_count_is_pending(quantity, reason):
    cost = book(row()).price(Usage({"input_tokens": quantity}), context(input_total=0))
    assert (cost.status, cost.reason, cost.total) == ("pending", reason, None)


def test_the_most_that_a_call_may_use_has_a_price():
    assert total(book(row()), {"input_tokens": 10**12}) == 2_500_000


def test_a_meter_beyond_all_digits_is_pending_and_no_crash():
    too_long = f"meter 'input_tokens' is {10**80 + 1}: no call uses so much"
    no_number = "meter 'input_tokens' is Decimal('{}'): no exact number"
    for quantity, reason in (
        (10**80 + 1, too_long),
        (Decimal("NaN"), no_number.format("NaN")),
        (Decimal("Infinity"), no_number.format("Infinity")),
    ):
        cost = book(row()).price(Usage({"input_tokens": quantity}), context())
        assert (cost.status, cost.total) == ("pending", None)
        assert (cost.reason or "").startswith(reason)


def test_zero_usage_costs_zero():
    cost = book(row()).price(Usage({"input_tokens": 0}), context())
    assert (cost.status, cost.lines, cost.total) == ("settled", (), Decimal(0))


def test_prices_per_hour_round_at_1e_12_and_say_so():
    prices = book(row("input_seconds", "0.111", per=3600))
    rounded = prices.price(Usage({"input_seconds": 1}), context()).lines[0]
    exact = prices.price(Usage({"input_seconds": Decimal("7200.0")}), context()).lines[0]
    assert (rounded.amount, rounded.rounded) == (Decimal("0.000030833333"), True)
    assert (exact.amount, exact.rounded) == (Decimal("0.222"), False)


def test_subcalls_are_priced_by_their_own_model():
    prices = book(row(), row(model="big", price="10"))
    usage = Usage(
        {"input_tokens": 1_000_000},
        subcalls=(
            SubUsage("big", "advisor", {"input_tokens": 500_000}, {}),
            SubUsage(None, "compaction", {"input_tokens": 100_000}, {}),
        ),
    )
    cost = prices.price(usage, context())
    assert [(line.model, line.row, line.amount) for line in cost.lines] == [
        ("", "m/input_tokens", Decimal("2.5")),
        ("big", "big/input_tokens", Decimal(5)),
        ("m", "m/input_tokens", Decimal("0.25")),
    ]
    assert cost.total == Decimal("7.75")


def test_a_subcall_without_a_price_leaves_the_whole_unpriced():
    usage = Usage(
        {"input_tokens": 1}, subcalls=(SubUsage("x", "advisor", {"input_tokens": 1}, {}),)
    )
    cost = book(row()).price(usage, context())
    assert (cost.status, cost.lines, cost.reason) == (
        "unpriced",
        (),
        "no price row for model 'x' of provider 'acme'",
    )


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"valid_from": AT},
        {"tier": Tier(start=5)},
        {"when": {"service_tier": frozenset({"default", "flex"})}},
        {"models": frozenset({"m", "alias"})},
    ],
)
def test_two_rows_that_could_match_one_call_do_not_load(other):
    with pytest.raises(
        AmbiguousPrice,
        match="rows 'm/input_tokens' and 'b' both price input_tokens of model 'm' of provider",
    ):
        book(row(), row(name="b", **other))


def test_rows_that_never_meet_load():
    book(
        row(tier=Tier(stop=5), valid_until=AT),
        row(name="b", tier=Tier(start=5), valid_until=AT),
        row(name="c", valid_from=AT),
        row(name="d", when={"service_tier": frozenset({"flex"})}),
        row(name="e", model="n"),
        row(name="f", provider="other"),
    )


def test_two_rows_of_one_pattern_do_not_load():
    with pytest.raises(AmbiguousPrice, match=r"of pattern 'm-\.\*'"):
        book(
            row(name="a", models=frozenset(), pattern="m-.*"),
            row(name="b", models=frozenset(), pattern="m-.*"),
        )


def test_two_patterns_that_meet_in_one_name_price_nothing():
    prices = book(
        row(name="a", models=frozenset(), pattern="m-.*"),
        row(name="b", models=frozenset(), pattern=".*-x"),
        row(name="c", model="m-exact-x", price="1"),
    )
    assert total(prices, {"input_tokens": 1_000_000}, model="m-1") == Decimal("2.5")
    assert total(prices, {"input_tokens": 1_000_000}, model="m-exact-x") == 1
    assert prices.price(Usage({"input_tokens": 1}), context(model="m-x")).reason == (
        "price rows 'a' and 'b' both match meter 'input_tokens' of model 'm-x' of provider 'acme'; "
        "give the model its own row by exact name"
    )


def test_a_higher_layer_hides_every_row_of_the_model():
    prices = build(
        [
            Layer("file", [row(name="mine", price="1")], {}),
            Layer("list", [row(), row("output_tokens"), row(model="n")], DEFAULTS),
        ]
    )
    assert total(prices, {"input_tokens": 1_000_000}) == 1
    assert total(prices, {"output_tokens": 1}) is None
    assert total(prices, {"input_tokens": 1_000_000}, model="n") == Decimal("2.5")
    # The list still says which context values are usual.
    assert total(prices, {"input_tokens": 1_000_000}, service_tier="default") == 1


def test_two_rows_of_one_id_do_not_load():
    with pytest.raises(PricingError, match="two price rows have the id 'x'; rename one"):
        book(row(name="x"), row(name="x", model="n"))


def test_one_provider_has_one_currency():
    with pytest.raises(CurrencyMismatch, match="row 'n/input_tokens' is in 'EUR'"):
        book(row(), row(model="n", currency="EUR"))


def test_models_rows_and_explanations():
    prices = book(row(models=frozenset({"m", "m-1"})), row("output_tokens"), row(model="a"))
    assert prices.providers() == ("acme",)
    assert prices.models("acme") == ("a", "m", "m-1")
    assert [r.id for r in prices.rows_for("acme", "m-1")] == ["m/input_tokens"]
    cost = prices.price(Usage({"input_tokens": 2}), context())
    assert [str(said) for said in prices.explain(cost)] == [
        (
            "input_tokens: 2 x 2.5 / 1000000 = 0.000005 USD; row m/input_tokens, simulated, "
            "https://acme.example/pricing, read 2026-11-25"
        )
    ]
    with pytest.raises(PricingError, match="price row 'm/input_tokens' of book 'sha256:"):
        build([]).explain(cost)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"models": frozenset()}, "names no model"),
        ({"pattern": "("}, "pattern '\\('"),
        ({"per": 0}, "per 0 must be 1 or more"),
        ({"price": "-1"}, "unit_price Decimal\\('-1'\\) must be a Decimal of 0 or more"),
        ({"when": {"speed": frozenset()}}, "when.speed allows no value"),
        ({"valid_from": AT, "valid_until": AT}, "valid_until is not after valid_from"),
        ({"valid_from": datetime(2026, 1, 1)}, "has no time zone"),  # noqa: DTZ001
    ],
)
def test_a_row_that_cannot_be_meant_is_refused(fields, problem):
    with pytest.raises(PricingError, match=problem):
        row(**fields)


@pytest.mark.parametrize(("start", "stop"), [(5, 5), (-1, None), (3, 2)])
def test_an_empty_tier_is_refused(start, stop):
    with pytest.raises(PricingError, match="holds no total"):
        Tier(start, stop)


def test_context_wants_an_aware_instant():
    with pytest.raises(ValueError, match="has no time zone"):
        context(at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_memo_is_bounded(monkeypatch):
    monkeypatch.setattr("flo2.prices.book._MEMO_SIZE", 8)
    prices = book(row())
    for number in range(50):
        prices.price(Usage({"input_tokens": 1}), context(model=f"x{number}"))
    assert len(prices._memo) <= 8


def test_a_pinned_book_keeps_its_version():
    # A change of the canonical form would rename every stored book.
    assert book(row()).version == (
        "sha256:9cf15bb649dbce61e676a59691d91443162bac728ada9b376e2235363104afc7"
    )
