"""Requests of the Messages API: what is read, what is written, and what is lost."""

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
from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from flo2.dialects.base import Peek, Profile
from flo2.errors import InvalidRequest

DIALECT = AnthropicMessages()
NAME = "anthropic.messages"
HI = {"role": "user", "content": "Hi"}
BASE = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": [HI]}
USER = Message("user", (Text("Hi"),), plain=True)


def body(**fields) -> bytes:
    return json.dumps(BASE | fields).encode()


def foreign(*messages: Message, **fields) -> Request:
    sampling = fields.pop("sampling", Sampling(max_output_tokens=100))
    return Request("m", messages or (USER,), sampling=sampling, origin="openai.chat", **fields)


def rendered(request: Request, profile: Profile | None = None):
    out = DIALECT.render(request, model="claude", profile=profile or Profile())
    return json.loads(out.body), out.losses


def written(**fields):
    """What a foreign request adds to the bare one, and its losses."""
    found, losses = rendered(foreign(**fields))
    bare = {"model": "claude", "max_tokens": 100, "messages": [HI]}
    return {key: value for key, value in found.items() if bare.get(key) != value}, losses


# ------------------------------------------------------------------------------------------- peek


def test_peek_reads_the_top_level():
    request = body(stream=True, metadata={"user_id": "u-1"})
    assert DIALECT.peek(request) == Peek(
        "claude-sonnet-5", stream=True, max_output_tokens=100, end_user="u-1"
    )


def test_peek_reads_a_body_with_a_lone_surrogate():
    request = body().replace(b'"Hi"', b'"\\ud83d"')
    assert DIALECT.peek(request) == Peek("claude-sonnet-5", max_output_tokens=100)
    parsed = DIALECT.parse(request)
    again = DIALECT.render(parsed, model=parsed.model, profile=Profile()).body
    assert json.loads(again) == json.loads(request)


@pytest.mark.parametrize(
    ("request_body", "message", "param"),
    [
        (b"{", "the request body is not valid JSON", None),
        (b'"\xff"', "the request body is not valid JSON", None),
        (b"[]", "the request body must be an object, not list", None),
        (b'{"messages": [1], "max_tokens": 1}', "model: Field required", "model"),
        (b'{"model": "m", "max_tokens": 1}', "messages: Field required", "messages"),
        (b'{"model": "m", "messages": [{}]}', "max_tokens: Field required", "max_tokens"),
        (
            b'{"model": "m", "messages": [ ], "max_tokens": 1}',
            "messages: at least one message is required",
            "messages",
        ),
        (body(max_tokens="1"), "max_tokens: expected an integer, got str", "max_tokens"),
        (body(max_tokens=True), "max_tokens: expected an integer, got bool", "max_tokens"),
        (body(model=3), "model: expected a string, got int", "model"),
        (body(messages="x"), "messages: expected an array, got str", "messages"),
        (body(stream=1), "stream: expected a boolean, got int", "stream"),
    ],
)
def test_peek_refuses_in_the_providers_words(request_body, message, param):
    with pytest.raises(InvalidRequest) as refused:
        DIALECT.peek(request_body)
    assert refused.value.message.startswith(message)
    assert refused.value.param == param


def test_peek_leaves_what_is_further_down_to_the_provider():
    assert DIALECT.peek(body(messages=["Invalid content"])).model == "claude-sonnet-5"


def test_splice_changes_the_model_and_nothing_else():
    request = b'{ "max_tokens":1,\n "model" : "a",  "messages":[{"role":"user","content":"model"}]}'
    spliced = DIALECT.splice(request, DIALECT.peek(request), model="b")
    assert spliced == request.replace(b'"a"', b'"b"')


# ------------------------------------------------------------------------------------------ parse


