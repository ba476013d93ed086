"""Requests to Cohere's chat."""

from __future__ import annotations

import json
import re

import pytest

from flo2 import (
    Audio,
    CacheHint,
    File,
    Image,
    InvalidRequest,
    Message,
    Opaque,
    Profile,
    Reasoning,
    ReasoningOptions,
    Refusal,
    Request,
    ResponseFormat,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from flo2.canonical import OpaqueTool
from flo2.dialects.openai_chat import OpenAIChat
from flo2_provider_cohere import CohereChat

CHAT, OPENAI = CohereChat(), OpenAIChat()
PROFILE = Profile()
TOOL = Tool("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})


def render(*messages, profile=PROFILE, **fields):
    """Give the body for a request of another dialect, and the losses as text."""
    asked = messages or (Message("user", (Text("hi"),)),)
    request = Request("m", asked, **{"origin": "openai.chat", **fields})
    rendered = CHAT.render(request, model="m", profile=profile)
    assert CHAT.check(request, profile) == rendered.losses
    return json.loads(rendered.body), [str(loss) for loss in rendered.losses]


def again(body):
    """Parse a request of Cohere's and write it again."""
    request = CHAT.parse(json.dumps(body).encode())
    assert CHAT.check(request, PROFILE) == ()
    rendered = CHAT.render(request, model=body["model"], profile=PROFILE)
    assert rendered.losses == ()
    return json.loads(rendered.body)


def user(*parts):
    return Message("user", parts)


def test_a_request_of_its_own_comes_back_whole():
    body = {
        "model": "command-a-reasoning-08-2025",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "a"}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "b", "x": 1},
                    {
                        "type": "image_url",
                        "image_url": {"url": "https://e.test/a", "detail": "low"},
                    },
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,AAAA", "x": 1},
                    },
                ],
            },
            {
                "role": "assistant",
                "tool_plan": "I will look.",
                "tool_calls": [
                    {
                        "id": "look_1",
                        "type": "function",
                        "function": {"name": "look", "arguments": "{}", "x": 1},
                        "x": 1,
                    }
                ],
            },
            {
                "role": "tool",
                "tool_call_id": "look_1",
                "content": [
                    {"type": "text", "text": "seen"},
                    {"type": "document", "document": {"id": "1", "data": {"text": "b"}}},
                ],
            },
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "c"}],
                "x": 1,
            },
            {"role": "system", "content": "Be briefer."},
            {"role": "user", "content": "d", "x": 1},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "look", "description": "L", "parameters": {}, "x": 1},
                "x": 1,
            },
            {"type": "x_search", "x_search": {}},
        ],
        "tool_choice": "REQUIRED",
        "strict_tools": True,
        "documents": [{"id": "a", "data": {"text": "b"}}, "c"],
        "citation_options": {"mode": "FAST"},
        "response_format": {"type": "json_object", "json_schema": {"type": "object"}, "x": 1},
        "safety_mode": "STRICT",
        "max_tokens": 64,
        "stop_sequences": ["\n"],
        "temperature": 0.3,
        "seed": 7,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "k": 5,
        "p": 0.75,
        "logprobs": True,
        "thinking": {"type": "enabled", "token_budget": 512, "x": 1},
        "priority": 3,
        "stream": True,
    }
    assert again(body) == body


@pytest.mark.parametrize(
    "fields",
    [
        {"tool_choice": "NONE"},
        {"thinking": {"type": "disabled"}},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "x_xml"}},
        {"stop_sequences": []},
    ],
)
def test_words_of_its_own_come_back(fields):
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    assert again(body) == {key: value for key, value in body.items() if value != []}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"model": ""}, "model"),
        ({"messages": [{"role": "wizard", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"content": "a"}]}, "messages[0].role"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{}]}]},
            "messages[0].tool_calls[0].function",
        ),
        ({"tool_choice": "AUTO"}, "tool_choice"),
        ({"tool_choice": {"type": "x"}}, "tool_choice"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"thinking": {}}, "thinking.type"),
        ({"temperature": "hot"}, "temperature"),
    ],
)
def test_what_is_malformed_is_named(body, param):
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **body}
    with pytest.raises(InvalidRequest) as caught:
        CHAT.parse(json.dumps(body).encode())
    assert caught.value.param == param


