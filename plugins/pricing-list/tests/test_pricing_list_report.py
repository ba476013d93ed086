"""The comparison of three sources: a small map of our own in place of LiteLLM's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flo2_pricing_list.report import _sizes, main

ROOT = Path(__file__).parents[3]
ALLOW = ROOT / "plugins/pricing-list/disagreements.toml"
# One model for each reason that is about the map, with the prices it has; the first agrees.
MAP = {
    "gpt-4o": ("openai", 2.5e-06, 1e-05, {}),
    "gpt-4o-transcribe": ("openai", 2.5e-06, 1e-05, {"input_cost_per_audio_token": 2.5e-06}),
    "claude-sonnet-4-5": ("anthropic", 3e-06, 1.5e-05, {}),
    "anthropic.claude-opus-5-5": ("bedrock_converse", 4e-06, 2e-05, {}),
    "azure/text-embedding-3-small": ("azure", 2.2e-08, 0, {}),
    "fireworks_ai/accounts/fireworks/models/deepseek-v4-pro": (
        "fireworks_ai",
        1.2e-06,
        1.2e-06,
        {},
    ),
    "gemini/gemini-2.5-pro": (
        "gemini",
        1.25e-06,
        1e-05,
        {
            "input_cost_per_token_above_200k_tokens": 2.5e-06,
            "output_cost_per_token_above_200k_tokens": 1.5e-05,
            "input_cost_per_token_batches": 6.25e-07,
            "output_cost_per_token_batches": 5e-06,
        },
    ),
    "vertex_ai/gemini-2.5-flash-lite": (
        "vertex_ai-language-models",
        1e-07,
        4e-07,
        {"input_cost_per_audio_token": 3e-07, "input_cost_per_audio_token_batches": 5e-08},
    ),
    "vertex_ai/gemini-3-pro-image": (
        "vertex_ai-language-models",
        2e-06,
        1.2e-05,
        {
            "input_cost_per_token_above_200k_tokens": 4e-06,
            "output_cost_per_token_above_200k_tokens": 1.8e-05,
        },
    ),
    "vertex_ai/gemini-3.5-flash-lite": (
        "vertex_ai-language-models",
        3e-07,
        2.5e-06,
        {"cache_read_input_token_cost": 3e-08, "cache_read_input_token_cost_batches": 1.5e-08},
    ),
    "groq/whisper-large-v3": ("groq", None, None, {"input_cost_per_second": 3.083e-05}),
    "groq/openai/gpt-oss-safeguard-20b": (
        "groq",
        7.5e-08,
        3e-07,
        {"cache_read_input_token_cost": 3.7e-08},
    ),
    "mistral/mistral-large-4": ("mistral", 6.8e-07, 2.09e-06, {}),
    "groq/llama-3.3-70b-versatile": ("groq", 5.9e-07, 7.9e-07, {}),
}


def entry(provider, given, taken, more):
    tokens = {"input_cost_per_token": given, "output_cost_per_token": taken}
    return {
        "litellm_provider": provider,
        **{key: price for key, price in tokens.items() if price is not None},
        **more,
    }


@pytest.fixture
def report(tmp_path, capsys):
    def of(entries):
        file = tmp_path / "map.json"
        file.write_text(json.dumps({name: entry(*each) for name, each in entries.items()}))
        at = ["--read-on", "2026-11-23", "--at", "2026-11-25T12:00+00:00"]
        code = main(["--allow", str(ALLOW), "--map", str(file), *at])
        return code, capsys.readouterr().out

    return of


def test_every_difference_between_the_sources_has_a_reason(report):
    code, out = report(MAP)
    assert code == 0
    assert "\n0 without a reason.\n" in out
    assert "| list and litellm-map | mistral | 1 | 0 | 2 |\n" in out
    assert "| list and litellm-map | openai | 2 | 4 | 1 |\n" in out
    assert "| mistral | `mistral-large-4*` | 1 | 2 | litellm-map | it keeps the introductory" in out
    assert "| mistral | `mistral-large-latest` | the price of a model that the name stood" in out


def test_a_difference_without_a_reason_is_named_and_an_error(report):
    code, out = report(MAP | {"gpt-4o": ("openai", 2e-06, 1e-05, {})})
    assert code == 1
    line = "openai/gpt-4o input_tokens at 1000 input tokens: list 2.5, litellm-map 2 a million"
    assert f"\n1 without a reason.\n\n- {line}\n" in out


def test_the_page_tells_of_this_book():
    page = (ROOT / "docs/prices.md").read_text("utf-8")
    assert "\n".join(_sizes()) in page, "run: python -m flo2_pricing_list.report"