def test_options_are_read():
    request = DIALECT.parse(
        body(
            tools=[
                {"name": "t", "input_schema": {"type": "object"}, "defer_loading": True},
                {"type": "web_search_20260318", "name": "web_search"},
            ],
            tool_choice={"type": "any", "disable_parallel_tool_use": True},
            thinking={"type": "enabled", "budget_tokens": 2000, "display": "omitted"},
            output_config={
                "effort": "high",
                "format": {"type": "json_schema", "schema": {"type": "object"}},
                "task_budget": {"total": 9},
            },
            metadata={"user_id": "u"},
            cache_control={"type": "ephemeral", "ttl": "1h"},
            stop_sequences=["END"],
            temperature=1,
            top_k=5,
            service_tier="auto",
            stream=True,
            speed="fast",
        )
    )
    assert request == Request(
        model="claude-sonnet-5",
        messages=(USER,),
        tools=(
            Tool("t", parameters={"type": "object"}, extras={"defer_loading": True}),
            OpaqueTool(NAME, {"type": "web_search_20260318", "name": "web_search"}),
        ),
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
        response_format=ResponseFormat("json_schema", schema={"type": "object"}),
        sampling=Sampling(max_output_tokens=100, temperature=1, top_k=5, stop=("END",)),
        reasoning=ReasoningOptions("enabled", "high", 2000, "omitted"),
        stream=True,
        service_tier="auto",
        end_user="u",
        cache=CacheHint("1h"),
        extras={"output_config": {"task_budget": {"total": 9}}, "speed": "fast"},
        origin=NAME,
    )


def test_tool_results_become_a_tool_message_and_come_back_as_one_user_turn():
    content = [
        {"type": "tool_result", "tool_use_id": "a", "content": "1"},
        {"type": "tool_result", "tool_use_id": "b", "is_error": True},
        {"type": "text", "text": "go on"},
    ]
    request = DIALECT.parse(body(messages=[{"role": "user", "content": content}]))
    assert request.messages == (
        Message(
            "tool",
            (ToolResult("a", (Text("1"),), plain=True), ToolResult("b", is_error=True)),
        ),
        Message("user", (Text("go on"),)),
    )
    assert rendered(request)[0]["messages"] == [{"role": "user", "content": content}]


def test_billing_header_is_hidden_from_other_dialects():
    block = {"type": "text", "text": "x-anthropic-billing-header: cc_version=1; cch=2"}
    request = DIALECT.parse(body(system=[block, {"type": "text", "text": "Be kind."}]))
    assert request.messages[0] == Message(
        "system", (Opaque(NAME, block, aside=True), Text("Be kind."))
    )
    assert rendered(request)[0]["system"] == [block, {"type": "text", "text": "Be kind."}]


def test_billing_header_as_bare_text_is_hidden_too():
    text = "x-anthropic-billing-header: cc_version=1"
    request = DIALECT.parse(body(system=text))
    assert request.messages[0].content == (
        Opaque(NAME, {"type": "text", "text": text}, aside=True),
    )
    assert rendered(request)[0]["system"] == [{"type": "text", "text": text}]


def test_system_message_in_first_place_stays_a_message():
    messages = [{"role": "system", "content": "first"}, HI]
    request = DIALECT.parse(body(messages=messages, system="prompt"))
    found, losses = rendered(request)
    assert (found["system"], found["messages"], losses) == ("prompt", messages, ())


