from __future__ import annotations

import json

import pytest
from attrs import evolve

from flo2.canonical import (
    Audio,
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
from flo2.dialects.base import Profile
from flo2.dialects.gemini import (
    MEDIA_IN_RESULTS,
    PLACEHOLDER,
    THINKING_MINIMAL,
    THINKING_OFF,
    Gemini,
    GeminiCountTokens,
    profile_of,
)
from flo2.errors import InvalidRequest

DIALECT, COUNT = Gemini(), GeminiCountTokens()
NAME = "gemini"
HELLO = {"role": "user", "parts": [{"text": "Hello"}]}
LEVELS = Profile(adaptive_thinking=True)


def parse(**fields):
    return DIALECT.parse(json.dumps({"contents": [HELLO], **fields}).encode())


def part(value):
    """Parse one part of a user's turn."""
    found = parse(contents=[{"parts": [value]}]).messages[0].content
    return found[0] if len(found) == 1 else found


def foreign(*messages, origin="openai.chat", **fields):
    return Request("m", messages or (Message("user", (Text("Hello"),)),), origin=origin, **fields)


def written(request, profile=None):
    rendered = DIALECT.render(request, model="m", profile=profile or Profile())
    assert DIALECT.check(request, profile or Profile()) == rendered.losses
    return json.loads(rendered.body), rendered.losses


# What comes in --------------------------------------------------------------------------------


def test_both_spellings_and_lone_elements_mean_the_same():
    camel = parse(
        contents=[{"role": "user", "parts": [{"inlineData": {"mimeType": "a/b", "data": "AA=="}}]}],
        systemInstruction={"parts": [{"text": "x"}]},
        generationConfig={"maxOutputTokens": 5, "topK": 40, "responseMimeType": "application/json"},
        toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        tools=[{"functionDeclarations": [{"name": "f"}]}],
        safetySettings=[],
    )
    snake = parse(
        contents={"parts": {"inline_data": {"mime_type": "a/b", "data": "AA=="}}, "role": None},
        system_instruction={"role": "system", "parts": {"text": "x", "thought": False}},
        generation_config={
            "max_output_tokens": "5",
            "top_k": 40.0,
            "response_mime_type": "application/json",
            "seed": None,
        },
        tool_config={"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
        tools={"function_declarations": {"name": "f", "description": None}},
        safety_settings=[],
        model="models/of-the-url",
    )
    assert snake == camel


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"text": "x"}, Text("x")),
        ({"text": "x", "partMetadata": {"a": 1}}, Text("x", extras={"partMetadata": {"a": 1}})),
        ({"text": "x", "thought": True}, Reasoning("x", origin=NAME)),
        (
            {"text": "", "thought": True, "thoughtSignature": "c2ln"},
            Reasoning("", "c2ln", origin=NAME),
        ),
        (
            {"thoughtSignature": "c2ln"},
            Reasoning("", "c2ln", origin=NAME, extras={"seals": "none"}),
        ),
        (
            {"text": "x", "thoughtSignature": "c2ln"},
            (Text("x"), Reasoning("", "c2ln", origin=NAME, extras={"seals": "previous"})),
        ),
        (
            {"inlineData": {"mimeType": "image/png", "data": "_-8="}},
            Image(data="/+8=", media_type="image/png"),
        ),
        ({"inlineData": {"mimeType": "audio/mpeg", "data": "AA=="}}, Audio("AA==", "mp3")),
        ({"inlineData": {"mimeType": "audio/ogg", "data": "AA=="}}, Audio("AA==", "ogg")),
        (
            {"inlineData": {"mimeType": "application/pdf", "data": "AA==", "displayName": "a"}},
            File("AA==", media_type="application/pdf", filename="a"),
        ),
        (
            {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a"}},
            Image(url="https://example.com/a", media_type="image/png"),
        ),
        (
            {"fileData": {"fileUri": "gs://bucket/a.pdf"}, "videoMetadata": {"fps": 1}},
            File(file_id="gs://bucket/a.pdf", extras={"videoMetadata": {"fps": 1}}),
        ),
        (
            {"fileData": {"fileUri": "https://youtu.be/abc"}},
            File(file_id="https://youtu.be/abc"),
        ),
        ({"executableCode": {"code": "1"}}, Opaque(NAME, {"executableCode": {"code": "1"}})),
        ({"hologram": {}, "text_": 1}, Opaque(NAME, {"hologram": {}, "text_": 1})),
        ({}, Opaque(NAME, {})),
    ],
)
def test_parts_are_read_and_written_back(value, expected):
    found = part(value)
    assert found == expected
    parts = found if isinstance(found, tuple) else (found,)
    request = evolve(parse(), messages=(Message("user", parts),))
    again = written(request)[0]["contents"][0]["parts"]
    assert DIALECT.parse(json.dumps({"contents": [{"parts": again}]}).encode()) == request


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"output": "12°"}, ToolResult("c", (Text("12°"),), name="f", plain=True)),
        ({"output": ""}, ToolResult("c", (Text(""),), name="f", plain=True)),
        ({"error": "no"}, ToolResult("c", (Text("no"),), is_error=True, name="f", plain=True)),
        ({"error": ""}, ToolResult("c", (), is_error=True, name="f")),
        ({"output": ["a", "b"]}, ToolResult("c", (Text("a"), Text("b")), name="f")),
        ({"output": ["a", 1]}, ToolResult("c", (Text('{"output":["a",1]}'),), name="f")),
        ({"output": "a", "x": 1}, ToolResult("c", (Text('{"output":"a","x":1}'),), name="f")),
        ({"result": [1, {}]}, ToolResult("c", (Text('{"result":[1,{}]}'),), name="f")),
        ({}, ToolResult("c", (), name="f")),
    ],
)
def test_what_a_function_gave_is_read_and_written_back(response, expected):
    call = {"role": "model", "parts": [{"functionCall": {"id": "c", "name": "f", "args": {}}}]}
    result = {"functionResponse": {"name": "f", "id": "c", "response": response}}
    request = parse(contents=[call, {"role": "user", "parts": [result]}])
    assert request.messages[1] == Message("tool", (expected,))
    assert written(request)[0]["contents"] == [call, {"role": "user", "parts": [result]}]


