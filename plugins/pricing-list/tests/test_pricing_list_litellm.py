from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.canonical.usage import Usage
from flo2.errors import PricingError
from flo2.prices import PricingContext, build
from flo2_pricing_list.genai import Skipped
from flo2_pricing_list.litellm_map import LiteLLMMap

AT = datetime(2026, 11, 25, tzinfo=UTC)
TEXT = """{
  "sample_spec": {"litellm_provider": "openai", "input_cost_per_token": 9},
  "gpt-x": {"litellm_provider": "openai", "mode": "chat", "max_tokens": 8192,
    "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
    "cache_read_input_token_cost": 1.25e-06, "output_cost_per_reasoning_token": 1e-05,
    "input_cost_per_token_batches": 1.25e-06, "input_cost_per_token_priority": 4.25e-06,
    "input_cost_per_token_above_200k_tokens": 5e-06,
    "input_cost_per_token_above_200k_tokens_priority": 8.5e-06,
    "search_context_cost_per_query": {"low": 0.03}},
  "claude-x": {"litellm_provider": "anthropic", "input_cost_per_token": 0.000003,
    "cache_creation_input_token_cost": 3.75e-06,
    "cache_creation_input_token_cost_above_1hr": 6e-06},
  "groq/whisper-x": {"litellm_provider": "groq", "input_cost_per_second": 3.083e-05},
  "gemini/g-x": {"litellm_provider": "gemini", "output_cost_per_reasoning_token": 3e-06,
    "output_cost_per_token": 1e-06},
  "xai/odd": {"litellm_provider": "xai", "input_cost_per_token_cache_hit": 1e-06},
  "xai/none": {"litellm_provider": "xai", "mode": "chat"},
  "xai/minus": {"litellm_provider": "xai", "input_cost_per_token": -1},
  "xai/long": {"litellm_provider": "xai", "input_cost_per_token_above_128k_tokens": 1},
  "together_ai/a/b": {"litellm_provider": "together_ai", "input_cost_per_token": 1},
  "a/b": {"litellm_provider": "together_ai", "input_cost_per_token": 2},
  "elsewhere": {"litellm_provider": "unheard_of", "input_cost_per_token": 1},
  "broken": 5
}"""


def source(tmp_path, text=TEXT, **more):
    path = tmp_path / "map.json"
    path.write_text(text)
    return LiteLLMMap(LiteLLMMap.Config(str(path), **more))


@pytest.fixture
def book(tmp_path):
    return build([source(tmp_path).layer()])


@pytest.mark.parametrize(
    ("provider", "model", "meters", "said", "total"),
    [
        ("openai", "gpt-x", {"input_tokens": 333, "output_tokens": 1}, {}, "0.0008425"),
        ("openai", "gpt-x", {"input_tokens": 200_000}, {"service_tier": "default"}, "0.5"),
        ("openai", "gpt-x", {"input_tokens": 200_001}, {}, "1.000005"),
        ("openai", "gpt-x", {"input_tokens": 200_001}, {"service_tier": "priority"}, "1.7000085"),
        ("openai", "gpt-x", {"input_tokens": 2}, {"processing": "batch"}, "0.0000025"),
        ("openai", "gpt-x", {"output_tokens": 2}, {"processing": "batch"}, None),
        ("openai", "gpt-x", {"web_search_requests": 2}, {}, None),
        ("anthropic", "claude-x", {"cache_write_5m_tokens": 1000}, {}, "0.00375"),
        ("anthropic", "claude-x", {"cache_write_1h_tokens": 1000}, {}, "0.006"),
        ("groq", "whisper-x", {"input_seconds": 100}, {"service_tier": "on_demand"}, "0.003083"),
        ("together", "a/b", {"input_tokens": 1}, {}, "1"),
    ],
)
def test_a_map_prices_to_the_digits_it_has(book, provider, model, meters, said, total):
    context = PricingContext(provider, "chat", model, model, AT, said)
    assert book.price(Usage(meters), context).total == (None if total is None else Decimal(total))


def test_what_cannot_be_said_is_left_out_with_the_reason(tmp_path):
    assert set(source(tmp_path).skipped) == {
        Skipped("google", "g-x", "reasoning has a price of its own"),
        Skipped("xai", "odd", "no meter for input_cost_per_token_cache_hit"),
        Skipped("xai", "none", "no price is given"),
        Skipped("xai", "minus", "unit_price Decimal('-1') must be a Decimal of 0 or more"),
        Skipped("xai", "long", "input_tokens has a price for long prompts alone"),
        Skipped("together", "a/b", "the map names it twice"),
    }


def test_rows_say_when_the_map_was_taken(tmp_path):
    rows = source(tmp_path, read_on="2026-11-20").rows()
    assert {row.read_on.isoformat() for row in rows} == {"2026-11-20"}
    assert {row.evidence for row in rows} == {"third_party"}


@pytest.mark.parametrize("text", ["", "[", "[]", "5", "[" * 100_000, '{"a": NaN'])
def test_a_file_that_is_no_map_is_named(tmp_path, text):
    with pytest.raises(PricingError, match=r"price map '.*map\.json'"):
        source(tmp_path, text).rows()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PricingError, match="cannot be read"):
        LiteLLMMap(LiteLLMMap.Config(str(tmp_path / "none.json"))).rows()


KEYS = st.sampled_from(
    ["input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost"]
).flatmap(
    lambda key: st.sampled_from(["", "_above_200k_tokens", "_flex", "_batches"]).map(key.__add__)
)
VALUES = st.floats() | st.integers() | st.none() | st.text(max_size=4) | st.lists(st.none())
ENTRIES = st.dictionaries(KEYS, VALUES).map(lambda e: {"litellm_provider": "xai", **e})


@given(st.dictionaries(st.text(max_size=5), ENTRIES, max_size=5))
def test_a_hostile_map_gives_rows_or_reasons_and_never_another_error(tmp_path_factory, document):
    folder = tmp_path_factory.mktemp("map")
    made = source(folder, json.dumps(document))
    priced = {name for row in made.rows() for name in row.models}
    left_out = {each.model for each in made.skipped}
    assert {
        key.removeprefix("xai/") for key in document if key != "sample_spec"
    } == priced | left_out
    build([made.layer()])
