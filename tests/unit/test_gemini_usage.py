from __future__ import annotations

import pytest

from flo2.canonical import Usage, UsageUpdate
from flo2.dialects.gemini import Gemini

DIALECT = Gemini()


def read(**raw):
    return DIALECT.read_usage(raw)


def of(modality, count):
    return {"modality": modality, "tokenCount": count}


@pytest.mark.parametrize(
    ("raw", "quantities", "informational"),
    [
        (
            {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12},
            {"input_tokens": 9, "output_tokens": 3},
            {},
        ),
        # Nothing was produced: the count is absent (wire fact 21).
        ({"promptTokenCount": 9, "totalTokenCount": 9}, {"input_tokens": 9}, {}),
        # Thoughts lie outside the candidates (wire fact 18: 423 + 40 + 88 = 551).
        (
            {
                "promptTokenCount": 423,
                "candidatesTokenCount": 40,
                "thoughtsTokenCount": 88,
                "totalTokenCount": 551,
            },
            {"input_tokens": 423, "output_tokens": 128},
            {"reasoning_tokens": 88},
        ),
        # Tool use is a fourth part (wire fact 20: 427 + 122 + 447 + 771 = 1767).
        (
            {
                "promptTokenCount": 427,
                "candidatesTokenCount": 122,
                "thoughtsTokenCount": 447,
                "toolUsePromptTokenCount": 771,
                "totalTokenCount": 1767,
                "toolUsePromptTokensDetails": [of("TEXT", 771)],
            },
            {"input_tokens": 1198, "output_tokens": 569},
            {"reasoning_tokens": 447, "tool_use_prompt_tokens": 771},
        ),
        # Cached tokens are inside the prompt (wire fact 19).
        (
            {"promptTokenCount": 100, "cachedContentTokenCount": 60, "totalTokenCount": 100},
            {"input_tokens": 40, "cache_read_tokens": 60},
            {},
        ),
        (
            {
                "promptTokenCount": 100,
                "cachedContentTokenCount": 60,
                "promptTokensDetails": [
                    of("TEXT", 20),
                    of("DOCUMENT", 10),
                    of("IMAGE", 30),
                    of("AUDIO", 40),
                ],
                "cacheTokensDetails": [of("AUDIO", 25), of("IMAGE", 30), of("TEXT", 5)],
                "toolUsePromptTokenCount": 7,
                "toolUsePromptTokensDetails": [of("IMAGE", 4), of("TEXT", 3)],
                "candidatesTokenCount": 50,
                "candidatesTokensDetails": [of("IMAGE", 30), of("AUDIO", 15)],
                "totalTokenCount": 157,
            },
            {
                "input_tokens": 28,
                "cache_read_tokens": 5,
                "input_image_tokens": 4,
                "input_audio_tokens": 15,
                "cache_read_audio_tokens": 25,
                "cache_read_image_tokens": 30,
                "output_image_tokens": 30,
                "output_audio_tokens": 15,
                "output_tokens": 5,
            },
            {"tool_use_prompt_tokens": 7},
        ),
        (
            {
                "promptTokenCount": 100,
                "cachedContentTokenCount": 60,
                "promptTokensDetails": [of("VIDEO", 80), of("TEXT", 20)],
                "cacheTokensDetails": [of("VIDEO", 60)],
                "totalTokenCount": 100,
            },
            {"input_tokens": 20, "input_video_tokens": 20, "cache_read_tokens": 60},
            {},
        ),
    ],
)
def test_meters_are_disjoint(raw, quantities, informational):
    usage = DIALECT.read_usage(raw)
    assert usage == Usage(quantities, informational, raw, "gemini")
    told = (raw.get("totalTokenCount") or 0) == usage.input_total + usage.output_total
    assert told