def test_results_without_ids_belong_to_calls_by_name_and_order():
    calls = [{"functionCall": {"name": name}} for name in ("f", "g", "f")]
    results = [{"functionResponse": {"name": name}} for name in ("f", "f", "g", "h")]
    request = parse(
        contents=[
            HELLO,
            {"role": "model", "parts": calls},
            {"role": "function", "parts": results},
            {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f"}}, {"text": "so?"}]},
        ]
    )
    _, asked, answered, again, result, rest = request.messages
    first, second, third = (call.id for call in asked.content)
    assert [one.call_id for one in answered.content[:3]] == [first, third, second]
    fourth = again.content[0].id
    assert result.content[0].call_id == fourth
    assert rest == Message("user", (Text("so?"),))
    strange = answered.content[3].call_id
    assert len({first, second, third, fourth, strange}) == 5
    assert b"call_g" not in DIALECT.render(request, model="m", profile=Profile()).body
    # The same history has the same ids in every later request.
    assert DIALECT.parse(DIALECT.render(request, model="m", profile=Profile()).body) == request


def test_a_schema_of_the_openapi_subset_is_a_json_schema_to_others_and_goes_back_as_it_came():
    spelling = {
        "type": "OBJECT",
        "nullable": True,
        "properties": {
            "type": {"type": "STRING", "enum": ["a"], "nullable": True, "max_length": "3"},
            "any_of": {"any_of": [{"type": "INTEGER"}, {"type": "TYPE_UNSPECIFIED"}]},
            "free": {"nullable": True},
        },
        "propertyOrdering": ["type"],
    }
    meant = {
        "type": ["object", "null"],
        "properties": {
            "type": {"type": ["string", "null"], "enum": ["a", None], "maxLength": 3},
            "any_of": {"anyOf": [{"type": "integer"}, {}]},
            "free": {"anyOf": [{}, {"type": "null"}]},
        },
        "propertyOrdering": ["type"],
    }
    request = parse(
        tools=[{"functionDeclarations": [{"name": "f", "parameters": spelling}]}],
        generationConfig={"responseSchema": spelling, "responseMimeType": "application/json"},
    )
    assert request.tools == (Tool("f", parameters=meant),)
    assert request.response_format == ResponseFormat("json_schema", schema=meant)
    body, losses = written(request)
    assert losses == ()
    assert body["tools"] == [{"functionDeclarations": [{"name": "f", "parameters": spelling}]}]
    assert body["generationConfig"]["responseSchema"] == spelling
    changed = evolve(request, tools=(evolve(request.tools[0], parameters={"type": "object"}),))
    declared = written(changed)[0]["tools"][0]["functionDeclarations"]
    assert declared == [{"name": "f", "parametersJsonSchema": {"type": "object"}}]


@pytest.mark.parametrize(
    ("calling", "choice"),
    [
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({"mode": "NONE"}, ToolChoice("none")),
        ({"mode": "ANY"}, ToolChoice("required")),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ToolChoice("tool", "f")),
        (
            {"mode": "ANY", "allowedFunctionNames": ["f", "g"]},
            ToolChoice("required", extras={"allowedFunctionNames": ["f", "g"]}),
        ),
        ({"mode": "VALIDATED"}, ToolChoice("auto", extras={"mode": "VALIDATED"})),
        ({}, None),
    ],
)
def test_which_tools_may_be_called(calling, choice):
    tools = [{"functionDeclarations": [{"name": "f"}]}]
    request = parse(tools=tools, toolConfig={"functionCallingConfig": calling})
    assert request.tool_choice == choice
    expected = {"functionCallingConfig": calling} if calling else None
    assert written(request)[0].get("toolConfig") == expected


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({"thinkingBudget": 0}, ReasoningOptions("off")),
        ({"thinkingBudget": -1}, ReasoningOptions("adaptive")),
        ({"thinkingBudget": 512}, ReasoningOptions("enabled", None, 512)),
        ({"thinkingLevel": "HIGH"}, ReasoningOptions(None, "high")),
        ({"includeThoughts": True}, ReasoningOptions(display="summarized")),
        ({"includeThoughts": False}, ReasoningOptions(display="omitted")),
        ({}, None),
    ],
)
def test_how_much_to_think(config, options):
    request = parse(generationConfig={"thinkingConfig": config})
    assert request.reasoning == options
    expected = {"thinkingConfig": config} if config else None
    assert written(request)[0].get("generationConfig") == expected