def test_what_both_sides_know_is_translated_without_a_loss():
    body, losses = render(
        Message("system", (Text("Be brief."),)),
        user(Text("look"), Image(data="AAAA", media_type="image/jpeg", detail="low")),
        Message("assistant", (ToolCall("c1", "look", '{"at":"a"}'), ToolCall("c2", "look", ""))),
        Message("tool", (ToolResult("c1", (Text("x"),)),)),
        Message("tool", (ToolResult("c2", (Text("y"), Text("z"))),)),
        tools=(TOOL,),
        tool_choice=ToolChoice("required"),
        response_format=ResponseFormat("json_object"),
        sampling=Sampling(
            max_output_tokens=9,
            temperature=0.5,
            top_p=0.9,
            top_k=4,
            stop=("a",),
            seed=1,
            presence_penalty=0.5,
            frequency_penalty=1.0,
            n=1,
        ),
        reasoning=ReasoningOptions(budget_tokens=128),
        stream=True,
    )
    assert losses == []
    function = {"name": "look", "arguments": '{"at":"a"}'}
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/jpeg;base64,AAAA", "detail": "low"},
                    },
                ],
            },
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": function},
                    {
                        "id": "c2",
                        "type": "function",
                        "function": {"name": "look", "arguments": "{}"},
                    },
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "x"},
            {
                "role": "tool",
                "tool_call_id": "c2",
                "content": [{"type": "text", "text": "y"}, {"type": "text", "text": "z"}],
            },
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "look",
                    "description": "Looks.",
                    "parameters": dict(TOOL.parameters),
                },
            }
        ],
        "tool_choice": "REQUIRED",
        "response_format": {"type": "json_object"},
        "max_tokens": 9,
        "temperature": 0.5,
        "p": 0.9,
        "k": 4,
        "stop_sequences": ["a"],
        "seed": 1,
        "presence_penalty": 0.5,
        "frequency_penalty": 1.0,
        "thinking": {"type": "enabled", "token_budget": 128},
        "stream": True,
    }


@pytest.mark.parametrize(
    ("fields", "key", "value", "loss"),
    [
        ({"sampling": Sampling(top_p=1.0)}, "p", 0.99, "top_p"),
        (
            {"sampling": Sampling(presence_penalty=-0.5)},
            "presence_penalty",
            None,
            "presence_penalty",
        ),
        ({"sampling": Sampling(frequency_penalty=1.5)}, "frequency_penalty", None, "frequency_p"),
        ({"sampling": Sampling(n=2)}, "n", None, "n:"),
        ({"sampling": Sampling(logit_bias={"1": 2})}, "logit_bias", None, "logit_bias"),
        ({"sampling": Sampling(top_logprobs=2)}, "top_logprobs", None, "top_logprobs"),
        ({"parallel_tool_calls": False, "tools": (TOOL,)}, "n", None, "parallel_tool_calls"),
        ({"service_tier": "flex"}, "service_tier", None, "service_tier"),
        ({"end_user": "u"}, "end_user", None, "end_user"),
        ({"metadata": {"a": "b"}}, "metadata", None, "metadata"),
        ({"cache": CacheHint()}, "cache", None, "cache"),
        ({"reasoning": ReasoningOptions(effort="high")}, "thinking", None, "reasoning.effort"),
        (
            {"reasoning": ReasoningOptions("off", display="omitted")},
            "thinking",
            {"type": "disabled"},
            "reasoning.display",
        ),
        ({"extras": {"x_new": 1}}, "x_new", None, "x_new"),
        (
            {
                "response_format": ResponseFormat(
                    "json_schema", name="n", description="d", schema={"a": 1}, strict=True
                )
            },
            "response_format",
            {"type": "json_object", "json_schema": {"a": 1}},
            "response_format.name",
        ),
        (
            {"response_format": ResponseFormat("json_schema", schema={"a": 1}, strict=False)},
            "response_format",
            {"type": "json_object", "json_schema": {"a": 1}},
            "response_format.strict",
        ),
        ({"tools": (OpaqueTool("x.y", {"type": "web"}),)}, "tools", None, "tools[0]"),
        ({"tools": (Tool("grammar", kind="custom"),)}, "tools", None, "tools[0]"),
        (
            {"tools": (Tool("bare"),)},
            "tools",
            [
                {
                    "type": "function",
                    "function": {
                        "name": "bare",
                        "parameters": {"type": "object", "properties": {}},
                    },
                }
            ],
            "tools[0].parameters",
        ),
    ],
)
def test_what_does_not_fit_is_named(fields, key, value, loss):
    body, losses = render(**fields)
    assert body.get(key) == value
    assert any(loss in each for each in losses)


def test_thinking_is_on_by_itself_and_off_by_a_word():
    assert "thinking" not in render(reasoning=ReasoningOptions("enabled"))[0]
    for off in (ReasoningOptions("off"), ReasoningOptions(effort="none")):
        assert render(reasoning=off) == (
            {
                "model": "m",
                "messages": [{"role": "user", "content": "hi"}],
                "thinking": {"type": "disabled"},
            },
            [],
        )
    body, losses = render(
        reasoning=ReasoningOptions("off"), profile=Profile(drops=frozenset({"thinking"}))
    )
    assert "thinking" not in body
    assert "thinking" in losses[0]


