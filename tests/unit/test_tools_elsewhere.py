"""Tools that only one dialect knows the form of, told to the others and called by them."""

from __future__ import annotations

import json

import pytest

from flo2.canonical import Finish, PartDelta, PartStart, PartStop, Start, ToolCall, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.gemini import Gemini
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.testing.validators import VALIDATORS

RESPONSES, CHAT = OpenAIResponses(), OpenAIChat()
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
LOOK = {"type": "function", "name": "look", "parameters": SCHEMA, "strict": False}
PATCH = {"type": "custom", "name": "patch", "format": {"type": "text"}}
FOUND = {"type": "function", "name": "rate", "parameters": SCHEMA, "defer_loading": True}
SEARCH = {
    "type": "tool_search",
    "execution": "client",
    "description": "Finds tools.",
    "parameters": SCHEMA,
}
LONG = "n" * 60
SESSION = {
    "model": "m",
    "input": [
        {"type": "message", "role": "user", "content": "Hi"},
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "namespace": "mcp__docs",
            "name": "look",
            "arguments": '{"q":"a"}',
            "status": "completed",
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "b"},
        {
            "type": "tool_search_call",
            "id": "ts_1",
            "call_id": "call_2",
            "execution": "client",
            "status": "completed",
            "arguments": {"q": "money"},
        },
        {
            "type": "tool_search_output",
            "call_id": "call_2",
            "execution": "client",
            "status": "completed",
            "tools": [FOUND],
        },
    ],
    "tools": [
        {"type": "namespace", "name": "mcp__docs", "description": "D.", "tools": [LOOK, PATCH]},
        {"type": "namespace", "name": LONG, "description": "D.", "tools": [LOOK]},
        {**LOOK, "name": "mcp__docs__patch"},
        SEARCH,
    ],
}
NAMES = [
    "mcp__docs__look",
    "mcp__docs__patch_176cf7f6",
    f"{'n' * 55}_4c23f029",
    "mcp__docs__patch",
    "tool_search",
    "rate",
]


def parsed(session=SESSION):
    return RESPONSES.parse(json.dumps(session).encode())


def names(dialect, body):
    if dialect.name == "gemini":
        return [each["name"] for each in body["tools"][0]["functionDeclarations"]]
    tools = body["tools"]
    return [each["name"] if "name" in each else each[each["type"]]["name"] for each in tools]


def test_a_session_goes_back_to_its_own_dialect_as_it_came():
    rendered = RESPONSES.render(parsed(), model="m", profile=Profile())

    assert (json.loads(rendered.body), rendered.losses) == (SESSION, ())


@pytest.mark.parametrize("target", [CHAT, AnthropicMessages(), Gemini()], ids=lambda d: d.name)
def test_each_tool_is_a_function_of_one_name_elsewhere_and_what_is_lost_is_named(target):
    rendered = target.render(parsed(), model="m", profile=Profile())
    body = json.loads(rendered.body)

    told = names(target, body)
    assert told == NAMES
    assert [loss.path for loss in rendered.losses if loss.severity != "note"] == [
        "tools[0].tools[0].namespace_description",
        "tools[0].tools[1].format",
        "tools[1].tools[0].namespace_description",
    ]


def called(*calls, whole):
    events = [Start("r", "m", 1, origin="anthropic.messages")]
    for index, (name, arguments) in enumerate(calls):
        half = len(arguments) // 2
        events += [
            PartStart(index, ToolCall(f"call_{index}", name, "")),
            PartDelta(index, arguments[:half]),
            PartDelta(index, arguments[half:]),
            PartStop(index),
        ]
    events.append(Finish("tool_calls"))
    dialect = RESPONSES
    asked = parsed()
    if whole:
        rendered = dialect.encode_response(fold(events, asked=asked))
        return json.loads(rendered.body)["output"]
    encoder = dialect.encoder(include_usage=True, asked=asked)
    stream = b"".join(map(encoder.feed, events)) + encoder.close()
    assert VALIDATORS[dialect.name].stream(stream, level="compatible") == []
    last = stream.rsplit(b"data: ", 1)[1]
    return json.loads(last)["response"]["output"]


