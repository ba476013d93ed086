"""Requests of the Responses API: what is read, what is written, and what is lost."""

from __future__ import annotations

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
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.carrier import carry
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.errors import InvalidRequest

DIALECT, CHAT, ANTHROPIC = OpenAIResponses(), OpenAIChat(), AnthropicMessages()
NAME = "openai.responses"


def body(**fields) -> bytes:
    return json.dumps({"model": "gpt", "input": "Hi", **fields}).encode()


def parsed(items, **fields):
    return DIALECT.parse(body(input=items, **fields)).messages


def written(request, profile=None):
    rendered = DIALECT.render(request, model="m", profile=profile or Profile())
    return json.loads(rendered.body), rendered.losses


def foreign(*messages, **fields):
    fields.setdefault("origin", "openai.chat")
    return Request("gpt", messages or (Message("user", (Text("Hi"),), plain=True),), **fields)


USER = {"type": "message", "role": "user", "content": "Hi"}
BASE = {"model": "m", "input": [USER], "store": False}


def test_one_go_of_the_model_is_one_turn_and_its_items_keep_their_order():
    items = [
        USER,
        {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "e"},
        {
            "type": "message",
            "id": "msg",
            "role": "assistant",
            "status": "completed",
            "phase": "commentary",
            "content": [{"type": "output_text", "text": "I look.", "annotations": []}],
        },
        {"type": "function_call", "id": "fc", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "web_search_call", "id": "ws", "status": "completed"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "free"},
        {"type": "message", "role": "assistant", "content": "Between calls"},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {
            "type": "custom_tool_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": "two"}],
        },
        {"type": "tool_search_output", "call_id": None, "tools": []},
        {"type": "message", "role": "developer", "content": "Be kind."},
    ]
    request = DIALECT.parse(body(input=items))
    assert request.messages == (
        Message("user", (Text("Hi"),), plain=True),
        Message(
            "assistant",
            (
                Reasoning(encrypted="e", origin=NAME, id="rs"),
                Text("I look.", extras={"annotations": []}),
                ToolCall("c1", "f", "{}", extras={"id": "fc"}),
                Opaque(NAME, items[4]),
                ToolCall("c2", "g", "free", "custom"),
                Text("Between calls"),
            ),
            extras={"id": "msg", "status": "completed", "phase": "commentary"},
        ),
        Message("tool", (ToolResult("c1", (Text("one"),), plain=True),)),
        Message("tool", (ToolResult("c2", (Text("two"),), kind="custom"),)),
        Message("tool", (Opaque(NAME, items[9]),)),
        Message("developer", (Text("Be kind."),), plain=True),
    )
    found = json.loads(DIALECT.render(request, model="gpt", profile=Profile()).body)["input"]
    items[6] = {**items[6], "content": [{"type": "output_text", "text": "Between calls"}]}
    assert found == items


def test_messages_in_a_row_stay_messages_in_a_row():
    items = [
        {"type": "message", "role": "assistant", "content": "one"},
        {"type": "message", "role": "assistant", "content": "two", "phase": "final_answer"},
    ]
    request = DIALECT.parse(body(input=items))
    assert request.messages == (
        Message("assistant", (Text("one"),), plain=True),
        Message("assistant", (Text("two"),), plain=True, extras={"phase": "final_answer"}),
    )
    assert written(request)[0]["input"] == items


@pytest.mark.parametrize(
    ("fields", "messages"),
    [
        ({"instructions": "Be brief."}, (Message("system", (Text("Be brief."),), plain=True),)),
        (
            {"input": [{"role": "system", "content": "Be brief."}, USER]},
            (Message("system", (Text("Be brief."),), plain=True, extras={"instructions": None}),),
        ),
        (
            {"instructions": "A", "input": [{"role": "system", "content": "B"}, USER]},
            (
                Message("system", (Text("A"),), plain=True),
                Message("system", (Text("B"),), plain=True),
            ),
        ),
    ],
)
def test_a_prompt_goes_back_to_where_it_stood(fields, messages):
    request = DIALECT.parse(body(**fields))
    assert request.messages[:-1] == messages
    found, losses = written(request)
    assert losses == ()
    assert found.get("instructions") == fields.get("instructions")
    items = fields.get("input", [USER])
    assert found["input"] == [{"type": "message", **item} for item in items]
    for other in (CHAT, ANTHROPIC):
        rendered = other.render(request, model="m", profile=Profile())
        assert not any("instructions" in loss.path for loss in rendered.losses)


