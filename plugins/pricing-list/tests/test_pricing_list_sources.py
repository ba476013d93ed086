from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import flo2_pricing_list
from flo2.canonical.usage import Usage
from flo2.errors import PricingError
from flo2.prices import PricingContext, Tier, build
from flo2_pricing_list import AcceptedPrices, GenaiPrices, LiteLLMMap, PriceList, UserFile

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
BOOK = build([PriceList().layer()])


def price(provider, model, meters, *, at=AT, book=BOOK, **said):
    context = PricingContext(provider, "chat", model, model, at, said)
    return book.price(Usage(meters), context)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (("openai", "gpt-4o-2024-08-06", {"input_tokens": 1000, "output_tokens": 100}), "0.0035"),
        (("openai", "gpt-4o", {"cache_read_tokens": 1000}), "0.00125"),
        (("openai", "gpt-5.4", {"input_tokens": 272_000}), "0.68"),
        (("openai", "gpt-5.4", {"input_tokens": 272_001}), "1.360005"),
        (("openai", "gpt-5.4", {"input_tokens": 272_000, "cache_read_tokens": 1}), "1.3600005"),
        (("openai", "gpt-5.6-sol-2026-07-01", {"cache_write_tokens": 1000}), "0.005"),
        (("openai", "gpt-5.4-pro", {"cache_read_tokens": 1000}), "0.03"),
        (("openai", "text-embedding-3-small", {"input_tokens": 5}), "0.0000001"),
        (("openai", "gpt-4o", {"web_search_requests": 3}), "0.03"),
        (("openai", "o3", {"file_search_requests": 2}), "0.005"),
        (("openai", "gpt-audio", {"input_audio_tokens": 10, "output_audio_tokens": 10}), "0.00096"),
        (("anthropic", "claude-opus-5-20260901", {"input_tokens": 1000}), "0.005"),
        (("anthropic", "claude-3-5-haiku-20241022", {"output_tokens": 1000}), "0.004"),
        (("anthropic", "claude-haiku-5-5", {"input_tokens": 100_000}), "0.01"),
        (("anthropic", "claude-haiku-5-5", {"input_tokens": 100_001}), "0.0500005"),
        (("anthropic", "claude-sonnet-4-5", {"cache_write_1h_tokens": 200_001}), "2.400012"),
        (("anthropic", "claude-opus-5-5", {"cache_read_tokens": 1000}), "0.0002"),
        (("anthropic", "claude-opus-5", {"web_search_requests": 1}), "0.01"),
        (("anthropic", "claude-opus-5", {"web_fetch_requests": 9}), "0"),
        (("sandbox", "sandbox-small", {"input_tokens": 10, "output_tokens": 10}), "0.000005"),
        (("sandbox", "sandbox-large", {"cache_write_tokens": 8}), "0.00001"),
    ],
)  # fmt: skip
def test_list_prices(call, expected):
    cost = price(*call)
    assert (cost.status, cost.total, cost.reason) == ("settled", Decimal(expected), None)


@pytest.mark.parametrize(
    ("call", "said", "expected"),
    [
        (("openai", "gpt-5.4", {"cache_read_tokens": 1000}), {"service_tier": "flex"}, "0.00013"),
        (("openai", "o4-mini", {"cache_read_tokens": 1000}), {"service_tier": "flex"}, "0.000138"),
        (("openai", "gpt-5.5", {"input_tokens": 1000}), {"service_tier": "priority"}, "0.0125"),
        (("openai", "gpt-5.5", {"input_tokens": 1000}), {"service_tier": "fast"}, "0.0125"),
        (("openai", "gpt-5.5", {"input_tokens": 1000}), {"service_tier": "default"}, "0.005"),
        (("anthropic", "claude-opus-5", {"input_tokens": 1000}), {"speed": "fast"}, "0.01"),
        (("anthropic", "claude-opus-5", {"input_tokens": 1000}), {"inference_geo": "us"}, "0.0055"),
        (
            ("anthropic", "claude-opus-5", {"input_tokens": 1000}),
            {"inference_geo": "us", "speed": "fast", "service_tier": "standard"},
            "0.011",
        ),
        # The factor is on tokens only.
        (
            ("anthropic", "claude-opus-5", {"web_search_requests": 1}),
            {"inference_geo": "us"},
            "0.01",
        ),
        (
            ("anthropic", "claude-haiku-4-5", {"input_tokens": 1000}),
            {"inference_geo": "not_available"},
            "0.001",
        ),
    ],
)
def test_context_prices(call, said, expected):
    assert price(*call, **said).total == Decimal(expected)


