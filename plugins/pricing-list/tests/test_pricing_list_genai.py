from __future__ import annotations

import builtins
import re
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price, types
from genai_prices.types import ModelInfo, ModelPrice

from flo2.canonical.usage import Usage
from flo2.errors import PricingError
from flo2.prices import Layer, PriceRow, PricingContext, build
from flo2_pricing_list import GenaiPrices, PriceList
from flo2_pricing_list.compare import Difference, compare, main
from flo2_pricing_list.contested import CONTESTED
from flo2_pricing_list.fees import ALIASES, FEES
from flo2_pricing_list.genai import _Converter, _Inexpressible
from flo2_pricing_list.words import KINDS

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
THEIR_ID = {kind: id_ for id_, kinds in KINDS.items() for kind in kinds}
OWN_NAMES = {(kind, n) for kind, of in ALIASES.items() for names in of.values() for n in names}
SOURCE = GenaiPrices(GenaiPrices.Config(installed=True))
BOOK = build([SOURCE.layer()])


def price(provider, model, meters, **said):
    return BOOK.price(Usage(meters), PricingContext(provider, "chat", model, model, AT, said))


def test_every_converted_name_costs_what_genai_prices_says():
    """Their engine and ours, over all names of all providers; long prompts cross the tiers."""
    compared = 0
    for provider in BOOK.providers():
        for name in BOOK.models(provider):
            if (provider, name) in OWN_NAMES:
                continue
            for tokens in (1000, 300_000):
                ours = price(provider, name, {"input_tokens": tokens, "output_tokens": 77})
                if ours.status == "unpriced":
                    # No output price (embeddings), or not in force at this instant.
                    assert "no price row for meter" in (ours.reason or "")
                    continue
                theirs = calc_price(
                    TheirUsage(input_tokens=tokens, output_tokens=77),
                    name,
                    provider_id=THEIR_ID.get(provider, provider),
                    genai_request_timestamp=AT,
                ).total_price
                assert (provider, name, ours.total) == (provider, name, theirs)
                compared += 1
    assert compared > 3500


def test_names_match_blind_to_case():
    for name in BOOK.models("together"):
        upper = price("together", name.upper(), {"input_tokens": 10})
        assert upper.total == price("together", name, {"input_tokens": 10}).total


def test_no_two_converted_rows_meet_in_one_name():
    # Building has checked exact names; these are all names as they are written.
    for provider in BOOK.providers():
        for name in BOOK.models(provider):
            reason = price(provider, name, {"input_tokens": 10, "output_tokens": 1}).reason or ""
            assert "both match" not in reason


def test_usual_values_price_and_unknown_ones_do_not():
    model = "llama-3.1-8b-instant"
    meters = {"input_tokens": 10}
    assert price("groq", model, meters, service_tier="on_demand").status == "settled"
    assert price("groq", model, meters, service_tier="on-demand").status == "unpriced"
    assert price("mistral", BOOK.models("mistral")[0], meters, processing="x").status == "unpriced"


def test_curated_providers_are_left_out_and_the_rest_is_under_our_kinds():
    assert not {"openai", "anthropic", "sandbox", *KINDS} & set(BOOK.providers()) - {"google"}
    assert {"bedrock", "google", "google-vertex", "xai", "openrouter"} <= set(BOOK.providers())
    theirs = [row for row in SOURCE.rows() if not row.id.startswith("fees:")]
    assert {row.evidence for row in theirs} == {"third_party"}
    assert all(row.source.startswith("genai-prices ") for row in theirs)