def test_unknown_fields_survive_at_every_level():
    fields = {
        "messages": [
            {
                "role": "user",
                "new": 1,
                "content": [
                    {"type": "text", "text": "x", "new": 2, "cache_control": None},
                    {"type": "image", "source": {"type": "url", "url": "u", "new": 3}, "new": 4},
                    {"type": "image", "source": {"type": "moon", "phase": 1}},
                    {
                        "type": "document",
                        "source": {
                            "type": "content",
                            "content": [{"type": "text", "text": "c", "new": 5}],
                            "new": 6,
                        },
                        "citations": {"enabled": True, "new": 7},
                        "title": None,
                    },
                    {"type": "document", "source": {"type": "text", "data": 5}},
                    {"type": "text", "text": "y", "cache_control": {"type": "eternal"}},
                    {
                        "type": "text",
                        "text": "z",
                        "citations": [{"type": "char_location"}],
                        "cache_control": {"type": "ephemeral", "ttl": None, "new": 8},
                    },
                    {"type": "poem"},
                ],
            }
        ],
        "tools": [{"type": "custom", "name": "t", "input_schema": {}, "new": 9}],
        "tool_choice": {"type": "tool", "name": "t", "new": 10},
        "thinking": {"type": "between_tools"},
        "output_config": {"format": {"type": "grammar"}},
        "metadata": {"user_id": "u", "new": 11},
        "thread": {"type": "create"},
    }
    request = DIALECT.parse(body(**fields))
    assert rendered(request) == (BASE | fields | {"model": "claude"}, ())


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"messages": ["Invalid content"]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        (
            {"messages": [HI, {"role": "user", "content": [{"type": "text"}]}]},
            "messages[1].content[0].text",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a"}]}]},
            "messages[0].content[0].name",
        ),
        ({"system": 5}, "system"),
        ({"tools": [{"name": 1}]}, "tools[0].name"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": {"type": "enabled", "budget_tokens": "x"}}, "thinking.budget_tokens"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"temperature": "hot"}, "temperature"),
        ({"metadata": []}, "metadata"),
    ],
)
def test_parse_names_the_path_at_fault(fields, path):
    with pytest.raises(InvalidRequest) as refused:
        DIALECT.parse(body(**fields))
    assert refused.value.param == path
    assert refused.value.message.startswith(path)


def test_superseded_output_format_is_written_in_its_new_place():
    form = {"type": "json_schema", "schema": {"type": "object"}}
    found, _ = rendered(DIALECT.parse(body(output_format=form)))
    assert found == BASE | {"model": "claude", "output_config": {"format": form}}


# ---------------------------------------------------------------------------- from other dialects


def test_leading_instructions_become_the_system_field_and_later_ones_stay():
    request = foreign(
        Message("system", (Text("A"),), plain=True),
        Message("developer", (Text("B"),), plain=True),
        USER,
        Message("developer", (Text("C"),), plain=True),
        Message("assistant", (Text(""), ToolCall("c1", "f", '{"a":1}')), plain=True),
        Message("tool", (ToolResult("c1", (Text("r"),), plain=True),)),
        Message("tool", (ToolResult("c2", (Text("s"), Image(url="https://x/y.png"))),)),
        Message("user", (Text("next"),), plain=True),
    )
    found, losses = rendered(request)
    assert found == {
        "model": "claude",
        "max_tokens": 100,
        "system": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}],
        "messages": [
            HI,
            {"role": "system", "content": "C"},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "r"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "c2",
                        "content": [
                            {"type": "text", "text": "s"},
                            {
                                "type": "image",
                                "source": {"type": "url", "url": "https://x/y.png"},
                            },
                        ],
                    },
                    {"type": "text", "text": "next"},
                ],
            },
        ],
    }
    assert losses == (
        Loss("messages[1].role", "developer instructions are sent as system", "note"),
        Loss("messages[1]", "joined with the system prompt before it", "note"),
        Loss("messages[3].role", "developer instructions are sent as system", "note"),
    )


def test_a_lone_plain_system_message_stays_text():
    found, losses = rendered(foreign(Message("system", (Text("A"),), plain=True), USER))
    assert (found["system"], losses) == ("A", ())


def test_old_models_get_later_instructions_as_a_user_turn():
    later = Message("system", (Text("C"),), plain=True)
    found, losses = rendered(foreign(USER, later), Profile(system_turns=False))
    assert found["messages"] == [HI, {"role": "user", "content": "C"}]
    assert [loss.path for loss in losses] == ["messages[1].role"]