def test_what_bears_on_the_price_is_context():
    usage = read(promptTokenCount=1, serviceTier="STANDARD", trafficType="ON_DEMAND_FLEX")
    assert usage.context == {"service_tier": "standard", "traffic_type": "ON_DEMAND_FLEX"}


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({}, "promptTokenCount is missing"),
        ({"trafficType": "ON_DEMAND"}, "promptTokenCount is missing"),
        ({"promptTokenCount": -1}, "promptTokenCount is -1, no count"),
        ({"promptTokenCount": True}, "promptTokenCount is True, no count"),
        ({"promptTokenCount": "9"}, "promptTokenCount is '9', no count"),
        (
            {"promptTokenCount": 9, "totalTokenCount": 10},
            "totalTokenCount 10 is not prompt 9 + candidates 0 + thoughts 0 + tool use 0",
        ),
        (
            {"promptTokenCount": 9, "cachedContentTokenCount": 10},
            "cachedContentTokenCount 10 exceeds promptTokenCount 9",
        ),
        (
            {"promptTokenCount": 9, "dreamTokenCount": 1},
            "dreamTokenCount is 1 and has no known price",
        ),
        (
            {"promptTokenCount": 9, "promptTokensDetails": [of("SMELL", 1)]},
            "promptTokensDetails has 1 tokens of the modality 'SMELL'",
        ),
        (
            {"promptTokenCount": 9, "promptTokensDetails": [of("AUDIO", 10)]},
            "promptTokensDetails add up to more than 9",
        ),
        (
            {"promptTokenCount": 9, "promptTokensDetails": {"TEXT": 9}},
            "promptTokensDetails is {'TEXT': 9}, no list of objects",
        ),
        (
            {
                "promptTokenCount": 9,
                "cachedContentTokenCount": 3,
                "promptTokensDetails": [of("AUDIO", 5)],
            },
            "cachedContentTokenCount beside audio and no cacheTokensDetails",
        ),
        (
            {
                "promptTokenCount": 9,
                "cachedContentTokenCount": 3,
                "promptTokensDetails": [of("AUDIO", 2)],
                "cacheTokensDetails": [of("AUDIO", 3)],
            },
            "more audio tokens are cached than were sent",
        ),
        (
            {
                "promptTokenCount": 9,
                "cachedContentTokenCount": 3,
                "cacheTokensDetails": [of("IMAGE", 3)],
            },
            "image tokens are cached and not among those sent",
        ),
        (
            {
                "promptTokenCount": 9,
                "cachedContentTokenCount": 6,
                "promptTokensDetails": [of("AUDIO", 5), of("TEXT", 4)],
                "cacheTokensDetails": [of("TEXT", 6)],
            },
            "the parts of the prompt exceed promptTokenCount 9",
        ),
        (
            {"promptTokenCount": 9, "candidatesTokensDetails": [of("VIDEO", 1)]},
            "candidatesTokensDetails has 1 tokens of the modality 'VIDEO'",
        ),
    ],
)
def test_what_does_not_add_up_is_a_problem_and_is_not_priced(raw, problem):
    usage = DIALECT.read_usage(raw)
    assert usage.problem == problem
    assert usage.raw == raw


def test_a_client_still_reads_the_sums_of_a_doubtful_usage():
    usage = read(
        promptTokenCount=9, candidatesTokenCount=3, thoughtsTokenCount=2, totalTokenCount=1
    )
    assert usage.quantities == {"input_tokens": 9, "output_tokens": 5}


def written(usage):
    encoder = DIALECT.encoder(include_usage=True)
    encoder.feed(UsageUpdate(usage))
    decoder = DIALECT.decoder(full=True, hide_usage=False)
    decoder.feed(encoder.close())
    decoder.close()
    return decoder.observed.usage


def test_foreign_meters_are_told_in_googles_own_fields():
    foreign = Usage(
        {
            "input_tokens": 10,
            "cache_read_tokens": 4,
            "cache_write_5m_tokens": 3,
            "input_audio_tokens": 2,
            "output_tokens": 9,
        },
        {"reasoning_tokens": 5},
        dialect="anthropic.messages",
    )
    assert written(foreign).raw == {
        "promptTokenCount": 19,
        "candidatesTokenCount": 4,
        "totalTokenCount": 28,
        "cachedContentTokenCount": 4,
        "thoughtsTokenCount": 5,
    }


def test_its_own_usage_is_written_as_it_came():
    raw = {"promptTokenCount": 9, "totalTokenCount": 9, "serviceTier": "standard", "x": [1]}
    assert written(DIALECT.read_usage(raw)).raw == raw