@pytest.mark.parametrize(
    ("provider", "model", "said", "total"),
    [
        ("xai", "grok-4.3", {"service_tier": "default"}, Decimal("0.00375")),
        ("xai", "grok-3-mini-high", {}, Decimal("0.0008")),
        ("mistral", "mistral-small-latest", {"service_tier": "standard"}, Decimal("0.00075")),
        ("groq", "llama-3.3-70b-versatile", {"service_tier": "on_demand"}, Decimal("0.00138")),
        ("bedrock", "global.anthropic.claude-sonnet-5-v1:0", {"region": "us-east-1"}, "0.012"),
        ("bedrock", "us.anthropic.claude-sonnet-5-v1:0", {"region": "us-east-1"}, "0.0132"),
        ("bedrock", "us.anthropic.claude-sonnet-5-v1:0", {"region": "eu-west-1"}, None),
        ("google", "gemini-2.5-flash", {"service_tier": "standard"}, Decimal("0.0028")),
        ("google-vertex", "gemini-2.5-flash", {"traffic_type": "ON_DEMAND"}, Decimal("0.0028")),
        ("google-vertex", "gemini-2.5-flash", {"traffic_type": "PROVISIONED_THROUGHPUT"}, None),
        ("azure", "o3", {}, Decimal("0.01")),
        ("azure", "o3", {"deployment": "data_zone"}, None),
        ("deepinfra", "meta-llama/Llama-3.3-70B-Instruct", {}, None),
    ],
)
def test_a_thousand_tokens_there_and_back(provider, model, said, total):
    cost = price(provider, model, {"input_tokens": 1000, "output_tokens": 1000}, **said)
    assert cost.total == (None if total is None else Decimal(total)), cost.reason


def test_fees_beside_tokens_hold_for_every_model():
    for fee in FEES["xai"]:
        cost = price("xai", "grok-4.3", {fee.dimension: 3})
        assert (cost.total, cost.lines[0].row) == (
            fee.unit_price * 3 / fee.per,
            f"fees:xai/grok-4.3/{fee.dimension}",
        )
    assert price("xai", "grok-4.3", {"mcp_requests": 1}).status == "unpriced"


@pytest.mark.parametrize(
    ("model", "meters", "total"),
    [
        ("gemini-2.5-flash", {"input_image_tokens": 1000, "input_video_tokens": 1000}, "0.0006"),
        ("gemini-2.5-flash", {"input_audio_tokens": 1000}, "0.001"),
        ("gemini-2.5-pro", {"input_audio_tokens": 1000}, "0.00125"),
        ("gemini-2.5-pro", {"input_image_tokens": 200_001}, "0.5000025"),
        ("gemini-2.5-flash", {"cache_read_image_tokens": 1000}, "0.00003"),
        ("gemini-2.5-flash", {"grounded_prompts": 2}, "0.07"),
        ("gemini-2.5-flash", {"web_search_requests": 2}, None),
        ("gemini-3.6-flash", {"web_search_requests": 2}, "0.028"),
        ("gemini-3.6-flash", {"grounded_prompts": 2}, None),
        ("gemini-2.5-flash-preview-tts", {"output_audio_tokens": 1000}, "0.01"),
    ],
)
def test_gemini_s_modalities_and_searches(model, meters, total):
    for provider in ("google", "google-vertex"):
        cost = price(provider, model, meters)
        assert cost.total == (None if total is None else Decimal(total)), cost.reason


def test_variants_that_begin_on_different_days_follow_each_other():
    def argon(day):
        context = PricingContext(
            "google", "chat", "m", "gemini-4-argon", day, {"processing": "batch"}
        )
        return BOOK.price(Usage({"input_tokens": 1_000_000}), context).total

    days = [datetime(2026, *day, tzinfo=UTC) for day in ((10, 13), (10, 14), (11, 30), (12, 1))]
    assert [argon(day) for day in days] == [None, 1, 1, 2]


def test_what_was_left_out_says_why():
    reasons = {re.sub(r"(no meter for|contested:).*", r"\1 …", s.reason) for s in SOURCE.skipped}
    assert reasons == {
        "contested: …",
        "no price is given",
        "prices by time of day, without the days they are for",
        "no meter for …",
    }
    converted = {(row.provider, name) for row in SOURCE.rows() for name in row.models}
    assert not {(s.provider, s.model) for s in SOURCE.skipped} & converted


