"""A Chat Completions body fits its host, by what the host declares."""

from __future__ import annotations

import copy
import json

import pytest

from flo2.canonical import Loss, Reasoning
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.chat_host import ChatHost
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_chat.fit import fit
from flo2.dialects.openai_chat.own_bytes import fit_bytes

CHAT = OpenAIChat()
CALL = {"id": "call_abc", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def fitted(messages, host, **fields):
    """Give what a body becomes and what that cost; the body itself stays as it was."""
    body = {"model": "m", "messages": messages, **fields}
    before, losses = copy.deepcopy(body), []
    result = fit(body, Profile(chat=host), lambda *loss: losses.append(loss))
    assert body == before
    return result, losses


def test_a_host_that_wants_nothing_gets_what_came():
    messages = [{"role": "developer", "name": "n", "content": "x"}, "odd", {"role": "assistant"}]
    result, losses = fitted(messages, ChatHost(), stream_options={"include_usage": True})
    assert result["messages"] == messages
    assert result["stream_options"] == {"include_usage": True}
    assert losses == []


def test_fields_are_dropped_by_name_and_renamed():
    profile = Profile(renames={"seed": "random_seed"}, drops=frozenset({"logit_bias", "user"}))
    losses = []
    body = {"seed": 1, "logit_bias": {"5": 1}, "user": None, "x": [1]}
    assert fit(body, profile, lambda *loss: losses.append(loss)) == {"random_seed": 1, "x": [1]}
    assert losses == [("logit_bias", "the model's host does not take it")]


@pytest.mark.parametrize(
    ("host", "message", "expected", "lost"),
    [
        (
            ChatHost(developer=False),
            {"role": "developer", "content": "x"},
            {"role": "system", "content": "x"},
            ["messages[0].role"],
        ),
        (
            ChatHost(names=False),
            {"role": "user", "name": "n", "content": "x"},
            {"role": "user", "content": "x"},
            ["messages[0].name"],
        ),
        (
            ChatHost(names=False),
            {"role": "user", "name": None, "content": "x"},
            {"role": "user", "content": "x"},
            [],
        ),
        (
            ChatHost(names=False),
            {"role": "tool", "name": "f", "tool_call_id": "c", "content": "x"},
            {"role": "tool", "name": "f", "tool_call_id": "c", "content": "x"},
            [],
        ),
        (
            ChatHost(nulls=False),
            {"role": "assistant", "content": "x", "refusal": None, "audio": {"id": "a"}, "y": None},
            {"role": "assistant", "content": "x", "audio": {"id": "a"}, "y": None},
            [],
        ),
        (
            ChatHost(marks_prefix=True),
            {"role": "assistant", "content": "x"},
            {"role": "assistant", "content": "x", "prefix": True},
            [],
        ),
        (
            ChatHost(marks_prefix=True),
            {"role": "assistant", "content": "x", "prefix": False},
            {"role": "assistant", "content": "x", "prefix": False},
            [],
        ),
        (
            ChatHost(parts={"file": lambda part: {"type": "doc", "doc": part["file"]}}),
            {"role": "user", "content": ["a", {"type": "file", "file": 1}, {"type": "x"}]},
            {"role": "user", "content": ["a", {"type": "doc", "doc": 1}, {"type": "x"}]},
            [],
        ),
    ],
)
def test_a_message_is_written_as_its_host_takes_it(host, message, expected, lost):
    result, losses = fitted([message], host)
    assert result["messages"] == [expected]
    assert [loss[0] for loss in losses] == lost


THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "why"}], "closed": True}
TEXT = {"type": "text", "text": "hi"}


