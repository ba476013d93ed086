"""What DeepSeek does its own way."""

from __future__ import annotations

import json

import pytest

from flo2 import Call, Credential, Inbound, Usage
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.openai_compatible import CHAT
from flo2.testing.one_host import HELLO, OneHost
from flo2_provider_deepseek import DeepSeek

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
HI = [*HELLO]


HOST = OneHost(DeepSeek)
make, a_call, sent, ask = HOST.make, HOST.call, HOST.sent, HOST.ask


def test_it_posts_at_the_root():
    received, reply = ask(headers={"x-ds-trace-id": "t", "server": "elb"})
    assert (make().host, received.target) == ("api.deepseek.com", "/chat/completions")
    assert received.headers["authorization"] == "Bearer key-test"
    assert dict(reply.headers) == {"x-ds-trace-id": "t"}


def test_hits_and_misses_of_its_cache_are_disjoint():
    usage = {
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 1},
        "prompt_cache_hit_tokens": 4,
        "prompt_cache_miss_tokens": 5,
    }
    _, reply = ask(usage=usage)
    assert reply.observed.usage == Usage(
        {"input_tokens": 5, "cache_read_tokens": 4, "output_tokens": 2},
        {"reasoning_tokens": 1},
        usage,
        "openai.chat",
    )


def test_a_bound_is_written_as_the_one_it_keeps():
    assert sent(max_completion_tokens=9) == {"model": "its-model", "messages": HI, "max_tokens": 9}


@pytest.mark.parametrize(
    ("effort", "fields"),
    [
        ("none", {"thinking": {"type": "disabled"}}),
        ("high", {"reasoning_effort": "high"}),
        ("max", {"reasoning_effort": "max"}),
    ],
)
def test_no_thinking_is_a_switch_of_its_own(effort, fields):
    assert sent(reasoning_effort=effort) == {"model": "its-model", "messages": HI, **fields}


def test_a_developer_is_the_system():
    messages = [{"role": "developer", "content": "Be brief."}, *HI]
    assert sent(messages=messages)["messages"] == [{**messages[0], "role": "system"}, *HI]


CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "1"}


@pytest.mark.parametrize(
    ("said", "reasoning"),
    [
        ({"reasoning_content": "hm"}, "hm"),
        ({"reasoning": "hm"}, "hm"),
        ({}, ""),
    ],
)
def test_a_turn_that_called_tools_has_its_reasoning(said, reasoning):
    turn = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert sent(messages=[*HI, {**turn, **said}, RESULT])["messages"] == [
        *HI,
        {**turn, "reasoning_content": reasoning},
        RESULT,
    ]


def test_a_turn_needs_none_where_thinking_is_off():
    messages = [*HI, {"role": "assistant", "content": None, "tool_calls": [CALL]}, RESULT]
    assert sent(messages=messages, thinking={"type": "disabled"})["messages"] == messages
    body = sent(messages=messages, reasoning_effort="none")
    assert (body["messages"], body["thinking"]) == (messages, {"type": "disabled"})


def test_reasoning_comes_back_from_a_client_of_another_dialect():
    body = {
        "model": "m",
        "max_tokens": 5,
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": ""},
                    {"type": "tool_use", "id": "call_1", "name": "f", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "1"}],
            },
        ],
    }
    dialect = AnthropicMessages()
    raw = json.dumps(body).encode()
    inbound = Inbound(dialect, raw, dialect.peek(raw))
    deepseek = make()
    call = Call(inbound, CHAT, "deepseek-v4-pro", Credential("c"), deepseek.profile("m"))
    assert json.loads(deepseek.body(call)) == {
        "model": "deepseek-v4-pro",
        "messages": [
            *HI,
            {
                "role": "assistant",
                "content": None,
                "reasoning_content": "hm",
                "tool_calls": [CALL],
            },
            RESULT,
        ],
        "max_tokens": 5,
    }


def test_a_schema_is_refused_before_the_call():
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}
    losses = CHAT.check(a_call(response_format=wanted).inbound.request, make().profile("m"))
    assert [(loss.path, loss.severity) for loss in losses] == [("response_format", "refuse")]
    assert sent(response_format={"type": "json_object"})["response_format"] == {
        "type": "json_object"
    }


def test_an_empty_account_is_no_wrong_request():
    envelope = {"message": "Insufficient Balance", "type": "unknown_error", "code": "x"}
    body = json.dumps({"error": envelope})
    error = make().error(a_call(), 402, {}, body.encode())
    assert (error.kind, error.retryable, error.message) == ("budget", False, "Insufficient Balance")


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("deepseek-chat", True),
        ("deepseek-reasoner", True),
        ("deepseek-v4-pro", True),
        ("deepseek-flash", True),
        ("deepseek-r1-distill-llama-70b", False),
        ("deepseek-ai/DeepSeek-V4", False),
        ("deepseek-v3-distill-x", False),
        ("deepseek", False),
        ("", False),
    ],
)
def test_it_knows_its_names(model, known):
    assert make().knows(model) is known