def test_a_contested_name_has_no_price_and_is_listed():
    listed = {(s.provider, s.model) for s in SOURCE.skipped}
    for provider, names in CONTESTED.items():
        for name in names:
            assert BOOK.rows_for(provider, name) == BOOK.rows_for(provider, name.upper()) == ()
            assert (provider, name) in listed


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("genai_prices"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(PricingError, match=r"pip install 'flo2-pricing-list\[genai\]'"):
        GenaiPrices(GenaiPrices.Config(installed=True)).rows()


def clause(**kw):
    ((kind, value),) = kw.items()
    names = {
        "equals": types.ClauseEquals,
        "starts_with": types.ClauseStartsWith,
        "ends_with": types.ClauseEndsWith,
        "contains": types.ClauseContains,
        "regex": types.ClauseRegex,
        "or_": types.ClauseOr,
        "and_": types.ClauseAnd,
    }
    return names[kind](value)


@pytest.mark.parametrize(
    ("match", "yes", "no"),
    [
        (clause(starts_with="a.b"), ["a.b", "A.B-c"], ["axb", "xa.b"]),
        (clause(ends_with="-x"), ["-x", "a-X"], ["a-x1"]),
        (clause(contains="mid"), ["mid", "a-MID-b"], ["md"]),
        (clause(regex=r"^a-\d{2}$"), ["a-12"], ["a-123", "ba-12"]),
        (clause(or_=[clause(equals="e"), clause(starts_with="s-")]), ["e", "s-1"], ["e1"]),
        (clause(and_=[clause(starts_with="a"), clause(contains="z")]), ["abz", "az1"], ["ab", "z"]),
    ],
)
def test_clauses_become_patterns_of_the_same_meaning(match, yes, no):
    provider = SimpleNamespace(id="p", pricing_urls=None)
    model = ModelInfo(id="m", match=match, prices=ModelPrice(input_mtok=Decimal(1)))
    (row,) = _Converter(provider, "p", "0").model(model)
    for name in [*yes, *no]:
        assert match.is_match(name) is (name in yes)
        assert (re.fullmatch(row.pattern, name) is not None) is (name in yes)


def test_a_later_model_does_not_get_the_names_of_an_earlier_one():
    converter = _Converter(SimpleNamespace(id="p", pricing_urls=["https://p.example"]), "p", "0")

    def model(id_, match, price_):
        return converter.model(
            ModelInfo(id=id_, match=match, prices=ModelPrice(input_mtok=Decimal(price_)))
        )

    rows = [
        *model("first", clause(starts_with="a-b"), 1),
        *model("second", clause(or_=[clause(equals="a-b-c"), clause(starts_with="a-")]), 2),
    ]
    with pytest.raises(_Inexpressible, match="an earlier model matches all of its names"):
        model("third", clause(equals="a-b-z"), 3)
    book = build([Layer("t", rows)])

    def cost(name):
        return book.price(
            Usage({"input_tokens": 1_000_000}), PricingContext("p", "chat", name, name, AT)
        ).total

    assert [cost(name) for name in ("a-b", "a-b-c", "a-x", "b")] == [1, 1, 2, None]


@pytest.mark.parametrize("at", [AT, datetime(2026, 2, 1, tzinfo=UTC)])
def test_the_curated_rows_differ_from_genai_prices_only_where_it_is_written_down(at):
    found = list(compare(at))
    assert [str(d) for d in found if d.accepted is None] == []
    # All of them are prices we do not claim to know; none is another figure.
    assert {d.ours for d in found} == {None}


def test_a_wrong_figure_is_never_accepted():
    rows = [
        row.with_price(Decimal(3), row.per) if row.id == "openai/gpt-4o/input_tokens" else row
        for row in PriceList().rows()
    ]
    book = build([Layer("wrong", rows, PriceList().defaults())])
    wrong = [d for d in compare(AT, book) if d.accepted is None and d.model == "gpt-4o"]
    assert wrong[0] == Difference("openai", "gpt-4o", "plain", Decimal("0.28"), Decimal("0.25"), "")
    assert str(wrong[0]) == "openai/gpt-4o plain: ours 0.28, genai-prices 0.25 (unexplained)"


def test_the_checker_prints_nothing_when_all_is_accepted(capsys):
    assert main("2026-11-25T12:00:00+00:00") == 0
    assert capsys.readouterr().out == ""


def test_rows_are_price_rows():
    assert all(isinstance(row, PriceRow) for row in SOURCE.rows())
