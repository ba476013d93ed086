"""What xAI does its own way."""

from __future__ import annotations

import anyio
import pytest

from flo2 import Call, Credential, Inbound, ModelInfo, ProviderError, Secret, Services, Wire
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing import FakeUpstream
from flo2_provider_xai import XAI
from flo2_provider_xai.usage import read_chat, read_response

CHAT = OpenAIChat()
BODY = b'{"model":"grok-4.3","messages":[{"role":"user","content":"hi"}]}'


def make(wire=None):
    return XAI(XAI.Config(), Services(wire=wire or Wire()))


def fail(status, json_):
    """Give the error of a call that xAI answers so."""
    upstream = FakeUpstream()
    upstream.reply(status, json=json_)
    inbound = Inbound(CHAT, BODY, CHAT.peek(BODY))
    call = Call(inbound, CHAT, "grok-4.3", Credential("c", Secret("sk-test")), passthrough=True)
    errors = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            try:
                async with make(wire).chat(call):
                    pass
            except ProviderError as exc:
                errors.append(exc)

    anyio.run(test)
    assert upstream.last.target == "/v1/chat/completions"
    assert upstream.last.headers["authorization"] == "Bearer sk-test"
    return errors[0]


def usage(**more):
    return {
        "prompt_tokens": 470,
        "completion_tokens": 68,
        "total_tokens": 723,
        "prompt_tokens_details": {"text_tokens": 470, "cached_tokens": 192},
        "completion_tokens_details": {"reasoning_tokens": 185},
        "num_sources_used": 0,
        "cost_in_usd_ticks": 4389400,
    } | more


def test_reasoning_is_output_and_the_bill_is_kept():
    raw = usage()
    found = read_chat(raw)
    assert found.problem is None
    assert found.quantities == {
        "input_tokens": 278,
        "cache_read_tokens": 192,
        "output_tokens": 253,
    }
    assert found.informational == {"reasoning_tokens": 185}
    assert found.raw is raw


RESPONSE = {
    "input_tokens": 397,
    "input_tokens_details": {"cached_tokens": 128},
    "output_tokens": 632,
    "output_tokens_details": {"reasoning_tokens": 566},
    "total_tokens": 1029,
    "num_sources_used": 0,
    "num_server_side_tools_used": 0,
    "cost_in_usd_ticks": 19418500,
    "context_details": {"input_tokens": 397, "output_tokens": 632},
}


def test_a_response_has_reasoning_inside():
    found = read_response(RESPONSE)
    assert (found.problem, found.raw) == (None, RESPONSE)
    tokens = {"input_tokens": 269, "cache_read_tokens": 128, "output_tokens": 632}
    assert found.quantities == tokens
    assert found.informational == {"reasoning_tokens": 566}


@pytest.mark.parametrize(
    ("told", "meters"),
    [
        ({"num_server_side_tools_used": 2}, {"server_tool_calls": 2}),
        (
            {
                "num_server_side_tools_used": 6,
                "server_side_tool_usage_details": {
                    "web_search_calls": 1,
                    "x_search_calls": 3,
                    "code_interpreter_calls": 2,
                    "mcp_calls": 0,
                    "x_posts_fetched": 7,
                },
                "tools_run": {"code_interpreter_call": 2, "web_search_call": 4},
            },
            {
                "web_search_requests": 1,
                "x_search_requests": 3,
                "code_interpreter_requests": 2,
                "x_posts_fetched": 7,
            },
        ),
        ({"num_sources_used": 3}, {"search_sources": 3}),
        ({"server_side_tool_usage_details": "many"}, {}),
    ],
)
def test_each_kind_of_tool_that_xai_ran_has_a_meter(told, meters):
    found = read_response({**RESPONSE, **told})
    assert found.problem is None
    tokens = {"input_tokens": 269, "cache_read_tokens": 128, "output_tokens": 632}
    assert found.quantities == {**tokens, **meters}


def test_reasoning_that_is_inside_is_not_counted_twice():
    found = read_chat(usage(completion_tokens=253))
    assert found.problem is None
    assert found.quantities["output_tokens"] == 253


def test_a_total_that_fits_neither_reading_prices_nothing():
    assert read_chat(usage(total_tokens=700)).problem == (
        "total_tokens 700 is not prompt 470 + completion 68"
    )


@pytest.mark.parametrize(
    "details", [None, "many", {"reasoning_tokens": None}, {"reasoning_tokens": "185"}]
)
def test_odd_details_are_for_the_common_reader(details):
    assert read_chat(usage(completion_tokens_details=details)).problem is not None


def test_sources_are_a_meter_of_their_own():
    assert read_chat(usage(num_sources_used=3)).quantities["search_sources"] == 3
    assert "search_sources" not in read_chat(usage(num_sources_used=None)).quantities


@pytest.mark.parametrize(
    "code",
    ["The caller does not have permission to execute the specified operation", "permission-denied"],
)
def test_a_refused_prompt_is_no_missing_permission_and_may_be_billed(code):
    error = fail(
        403,
        {
            "code": code,
            "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO",
        },
    )
    assert (error.status, error.kind, error.retryable) == (403, "invalid_request", False)
    assert error.code in make().facts.billed_errors


def test_a_missing_permission_is_one():
    error = fail(
        403, {"code": "permission-denied", "error": "Access to the chat endpoint is denied"}
    )
    assert (error.kind, error.retryable, error.code) == ("permission", False, "permission-denied")
    assert error.message == "Access to the chat endpoint is denied"
    assert error.code not in make().facts.billed_errors


def test_a_full_team_is_a_rate_limit():
    error = fail(
        429,
        {"code": "Some resource has been exhausted", "error": "Too many tokens for team 0"},
    )
    assert (error.kind, error.retryable) == ("rate_limit", True)
    assert error.message == "Too many tokens for team 0"


@pytest.mark.parametrize(
    ("model", "known"),
    [("grok-4.3", True), ("grok-code-fast-1", True), ("grokking", False), ("gpt-4o", False)],
)
def test_it_knows_its_names(model, known):
    assert make().knows(model) is known


EFFORT = {"reasoning", "reasoning_effort"}
PENALTIES = {"frequency_penalty", "presence_penalty", "stop"}


@pytest.mark.parametrize(
    ("model", "drops"),
    [
        ("grok-2-1212", EFFORT),
        ("grok-3", EFFORT),
        ("grok-3-fast", EFFORT),
        ("grok-3-mini", PENALTIES),
        ("grok-3-mini-fast", PENALTIES),
        ("grok-4-0709", PENALTIES | EFFORT),
        ("grok-4", PENALTIES | EFFORT),
        ("grok-4-fast-non-reasoning", EFFORT),
        ("grok-4-1-fast-reasoning", PENALTIES | EFFORT),
        ("grok-4.20-non-reasoning", EFFORT),
        ("grok-4.20-reasoning", PENALTIES | EFFORT),
        ("grok-code-fast-1", PENALTIES | EFFORT),
        ("grok-4.3", PENALTIES),
        ("grok-7", PENALTIES),
    ],
)
def test_what_a_model_does_not_take(model, drops):
    assert make().profile(model).drops == drops


def test_the_model_list():
    upstream = FakeUpstream()
    upstream.reply(
        json={"data": [{"id": "grok-4.3", "object": "model", "created": 5, "owned_by": "xai"}]}
    )
    found = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            found.extend(await make(wire).models(Credential("c", Secret("sk-test"))))

    anyio.run(test)
    assert found == [ModelInfo("grok-4.3", "xai", 5, owned_by="xai")]
    assert upstream.last.target == "/v1/models"
