from __future__ import annotations

import hashlib
import json

import pytest

from flo2.canonical import (
    Audio,
    CacheHint,
    File,
    Image,
    Loss,
    Message,
    Opaque,
    OpaqueTool,
    Reasoning,
    ReasoningOptions,
    Request,
    ResponseFormat,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from flo2.dialects.base import Peek, Profile
from flo2.dialects.openai_chat import OpenAIChat
from flo2.errors import InvalidRequest

DIALECT = OpenAIChat()
USER = {"role": "user", "content": "Hi"}


def body(**fields):
    return json.dumps({"model": "m", "messages": [USER], **fields}).encode()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Peek("m")),
        ({"stream": True}, Peek("m", stream=True, wants_usage=False)),
        (
            {"stream": True, "stream_options": {"include_usage": True}},
            Peek("m", stream=True, wants_usage=True),
        ),
        ({"stream": False, "stream_options": None}, Peek("m")),
        ({"max_tokens": 5, "n": 3, "user": "u"}, Peek("m", max_output_tokens=5, n=3, end_user="u")),
        ({"max_completion_tokens": 7.0, "max_tokens": 5}, Peek("m", max_output_tokens=7)),
        ({"user": ""}, Peek("m")),
    ],
)
def test_peek(fields, expected):
    assert DIALECT.peek(body(**fields)) == expected


@pytest.mark.parametrize(
    ("raw", "code", "param", "message"),
    [
        (b"", "invalid_json", None, "it is empty"),
        (b'{"model":"m",}', "invalid_json", None, "byte 13"),
        (b"[]", "invalid_type", None, "Expected object, got array"),
        (b'{"model":"m","messages":["\xff"]}', "invalid_utf8", None, "not UTF-8 (byte 26)"),
        (
            b'{"model":"m","messages":[1],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            "nested_too_deeply",
            None,
            "nested too deeply",
        ),
        (b'{"messages":[1]}', "missing_field", "model", "the field 'model' is missing"),
        (b'{"model":"","messages":[1]}', "missing_field", "model", "name a model"),
        (b'{"model":7,"messages":[1]}', "invalid_type", "model", "Expected str, got int"),
        (b'{"model":"m"}', "missing_field", "messages", "the field 'messages' is missing"),
        (b'{"model":"m","messages":[]}', "empty_messages", "messages", "at least one message"),
        (b'{"model":"m","messages":{}}', "invalid_type", "messages", "Expected array, got object"),
        (body(stream="yes"), "invalid_type", "stream", "Expected bool | null, got str"),
        (
            body(stream=True, stream_options={"include_usage": 1}),
            "invalid_type",
            "stream_options.include_usage",
            "Expected bool | null, got int",
        ),
        (body(n=0), "invalid_value", "n", "send a whole number above 0"),
        (body(max_tokens=1.5), "invalid_value", "max_completion_tokens", "1.5"),
    ],
)
def test_peek_refuses_with_a_reason(raw, code, param, message):
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.peek(raw)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": ["x"]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [3]}]}, "messages[0].content[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
        ),
        ({"messages": []}, "messages"),
        ({"tools": [3]}, "tools[0]"),
        ({"tools": [{"function": {}}]}, "tools[0].function.name"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"stop": [1]}, "stop[0]"),
        ({"stop": 1}, "stop"),
        ({"tool_choice": 1}, "tool_choice"),
        (
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]}
                ]
            },
            "messages[0].tool_calls[0].function.name",
        ),
    ],
)
def test_parse_names_the_path_at_fault(fields, param):
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.parse(body(**fields))
    assert caught.value.param == param


def test_parse_reads_each_part():
    raw = body(
        messages=[
            {
                "role": "user",
                "name": "ada",
                "content": [
                    {
                        "type": "text",
                        "text": "a",
                        "cache_control": {"type": "ephemeral", "ttl": "1h"},
                    },
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"},
                    },
                    {"type": "image_url", "image_url": {"url": "data:,x"}, "y": 1},
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                    {
                        "type": "file",
                        "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "f"},
                    },
                    {"type": "file", "file": {"file_id": "file-1"}},
                    {"type": "hologram", "z": 2},
                ],
            },
            {
                "role": "assistant",
                "content": "b",
                "reasoning": "why",
                "audio": {"id": "a1"},
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{ }"}},
                    {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}},
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "done"},
            {"role": "system", "content": [{"type": "text", "text": "late"}]},
        ],
        reasoning_effort="none",
        stop="END",
        verbosity="low",
    )
    assert DIALECT.parse(raw) == Request(
        model="m",
        messages=(
            Message(
                "user",
                (
                    Text("a", cache=CacheHint("1h")),
                    Image(data="AAAA", media_type="image/png", detail="low"),
                    Image(url="data:,x", extras={"y": 1}),
                    Audio(data="AAAA", format="wav"),
                    File(data="AAAA", media_type="application/pdf", filename="f"),
                    File(file_id="file-1"),
                    Opaque("openai.chat", {"type": "hologram", "z": 2}),
                ),
                name="ada",
            ),
            Message(
                "assistant",
                (
                    Reasoning("why", origin="openai.chat", extras={"reasoning": True}),
                    Text("b"),
                    Audio(audio_id="a1"),
                    ToolCall("c1", "f", "{ }"),
                    ToolCall("c2", "g", "x", "custom"),
                ),
                plain=True,
            ),
            Message("tool", (ToolResult("c1", (Text("done"),), plain=True),)),
            Message("system", (Text("late"),)),
        ),
        sampling=Sampling(stop=("END",), stop_as_text=True),
        reasoning=ReasoningOptions("off", "none"),
        extras={"verbosity": "low"},
        origin="openai.chat",
    )