@pytest.mark.parametrize(
    ("part", "read"),
    [
        ({"type": "input_text", "text": "a", "x": 1}, Text("a", extras={"x": 1})),
        (
            {"type": "output_text", "text": "a", "annotations": [{"type": "file_path"}]},
            Text("a", ({"type": "file_path"},), extras={"type": "output_text"}),
        ),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
            Image(data="AA==", media_type="image/png", detail="low"),
        ),
        (
            {"type": "input_image", "image_url": "https://example.com/a.png"},
            Image(url="https://example.com/a.png"),
        ),
        ({"type": "input_image", "file_id": "file-1"}, Image(file_id="file-1")),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:a/b;base64,AA=="},
            File(data="AA==", media_type="a/b", filename="a.pdf"),
        ),
        ({"type": "input_file", "file_url": "https://a.example"}, File(url="https://a.example")),
        (
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            Audio(data="AA==", format="wav"),
        ),
        ({"type": "refusal", "refusal": "No."}, Refusal("No.")),
        (
            {"type": "input_video", "x": 1},
            Opaque(NAME, {"content": [{"type": "input_video", "x": 1}]}),
        ),
        (
            {"type": "input_image", "image_url": "u", "file_id": "f"},
            Opaque(NAME, {"content": [{"type": "input_image", "image_url": "u", "file_id": "f"}]}),
        ),
    ],
)
def test_content_parts_are_read_and_written_again(part, read):
    item = {"type": "message", "role": "user", "content": [part]}
    request = DIALECT.parse(body(input=[item]))
    assert request.messages == (Message("user", (read,)),)
    assert written(request) == ({"model": "m", "input": [item]}, ())


@pytest.mark.parametrize(
    ("item", "read"),
    [
        (
            {"summary": [{"type": "summary_text", "text": "a"}], "encrypted_content": "e"},
            Reasoning("a", encrypted="e", origin=NAME),
        ),
        (
            {
                "summary": [
                    {"type": "summary_text", "text": "a"},
                    {"type": "summary_text", "text": "b"},
                ]
            },
            Reasoning(
                "a\n\nb",
                origin=NAME,
                extras={
                    "summary": [
                        {"type": "summary_text", "text": "a"},
                        {"type": "summary_text", "text": "b"},
                    ]
                },
            ),
        ),
        (
            {"summary": [], "content": [{"type": "reasoning_text", "text": "raw"}]},
            Reasoning(
                "raw",
                origin=NAME,
                extras={"content": [{"type": "reasoning_text", "text": "raw"}]},
            ),
        ),
        (
            {"summary": [], "content": None, "status": "completed"},
            Reasoning(origin=NAME, extras={"content": None, "status": "completed"}),
        ),
    ],
)
def test_reasoning_is_read_and_written_again(item, read):
    item = {"type": "reasoning", **item}
    request = DIALECT.parse(body(input=[item]))
    assert request.messages == (Message("assistant", (read,)),)
    assert written(request)[0]["input"] == [item]


TOOLS = [
    {
        "type": "function",
        "name": "f",
        "description": "d",
        "parameters": {"type": "object"},
        "strict": False,
        "defer_loading": True,
    },
    {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "lark"}},
    {"type": "namespace", "name": "n", "description": "d", "tools": []},
    {"type": "web_search", "external_web_access": False},
    {"type": "tool_search", "execution": "client"},
    {"type": "brand_new"},
]