@pytest.mark.parametrize("whole", [True, False])
def test_a_call_comes_back_under_both_of_its_names(whole):
    tools = {tool.qualified: name for name, tool in offered().items()}
    patch = tools["mcp__docs", "patch"]

    output = called(
        ("mcp__docs__look", '{"q":"a"}'),
        (patch, '{"input":"text"}'),
        ("tool_search", '{"q":"money"}'),
        ("rate", '{"q":"b"}'),
        ("mcp__docs__patch", "{}"),
        whole=whole,
    )

    keep = ("type", "namespace", "name", "arguments", "input", "execution")
    assert [{key: each[key] for key in keep if key in each} for each in output] == [
        {
            "type": "function_call",
            "namespace": "mcp__docs",
            "name": "look",
            "arguments": '{"q":"a"}',
        },
        {"type": "custom_tool_call", "namespace": "mcp__docs", "name": "patch", "input": "text"},
        {"type": "tool_search_call", "arguments": {"q": "money"}, "execution": "client"},
        {"type": "function_call", "name": "rate", "arguments": '{"q":"b"}'},
        {"type": "function_call", "name": "mcp__docs__patch", "arguments": "{}"},
    ]


def offered():
    return {
        each.name: each
        for tool in parsed().tools
        for each in getattr(tool, "functions", None) or (tool,)
    }


def test_what_is_no_tool_inside_a_namespace_is_nobodys():
    session = {
        **SESSION,
        "tools": [
            {"type": "namespace", "name": "n", "tools": [{"type": "custom"}, 1, {"type": "x"}]},
            {"type": "namespace", "name": 1, "tools": None},
            {**SEARCH, "parameters": None},
        ],
    }
    request = parsed(session)

    assert [tool.functions for tool in request.tools[:2]] == [(), ()]
    assert [tool.name for tool in request.tools[2].functions] == ["rate"]
    rendered = RESPONSES.render(request, model="m", profile=Profile())
    assert json.loads(rendered.body) == session


def chat_called(*calls, whole):
    tool = {"type": "custom", "custom": {"name": "patch"}}
    asked = CHAT.parse(
        json.dumps(
            {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "tools": [tool]}
        ).encode()
    )
    events = [Start("r", "m", 1, origin="anthropic.messages")]
    for index, (name, pieces) in enumerate(calls):
        events.append(PartStart(index, ToolCall(f"call_{index}", name, "")))
        events += [PartDelta(index, piece) for piece in pieces]
    events.append(Finish("tool_calls"))
    if whole:
        answer = json.loads(CHAT.encode_response(fold(events, asked=asked)).body)
        return answer["choices"][0]["message"]["tool_calls"]
    encoder = CHAT.encoder(include_usage=False, asked=asked)
    stream = b"".join(map(encoder.feed, events)) + encoder.close()
    assert VALIDATORS["openai.chat"].stream(stream) == []
    made = {}
    for line in stream.split(b"\n\n")[:-2]:
        for call in json.loads(line[6:])["choices"][0]["delta"].get("tool_calls", ()):
            if "id" in call:
                made[call["index"]] = {key: call[key] for key in call if key != "index"}
                continue
            (kind,) = call.keys() - {"index"}
            for key, more in call[kind].items():
                made[call["index"]][kind][key] += more
    return [made[index] for index in sorted(made)]


@pytest.mark.parametrize("whole", [True, False])
def test_a_tool_of_free_text_is_called_so_in_chat_too(whole):
    calls = chat_called(
        ("patch", ['{"inp', 'ut":"one"}']),
        ("other", ["{}"]),
        ("patch", ["not an object"]),
        ("patch", ['{"input":2}']),
        whole=whole,
    )

    assert [call[call["type"]] for call in calls] == [
        {"name": "patch", "input": "one"},
        {"name": "other", "arguments": "{}"},
        {"name": "patch", "input": "not an object"},
        {"name": "patch", "input": '{"input":2}'},
    ]