def test_what_is_not_modelled_is_kept_and_named_alone():
    body = {
        "contents": [HELLO],
        "cachedContent": "cachedContents/1",
        "safetySettings": [{"category": "C"}],
        "generationConfig": {
            "speechConfig": {"a": 1},
            "responseModalities": ["AUDIO"],
            "thinkingConfig": {"x": 1},
            "responseMimeType": "text/x.enum",
            "responseSchema": {"type": "STRING"},
        },
        "toolConfig": {"retrievalConfig": {"languageCode": "de"}},
        "labels": {"team": "a"},
        "serviceTier": "flex",
        "tools": [{"googleSearch": {}}, {"url_context": {}}],
    }
    request = DIALECT.parse(json.dumps(body).encode())
    assert request.essential == {
        "cachedContent",
        "generationConfig.responseModalities",
        "generationConfig.responseSchema",
    }
    assert request.tools == (
        OpaqueTool(NAME, {"googleSearch": {}}),
        OpaqueTool(NAME, {"url_context": {}}),
    )
    assert written(request) == (body, ())
    losses = AnthropicMessages().check(evolve(request, model="m"), Profile())
    refused = {loss.path for loss in losses if loss.severity == "refuse"}
    assert refused >= request.essential


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"contents": "x"}, "contents"),
        ({"contents": ["x"]}, "contents[0]"),
        ({"contents": [{"role": "system", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"role": 1, "parts": []}]}, "contents[0].role"),
        ({"contents": [{"parts": "x"}]}, "contents[0].parts"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"),
        (
            {"contents": [{"parts": [{"functionCall": {"name": "f", "args": "x"}}]}]},
            "contents[0].parts[0].functionCall.args",
        ),
        ({"tools": ["x"]}, "tools[0]"),
        ({"tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
        ({"generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
        ({"generationConfig": {"seed": 0.5}}, "generationConfig.seed"),
        ({"generationConfig": 1}, "generationConfig"),
        ({"serviceTier": 1}, "serviceTier"),
    ],
)
def test_a_wrong_type_is_refused_by_its_path(fields, param):
    with pytest.raises(InvalidRequest) as refused:
        parse(**fields)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "empty"),
        (b"[]", "object"),
        (b"{", "JSON"),
        (b"{}", "contents is not specified"),
        (b'{"contents":[]}', "contents is not specified"),
        (b'{"contents":"x"}', "contents"),
        (b'{"contents":[1],"generationConfig":{"maxOutputTokens":"many"}}', "no number"),
        (b'\xff{"contents":[1]}', "JSON"),
    ],
)
def test_peek_refuses_what_is_no_request(body, word):
    with pytest.raises(InvalidRequest, match=word):
        DIALECT.peek(body)