def test_tools_are_read_and_the_unknown_ones_stay_untouched():
    request = DIALECT.parse(body(tools=TOOLS))
    assert request.tools == (
        Tool("f", "d", {"type": "object"}, strict=False, extras={"defer_loading": True}),
        Tool("g", kind="custom", extras={"format": {"type": "grammar", "syntax": "lark"}}),
        *(OpaqueTool(NAME, tool) for tool in TOOLS[2:]),
    )
    assert written(request)[0]["tools"] == TOOLS


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "f"}, ToolChoice("tool", "f")),
        (
            {"type": "custom", "name": "g"},
            ToolChoice("tool", "g", {"tool_choice": {"type": "custom", "name": "g"}}),
        ),
        (
            {"type": "allowed_tools", "mode": "required", "tools": []},
            ToolChoice(
                "required",
                extras={"tool_choice": {"type": "allowed_tools", "mode": "required", "tools": []}},
            ),
        ),
        (
            {"type": "web_search"},
            ToolChoice("auto", extras={"tool_choice": {"type": "web_search"}}),
        ),
    ],
)
def test_tool_choices(choice, read):
    request = DIALECT.parse(body(tools=TOOLS, tool_choice=choice))
    assert request.tool_choice == read
    assert written(request)[0]["tool_choice"] == choice


SCHEMA = {"type": "json_schema", "name": "s", "schema": {"type": "object"}, "strict": True}


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        (
            {"text": {"format": SCHEMA, "verbosity": "low"}},
            {
                "response_format": ResponseFormat("json_schema", "s", {"type": "object"}, True),
                "extras": {"text": {"verbosity": "low"}},
            },
        ),
        (
            {"text": {"format": {"type": "json_object"}}},
            {"response_format": ResponseFormat("json_object")},
        ),
        (
            {"text": {"format": {"type": "grammar", "x": 1}}},
            {"extras": {"text": {"format": {"type": "grammar", "x": 1}}}},
        ),
        (
            {"reasoning": {"effort": "high", "summary": "auto"}},
            {"reasoning": ReasoningOptions(effort="high", display="summarized")},
        ),
        (
            {"reasoning": {"summary": "detailed", "context": "all_turns"}},
            {
                "reasoning": ReasoningOptions(
                    display="summarized", extras={"summary": "detailed", "context": "all_turns"}
                )
            },
        ),
        ({"reasoning": {"effort": "none"}}, {"reasoning": ReasoningOptions("off", "none")}),
        ({"include": ["reasoning.encrypted_content"]}, {"extras": {"include": None}}),
        (
            {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
            {
                "extras": {"include": ["message.output_text.logprobs"]},
                "sampling": Sampling(logprobs=True, top_logprobs=2),
            },
        ),
        ({"user": "u"}, {"end_user": "u"}),
        ({"safety_identifier": "s"}, {"end_user": "s", "extras": {"safety_identifier": None}}),
        (
            {"user": "u", "safety_identifier": "s"},
            {"end_user": "u", "extras": {"safety_identifier": "s"}},
        ),
        (
            {"previous_response_id": "resp_1", "store": True, "background": False},
            {
                "extras": {"previous_response_id": "resp_1", "store": True, "background": False},
                "essential": frozenset({"previous_response_id"}),
            },
        ),
        (
            {"conversation": {"id": "c"}, "metadata": {"k": "v"}, "service_tier": "flex"},
            {
                "extras": {"conversation": {"id": "c"}},
                "essential": frozenset({"conversation"}),
                "metadata": {"k": "v"},
                "service_tier": "flex",
            },
        ),
        (
            {"max_output_tokens": 64, "temperature": 0.5, "top_p": 1, "parallel_tool_calls": False},
            {
                "sampling": Sampling(64, temperature=0.5, top_p=1),
                "parallel_tool_calls": False,
            },
        ),
    ],
)
def test_options_are_read_and_written_again(fields, read):
    request = DIALECT.parse(body(**fields))
    expected = Request("gpt", (Message("user", (Text("Hi"),), plain=True),), origin=NAME, **read)
    assert request == expected
    assert written(request) == ({"model": "m", "input": [USER], **fields}, ())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": 5}, "input"),
        ({"input": [5]}, "input[0]"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [5]}]}, "input[0].content[0]"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
            "input[0].content[0].text",
        ),
        (
            {"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]},
            "input[0].call_id",
        ),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input[0].arguments"),
        ({"input": [{"type": "reasoning", "summary": "x"}]}, "input[0].summary"),
        ({"tools": [5]}, "tools[0]"),
        ({"tools": [{"type": "custom"}]}, "tools[0].name"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"instructions": 5}, "instructions"),
        ({"temperature": "hot"}, "temperature"),
        ({"text": {"format": {"type": "json_schema", "schema": 5}}}, "text.format.schema"),
    ],
)
def test_a_wrong_shape_is_refused_by_its_path(fields, param):
    with pytest.raises(InvalidRequest) as refused:
        DIALECT.parse(body(**fields))
    assert refused.value.param == param