FREE_TEXT = {
    "type": "object",
    "properties": {
        "input": {"type": "string", "description": "The tool's whole input, as free text."}
    },
    "required": ["input"],
}
NOTES = [
    (
        {"tools": (Tool("t", "Patch.", kind="custom"),)},
        {"tools": [{"name": "t", "description": "Patch.", "input_schema": FREE_TEXT}]},
        "tools[0].kind",
    ),
    ({"sampling": Sampling()}, {"max_tokens": 8192}, "max_tokens"),
    (
        {"tools": (Tool("t"),)},
        {"tools": [{"name": "t", "input_schema": {"type": "object", "properties": {}}}]},
        "tools[0].parameters",
    ),
    (
        {"reasoning": ReasoningOptions(effort="minimal")},
        {"output_config": {"effort": "low"}},
        "reasoning_effort",
    ),
    (
        {"reasoning": ReasoningOptions("off", "none")},
        {"thinking": {"type": "disabled"}},
        "reasoning_effort",
    ),
    ({"service_tier": "default"}, {"service_tier": "standard_only"}, "service_tier"),
    (
        {"response_format": ResponseFormat("json_schema", "n", {"type": "object"})},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        "response_format.name",
    ),
    (
        {"response_format": ResponseFormat("json_schema", schema={}, strict=True)},
        {"output_config": {"format": {"type": "json_schema", "schema": {}}}},
        "response_format.strict",
    ),
]
DROPS = [
    ({"sampling": Sampling(100, seed=1)}, {}, "seed"),
    ({"sampling": Sampling(100, presence_penalty=1)}, {}, "presence_penalty"),
    ({"sampling": Sampling(100, frequency_penalty=1)}, {}, "frequency_penalty"),
    ({"sampling": Sampling(100, logit_bias={"1": 1})}, {}, "logit_bias"),
    ({"sampling": Sampling(100, logprobs=True)}, {}, "logprobs"),
    ({"response_format": ResponseFormat("json_object")}, {}, "response_format"),
    ({"reasoning": ReasoningOptions("enabled")}, {}, "reasoning"),
    ({"reasoning": ReasoningOptions(effort="odd")}, {}, "reasoning_effort"),
    ({"service_tier": "flex"}, {}, "service_tier"),
    ({"metadata": {"k": "v"}}, {}, "metadata"),
    ({"extras": {"store": True}}, {}, "store"),
    (
        {
            "tools": (Tool("t", parameters={}),),
            "tool_choice": ToolChoice("auto", extras={"x": 1}),
        },
        {"tools": [{"name": "t", "input_schema": {}}], "tool_choice": {"type": "auto"}},
        "tool_choice.x",
    ),
    (
        {
            "tools": (OpaqueTool("openai.chat", {"type": "x"}),),
            "tool_choice": ToolChoice("auto"),
        },
        {},
        "tools[0]",
    ),
    (
        {"response_format": ResponseFormat("json_schema", schema={}, strict=False)},
        {"output_config": {"format": {"type": "json_schema", "schema": {}}}},
        "response_format.strict",
    ),
]
REFUSALS = [
    ({"sampling": Sampling(100, temperature=1.2)}, {}, "temperature"),
    ({"sampling": Sampling(100, n=2)}, {}, "n"),
    ({"sampling": Sampling(100, stop=("\n\n", "END"))}, {"stop_sequences": ["END"]}, "stop[0]"),
]


@pytest.mark.parametrize(
    ("fields", "written_fields", "path", "severity"),
    [
        (*case, severity)
        for severity, cases in (("note", NOTES), ("drop", DROPS), ("refuse", REFUSALS))
        for case in cases
    ],
)
def test_what_does_not_fit_is_a_named_loss(fields, written_fields, path, severity):
    found, losses = written(**fields)
    assert found == written_fields
    assert [(loss.path, loss.severity) for loss in losses] == [(path, severity)]