@pytest.mark.parametrize(
    ("place", "said", "expected"),
    [
        ("reasoning", {"reasoning_content": "why"}, {"content": "hi", "reasoning": "why"}),
        (
            "reasoning",
            {"reasoning_content": "why", "reasoning": "why"},
            {"content": "hi", "reasoning": "why"},
        ),
        (
            "reasoning_content",
            {"content": [THINKING, TEXT]},
            {"content": [TEXT], "reasoning_content": "why"},
        ),
        (
            "reasoning_content",
            {"content": [THINKING]},
            {"content": None, "reasoning_content": "why"},
        ),
        (
            "thinking",
            {"reasoning": "why"},
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "why"}]},
                    TEXT,
                ]
            },
        ),
        ("thinking", {"content": [THINKING, TEXT]}, {"content": [THINKING, TEXT]}),
        (
            "thinking",
            {"content": "", "reasoning": "why"},
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "why"}]}]},
        ),
        ("thinking", {"reasoning": None}, {"content": "hi"}),
        ("reasoning", {}, {"content": "hi"}),
        ("reasoning", {"reasoning": ""}, {"content": "hi", "reasoning": ""}),
        ("as_given", {"reasoning": "why"}, {"content": "hi", "reasoning": "why"}),
    ],
)
def test_reasoning_goes_where_the_host_takes_it(place, said, expected):
    message = {"role": "assistant", "content": "hi", **said}
    result, losses = fitted([message], ChatHost(reasoning=place))
    assert result["messages"] == [{"role": "assistant", **expected}]
    assert losses == []


def test_sealed_reasoning_of_a_middleman_is_a_named_loss():
    message = {"role": "assistant", "content": "hi", "reasoning_details": [{"data": "sealed"}]}
    result, losses = fitted([message], ChatHost(reasoning="reasoning"))
    assert result["messages"] == [{"role": "assistant", "content": "hi"}]
    assert losses == [
        ("messages[0].reasoning_details", "the model's host does not take it"),
    ]


@pytest.mark.parametrize(
    "said",
    [{"reasoning": "why"}, {"reasoning_content": "why"}, {"content": [THINKING, TEXT]}],
)
def test_reasoning_that_a_host_takes_nowhere_is_a_named_loss(said):
    message = {"role": "assistant", "content": [TEXT], **said}
    result, losses = fitted([message], ChatHost(reasoning="left_out"))
    assert result["messages"] == [{"role": "assistant", "content": [TEXT]}]
    assert losses == [("messages[0].reasoning", "the model's host does not take it")]


def test_a_turn_that_calls_tools_has_reasoning_where_it_must():
    host = ChatHost(reasoning="reasoning_content", calls_reason=True)
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "content": "x"},
    ]
    result, _ = fitted(messages, host)
    assert result["messages"] == [{**messages[0], "reasoning_content": ""}, messages[1]]
    result, _ = fitted(messages, host, thinking={"type": "disabled"})
    assert result["messages"] == messages


def test_ids_of_calls_are_mapped_alike_in_call_and_result():
    own = {**CALL, "id": "aB3dE6gH9"}
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [CALL, own, "odd"]},
        {"role": "tool", "tool_call_id": "call_abc", "content": "1"},
        {"role": "tool", "tool_call_id": "aB3dE6gH9", "content": "2"},
    ]
    result, losses = fitted(messages, ChatHost(call_id_chars=9))
    (first, second, odd), one, two = (
        result["messages"][0]["tool_calls"],
        result["messages"][1]["tool_call_id"],
        result["messages"][2]["tool_call_id"],
    )
    assert (first["id"], second["id"], odd) == (one, two, "odd")
    assert two == "aB3dE6gH9"
    assert len(one) == 9
    assert one.isascii()
    assert one.isalnum()
    assert first["function"] == CALL["function"]
    assert losses == []


@pytest.mark.parametrize(
    ("options", "left"),
    [({"include_usage": True}, None), ({"include_usage": True, "other": 1}, {"other": 1})],
)
def test_a_host_that_refuses_to_be_asked_is_not_asked(options, left):
    result, losses = fitted([], ChatHost(asks_usage=False), stream_options=options)
    assert result.get("stream_options") == left
    assert losses == []