@pytest.mark.parametrize(
    ("body", "bound", "n"),
    [
        ({"contents": [HELLO]}, None, 1),
        (
            {"contents": [HELLO], "generationConfig": {"maxOutputTokens": 7, "candidateCount": 2}},
            7,
            2,
        ),
        (
            {"contents": HELLO, "generation_config": {"max_output_tokens": 7.0}},
            7,
            1,
        ),
        ({"contents": [HELLO], "generationConfig": {"max_output_tokens": "7"}}, 7, 1),
    ],
)
def test_peek_reads_what_bounds_an_answer(body, bound, n):
    peek = DIALECT.peek(json.dumps(body).encode())
    assert (peek.model, peek.stream, peek.max_output_tokens, peek.n) == ("", False, bound, n)


def test_splice_changes_only_a_model_that_stands_in_the_body():
    body = b'{ "contents" : [] }'
    assert DIALECT.splice(body, DIALECT.peek(b'{"contents":[1]}'), model="m") is body
    named = b'{"model" : "models/alias", "contents":[]}'
    peek = DIALECT.peek(b'{"contents":[1]}')
    assert DIALECT.splice(named, peek, model="m") == named.replace(b"alias", b"m")


# What goes out --------------------------------------------------------------------------------


def test_a_foreign_conversation_is_laid_out_as_contents():
    request = foreign(
        Message("system", (Text("A."),), plain=True),
        Message("developer", (Text("B."),), plain=True),
        Message("user", (Text("Weather?"), Text("")), name="ann"),
        Message("assistant", (Text("I look."),)),
        Message("assistant", (ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", ""))),
        Message("tool", (ToolResult("c2", (Text("two"),)),)),
        Message("tool", (ToolResult("c1", (Text("one"),), is_error=True),)),
        Message("system", (Text("Now in French."),)),
        Message("user", (Text(""),)),
    )
    body, losses = written(request)
    assert body == {
        "systemInstruction": {"parts": [{"text": "A."}, {"text": "B."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Weather?"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "I look."},
                    {
                        "functionCall": {"id": "c1", "name": "f", "args": {"a": 1}},
                        "thoughtSignature": PLACEHOLDER,
                    },
                    {"functionCall": {"id": "c2", "name": "g", "args": {}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": "c2", "name": "g", "response": {"output": "two"}}},
                    {"functionResponse": {"id": "c1", "name": "f", "response": {"error": "one"}}},
                ],
            },
            {"role": "user", "parts": [{"text": "Now in French."}]},
        ],
    }
    assert losses == (
        Loss("messages[1].role", "developer instructions are sent as system", "note"),
        Loss("messages[1]", "joined with the system prompt before it", "note"),
        Loss("messages[2].name", "a turn has no author's name"),
        Loss(
            "messages[4].content[0].signature",
            "no signature of this provider; sent with its placeholder",
            "note",
        ),
        Loss("messages[7].role", "instructions stand only at the start; sent as user"),
        Loss("messages[8]", "content that is empty is left out", "note"),
    )


def test_a_model_that_checks_no_signatures_gets_no_placeholder():
    request = foreign(Message("assistant", (ToolCall("c", "f", "{}"),)))
    body, losses = written(request, Profile(drops=frozenset({PLACEHOLDER})))
    call = {"functionCall": {"id": "c", "name": "f", "args": {}}}
    assert body["contents"] == [{"role": "model", "parts": [call]}]
    assert losses == ()


def test_signatures_come_back_onto_the_parts_they_stood_on():
    sealed = Reasoning("", "next", origin=NAME, extras={"seals": "next"})
    after = Reasoning("", "prev", origin=NAME, extras={"seals": "previous"})
    alone = Reasoning("", "alone", origin=NAME, extras={"seals": "none"})
    thought = Reasoning("Hm.", "own", origin=NAME)
    call = ToolCall("c", "f", "{}")
    request = foreign(
        Message("assistant", (thought, Text("So."), after, alone)),
        Message("assistant", (sealed,)),
        Message("assistant", (call, ToolCall("d", "f", "{}"))),
    )
    body, losses = written(request)
    assert losses == ()
    assert body["contents"] == [
        {
            "role": "model",
            "parts": [
                {"text": "Hm.", "thought": True, "thoughtSignature": "own"},
                {"text": "So.", "thoughtSignature": "prev"},
                {"text": "", "thoughtSignature": "alone"},
                {
                    "functionCall": {"id": "c", "name": "f", "args": {}},
                    "thoughtSignature": "next",
                },
                {"functionCall": {"id": "d", "name": "f", "args": {}}},
            ],
        }
    ]


def test_a_signature_whose_part_is_gone_stands_alone():
    sealed = Reasoning("", "s1", origin=NAME, extras={"seals": "next"})
    again = Reasoning("", "s2", origin=NAME, extras={"seals": "next"})
    lost = Reasoning("", "s3", origin=NAME, extras={"seals": "previous"})
    request = foreign(Message("assistant", (lost, sealed, again, Text("x"), sealed)))
    parts = written(request)[0]["contents"][0]["parts"]
    assert parts == [
        {"text": "", "thoughtSignature": "s3"},
        {"text": "", "thoughtSignature": "s1"},
        {"text": "", "thoughtSignature": "s2"},
        {"text": "x"},
        {"text": "", "thoughtSignature": "s1"},
    ]


def test_a_signature_comes_back_through_a_chat_client_too():
    extra = {"extra_content": {"google": {"thought_signature": "sig"}}}
    call = ToolCall("c", "f", "{}", extras=extra)
    body, losses = written(foreign(Message("assistant", (call,))))
    assert body["contents"][0]["parts"][0]["thoughtSignature"] == "sig"
    assert losses == ()


def test_reasoning_of_others_stays_behind():
    thought = Reasoning("Hm.", "sig", origin="anthropic.messages")
    body, losses = written(foreign(Message("assistant", (thought, Text("So.")))))
    assert body["contents"][0]["parts"] == [{"text": "So."}]
    assert losses == (Loss("messages[0].content[0]", "reasoning of anthropic.messages"),)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            Image(data="AA==", media_type="image/webp", detail="auto"),
            {"inlineData": {"mimeType": "image/webp", "data": "AA=="}},
        ),
        (Image(data="AA=="), {"inlineData": {"mimeType": "image/png", "data": "AA=="}}),
        (
            Image(url="https://example.com/a.jpg?b=c.gif"),
            {
                "fileData": {
                    "fileUri": "https://example.com/a.jpg?b=c.gif",
                    "mimeType": "image/jpeg",
                }
            },
        ),
        (Image(url="https://example.com/a"), {"fileData": {"fileUri": "https://example.com/a"}}),
        (Audio("AA==", "wav"), {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}}),
        (
            File("AA==", filename="a.pdf"),
            {"inlineData": {"mimeType": "application/pdf", "data": "AA=="}},
        ),
        (
            File(text="Long.", filename="a.txt", context="An essay."),
            {"text": "a.txt\nAn essay.\nLong."},
        ),
        (File(content=(Text("In blocks."),)), {"text": "In blocks."}),
        (Refusal("No."), {"text": "No."}),
    ],
)
def test_what_a_foreign_part_becomes(value, expected):
    body, losses = written(foreign(Message("user", (value,))))
    assert body["contents"][0]["parts"] == [expected]
    assert {loss.severity for loss in losses} <= {"note"}