@pytest.mark.parametrize(
    ("fields", "written_fields"),
    [
        (
            {"sampling": Sampling(100, temperature=1.0, top_p=0.5, n=1)},
            {"temperature": 1.0, "top_p": 0.5},
        ),
        ({"sampling": Sampling(100, presence_penalty=0, logit_bias={}, logprobs=False)}, {}),
        (
            {"tools": (Tool("t", parameters={}),), "parallel_tool_calls": False},
            {
                "tools": [{"name": "t", "input_schema": {}}],
                "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            },
        ),
        ({"parallel_tool_calls": False}, {}),
        (
            {"tool_choice": ToolChoice("tool", "t"), "parallel_tool_calls": True},
            {"tool_choice": {"type": "tool", "name": "t", "disable_parallel_tool_use": False}},
        ),
        (
            {"tool_choice": ToolChoice("none"), "parallel_tool_calls": False},
            {"tool_choice": {"type": "none"}},
        ),
        ({"reasoning": ReasoningOptions(effort="high")}, {"output_config": {"effort": "high"}}),
        (
            {"reasoning": ReasoningOptions("enabled", None, 2000)},
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        ),
        ({"response_format": ResponseFormat("text")}, {}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"end_user": "u"}, {"metadata": {"user_id": "u"}}),
        ({"stream": True}, {"stream": True}),
        ({"cache": CacheHint()}, {"cache_control": {"type": "ephemeral"}}),
    ],
)
def test_what_fits_is_written_without_a_loss(fields, written_fields):
    assert written(**fields) == (written_fields, ())


def test_an_adaptive_model_thinks_when_an_effort_is_asked():
    request = foreign(reasoning=ReasoningOptions(effort="low"))
    found, losses = rendered(request, Profile(adaptive_thinking=True))
    assert found["thinking"] == {"type": "adaptive"}
    assert found["output_config"] == {"effort": "low"}
    assert losses == ()


def test_a_profile_drops_and_renames_fields():
    request = DIALECT.parse(
        body(temperature=0.5, top_k=3, output_config={"effort": "high"}, speed="fast")
    )
    profile = Profile(
        drops=frozenset({"temperature", "output_config.effort", "absent", "speed"}),
        renames={"top_k": "topk"},
    )
    found, losses = rendered(request, profile)
    assert found == BASE | {"model": "claude", "topk": 3}
    reason = "not taken by this model"
    assert losses == tuple(
        Loss(path, reason) for path in ("output_config.effort", "speed", "temperature")
    )
    assert DIALECT.check(request, profile) == losses


PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}


@pytest.mark.parametrize(
    ("part", "block", "losses"),
    [
        (
            Image(data="aQ==", media_type="image/png"),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "aQ=="},
            },
            [],
        ),
        (
            Image(url="https://x/y"),
            {"type": "image", "source": {"type": "url", "url": "https://x/y"}},
            [],
        ),
        (
            Image(url="https://x/y", detail="low"),
            {"type": "image", "source": {"type": "url", "url": "https://x/y"}},
            [("messages[0].content[0].detail", "drop")],
        ),
        (Image(file_id="file-1"), None, [("messages[0].content[0]", "refuse")]),
        (
            File(data="JVBERi0=", media_type="application/pdf", filename="a.pdf"),
            {"type": "document", "source": PDF, "title": "a.pdf"},
            [],
        ),
        (
            File(data="JVBERi0=", filename="A.PDF"),
            {"type": "document", "source": PDF, "title": "A.PDF"},
            [],
        ),
        (
            File(data="aGk=", media_type="text/csv"),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "hi"},
            },
            [],
        ),
        (File(data="!", media_type="text/csv"), None, [("messages[0].content[0]", "refuse")]),
        (
            File(data="AAAA", media_type="application/zip"),
            None,
            [("messages[0].content[0]", "refuse")],
        ),
        (File(file_id="file-1"), None, [("messages[0].content[0]", "refuse")]),
        (Audio(data="AAAA", format="wav"), None, [("messages[0].content[0]", "refuse")]),
        (
            Opaque("openai.chat", {"type": "video_url"}),
            None,
            [("messages[0].content[0]", "drop")],
        ),
        (Refusal("no"), {"type": "text", "text": "no"}, [("messages[0].content[0]", "note")]),
        (Reasoning("hm", origin="openai.chat"), None, [("messages[0].content[0]", "drop")]),
        (Reasoning("hm", "", origin=NAME), None, [("messages[0].content[0]", "drop")]),
        (
            Reasoning("hm", "sig", origin=NAME),
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            [],
        ),
        (
            Text("x", citations=({"type": "url_citation"},), extras={"new": 1}),
            {"type": "text", "text": "x"},
            [("messages[0].content[0].citations", "drop"), ("messages[0].content[0].new", "drop")],
        ),
        (ToolCall("c", "f", ""), {"type": "tool_use", "id": "c", "name": "f", "input": {}}, []),
        (
            ToolCall("c", "f", "x", "custom"),
            {"type": "tool_use", "id": "c", "name": "f", "input": {"input": "x"}},
            [],
        ),
        (
            ToolResult("c", kind="custom"),
            {"type": "tool_result", "tool_use_id": "c"},
            [],
        ),
    ],
)
def test_parts_of_other_dialects(part, block, losses):
    found, lost = rendered(foreign(Message("assistant", (part, Text("end")))))
    content = [{"type": "text", "text": "end"}]
    assert found["messages"] == [
        {"role": "assistant", "content": [block, *content] if block else content}
    ]
    assert [(loss.path, loss.severity) for loss in lost] == losses