@pytest.mark.parametrize(
    ("effort", "expected"),
    [("none", {"thinking": False}), ("high", {"reasoning_effort": "high"})],
)
def test_a_field_s_value_is_written_in_the_host_s_own_words(effort, expected):
    def write(value):
        return {"thinking": False} if value == "none" else {"reasoning_effort": value}

    host = ChatHost(fields={"reasoning_effort": write})
    result, losses = fitted([], host, reasoning_effort=effort)
    assert result == {"model": "m", "messages": [], **expected}
    assert losses == []


def test_a_schema_the_host_cannot_hold_to_is_refused():
    host = ChatHost(formats=frozenset({"text", "json_object"}))
    result, losses = fitted([], host, response_format={"type": "json_schema"})
    assert "response_format" not in result
    assert losses == [
        ("response_format", "the model's host does not take 'json_schema'", "refuse"),
    ]
    result, losses = fitted([], host, response_format={"type": "json_object"})
    assert (result["response_format"], losses) == ({"type": "json_object"}, [])


def test_a_client_s_own_request_is_checked_against_its_host():
    body = {"model": "m", "messages": [{"role": "developer", "content": "x"}]}
    request = CHAT.parse(json.dumps(body).encode())
    assert CHAT.check(request, Profile()) == ()
    strict = Profile(chat=ChatHost(developer=False))
    losses = CHAT.check(request, strict)
    assert [str(loss) for loss in losses] == [
        "messages[0].role: 'developer' is written as 'system'"
    ]
    assert CHAT.check_body(json.dumps(body).encode(), strict) == losses


@pytest.mark.parametrize(
    ("value", "lost"),
    [("null", ()), ("true", (Loss("logprobs", "the model's host does not take it"),))],
)
def test_a_field_of_a_client_s_own_bytes_goes_and_counts_only_where_it_says_something(value, lost):
    body = b'{"model": "m", "messages": [], "seed": 1.50, "logprobs": ' + value.encode() + b"}"
    profile = Profile(drops=frozenset({"logprobs"}))
    assert CHAT.check_body(body, profile) == lost
    assert fit_bytes(body, profile) == b'{"model":"m","messages":[],"seed":1.50}'


def test_bytes_that_fit_stay_as_they_are():
    body = b'{ "model": "m", "messages": [{"role": "user", "content": "\\u00e9"}] }'
    profile = Profile(drops=frozenset({"logprobs"}), chat=ChatHost(developer=False))
    assert fit_bytes(body, profile) is body


def test_thinking_among_the_content_is_reasoning_and_goes_back_as_it_came():
    body = {"model": "m", "messages": [{"role": "assistant", "content": [THINKING, TEXT]}]}
    request = CHAT.parse(json.dumps(body).encode())
    part = request.messages[0].content[0]
    assert part == Reasoning("why", origin="openai.chat", extras={"part": THINKING})
    rendered = CHAT.render(request, model="m", profile=Profile())
    assert (json.loads(rendered.body), rendered.losses) == (body, ())


ANTHROPIC = {
    "model": "m",
    "max_tokens": 9,
    "messages": [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "first", "signature": "seal"},
                {"type": "thinking", "thinking": "then", "signature": ""},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "1"}],
        },
    ],
}


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("as_given", {}),
        ("left_out", {}),
        ("reasoning_content", {"reasoning_content": "first\n\nthen"}),
    ],
)
def test_another_dialect_s_reasoning_is_handed_on_where_text_will_do(place, expected):
    request = AnthropicMessages().parse(json.dumps(ANTHROPIC).encode())
    profile = Profile(chat=ChatHost(reasoning=place))
    rendered = CHAT.render(request, model="m", profile=profile)
    said = json.loads(rendered.body)["messages"][1]
    assert {key: said[key] for key in said if "reasoning" in key} == expected
    severities = [
        loss.severity for loss in rendered.losses if loss.path.startswith("messages[1].content[")
    ]
    assert severities == (["note", "note"] if expected else ["drop", "drop"])