def foreign(*messages, **fields):
    return Request("m", messages or (Message("user", (Text("Hi"),)),), origin="other", **fields)


def render(request, profile=None):
    rendered = DIALECT.render(request, model="m", profile=profile or Profile())
    return json.loads(rendered.body), rendered.losses


def render_parts(role, *parts):
    written, losses = render(foreign(Message("user", (Text("Hi"),)), Message(role, parts)))
    return written["messages"][1:], losses


AT = "messages[1].content[0]"


@pytest.mark.parametrize(
    ("role", "part", "messages", "loss"),
    [
        (
            "user",
            Opaque("other", {"type": "search_result"}),
            [],
            Loss(AT, "'search_result' is content of other only", "refuse"),
        ),
        (
            "assistant",
            Opaque("other", {"type": "server_tool_use"}),
            [],
            Loss(AT, "'server_tool_use' is content of other only"),
        ),
        (
            "user",
            Opaque("other", {"type": "search_result"}, text="Found."),
            [{"role": "user", "content": "Found."}],
            Loss(AT, "'search_result' is sent as text", "note"),
        ),
        (
            "user",
            Text("a", cache=CacheHint("5m")),
            [{"role": "user", "content": "a"}],
            Loss(f"{AT}.cache", "cached by the provider's own rules, not by marks", "note"),
        ),
        (
            "user",
            Text("a", extras={"x": 1, "nothing": None}),
            [{"role": "user", "content": "a"}],
            Loss(f"{AT}.x", "a field of other"),
        ),
        (
            "assistant",
            Reasoning("why", "sig", origin="other"),
            [],
            Loss(AT, "reasoning of other cannot be handed to another provider"),
        ),
        (
            "user",
            Image(file_id="f"),
            [],
            Loss(AT, "an image by a provider's file id; send it by URL or by value", "refuse"),
        ),
        (
            "user",
            File(url="https://example.com/a.pdf"),
            [],
            Loss(AT, "a document by URL; send it by value or by file id", "refuse"),
        ),
        (
            "user",
            File(content=(Text("a"), Text("b")), context="c"),
            [{"role": "user", "content": "c\n\na\nb"}],
            Loss(AT, "a text document becomes plain text", "note"),
        ),
        (
            "user",
            File(content=(Text("a"), Image(url="u"))),
            [],
            Loss(AT, "a document made of parts; send them as parts of the message", "refuse"),
        ),
        (
            "user",
            File(text="t", filename="n"),
            [{"role": "user", "content": "n\n\nt"}],
            Loss(AT, "a text document becomes plain text", "note"),
        ),
        (
            "tool",
            ToolResult("c", (Text("Seen."), Image(url="u"))),
            [
                {"role": "tool", "tool_call_id": "c", "content": "Seen."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "From the tool call c:"},
                        {"type": "image_url", "image_url": {"url": "u"}},
                    ],
                },
            ],
            Loss(f"{AT}.content[1]", "a tool's image follows in a message of the user", "note"),
        ),
        (
            "tool",
            ToolResult("c", (Text("no such file"),), is_error=True),
            [{"role": "tool", "tool_call_id": "c", "content": "Error: no such file"}],
            Loss(f"{AT}.is_error", "written as a leading 'Error: '", "note"),
        ),
        (
            "user",
            ToolCall("c", "f", "{}"),
            [],
            Loss(AT, "a ToolCall cannot stand in this role", "refuse"),
        ),
    ],
)
def test_foreign_content_is_written_or_named(role, part, messages, loss):
    assert render_parts(role, part) == (messages, (loss,))