def test_peek():
    found = DIALECT.peek(
        body(
            stream=True,
            max_output_tokens=9.0,
            previous_response_id="resp_1",
            safety_identifier="s",
            background=True,
        )
    )
    assert (found.model, found.stream, found.max_output_tokens) == ("gpt", True, 9)
    assert (found.continues, found.end_user) == ("resp_1", "s")
    assert not found.needs_render
    item = {"type": "reasoning", "encrypted_content": carry(Reasoning("x", origin="o"))}
    assert DIALECT.peek(body(input=[item])).needs_render
    assert DIALECT.peek(b'{"model":"m","prompt":{"id":"p"}}').model == "m"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "invalid_json"),
        (b"[]", "invalid_type"),
        (b'{"input":"x"}', "missing_field"),
        (b'{"model":"","input":"x"}', "missing_field"),
        (b'{"model":"m"}', "empty_input"),
        (b'{"model":"m","input":[]}', "empty_input"),
        (b'{"model":"m","input":"x","max_output_tokens":0.5}', "invalid_value"),
        (b'{"model":"m","input":"x","background":true}', "unsupported_background"),
        (b'{"model":"m","input":"\xff"}', "invalid_utf8"),
    ],
)
def test_peek_refuses_what_nobody_could_serve(raw, code):
    with pytest.raises(InvalidRequest) as refused:
        DIALECT.peek(raw)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("fields", "more", "losses"),
    [
        ({"sampling": Sampling(3)}, {"max_output_tokens": 16}, [("max_tokens", "note")]),
        ({"sampling": Sampling(n=2)}, {}, [("n", "refuse")]),
        ({"sampling": Sampling(n=1, presence_penalty=0)}, {}, []),
        (
            {"sampling": Sampling(stop=("a", "b"), seed=1, top_k=2)},
            {},
            [("stop[0]", "drop"), ("stop[1]", "drop"), ("seed", "drop"), ("top_k", "drop")],
        ),
        (
            {"sampling": Sampling(logprobs=True, top_logprobs=3)},
            {"include": ["message.output_text.logprobs"], "top_logprobs": 3},
            [],
        ),
        (
            {"reasoning": ReasoningOptions(effort="high", display="summarized")},
            {
                "reasoning": {"effort": "high", "summary": "auto"},
                "include": ["reasoning.encrypted_content"],
            },
            [],
        ),
        (
            {"reasoning": ReasoningOptions("enabled", budget_tokens=3000, display="omitted")},
            {
                "reasoning": {"effort": "medium"},
                "include": ["reasoning.encrypted_content"],
            },
            [("reasoning.budget_tokens", "note"), ("reasoning.display", "note")],
        ),
        ({"reasoning": ReasoningOptions("off")}, {"reasoning": {"effort": "none"}}, []),
        (
            {"response_format": ResponseFormat("json_schema", schema={"type": "object"})},
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "answer",
                        "schema": {"type": "object"},
                    }
                }
            },
            [],
        ),
        (
            {"tools": (Tool("f"), OpaqueTool("x.y", {"type": "z"}))},
            {"tools": [{"type": "function", "name": "f", "parameters": None, "strict": False}]},
            [("tools[1]", "drop")],
        ),
        (
            {
                "tools": (Tool("g", kind="custom", cache=CacheHint()),),
                "tool_choice": ToolChoice("tool", "g"),
            },
            {
                "tools": [{"type": "custom", "name": "g"}],
                "tool_choice": {"type": "custom", "name": "g"},
            },
            [("tools[0].cache", "note")],
        ),
        ({"tool_choice": ToolChoice("auto"), "parallel_tool_calls": False}, {}, []),
        ({"service_tier": "flex"}, {"service_tier": "flex"}, []),
        (
            {"service_tier": "standard_only", "origin": "anthropic.messages"},
            {},
            [("service_tier", "note")],
        ),
        ({"metadata": {"k": "v"}, "end_user": "u"}, {"user": "u"}, [("metadata", "note")]),
        (
            {"extras": {"store": True, "thread": 1, "null": None}, "essential": {"thread"}},
            {},
            [("store", "drop"), ("thread", "refuse")],
        ),
        ({"stream": True, "cache": CacheHint()}, {"stream": True}, [("request.cache", "note")]),
    ],
)
def test_options_of_other_dialects(fields, more, losses):
    request = foreign(**fields)
    found, lost = written(request)
    assert found == BASE | more
    assert [(loss.path, loss.severity) for loss in lost] == losses
    assert DIALECT.check(request, Profile()) == lost