@pytest.mark.parametrize(
    "value",
    [
        Image(url="http://example.com/a.png"),
        Image(file_id="file-1"),
        Audio(audio_id="audio-1"),
        Audio("AA=="),
        File("AA==", filename="a"),
        File(file_id="file-1"),
        ToolResult("unknown", (Text("x"),)),
        Opaque("anthropic.messages", {"type": "search_result"}),
    ],
)
def test_what_cannot_be_sent_is_refused(value):
    message = Message("tool" if isinstance(value, ToolResult) else "user", (value, Text("x")))
    _, losses = written(foreign(message))
    assert [loss.severity for loss in losses if loss.severity == "refuse"] == ["refuse"]


def test_what_a_provider_ran_itself_is_left_out_of_the_models_own_turn():
    ran = Opaque("anthropic.messages", {"type": "server_tool_use"})
    body, losses = written(foreign(Message("assistant", (ran, Text("x")))))
    assert body["contents"][0]["parts"] == [{"text": "x"}]
    reason = "'server_tool_use' is content of anthropic.messages only"
    assert losses == (Loss("messages[0].content[0]", reason),)


def test_media_in_a_result_stand_inside_it_or_beside_it():
    result = ToolResult("c", (Image(data="AA==", media_type="image/png"), Text("a"), Text("b")))
    request = foreign(Message("assistant", (ToolCall("c", "f", "{}"),)), Message("tool", (result,)))
    media = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    answer = {"id": "c", "name": "f", "response": {"output": ["a", "b"]}}
    body, _ = written(request)
    assert body["contents"][1]["parts"] == [{"functionResponse": {**answer, "parts": [media]}}]
    body, losses = written(request, Profile(drops=frozenset({MEDIA_IN_RESULTS})))
    assert body["contents"][1]["parts"] == [{"functionResponse": answer}, media]
    assert losses[-1].path == "messages[1].content[0].content"