def test_ids_that_the_api_refuses_are_rewritten_alike_on_both_sides():
    request = foreign(
        USER,
        Message("assistant", (ToolCall("functions.f:0", "f", "{}"),)),
        Message("tool", (ToolResult("functions.f:0", (Text("r"),)),)),
    )
    found, losses = rendered(request)
    call, result = found["messages"][1]["content"][0], found["messages"][2]["content"][0]
    assert call["id"] == result["tool_use_id"] == "functions_f_0_" + call["id"][-8:]
    assert [loss.severity for loss in losses] == ["note", "note"]


@pytest.mark.parametrize("arguments", ["{", "[1]", "text"])
def test_arguments_that_are_no_object_are_sent_inside_one(arguments):
    """A model's slip in an earlier turn must not end the conversation."""
    found, losses = rendered(foreign(Message("assistant", (ToolCall("c", "f", arguments),))))
    assert found["messages"][0]["content"][0]["input"] == {"arguments": arguments}
    (loss,) = losses
    assert (loss.path, loss.severity) == ("messages[0].content[0].arguments", "note")
    assert loss.reason.endswith("; sent as {'arguments': text}")


def test_messages_say_nothing_of_their_author():
    named = Message("user", (Text("Hi"),), name="bob", plain=True, extras={"weight": 1})
    found, losses = rendered(foreign(named))
    assert found["messages"] == [HI]
    assert [loss.path for loss in losses] == ["messages[0].name", "messages[0].weight"]


def test_a_system_prompt_alone_is_refused():
    found, losses = rendered(foreign(Message("system", (Text("A"),), plain=True)))
    assert (found["system"], found["messages"]) == ("A", [])
    assert [(loss.path, loss.severity) for loss in losses] == [("messages", "refuse")]


def test_an_empty_message_is_left_out():
    found, losses = rendered(foreign(USER, Message("assistant", (Text(""),), plain=True)))
    assert found["messages"] == [HI]
    assert [(loss.path, loss.severity) for loss in losses] == [("messages[1]", "note")]


# ----------------------------------------------------------------------------------- count_tokens


def test_counting_needs_no_bound_and_sends_only_what_counts():
    count = AnthropicCountTokens()
    request = {"model": "m", "messages": [HI], "system": "s", "thinking": {"type": "adaptive"}}
    raw = json.dumps(request).encode()
    assert count.peek(raw) == Peek("m")
    parsed = count.parse(raw)
    out = count.render(parsed, model="m", profile=Profile())
    assert (json.loads(out.body), out.losses) == (request, ())
    asked = foreign(sampling=Sampling(5, temperature=0.5, stop=("END",)), end_user="u", stream=True)
    out = count.render(asked, model="m", profile=Profile())
    assert json.loads(out.body) == {"model": "m", "messages": [HI]}
    assert count.check(asked, Profile()) == ()
