"""What Fireworks does its own way."""

from __future__ import annotations

import json

import pytest

from flo2.testing.one_host import OneHost
from flo2_provider_fireworks import Fireworks

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


HOST = OneHost(Fireworks)
make, a_call, sent, ask = HOST.make, HOST.call, HOST.sent, HOST.ask


def test_it_posts_under_inference():
    received, reply = ask(headers={"fireworks-server-processing-time": "0.2", "x-request-id": "r"})
    assert (make().host, received.target) == (
        "api.fireworks.ai",
        "/inference/v1/chat/completions",
    )
    assert received.headers["authorization"] == "Bearer key-test"
    assert dict(reply.headers) == {"fireworks-server-processing-time": "0.2", "x-request-id": "r"}


@pytest.mark.parametrize(
    ("header", "details", "quantities", "problem"),
    [
        (None, 0, {"input_tokens": 9, "output_tokens": 2}, None),
        (None, 4, {"input_tokens": 5, "cache_read_tokens": 4, "output_tokens": 2}, None),
        ("4", 0, {"input_tokens": 5, "cache_read_tokens": 4, "output_tokens": 2}, None),
        ("4", 4, {"input_tokens": 5, "cache_read_tokens": 4, "output_tokens": 2}, None),
        ("0", 4, {"input_tokens": 5, "cache_read_tokens": 4, "output_tokens": 2}, None),
        ("4", 3, {"input_tokens": 9, "output_tokens": 2}, "cached tokens are given as [3, 4]"),
        ("many", 0, {"input_tokens": 9, "output_tokens": 2}, None),
        ("²", 0, {"input_tokens": 9, "output_tokens": 2}, None),
    ],
)
def test_cached_tokens_are_read_from_the_headers_too(header, details, quantities, problem):
    raw = {**USAGE, "prompt_tokens_details": {"cached_tokens": details}}
    headers = {} if header is None else {"fireworks-cached-prompt-tokens": header}
    call = a_call()
    decoder = make().decoder_of(call, headers)
    decoder.feed(json.dumps({"choices": [{"message": {"content": "x"}}], "usage": raw}).encode())
    decoder.close()
    usage = decoder.observed.usage
    assert (usage.quantities, usage.problem) == (quantities, problem)
    evidence = {"fireworks-cached-prompt-tokens": int(header)} if header in {"0", "4"} else {}
    assert usage.raw == {**raw, **evidence}


def test_a_stream_s_headers_count_as_well():
    end = {"id": "1", "model": "m", "choices": [], "usage": USAGE}
    delta = {"index": 0, "delta": {"content": "ho"}, "finish_reason": "stop"}
    frames = [{"id": "1", "model": "m", "choices": [delta]}, end]
    decoder = make().decoder_of(a_call(stream=True), {"fireworks-cached-prompt-tokens": "4"})
    for each in frames:
        decoder.feed(b"data: " + json.dumps(each).encode() + b"\n\n")
    decoder.feed(b"data: [DONE]\n\n")
    assert decoder.observed.usage.quantities == {
        "input_tokens": 5,
        "cache_read_tokens": 4,
        "output_tokens": 2,
    }


@pytest.mark.parametrize(
    ("base_url", "context"),
    [("", {}), ("https://us.api.fireworks.ai/inference/v1", {"region": "us"})],
)
def test_a_regional_host_is_named_in_the_usage(base_url, context):
    for headers in ({}, {"fireworks-cached-prompt-tokens": "4"}):
        _, reply = ask(base_url=base_url, headers=headers)
        assert reply.observed.usage.context == context


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("accounts/fireworks/models/kimi-k3", True),
        ("accounts/mine/deployedModels/x", True),
        ("kimi-k3", False),
        ("", False),
    ],
)
def test_it_knows_its_names(model, known):
    assert make().knows(model) is known


def test_what_its_own_models_can_do_is_known_by_either_name():
    facts = make().describe("accounts/fireworks/models/glm-4p5")
    assert (facts.context_window, facts.max_output_tokens) == (131_072, 96_000)
    assert make().describe("glm-4p5") == facts
    assert make().describe("accounts/acme/models/glm-4p5") is None