@pytest.mark.parametrize(
    ("model", "at", "expected"),
    [
        ("claude-opus-4-6", datetime(2026, 3, 12, 23, 59, 59, tzinfo=UTC), "3"),
        ("claude-opus-4-6", datetime(2026, 3, 13, tzinfo=UTC), "1.5"),
    ],
)
def test_dated_prices(model, at, expected):
    assert price("anthropic", model, {"input_tokens": 300_000}, at=at).total == Decimal(expected)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (("openai", "gpt-5.5", {"input_tokens": 1}), {"service_tier": "scale"}),
        (("openai", "gpt-5.5", {"input_tokens": 1}), {"service_tier": "auto"}),
        (("openai", "gpt-5.5", {"input_tokens": 1}), {"service_tier": "FLEX"}),
        (("openai", "gpt-5.5-pro", {"cache_read_tokens": 1}), {"processing": "batch"}),
        (("openai", "gpt-5.2", {"input_tokens": 1}), {"region": "eu"}),
        (("openai", "gpt-5.5-pro", {"input_tokens": 300_000}), {"service_tier": "flex"}),
        (("openai", "gpt-5.5", {"input_tokens": 300_000}), {"service_tier": "priority"}),
        (("openai", "gpt-4", {"cache_read_tokens": 1}), {}),
        (("openai", "gpt-4o-audio-preview", {"cache_read_audio_tokens": 1}), {}),
        (("openai", "gpt-6.2-astra", {"input_tokens": 1}), {}),
        (("openai", "gpt-5.5-2027-01-01", {"input_tokens": 1}), {}),
        (("openai", "GPT-5.5", {"input_tokens": 1}), {}),
        (("anthropic", "claude-opus-5", {"cache_write_tokens": 1}), {}),
        (("anthropic", "claude-opus-5", {"input_tokens": 1}), {"service_tier": "priority"}),
        (("anthropic", "claude-opus-4-5", {"input_tokens": 1}), {"inference_geo": "us"}),
        (("anthropic", "claude-opus-5", {"input_tokens": 1}), {"inference_geo": "eu"}),
        (("anthropic", "claude-sonnet-4-20250514", {"input_tokens": 200_001}), {}),
        (("anthropic", "claude-mythos-5", {"input_tokens": 1}), {}),
    ],
)
def test_what_is_not_known_is_unpriced(call, said):
    cost = price(*call, **said)
    assert (cost.status, cost.total, cost.lines) == ("unpriced", None, ())


def test_flex_before_it_was_verified_is_unpriced():
    early = datetime(2026, 10, 11, 23, 59, tzinfo=UTC)
    assert (
        price("openai", "gpt-5", {"input_tokens": 1}, at=early, service_tier="flex").total is None
    )


def test_fast_mode_of_opus_4_8_ends():
    call = ("anthropic", "claude-opus-4-8", {"input_tokens": 1000})
    assert price(*call, speed="fast").total == Decimal("0.01")
    assert price(*call, speed="fast", at=datetime(2026, 12, 1, tzinfo=UTC)).total is None