@pytest.mark.parametrize(
    ("part", "content", "losses"),
    [
        (
            Image(data="AA==", media_type="image/png"),
            {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"},
            [],
        ),
        (Image(file_id="f"), None, ["refuse"]),
        (
            File(data="AA==", media_type="application/pdf"),
            {
                "type": "input_file",
                "filename": "document.pdf",
                "file_data": "data:application/pdf;base64,AA==",
            },
            [],
        ),
        (
            File(url="https://a.example", context="c"),
            {"type": "input_file", "file_url": "https://a.example"},
            ["drop"],
        ),
        (
            File(text="body", filename="a.txt", citations=True),
            {"type": "input_text", "text": "a.txt\n\nbody"},
            ["drop", "note"],
        ),
        (File(file_id="f"), None, ["refuse"]),
        (File(content=(Text("x"),)), {"type": "input_text", "text": "x"}, ["note"]),
        (File(content=(Image(url="u"),)), None, ["refuse"]),
        (Audio(audio_id="a"), None, ["refuse"]),
        (Opaque("x.y", {"type": "z"}), None, ["refuse"]),
        (
            Opaque("x.y", {"type": "z"}, text="Read."),
            {"type": "input_text", "text": "Read."},
            ["note"],
        ),
        (Opaque("x.y", {"type": "z"}, aside=True), None, ["note"]),
        (ToolCall("c", "f", "{}"), None, ["refuse"]),
        (
            Text("x", ({"u": 1},), CacheHint(), {"k": 1}),
            {"type": "input_text", "text": "x"},
            ["note", "note", "drop"],
        ),
    ],
)
def test_parts_of_other_dialects(part, content, losses):
    found, lost = written(foreign(Message("user", (part, Text("end")))))
    end = {"type": "input_text", "text": "end"}
    assert found["input"][0]["content"] == ([content, end] if content else [end])
    assert [loss.severity for loss in lost] == losses


def test_a_turn_of_another_dialect_becomes_items():
    found, losses = written(
        foreign(
            Message("system", (Text("Be brief."),)),
            Message("user", (Text("Hi"),), name="ann"),
            Message(
                "assistant",
                (
                    Reasoning("hm", "sig", origin="anthropic.messages"),
                    Text(""),
                    Text("I look."),
                    ToolCall("c1", "f", ""),
                    ToolCall("c2", "g", "free", "custom"),
                ),
                extras={"id": "x"},
            ),
            Message("tool", (ToolResult("c1", (Text("no"),), is_error=True, name="f"),)),
            Message("tool", (ToolResult("c2", (Image(url="u"),), is_error=True),)),
            Message("tool", (ToolResult("c3"), Text("beside"))),
        )
    )
    assert found == {
        "model": "m",
        "instructions": "Be brief.",
        "store": False,
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "I look."}],
            },
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "free"},
            {"type": "function_call_output", "call_id": "c1", "output": "Error: no"},
            {
                "type": "custom_tool_call_output",
                "call_id": "c2",
                "output": [
                    {"type": "input_text", "text": "Error: "},
                    {"type": "input_image", "image_url": "u", "detail": "auto"},
                ],
            },
            {"type": "function_call_output", "call_id": "c3", "output": ""},
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "beside"}],
            },
        ],
    }
    assert [(loss.path, loss.severity) for loss in losses] == [
        ("messages[1].name", "drop"),
        ("messages[2].id", "note"),
        ("messages[2].content[0]", "drop"),
        ("messages[3].content[0].is_error", "note"),
        ("messages[3].content[0].name", "note"),
        ("messages[4].content[0].is_error", "note"),
        ("messages[5]", "note"),
    ]


