from __future__ import annotations

import pytest

from flo2.canonical import Usage
from flo2.dialects.openai_chat.usage import read_usage, write_usage


def details(given=None, made=None, **top):
    return {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": given or {},
        "completion_tokens_details": made or {},
        **top,
    }


@pytest.mark.parametrize(
    ("raw", "quantities", "informational"),
    [
        ({"prompt_tokens": 8, "total_tokens": 8}, {"input_tokens": 8}, {}),
        ({"prompt_tokens": 8, "completion_tokens": 2}, {"input_tokens": 8, "output_tokens": 2}, {}),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, {}, {}),
        (
            details(
                {"cached_tokens": 60, "cache_write_tokens": 30},
                {"reasoning_tokens": 40, "rejected_prediction_tokens": 5},
            ),
            {
                "input_tokens": 10,
                "cache_read_tokens": 60,
                "cache_write_tokens": 30,
                "output_tokens": 50,
            },
            {"reasoning_tokens": 40, "rejected_prediction_tokens": 5},
        ),
        (
            details(
                {"audio_tokens": 30, "image_tokens": 20, "text_tokens": 50},
                {"audio_tokens": 45, "text_tokens": 5},
            ),
            {
                "input_tokens": 50,
                "input_audio_tokens": 30,
                "input_image_tokens": 20,
                "output_tokens": 5,
                "output_audio_tokens": 45,
            },
            {},
        ),
        (
            details(
                {
                    "cached_tokens": 60,
                    "audio_tokens": 30,
                    "cached_tokens_details": {"audio_tokens": 10},
                }
            ),
            {
                "input_tokens": 20,
                "cache_read_tokens": 50,
                "cache_read_audio_tokens": 10,
                "input_audio_tokens": 20,
                "output_tokens": 50,
            },
            {},
        ),
        (
            details(prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=36),
            {"input_tokens": 36, "cache_read_tokens": 64, "output_tokens": 50},
            {},
        ),
        (
            details({"cached_tokens": 64}, num_cached_tokens=64, cache_read_input_tokens=64),
            {"input_tokens": 36, "cache_read_tokens": 64, "output_tokens": 50},
            {},
        ),
        (
            {"prompt_tokens": 3.0, "completion_tokens": None, "latency_checkpoint": {"a": 1}},
            {"input_tokens": 3},
            {},
        ),
        (details(queue_time=0.01, x_tokens=0), {"input_tokens": 100, "output_tokens": 50}, {}),
    ],
)
def test_meters_are_disjoint(raw, quantities, informational):
    assert read_usage(raw) == Usage(quantities, informational, raw=raw, dialect="openai.chat")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({}, "prompt_tokens is missing"),
        (details(total_tokens=151), "total_tokens 151 is not prompt 100 + completion 50"),
        ({"prompt_tokens": -1}, "prompt_tokens is negative: -1"),
        ({"prompt_tokens": "8"}, "prompt_tokens is '8', no count"),
        ({"prompt_tokens": True}, "prompt_tokens is True, no count"),
        ({"prompt_tokens": 1.5}, "prompt_tokens is 1.5, no count"),
        ({"prompt_tokens": 1, "prompt_tokens_details": 4}, "prompt_tokens_details is 4, no object"),
        (
            details({"cached_tokens": 70, "cache_write_tokens": 40}),
            "the parts of the prompt exceed prompt_tokens 100 by 10",
        ),
        (
            details(made={"audio_tokens": 51}),
            "the parts of the answer exceed completion_tokens 50",
        ),
        (
            details(made={"reasoning_tokens": 51}),
            "reasoning_tokens 51 exceeds completion_tokens 50",
        ),
        (details(citation_tokens=7), "unknown count citation_tokens=7"),
        (
            details({"hologram_tokens": 1}),
            "unknown count prompt_tokens_details.hologram_tokens=1",
        ),
        (
            details(prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=30),
            "cache hit 64 + miss 30 is not prompt_tokens 100",
        ),
        (details({"cached_tokens": 6}, num_cached_tokens=7), "cached tokens are given as [6, 7]"),
        (
            details({"cache_write_tokens": 6}, cache_creation_input_tokens=7),
            "cache writes are given as [6, 7]",
        ),
        (
            details({"cached_tokens": 6, "audio_tokens": 7}),
            "cached tokens beside audio, image or video tokens, and no cached_tokens_details",
        ),
        (
            details(
                {
                    "cached_tokens": 6,
                    "audio_tokens": 7,
                    "cached_tokens_details": {"audio_tokens": 8},
                }
            ),
            "cached_tokens_details exceed the tokens they are part of",
        ),
    ],
)
def test_what_does_not_add_up_is_named_and_prices_nothing(raw, problem):
    usage = read_usage(raw)
    assert (usage.raw, usage.problem, usage.informational) == (raw, problem, {})


@pytest.mark.parametrize(
    ("raw", "quantities"),
    [
        (details(citation_tokens=7), {"input_tokens": 100, "output_tokens": 50}),
        ({"prompt_tokens": 8, "prompt_tokens_details": 4}, {"input_tokens": 8}),
        ({"prompt_tokens": -1, "completion_tokens": "2"}, {}),
    ],
)
def test_doubtful_sums_are_kept_for_a_client_of_another_dialect(raw, quantities):
    usage = read_usage(raw)
    assert usage.problem is not None
    assert usage.quantities == quantities


def test_foreign_usage_is_written_with_everything_inside_the_totals():
    usage = Usage(
        {
            "input_tokens": 10,
            "cache_read_tokens": 20,
            "cache_write_5m_tokens": 30,
            "cache_write_1h_tokens": 40,
            "output_tokens": 5,
        },
        {"thinking_tokens": 3},
        dialect="other",
    )
    assert write_usage(usage) == {
        "prompt_tokens": 100,
        "completion_tokens": 5,
        "total_tokens": 105,
        "prompt_tokens_details": {
            "cached_tokens": 20,
            "cache_write_tokens": 70,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": 3,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def test_own_usage_is_written_as_it_came():
    raw = details(latency_checkpoint={"x": 1})
    assert write_usage(read_usage(raw)) == raw