def test_openai_s_models_cost_the_same_in_a_global_deployment_of_azure():
    book = build([PriceList().layer()])
    usage = Usage({"input_tokens": 1000, "cache_read_tokens": 1000, "output_tokens": 1000})

    def cost(provider, **said):
        context = PricingContext(provider, "chat", "m", "gpt-4o-2024-08-06", AT, said)
        return book.price(usage, context).total

    known = Decimal("0.01375")
    assert cost("azure") == cost("azure", service_tier="default") == cost("openai") == known
    assert cost("azure", deployment="provisioned") is cost("azure", service_tier="flex") is None
    # A data zone and a region cost more, the latter by where it is.
    assert cost("azure", deployment="data_zone") == known * Decimal("1.1")
    assert cost("azure", deployment="regional") is None
    in_sweden = cost("azure", deployment="regional", region="northeurope")
    assert in_sweden == Decimal("0.01815")


CLAUDE = "claude-sonnet-4-5-20250929"


@pytest.mark.parametrize(
    ("provider", "model", "meters", "said", "total"),
    [
        ("anthropic", CLAUDE, {"input_tokens": 1000}, {"service_tier": "batch"}, "0.0015"),
        ("anthropic", CLAUDE, {"input_tokens": 1000}, {"processing": "batch"}, "0.0015"),
        (
            "anthropic",
            CLAUDE,
            {"cache_read_tokens": 1000, "cache_write_1h_tokens": 1000},
            {"processing": "batch", "service_tier": "batch"},
            "0.00315",
        ),
        ("anthropic", CLAUDE, {"web_search_requests": 1}, {"service_tier": "batch"}, "0.01"),
        (
            "anthropic",
            "claude-fable-5-2",
            {"input_tokens": 1000},
            {"service_tier": "batch", "inference_geo": "us"},
            "0.0044",
        ),
        (
            "anthropic",
            "claude-fable-5-2",
            {"input_tokens": 1000},
            {"service_tier": "batch", "speed": "fast"},
            None,
        ),
        ("openai", "gpt-6.1-sol", {"input_tokens": 1000}, {"processing": "batch"}, "0.001"),
        ("openai", "gpt-6.1-sol", {"input_tokens": 272_001}, {"processing": "batch"}, "0.544002"),
        ("openai", "gpt-6.1-sol", {"input_tokens": 1000}, {"region": "eu"}, "0.0022"),
        ("openai", "gpt-4o", {"input_tokens": 1000}, {"region": "eu"}, None),
        ("openai", "gpt-6.1-sol", {"input_tokens": 1000}, {"region": "mars"}, None),
        # No cached rate is published for batches of it.
        ("openai", "gpt-4.1", {"cache_read_tokens": 1000}, {"processing": "batch"}, None),
    ],
)
def test_batches_and_regions(provider, model, meters, said, total):
    cost = price(provider, model, meters, **said)
    assert cost.total == (None if total is None else Decimal(total)), cost.reason


def test_every_row_says_where_it_comes_from():
    by_evidence = {}
    for row in PriceList().rows():
        by_evidence.setdefault(row.evidence, set()).add(row.provider)
        assert row.currency == "USD"
        assert row.source
    assert by_evidence == {
        "third_party": {
            "anthropic",
            "azure",
            "bedrock",
            "cerebras",
            "cohere",
            "deepinfra",
            "deepseek",
            "fireworks",
            "google",
            "groq",
            "mistral",
            "openai",
            "openrouter",
            "together",
            "xai",
        },
        "derived": {
            "anthropic",
            "azure",
            "google",
            "google-vertex",
            "openai",
            "openrouter",
            "venice",
            "vercel-gateway",
            "xai",
        },
        "published": {"anthropic"},
        "simulated": {"sandbox"},
    }


def _elsewhere(row):
    return tuple(sorted((k, tuple(sorted(v))) for k, v in row.when.items() if k != "inference_geo"))


def test_us_rows_are_exactly_ten_percent_dearer_than_their_base():
    rows = [row for row in PriceList().rows() if row.provider == "anthropic"]
    us = frozenset({"us"})
    base = {
        (row.models, row.dimension, row.tier, row.valid_from, _elsewhere(row)): row
        for row in rows
        if "inference_geo" not in row.when
    }
    derived = [row for row in rows if row.when.get("inference_geo") == us]
    assert derived
    for row in derived:
        twin = base[row.models, row.dimension, row.tier, row.valid_from, _elsewhere(row)]
        assert (row.evidence, row.unit_price) == ("derived", twin.unit_price * Decimal("1.1"))