def test_one_tool_is_forced_by_being_the_only_one():
    other = Tool("other", None, {})
    body, losses = render(tools=(other, TOOL), tool_choice=ToolChoice("tool", "look"))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["look"]
    assert body["tool_choice"] == "REQUIRED"
    assert "tool_choice" in losses[0]
    assert render(tools=(TOOL,), tool_choice=ToolChoice("none"))[0]["tool_choice"] == "NONE"
    assert "tool_choice" not in render(tools=(TOOL,), tool_choice=ToolChoice("auto"))[0]


def test_a_choice_without_tools_is_none():
    body, losses = render(tool_choice=ToolChoice("required"))
    assert (body.keys(), losses) == ({"model", "messages"}, [])


def test_instructions_stand_at_the_start_and_are_one():
    body, losses = render(
        Message("system", (Text("a"),)),
        Message("developer", (Text("b"),)),
        user(Text("c")),
        Message("system", (Text("d"),)),
    )
    assert body["messages"] == [
        {"role": "system", "content": "a\n\nb"},
        {"role": "user", "content": "c"},
        {"role": "user", "content": "d"},
    ]
    at = [re.split("[: ]", each)[0] for each in losses]
    assert at == ["messages[1].role", "messages[1]", "messages[3].role"]
    body, _ = render(Message("system", (Text("a"), Text("b"))), Message("system", (Text("c"),)))
    texts = [{"type": "text", "text": text} for text in "abc"]
    assert body["messages"] == [{"role": "system", "content": texts}]


def test_a_turn_may_hold_results_and_more():
    body, losses = render(
        user(ToolResult("c", (Text("no"),), is_error=True, name="n"), Text("and now?"))
    )
    assert body["messages"] == [
        {"role": "tool", "tool_call_id": "c", "content": "Error: no"},
        {"role": "user", "content": "and now?"},
    ]
    assert len(losses) == 2
    body, _ = render(user(ToolResult("c", (), is_error=True)))
    assert body["messages"][0]["content"] == "Error: "


@pytest.mark.parametrize(
    ("message", "loss"),
    [
        (user(Audio("AAAA", "audio/wav")), "audio is not taken"),
        (user(File(data="AAAA", media_type="application/pdf")), "file is not taken"),
        (user(Image(file_id="f")), "image by a provider's file id"),
        (user(ToolResult("c", (Image(url="https://e.test"),))), "a tool result takes text only"),
        (Message("assistant", (ToolCall("c", "t", "free", kind="custom"),)), "free-text tool"),
        (user(ToolCall("c", "t", "")), "cannot stand in this role"),
    ],
)
def test_what_would_ask_something_else_is_refused(message, loss):
    request = Request("m", (message,), origin="openai.chat")
    losses = CHAT.check(request, PROFILE)
    assert [each.severity for each in losses if loss in str(each)] == ["refuse"]


def test_what_a_message_may_lose():
    body, losses = render(
        Message("user", (Text("a", citations=({"type": "x"},), cache=CacheHint()),), name="ann"),
        user(File(text="page", filename="f.txt"), Opaque("x.y", {"type": "video"})),
        Message("assistant", (Reasoning("hm", signature="s", origin="anthropic.messages"),)),
        Message("assistant", (Refusal("no"),)),
    )
    assert body["messages"] == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "f.txt\n\npage"},
        {"role": "assistant", "content": "no"},
    ]
    assert len(losses) == 7


def test_its_own_reasoning_goes_back_as_it_came():
    plan = Reasoning("I will.", origin="cohere.chat", extras={"tool_plan": True})
    thought = Reasoning("hm", origin="cohere.chat", extras={"x": 1})
    body, losses = render(Message("assistant", (plan, thought, Text("a"), ToolCall("c", "t", ""))))
    assert losses == []
    assert body["messages"][0]["tool_plan"] == "I will."
    assert body["messages"][0]["content"] == [
        {"type": "thinking", "thinking": "hm", "x": 1},
        {"type": "text", "text": "a"},
    ]


def test_documents_are_essential_to_others():
    asked = {"model": "m", "messages": [{"role": "user", "content": "a"}], "documents": ["b"]}
    request = CHAT.parse(json.dumps(asked).encode())
    losses = OPENAI.check(request, PROFILE)
    assert ("documents", "refuse") in [(loss.path, loss.severity) for loss in losses]