def test_foreign_results_and_text_of_one_turn_become_two_messages():
    messages, losses = render_parts("tool", ToolResult("c", (Text("1"), Text("2"))), Text("Now?"))
    assert messages == [
        {
            "role": "tool",
            "tool_call_id": "c",
            "content": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}],
        },
        {"role": "user", "content": "Now?"},
    ]
    assert losses == (
        Loss("messages[1]", "content beside a tool result becomes a user message", "note"),
    )


def test_foreign_options_are_written_or_named():
    written, losses = render(
        foreign(
            tools=(
                Tool(
                    "f", "d", {"type": "object"}, cache=CacheHint(), extras={"defer_loading": True}
                ),
                OpaqueTool("other", {"type": "web_search", "name": "s"}),
            ),
            tool_choice=ToolChoice("tool", "f"),
            parallel_tool_calls=False,
            response_format=ResponseFormat("json_schema", schema={"type": "object"}),
            sampling=Sampling(
                max_output_tokens=9, max_output_field="max_tokens", top_k=4, stop=("A", "B")
            ),
            reasoning=ReasoningOptions("enabled", budget_tokens=31_999, display="omitted"),
            stream=True,
            service_tier="auto",
            end_user="x" * 65,
            metadata={"user_id": "x" * 65},
            extras={"container": "c"},
        )
    )
    assert written == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [
            {
                "type": "function",
                "function": {"name": "f", "description": "d", "parameters": {"type": "object"}},
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": {"type": "object"}},
        },
        "max_completion_tokens": 9,
        "stop": ["A", "B"],
        "reasoning_effort": "high",
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": hashlib.sha256(b"x" * 65).hexdigest(),
    }
    assert losses == (
        Loss("tools[0].cache", "cached by the provider's own rules, not by marks", "note"),
        Loss("tools[0].defer_loading", "a field of other", "note"),
        Loss("tools[1]", "the tool 'web_search' runs at other only"),
        Loss("top_k", "has no field"),
        Loss("reasoning.budget_tokens", "becomes the effort 'high'", "note"),
        Loss("reasoning.display", "has no field", "note"),
        Loss("service_tier", "'auto' is a word of other", "note"),
        Loss("end_user", "longer than 64 characters: written as its SHA-256", "note"),
        Loss("metadata", "the client's own notes are not sent", "note"),
        Loss("container", "a field of other"),
    )


@pytest.mark.parametrize(
    ("options", "effort"),
    [
        (ReasoningOptions("off"), "none"),
        (ReasoningOptions("adaptive", "low"), "low"),
        (ReasoningOptions("adaptive"), None),
        (ReasoningOptions("enabled", budget_tokens=1024), "low"),
        (ReasoningOptions("enabled", budget_tokens=8000), "medium"),
    ],
)
def test_foreign_reasoning_becomes_an_effort(options, effort):
    written, _ = render(foreign(reasoning=options))
    assert written.get("reasoning_effort") == effort


def test_a_profile_renames_and_drops():
    profile = Profile(
        renames={"max_completion_tokens": "max_tokens"}, drops=frozenset({"seed", "x"})
    )
    request = DIALECT.parse(body(max_completion_tokens=5, seed=1))
    written, losses = render(request, profile)
    assert written == {"model": "m", "messages": [USER], "max_tokens": 5}
    assert losses == (Loss("seed", "the model's host does not take it"),)
    assert DIALECT.check(request, profile) == losses
    assert DIALECT.check(request, Profile()) == ()


def test_a_choice_without_tools_is_left_out_for_a_foreign_request():
    written, losses = render(foreign(tool_choice=ToolChoice("auto"), parallel_tool_calls=True))
    assert (written.keys(), losses) == ({"model", "messages"}, ())


def test_splice_keeps_the_clients_bytes():
    raw = b'{ "stream" : true, "model" : "m" , "messages":[{"role":"user","content":"\\u00e9"}]}'
    assert DIALECT.splice(raw, DIALECT.peek(raw), model="n") == (
        b'{ "stream" : true, "model" : "n","stream_options":{"include_usage":true} ,'
        b' "messages":[{"role":"user","content":"\\u00e9"}]}'
    )


@pytest.mark.parametrize(
    ("fields", "own"),
    [
        ({}, False),
        ({"tool_choice": "auto"}, False),
        ({"tool_choice": {"type": "function", "function": {"name": "any"}}}, False),
        ({"tool_choice": "any"}, True),
        ({"random_seed": 7}, True),
        ({"messages": [{"role": "user", "content": 'say "any" and "random_seed"'}]}, False),
    ],
)
def test_a_peek_tells_the_words_of_one_host_by_its_fields(fields, own):
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}
    assert OpenAIChat().peek(json.dumps(body).encode()).own_words is own