def test_the_hook_registers_the_sources():
    found = []
    flo2_pricing_list.flo2_register_pricing(found.append)
    assert found == [AcceptedPrices, PriceList, UserFile, LiteLLMMap, GenaiPrices]
    kinds = ["accepted", "list", "file", "litellm-map", "genai-prices"]
    assert [source.kind for source in found] == kinds


TOML = """
provider = "openai"
source = "our contract"
read_on = 2026-11-01
evidence = "contract"
[[model]]
name = "gpt-4o"
  [[model.price]]
  rates = { input_tokens = 2.00, output_tokens = "8" }
"""

CSV = """\
provider,model,dimension,unit_price,per,when,over,up_to,valid_from,valid_until,source,read_on
openai,gpt-4o,input_tokens,2.00,,,,,,,our contract,2026-11-01
openai,gpt-4o,output_tokens,8,1000000,service_tier=default|flex;speed=,5,1000,\
2026-01-01,\
2027-01-01,our contract,2026-11-01
"""


def user_file(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return UserFile(UserFile.Config(str(path)))


@pytest.mark.parametrize(("name", "text"), [("mine.toml", TOML), ("mine.csv", CSV)])
def test_the_operators_file_hides_the_list(tmp_path, name, text):
    book = build([user_file(tmp_path, name, text).layer(), PriceList().layer()])
    cost = price("openai", "gpt-4o", {"input_tokens": 1000}, book=book, service_tier="default")
    assert cost.total == Decimal("0.002")
    assert price("openai", "gpt-4o", {"cache_read_tokens": 1}, book=book).status == "unpriced"
    assert price("openai", "gpt-4o-mini", {"input_tokens": 1000}, book=book).total == Decimal(
        "0.00015"
    )


def test_csv_columns(tmp_path):
    _, row = user_file(tmp_path, "mine.csv", CSV).rows()
    assert (row.evidence, row.per, row.tier) == ("operator", 1_000_000, Tier(6, 1001))
    assert row.id == (
        "file:openai/gpt-4o/output_tokens[service_tier=default|flex,speed=](6..1001)@2026-01-01"
    )
    assert row.when == {
        "service_tier": frozenset({"default", "flex"}),
        "speed": frozenset({""}),
    }
    assert (row.valid_from, row.valid_until) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("x.toml", "= 1", "is no TOML"),
        ("x.yaml", "", "'.yaml' is not .toml or .csv"),
        ("x.csv", "provider,colour\n", "unknown column 'colour' @ x.csv: line 1"),
        ("x.csv", "provider\n", "missing column 'model' @ x.csv: line 1"),
        ("x.csv", CSV.replace("2026-01-01", "soon"), "'soon' @ x.csv: line 3"),
        ("x.csv", CSV.replace(",5,", ",five,"), "'five' is no whole number @ x.csv: line 3"),
        (
            "x.csv",
            CSV + ",,,,,,,,,,,2026-01-01,more\n",
            "more cells than columns @ x.csv: line 4",
        ),
        ("x.csv", CSV.replace("2.00", "2,00"), "@ x.csv: "),
    ],
)
def test_a_wrong_file_is_named(tmp_path, name, text, problem):
    with pytest.raises(PricingError) as caught:
        user_file(tmp_path, name, text).rows()
    assert problem in str(caught.value)


@pytest.mark.parametrize(("kind", "rows"), [("toml", [6, 4]), ("csv", [1])])
def test_the_examples_of_the_readme_load(tmp_path, kind, rows):
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    examples = re.findall(rf"```{kind}\n(.*?)```", readme, re.DOTALL)
    assert rows == [len(user_file(tmp_path, f"x.{kind}", each).rows()) for each in examples]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PricingError, match="cannot be read"):
        UserFile(UserFile.Config(str(tmp_path / "none.toml"))).rows()