def test_encrypted_reasoning_of_the_provider_goes_back_from_any_client():
    part = Reasoning("sum", encrypted="e", origin=NAME, id="rs_1")
    unkept = Reasoning("sum", origin=NAME, id="rs_2")
    found, losses = written(
        foreign(
            Message("assistant", (part, unkept, Text("x"))),
            Message("user", (Text("y"),)),
            origin="anthropic.messages",
        )
    )
    assert found["input"][0] == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "sum"}],
        "encrypted_content": "e",
    }
    assert found["include"] == ["reasoning.encrypted_content"]
    assert losses == (
        Loss("messages[0].content[1]", "reasoning that the provider did not encrypt"),
    )


def test_a_last_turn_of_the_assistants_is_one_like_any():
    turn = Message("assistant", (Text("{"),))
    found, losses = written(foreign(Message("user", (Text("x"),)), turn))
    assert found["input"][1]["content"] == [{"type": "output_text", "text": "{"}]
    reason = "the answer may begin anew, and not go on from this turn"
    assert losses == (Loss("messages[1].prefill", reason),)


def test_what_the_vendors_two_dialects_share_goes_over():
    request = Request(
        "m",
        (Message("user", (Text("x"),)),),
        extras={"verbosity": "low", "prompt_cache_key": "k", "safety_identifier": "s"},
        origin="openai.chat",
    )
    found, losses = written(request)
    assert losses == ()
    assert found["text"] == {"verbosity": "low"}
    assert (found["prompt_cache_key"], found["safety_identifier"]) == ("k", "s")


def test_a_prompt_alone_is_no_conversation():
    losses = written(foreign(Message("system", (Text("x"),))))[1]
    assert losses == (Loss("messages", "no turn is left to answer", "refuse"),)


def test_a_profile_drops_and_renames_fields():
    request = DIALECT.parse(body(temperature=0.5, include=["x"], max_output_tokens=20))
    profile = Profile(
        drops=frozenset({"temperature", "absent"}), renames={"max_output_tokens": "max_tokens"}
    )
    found, losses = written(request, profile)
    assert found == {"model": "m", "input": [USER], "include": ["x"], "max_tokens": 20}
    assert losses == (Loss("temperature", "the model's host does not take it"),)
    assert DIALECT.check(request, profile) == losses


def test_what_a_codex_turn_loses_on_anthropic_is_named_and_refuses_nothing():
    """clients.md 20: a rule for each of its tools; the turn itself goes through."""
    request = DIALECT.parse(
        body(
            input=[
                {"type": "message", "role": "developer", "content": "You are an agent."},
                USER,
                {"type": "web_search_call", "id": "ws", "status": "completed"},
                {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "free"},
                {"type": "custom_tool_call_output", "call_id": "c2", "output": "Done."},
            ],
            tools=TOOLS,
            include=["reasoning.encrypted_content"],
            reasoning={"effort": "medium", "summary": "auto"},
            store=False,
            prompt_cache_key="k",
            client_metadata={"x": "1"},
        )
    )
    rendered = ANTHROPIC.render(request, model="claude", profile=Profile(adaptive_thinking=True))
    found = json.loads(rendered.body)
    assert [tool["name"] for tool in found["tools"]] == ["f", "g"]
    assert found["messages"][1:] == [
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "c2", "name": "g", "input": {"input": "free"}}],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c2", "content": "Done."}],
        },
    ]
    assert found["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert {loss.path for loss in rendered.losses if loss.severity == "drop"} == {
        "messages[2].content[0]",
        "tools[1].format",
        "tools[2]",
        "tools[3]",
        "tools[4]",
        "tools[5]",
    }
    assert {loss.path for loss in rendered.losses if loss.severity == "refuse"} == set()