def test_tools_of_free_text_take_an_object():
    request = foreign(
        Message("assistant", (ToolCall("c", "shell", "ls", kind="custom"),)),
        Message("tool", (ToolResult("c", (Text("a b"),), kind="custom"),)),
        tools=(Tool("shell", "Run.", kind="custom"),),
    )
    body, losses = written(request)
    asked, answered = body["contents"]
    assert asked["parts"][0]["functionCall"]["args"] == {"input": "ls"}
    assert answered["parts"][0]["functionResponse"]["response"] == {"output": "a b"}
    schema = body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"]
    assert schema["required"] == ["input"]
    assert ("tools[0].kind", "note") in {(loss.path, loss.severity) for loss in losses}


def test_a_choice_goes_with_the_last_tool():
    hosted = OpaqueTool("openai.responses", {"type": "web_search"})
    request = foreign(tools=(hosted,), tool_choice=ToolChoice("required"))
    body, losses = written(request)
    assert body.keys() == {"contents"}
    assert losses == (Loss("tools[0]", "'web_search' is a tool of openai.responses only"),)


def test_sampling_and_format_have_their_fields():
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}}
    request = foreign(
        sampling=Sampling(
            max_output_tokens=5,
            temperature=1.5,
            top_p=0.9,
            top_k=3,
            stop=("x",),
            seed=1,
            n=2,
            presence_penalty=0.5,
            frequency_penalty=0.5,
            logit_bias={"1": 1},
            logprobs=True,
            top_logprobs=2,
        ),
        response_format=ResponseFormat("json_schema", "shape", schema, strict=True),
        parallel_tool_calls=False,
        tools=(Tool("f", strict=True),),
        end_user="u",
        metadata={"a": "b"},
    )
    body, losses = written(request)
    assert body["generationConfig"] == {
        "temperature": 1.5,
        "topP": 0.9,
        "topK": 3,
        "candidateCount": 2,
        "maxOutputTokens": 5,
        "stopSequences": ["x"],
        "presencePenalty": 0.5,
        "frequencyPenalty": 0.5,
        "seed": 1,
        "responseLogprobs": True,
        "logprobs": 2,
        "responseMimeType": "application/json",
        "responseJsonSchema": schema,
    }
    assert {(loss.path, loss.severity) for loss in losses} == {
        ("tools[0].strict", "drop"),
        ("parallel_tool_calls", "drop"),
        ("logit_bias", "drop"),
        ("response_format.name", "note"),
        ("response_format.strict", "note"),
        ("end_user", "note"),
        ("metadata", "note"),
    }


