"""Anthropic's usage objects: disjoint meters, and doubts that keep a call from being priced."""

from __future__ import annotations

import json

import pytest

from flo2.canonical import Response, SubUsage, Usage
from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages

DIALECT = AnthropicMessages()
BASE = {"input_tokens": 10, "output_tokens": 5}


def read(**fields) -> Usage:
    return DIALECT.read_usage(BASE | fields)


def split(short: int, long: int) -> dict:
    return {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}


def test_every_field_has_its_meter():
    raw = BASE | {
        "cache_read_input_tokens": 3,
        "cache_creation_input_tokens": 1670,
        "cache_creation": split(67, 1603),
        "output_tokens_details": {"thinking_tokens": 4},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
        "service_tier": "priority",
        "inference_geo": "us",
        "speed": "fast",
    }
    assert DIALECT.read_usage(raw) == Usage(
        quantities={
            "input_tokens": 10,
            "cache_read_tokens": 3,
            "output_tokens": 5,
            "cache_write_5m_tokens": 67,
            "cache_write_1h_tokens": 1603,
            "web_search_requests": 2,
        },
        informational={"reasoning_tokens": 4, "web_fetch_requests": 1},
        raw=raw,
        dialect="anthropic.messages",
        context={"service_tier": "priority", "inference_geo": "us", "speed": "fast"},
    )


def test_writes_without_a_split_are_the_five_minute_ones():
    usage = read(cache_creation_input_tokens=7)
    assert usage.quantities == BASE | {"cache_write_5m_tokens": 7}
    assert usage.problem is None


def test_nulls_are_nothing():
    usage = read(
        cache_read_input_tokens=None,
        cache_creation=None,
        server_tool_use=None,
        output_tokens_details=None,
        iterations=None,
        fallback_credit=None,
        service_tier=None,
    )
    assert (usage.quantities, usage.problem, usage.context) == (BASE, None, {})


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"input_tokens": None}, "input_tokens is missing"),
        ({"output_tokens": -1}, "output_tokens is -1, not a count"),
        ({"output_tokens": "5"}, "output_tokens is '5', not a count"),
        ({"input_tokens": True}, "input_tokens is True, not a count"),
        (
            {"cache_creation_input_tokens": 9, "cache_creation": split(4, 4)},
            "cache_creation adds up to 8, cache_creation_input_tokens is 9",
        ),
        (
            {
                "cache_creation_input_tokens": 0,
                "cache_creation": split(0, 0) | {"ephemeral_24h_input_tokens": 3},
            },
            "cache_creation.ephemeral_24h_input_tokens is 3 and has no known price",
        ),
        ({"cache_creation": 5}, "cache_creation is int, not an object"),
        ({"video_tokens": 3}, "video_tokens is 3 and has no known price"),
        (
            {"server_tool_use": {"shell_requests": 2}},
            "server_tool_use.shell_requests is 2 and has no known price",
        ),
        ({"output_tokens_details": {"thinking_tokens": 9}}, "thinking_tokens exceed output_tokens"),
        (
            {"fallback_credit": {"status": {"type": "redeemed"}}},
            "a fallback credit reprices this call; the amount comes later",
        ),
        ({"iterations": "x"}, "iterations is no list of objects"),
        (
            {"iterations": [BASE | {"type": "message", "input_tokens": 9}]},
            "the iterations do not add up to the top-level counts",
        ),
        (
            {"iterations": [BASE | {"type": "message"}, BASE | {"type": "odd"}]},
            "iterations has an entry of unknown type 'odd'",
        ),
        (
            {"iterations": [BASE | {"type": "message"}, {"type": "compaction"}]},
            (
                "iterations (compaction): input_tokens is missing; "
                "iterations (compaction): output_tokens is missing"
            ),
        ),
    ],
)
def test_what_cannot_be_trusted_is_a_problem(fields, problem):
    assert read(**fields).problem == problem


def test_a_new_count_of_zero_is_no_problem():
    assert read(video_tokens=0, server_tool_use={"shell_requests": 0}).problem is None


def test_compaction_and_advisor_stand_beside_the_top_level():
    compaction = {"type": "compaction", "input_tokens": 900, "output_tokens": 80}
    advisor = {"type": "advisor_message", "model": "big", "input_tokens": 7, "output_tokens": 1}
    usage = read(
        iterations=[compaction, BASE | {"type": "message"}, advisor],
        server_tool_use={"web_search_requests": 1},
    )
    assert usage.problem is None
    assert usage.quantities == BASE | {"web_search_requests": 1}
    assert usage.subcalls == (
        SubUsage(None, "compaction", {"input_tokens": 900, "output_tokens": 80}, compaction),
        SubUsage("big", "advisor_message", {"input_tokens": 7, "output_tokens": 1}, advisor),
    )


FALLBACK = {"type": "fallback_message", "model": "other", "input_tokens": 4, "output_tokens": 3}


def test_a_fallback_inside_the_top_level_is_taken_out():
    usage = read(iterations=[FALLBACK | {"input_tokens": 10, "output_tokens": 5}])
    assert usage.problem is None
    assert usage.quantities == {}
    assert [(sub.model, dict(sub.quantities)) for sub in usage.subcalls] == [("other", BASE)]


def test_named_hops_are_each_their_own_model():
    hop = {"type": "message", "model": "first", "input_tokens": 6, "output_tokens": 2}
    usage = read(iterations=[hop, FALLBACK])
    assert usage.problem is None
    assert usage.quantities == {}
    assert [sub.model for sub in usage.subcalls] == ["first", "other"]
    assert usage.as_told.quantities == BASE


def test_a_split_that_lags_behind_its_sum_gives_way_to_it():
    usage = read(
        cache_creation_input_tokens=9,
        cache_creation={"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": 0},
    )
    assert usage.problem == "cache_creation adds up to 7, cache_creation_input_tokens is 9"
    assert usage.quantities == BASE | {"cache_write_tokens": 9}


def test_a_hop_without_a_name_is_not_priced():
    hop = {"type": "message", "input_tokens": 6, "output_tokens": 2}
    usage = read(iterations=[hop, FALLBACK])
    assert usage.problem == "iterations (message): the model of this hop is not named"


@pytest.mark.parametrize("raw", [{}, {"input_tokens": 2.5, "output_tokens": 1}])
def test_reading_never_raises(raw):
    assert DIALECT.read_usage(raw).problem is not None


def test_a_count_is_free_and_has_no_meter():
    read_count = AnthropicCountTokens().read_usage
    usage = read_count({"input_tokens": 403})
    assert (usage.quantities, usage.informational, usage.problem) == (
        {},
        {"input_tokens": 403},
        None,
    )
    assert read_count({"input_tokens": "many"}).problem == "input_tokens is 'many'"


def test_another_dialect_s_answer_of_several_models_is_told_as_a_whole():
    inner = SubUsage("other", "compound", {"input_tokens": 6, "output_tokens": 2}, {}, inside=True)
    meters = {"input_tokens": 4, "output_tokens": 3, "web_fetch_requests": 2}
    usage = Usage(meters, dialect="openai.chat", subcalls=(inner,))
    body = json.loads(DIALECT.encode_response(Response("i", "m", 0, (), usage)).body)
    assert body["usage"] == BASE | {
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": split(0, 0),
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 2},
    }