@pytest.mark.parametrize(
    ("options", "profile", "expected", "lost"),
    [
        (ReasoningOptions(None, "low"), LEVELS, {"thinkingLevel": "LOW"}, set()),
        (
            ReasoningOptions(None, "low"),
            Profile(),
            {"thinkingBudget": 1024},
            {("reasoning_effort", "note")},
        ),
        (
            ReasoningOptions(None, "xhigh"),
            LEVELS,
            {"thinkingLevel": "HIGH"},
            {("reasoning_effort", "note")},
        ),
        (ReasoningOptions(None, "odd"), LEVELS, None, {("reasoning_effort", "drop")}),
        (
            ReasoningOptions(None, "minimal"),
            profile_of("gemini-3.1-pro-preview"),
            {"thinkingLevel": "LOW"},
            {("reasoning_effort", "note")},
        ),
        (ReasoningOptions("off", "none"), Profile(), {"thinkingBudget": 0}, set()),
        (
            ReasoningOptions("off"),
            profile_of("gemini-3.8-flash"),
            {"thinkingLevel": "LOW"},
            {("reasoning", "drop")},
        ),
        (ReasoningOptions("off"), profile_of("gemini-2.5-pro"), None, {("reasoning", "drop")}),
        (
            ReasoningOptions("enabled", None, 2000),
            LEVELS,
            {"thinkingBudget": 2000, "includeThoughts": True},
            {("reasoning.display", "note")},
        ),
        (
            ReasoningOptions("adaptive", "high", display="omitted"),
            LEVELS,
            {"thinkingLevel": "HIGH", "includeThoughts": False},
            set(),
        ),
        (
            ReasoningOptions("adaptive", display="updates"),
            LEVELS,
            {"thinkingBudget": -1, "includeThoughts": True},
            {("reasoning.display", "note")},
        ),
    ],
)
def test_an_effort_is_a_level_or_a_budget(options, profile, expected, lost):
    body, losses = written(foreign(reasoning=options), profile)
    assert body.get("generationConfig", {}).get("thinkingConfig") == expected
    assert {(loss.path, loss.severity) for loss in losses} == lost


@pytest.mark.parametrize(
    ("tier", "sent", "severity"),
    [
        ("flex", "flex", None),
        ("priority", "priority", None),
        ("default", "standard", "note"),
        ("auto", None, "note"),
        ("scale", None, "drop"),
    ],
)
def test_tiers(tier, sent, severity):
    body, losses = written(foreign(service_tier=tier))
    assert body.get("serviceTier") == sent
    assert [loss.severity for loss in losses] == ([severity] if severity else [])


def test_what_a_model_does_not_take_is_left_out_by_name():
    request = foreign(sampling=Sampling(seed=1, temperature=1))
    profile = Profile(drops=frozenset({"generationConfig.seed", "safetySettings", THINKING_OFF}))
    body, losses = written(request, profile)
    assert body["generationConfig"] == {"temperature": 1}
    assert losses == (Loss("generationConfig.seed", "not taken by this model"),)
    own = evolve(request, origin=NAME)
    assert DIALECT.check(own, profile) == losses
    assert DIALECT.check(own, Profile(drops=frozenset({PLACEHOLDER, THINKING_MINIMAL}))) == ()


@pytest.mark.parametrize("said", ["[1]", "no JSON"])
def test_arguments_that_are_no_object_are_sent_inside_one(said):
    body, losses = written(foreign(Message("assistant", (ToolCall("c", "f", said),))))
    (part,) = body["contents"][0]["parts"]
    assert part["functionCall"] == {"id": "c", "name": "f", "args": {"arguments": said}}
    (loss,) = [each for each in losses if each.path.endswith(".arguments")]
    assert (loss.path, loss.severity) == ("messages[0].content[0].arguments", "note")
    assert loss.reason.endswith("; sent as {'arguments': text}")


# Counting -------------------------------------------------------------------------------------


def test_an_anthropic_client_counts_with_gemini():
    body = {
        "model": "claude",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hello"}],
        "tools": [{"name": "now", "input_schema": {"type": "object"}}],
    }
    request = AnthropicCountTokens().parse(json.dumps(body).encode())
    rendered = COUNT.render(request, model="gemini-x", profile=Profile())
    assert json.loads(rendered.body) == {
        "generateContentRequest": {
            "model": "models/gemini-x",
            "contents": [HELLO],
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "tools": [
                {
                    "functionDeclarations": [
                        {"name": "now", "parametersJsonSchema": {"type": "object"}}
                    ]
                }
            ],
        }
    }
    assert rendered.losses == ()


def test_a_gemini_client_counts_with_anthropic():
    whole = {
        "model": "models/m",
        "contents": [HELLO],
        "systemInstruction": {"parts": {"text": "x"}},
    }
    body = json.dumps({"generate_content_request": whole}).encode()
    assert COUNT.peek(body).model == ""
    request = evolve(COUNT.parse(body), model="m")
    rendered = AnthropicCountTokens().render(request, model="claude", profile=Profile())
    assert json.loads(rendered.body) == {
        "model": "claude",
        "system": [{"type": "text", "text": "x"}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    }
    with pytest.raises(InvalidRequest, match="contents is not specified"):
        COUNT.peek(b'{"generateContentRequest":{}}')
