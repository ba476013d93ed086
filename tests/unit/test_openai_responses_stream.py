"""Streams and plain answers of the Responses API: decoding and encoding."""

from __future__ import annotations

import json

import pytest
from openai.types.responses import Response as OfficialResponse

from flo2.canonical import (
    Annotation,
    Audio,
    Choice,
    Failed,
    Finish,
    LogprobsDelta,
    Loss,
    Opaque,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Refusal,
    Request,
    Response,
    Start,
    Text,
    Tool,
    ToolCall,
    Usage,
    UsageUpdate,
    Vector,
    fold,
)
from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.carrier import carry, open_carrier
from flo2.dialects.openai_responses import OpenAIInputTokens, OpenAIResponses
from flo2.errors import InvalidRequest, ProviderError

DIALECT = OpenAIResponses()
NAME = "openai.responses"
USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


def sse(*events: dict) -> bytes:
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events
    )


def response(status="completed", output=(), **fields) -> dict:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 7,
        "model": "gpt",
        "status": status,
        "output": list(output),
        "usage": USAGE,
        **fields,
    }


CREATED = {"type": "response.created", "response": response("in_progress", usage=None)}


def completed(*output, **fields) -> dict:
    return {"type": "response.completed", "response": response(output=output, **fields)}


def decode(*events, full=True, raw=None):
    decoder = DIALECT.decoder(full=full, hide_usage=True)
    chunks = [decoder.feed(sse(*events) if raw is None else raw), decoder.close()]
    return [event for chunk in chunks for event in chunk.events], decoder.observed


def plain(body, *, full=True):
    decoder = DIALECT.body_decoder(full=full)
    decoder.feed(body if isinstance(body, bytes) else json.dumps(body).encode())
    chunk = decoder.close()
    return chunk.events, decoder.observed


def encode(*events, asked=None):
    encoder = DIALECT.encoder(include_usage=True, asked=asked)
    body = b"".join(encoder.feed(event) for event in events) + encoder.close()
    frames = [frame.split("\n") for frame in body.decode().split("\n\n")[:-1]]
    for number, (head, data) in enumerate(frames):
        told = json.loads(data[6:])
        assert (head, told["sequence_number"]) == (f"event: {told['type']}", number)
    return [json.loads(data[6:]) for _, data in frames], encoder.losses


def kinds(frames):
    return [frame["type"].removeprefix("response.") for frame in frames]


def added(at, item):
    return {"type": "response.output_item.added", "output_index": at, "item": item}


def done(at, item):
    return {"type": "response.output_item.done", "output_index": at, "item": item}


# ---------------------------------------------------------------- decoding


def test_a_host_that_streams_little_is_read_by_what_it_says_at_the_end():
    """No content parts, no deltas: the item at its end is all there is."""
    message = {
        "type": "message",
        "id": "m",
        "content": [
            {
                "type": "output_text",
                "text": "Hi",
                "annotations": [{"type": "x"}],
                "logprobs": [{"token": "Hi"}],
            },
            {"type": "brand_new", "y": 1},
        ],
    }
    call = {"type": "function_call", "id": "f", "call_id": "c", "name": "n", "arguments": "{}"}
    events, observed = decode(CREATED, done(0, message), done(1, call), completed())
    assert events == [
        Start("resp_1", "gpt", 7, origin=NAME),
        PartStart(0, Text("", extras={"item": {"id": "m"}})),
        LogprobsDelta({"content": [{"token": "Hi"}]}),
        PartDelta(0, "Hi"),
        Annotation(0, {"type": "x"}),
        PartStop(0),
        PartStart(1, Opaque(NAME, {"content": [{"type": "brand_new", "y": 1}]})),
        PartStop(1),
        PartStart(2, ToolCall("c", "n", "", extras={"id": "f"})),
        PartDelta(2, "{}"),
        PartStop(2),
        UsageUpdate(DIALECT.read_usage(USAGE)),
        Finish("tool_calls", "completed"),
    ]
    assert observed.complete
    assert observed.has_content


def test_a_stream_of_one_event_is_an_answer():
    message = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    events, observed = decode(completed(message))
    assert fold(events).choices[0].parts == (Text("Hi"),)
    assert observed.complete


def test_deltas_need_no_beginning():
    events, _ = decode(
        CREATED,
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "a"},
        {"type": "response.refusal.delta", "output_index": 0, "content_index": 1, "delta": "b"},
        {"type": "response.function_call_arguments.delta", "output_index": 9, "delta": "lost"},
        {"type": "response.reasoning_text.delta", "output_index": 9, "delta": "lost"},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": 5},
        {"type": "response.brand_new", "x": 1},
        completed(),
    )
    assert fold(events).choices[0].parts == (Text("a"), Refusal("b"))


def test_arguments_may_come_as_an_object():
    call = {"type": "function_call", "call_id": "c", "name": "n", "arguments": ""}
    events, _ = decode(
        CREATED,
        added(0, call),
        {
            "type": "response.function_call_arguments.delta",
            "output_index": 0,
            "delta": {"a": 1},
        },
        done(0, call | {"arguments": {"a": 1}, "namespace": "n1", "status": "incomplete"}),
        completed(),
    )
    assert fold(events).choices[0].parts == (
        ToolCall("c", "n", '{"a":1}', extras={"namespace": "n1", "status": "incomplete"}),
    )


def test_reasoning_ends_with_its_encrypted_form():
    item = {"type": "reasoning", "id": "rs", "summary": []}
    summary = [{"type": "summary_text", "text": text} for text in ("a b", "c")]

    def more(index, text):
        return {
            "type": "response.reasoning_summary_text.delta",
            "output_index": 0,
            "summary_index": index,
            "delta": text,
        }

    events, observed = decode(
        CREATED,
        added(0, item | {"encrypted_content": "early"}),
        more(0, "a"),
        more(0, " b"),
        more(1, "c"),
        done(0, item | {"summary": summary, "encrypted_content": "late"}),
        completed(),
    )
    assert events[1:-2] == [
        PartStart(0, Reasoning(origin=NAME, id="rs")),
        PartDelta(0, "a"),
        PartDelta(0, " b"),
        PartDelta(0, "\n\n"),
        PartDelta(0, "c"),
        PartDelta(0, encrypted="late", extras={"summary": summary}),
        PartStop(0),
    ]
    part = Reasoning(
        "a b\n\nc", encrypted="late", origin=NAME, id="rs", extras={"summary": summary}
    )
    assert fold(events).choices[0].parts == (part,)
    assert observed.has_content


def test_a_light_decoder_marks_content_where_something_is_said():
    """A reasoning item begins long before the first word; a call that begins says its name."""
    reasoning, call = {"type": "reasoning"}, {"type": "function_call", "name": "n"}
    decoder = DIALECT.decoder(full=False, hide_usage=True)
    first = PartStart(0, Text(""))
    start = Start("resp_1", "gpt", 7, origin=NAME)
    assert decoder.feed(sse(CREATED, added(0, reasoning))).events == (start,)
    assert not decoder.observed.has_content
    assert decoder.feed(sse(added(1, call))).events == (first,)
    delta = {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{}"}
    raw = sse(delta, delta)
    assert decoder.feed(raw) == type(decoder.feed(b""))(raw)
    assert decoder.feed(sse(completed(call))).events[-1] == Finish("tool_calls", "completed")


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({"status": "completed"}, Finish("stop", "completed")),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            Finish(
                "length",
                "max_output_tokens",
                extras={"incomplete_details": {"reason": "max_output_tokens"}},
            ),
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            Finish(
                "content_filter",
                "content_filter",
                extras={"incomplete_details": {"reason": "content_filter"}},
            ),
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "steered"}},
            Finish("other", "steered", extras={"incomplete_details": {"reason": "steered"}}),
        ),
        ({"status": "incomplete"}, Finish("other", "incomplete")),
        (
            {"status": "completed", "output": [{"type": "custom_tool_call", "input": "x"}]},
            Finish("tool_calls", "completed"),
        ),
    ],
)
def test_how_an_answer_ended(fields, finish, full):
    events, observed = plain(response(**fields), full=full)
    assert events[-1] == finish
    assert (observed.complete, observed.finish) == (True, finish.raw)
    kind = "response." + fields["status"]
    streamed, seen = decode(CREATED, {"type": kind, "response": response(**fields)}, full=full)
    assert streamed[-1] == finish
    assert seen.complete


LIMIT = {"code": "rate_limit_exceeded", "message": "Slow down."}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("events", "facts"),
    [
        (
            [
                {"type": "error", "error": {"type": "tokens", **LIMIT, "param": None}},
                {
                    "type": "response.failed",
                    "response": response("failed", usage=None, error=LIMIT),
                },
            ],
            ("rate_limit", True, "rate_limit_exceeded", "Slow down."),
        ),
        ([{"type": "error", **LIMIT}], ("rate_limit", True, "rate_limit_exceeded", "Slow down.")),
        (
            [
                {
                    "type": "response.failed",
                    "response": response(
                        "failed", error={"code": "server_error", "message": "Oops."}
                    ),
                }
            ],
            ("upstream", True, "server_error", "Oops."),
        ),
        (
            [
                {
                    "type": "response.failed",
                    "response": response(
                        "failed", error={"code": "invalid_image", "message": "B."}
                    ),
                }
            ],
            ("invalid_request", False, "invalid_image", "B."),
        ),
        (
            [{"type": "response.failed", "response": response("cancelled")}],
            ("upstream", False, None, "the answer has the status 'cancelled' (openai.responses)"),
        ),
        ([], ("upstream", True, None, "the stream ended before its end (openai.responses)")),
    ],
)
def test_a_failure_inside_a_stream(events, facts, full):
    found, observed = decode(CREATED, *events, full=full)
    error = observed.error
    assert (error.kind, error.retryable, error.code, error.message) == facts
    assert not observed.complete
    assert [event.error for event in found if isinstance(event, Failed)] == [error]


@pytest.mark.parametrize("full", [False, True])
def test_a_failed_answer_says_what_it_used(full):
    failed = response("failed", error={"code": "server_error", "message": "Oops."})
    _, observed = decode(
        CREATED,
        {"type": "error", "message": "Oops."},
        {"type": "response.failed", "response": failed},
        full=full,
    )
    assert observed.usage == DIALECT.read_usage(USAGE)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "the answer is no response object (6 bytes) (openai.responses)"),
        (b'{"choices":[]}', "the answer is no response object (14 bytes) (openai.responses)"),
        (b'{"error":{"message":"Nope."}}', "Nope."),
        (response("queued", usage=None), "the answer has the status 'queued' (openai.responses)"),
        (response("failed", error={"message": "Bad."}), "Bad."),
    ],
)
def test_a_plain_answer_that_is_none(body, message):
    events, observed = plain(body)
    assert events[-1].error.message == message
    assert not observed.complete


@pytest.mark.parametrize("full", [False, True])
def test_garbled_frames(full):
    raw = sse(CREATED) + b"event: response.created\ndata: {nope\n\n"
    _, observed = decode(raw=raw, full=full)
    assert observed.error.message == (
        "a frame of the stream is no JSON object: '{nope' (openai.responses)"
    )
    quiet = b": ping\n\n" + sse(CREATED, completed()) + b"data: [DONE]\n\n"
    decoder = DIALECT.decoder(full=full, hide_usage=True)
    assert decoder.feed(quiet).raw == quiet
    assert decoder.observed.complete


# ---------------------------------------------------------------- encoding


def test_the_whole_grammar_of_a_stream():
    frames, losses = encode(
        Start("resp_1", "gpt", 7, {"store": True}, origin=NAME),
        PartStart(0, Reasoning(origin=NAME, id="rs_1")),
        PartDelta(0, "think"),
        PartDelta(0, "\n\n"),
        PartDelta(0, "more"),
        PartDelta(0, encrypted="e"),
        PartStop(0),
        PartStart(
            1, Opaque(NAME, {"type": "web_search_call", "id": "ws_1", "status": "completed"})
        ),
        PartStart(2, Text("", extras={"item": {"id": "msg_1", "phase": "final_answer"}})),
        LogprobsDelta({"content": [{"token": "Hi"}]}),
        PartDelta(2, "Hi"),
        PartDelta(2, " you"),
        Annotation(2, {"type": "url_citation"}),
        PartStop(2),
        PartStart(3, Refusal("No.")),
        PartStart(4, ToolCall("c1", "f", "", extras={"id": "fc_1", "namespace": "n"})),
        PartDelta(4, '{"a"'),
        PartStart(5, ToolCall("c2", "g", "fr", "custom", extras={"id": "ctc_1"})),
        PartDelta(5, "ee"),
        PartDelta(4, ":1}"),
        Finish("tool_calls", "completed"),
        UsageUpdate(DIALECT.read_usage(USAGE)),
    )
    assert losses == ()
    assert kinds(frames) == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "web_search_call.in_progress",
        "web_search_call.searching",
        "web_search_call.completed",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ]
    summary = [{"type": "summary_text", "text": text} for text in ("think", "more")]
    text = {
        "type": "output_text",
        "text": "Hi you",
        "annotations": [{"type": "url_citation"}],
        "logprobs": [{"token": "Hi"}],
    }
    output = [
        {"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "e"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {
            "id": "msg_1",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [text, {"type": "refusal", "refusal": "No."}],
            "phase": "final_answer",
        },
        {
            "id": "fc_1",
            "type": "function_call",
            "status": "completed",
            "arguments": '{"a":1}',
            "call_id": "c1",
            "name": "f",
            "namespace": "n",
        },
        {
            "id": "ctc_1",
            "type": "custom_tool_call",
            "status": "completed",
            "input": "free",
            "call_id": "c2",
            "name": "g",
        },
    ]
    last = frames[-1]["response"]
    assert (last["output"], last["usage"], last["store"]) == (output, USAGE, True)
    ended = [frame["item"] for frame in frames if frame["type"].endswith("item.done")]
    assert ended == output
    assert [f["output_index"] for f in frames if f["type"].endswith("item.added")] == [
        0,
        1,
        2,
        3,
        4,
    ]
    assert frames[19] == {
        "type": "response.output_text.delta",
        "item_id": "msg_1",
        "output_index": 2,
        "content_index": 0,
        "logprobs": [{"token": "Hi"}],
        "delta": "Hi",
        "sequence_number": 19,
    }
    assert frames[30] == {
        "type": "response.function_call_arguments.delta",
        "item_id": "fc_1",
        "output_index": 3,
        "delta": '{"a"',
        "sequence_number": 30,
    }
    assert frames[25]["content_index"] == 1


def test_readable_thoughts_of_a_host_have_their_own_events():
    frames, _ = encode(
        Start("resp_1", "gpt", origin=NAME),
        PartStart(0, Reasoning(origin=NAME, id="rs")),
        PartDelta(0, "We", extras={"content": []}),
        PartDelta(0, extras={"content": [{"type": "reasoning_text", "text": "We"}]}),
        PartStop(0),
    )
    assert kinds(frames)[2:-1] == [
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
    ]
    assert frames[-1]["response"]["output"] == [
        {
            "id": "rs",
            "type": "reasoning",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "We"}],
        }
    ]


@pytest.mark.parametrize(
    ("item", "steps"),
    [
        (
            {"type": "code_interpreter_call", "id": "ci", "status": "completed", "code": "1"},
            [
                "code_interpreter_call.in_progress",
                "code_interpreter_call.interpreting",
                "code_interpreter_call_code.delta",
                "code_interpreter_call_code.done",
                "code_interpreter_call.completed",
            ],
        ),
        (
            {"type": "mcp_call", "id": "m", "arguments": "{}", "error": "no"},
            [
                "mcp_call.in_progress",
                "mcp_call_arguments.delta",
                "mcp_call_arguments.done",
                "mcp_call.failed",
            ],
        ),
        (
            {"type": "image_generation_call", "id": "i", "status": "failed"},
            ["image_generation_call.in_progress", "image_generation_call.generating"],
        ),
        ({"type": "brand_new", "id": "b"}, []),
    ],
)
def test_items_that_nobody_models_are_told_in_their_own_events(item, steps):
    frames, losses = encode(Start("r", "m", origin=NAME), PartStart(0, Opaque(NAME, item)))
    assert losses == ()
    assert kinds(frames)[3:-2] == steps
    assert frames[-1]["response"]["output"] == [item]


def test_an_answer_of_another_dialect():
    frames, losses = encode(
        Start("chatcmpl-1", "m", origin="anthropic.messages"),
        PartStart(0, Reasoning(origin="anthropic.messages")),
        PartDelta(0, "hm"),
        PartDelta(0, signature="sig"),
        PartStop(0),
        PartStart(1, Text("See ")),
        PartDelta(1, "this.", extras={"x": 1}),
        Annotation(1, {"type": "web_search_result_location", "url": "u", "cited_text": "c"}),
        PartStop(1),
        PartStart(2, Text("And")),
        PartStart(3, ToolCall("toolu_1", "f", "")),
        PartStop(3),
        PartDelta(3, "late"),
        PartDelta(1, " Again."),
        PartDelta(0, "late thought"),
        PartDelta(0, signature="late"),
        PartStart(4, Audio(data="AA==")),
        PartStart(5, Opaque("anthropic.messages", {"type": "server_tool_use"})),
        PartDelta(9, "unbegun"),
        PartDelta(0, "second", choice=1),
        Vector(0, (1.0,)),
        Finish("pause", "pause_turn"),
    )
    output = frames[-1]["response"]["output"]
    assert [item["type"] for item in output] == [
        "reasoning",
        "message",
        "function_call",
        "message",
        "reasoning",
        "message",
    ]
    assert open_carrier(output[0]["encrypted_content"]) == Reasoning(
        "hm", "sig", origin="anthropic.messages"
    )
    assert output[0]["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert [part["text"] for part in output[1]["content"]] == ["See this.", "And"]
    assert output[1]["content"][0]["annotations"] == [
        {"type": "url_citation", "url": "u", "title": "", "start_index": 0, "end_index": 9}
    ]
    assert (output[2]["arguments"], output[2]["call_id"]) == ("{}", "toolu_1")
    assert output[1]["id"].startswith("msg_")
    assert len({item["id"] for item in output}) == 6
    assert [item["content"][0]["text"] for item in (output[3], output[5])] == [
        " Again.",
        "unbegun",
    ]
    assert frames[-1]["type"] == "response.completed"
    assert losses == (
        Loss("output[1].citations", "only URL and title are kept, not cited_text", "note"),
        Loss("output[3]", "arguments after the end of a tool call"),
        Loss("output[4]", "'Audio' has no form in this dialect"),
        Loss("output[5]", "'server_tool_use' has no form in this dialect"),
        Loss("choices[1]", "one answer a request"),
        Loss("finish_reason", "'pause_turn' is written as 'completed'", "note"),
    )


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        (Finish("stop", "end_turn"), "completed", None),
        (Finish("tool_calls", "tool_use"), "completed", None),
        (Finish("length", "max_tokens"), "incomplete", "max_output_tokens"),
        (Finish("context_window"), "incomplete", "max_output_tokens"),
        (Finish("content_filter"), "incomplete", "content_filter"),
        (Finish("refusal"), "incomplete", "content_filter"),
        (Finish("stop_sequence", stop_sequence="x"), "completed", None),
        (None, "completed", None),
    ],
)
def test_how_an_answer_of_another_dialect_ended(finish, status, reason):
    events = [Start("r", "m"), PartStart(0, Text("a")), *([finish] if finish else [])]
    frames, _ = encode(*events)
    last = frames[-1]["response"]
    assert frames[-1]["type"] == f"response.{status}"
    assert last["status"] == last["output"][0]["status"] == status
    assert last["incomplete_details"] == (None if reason is None else {"reason": reason})


def test_a_failure_ends_the_stream_as_openai_does():
    error = ProviderError("Slow down.", kind="rate_limit", code=None)
    frames, _ = encode(
        Start("resp_1", "gpt", origin=NAME),
        PartStart(0, Text("Ha")),
        Failed(error),
        PartDelta(0, "x"),
    )
    facts = {"code": "rate_limit_exceeded", "message": "Slow down."}
    assert frames[-2] == {
        "type": "error",
        "sequence_number": len(frames) - 2,
        **facts,
        "param": None,
        "error": {"type": "rate_limit_error", **facts, "param": None},
    }
    last = frames[-1]
    assert (last["type"], last["response"]["error"]) == ("response.failed", facts)
    assert last["response"]["output"][0]["content"][0]["text"] == "Ha"
    assert last["response"]["output"][0]["status"] == "incomplete"


def test_an_error_as_the_end_of_a_stream_that_somebody_else_began():
    raw = DIALECT.encode_stream_error(InvalidRequest("No.", param="input"))
    error, failed = (
        json.loads(frame.split("\n")[1][6:]) for frame in raw.decode().split("\n\n")[:2]
    )
    assert (error["code"], error["param"]) == ("invalid_prompt", "input")
    assert failed["response"]["status"] == "failed"
    _, observed = decode(raw=raw)
    assert (observed.error.message, observed.error.kind) == ("No.", "invalid_request")


def test_an_error_answer_has_openais_envelope():
    written = DIALECT.encode_error(InvalidRequest("No.", param="input"), request_id="r")
    assert written.status == 400
    assert json.loads(written.body)["error"] == {
        "message": "No.",
        "type": "invalid_request_error",
        "param": "input",
        "code": None,
    }


PATCH = Request("m", (), tools=(Tool("apply_patch", kind="custom"), Tool("f")))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ('{"input":"*** Begin"}', "*** Begin"),
        ('{"other":1}', '{"other":1}'),
        ("not json", "not json"),
        ("", ""),
    ],
)
def test_a_call_of_the_clients_free_text_tool_comes_as_one(arguments, said):
    """Its provider was told of a function that takes the text as `input` (see anthropic)."""
    frames, _ = encode(
        Start("r", "m", origin="anthropic.messages"),
        PartStart(0, ToolCall("c1", "apply_patch", "")),
        PartDelta(0, arguments[:5]),
        PartDelta(0, arguments[5:]),
        PartStop(0),
        PartStart(1, ToolCall("c2", "f", '{"input":"x"}')),
        Finish("tool_calls", "tool_use"),
        asked=PATCH,
    )
    custom, function = frames[-1]["response"]["output"]
    assert (custom["type"], custom["input"], custom["call_id"]) == ("custom_tool_call", said, "c1")
    assert (function["type"], function["arguments"]) == ("function_call", '{"input":"x"}')
    deltas = [f["delta"] for f in frames if f["type"] == "response.custom_tool_call_input.delta"]
    assert "".join(deltas) == said
    call = ToolCall("c1", "apply_patch", arguments)
    whole = Response("r", "m", 1, (Choice((call,)),), asked=PATCH)
    plain_answer = json.loads(DIALECT.encode_response(whole).body)
    assert plain_answer["output"][0]["input"] == said


def test_a_plain_answer_is_all_that_the_official_type_wants():
    answer = Response(
        "resp_1",
        "gpt",
        7,
        (
            Choice(
                (
                    Reasoning("hm", "sig", origin="anthropic.messages"),
                    Text("One", ({"url": "u", "title": "t"},)),
                    Text(" two"),
                    ToolCall("c", "f", ""),
                ),
                "tool_calls",
            ),
            Choice((Text("second"),)),
        ),
        Usage({"input_tokens": 3, "output_tokens": 4}, dialect="x"),
        origin="anthropic.messages",
    )
    written = DIALECT.encode_response(answer)
    official = OfficialResponse.model_validate_json(written.body)
    assert official.output_text == "One two"
    assert (official.status, official.usage.total_tokens) == ("completed", 7)
    assert written.losses == (Loss("choices[1]", "one answer a request"),)


# ---------------------------------------------------------------- counting

COUNT, THEIRS = OpenAIInputTokens(), AnthropicCountTokens()


@pytest.mark.parametrize(
    ("surface", "upstream", "body", "answer", "shown"),
    [
        (
            THEIRS,
            COUNT,
            {
                "model": "m",
                "system": "Be brief.",
                "messages": [{"role": "user", "content": "Hi"}],
                "tools": [{"name": "f", "input_schema": {"type": "object"}}],
                "thinking": {"type": "enabled", "budget_tokens": 2000},
            },
            {"object": "response.input_tokens", "input_tokens": 61},
            {"input_tokens": 61},
        ),
        (
            COUNT,
            THEIRS,
            {"model": "m", "input": "Hi", "instructions": "Be brief."},
            {"input_tokens": 403},
            {"object": "response.input_tokens", "input_tokens": 403},
        ),
    ],
)
def test_a_count_is_told_to_a_client_of_the_other_dialect(surface, upstream, body, answer, shown):
    raw = json.dumps(body).encode()
    assert surface.peek(raw).model == "m"
    request = surface.parse(raw)
    rendered = upstream.render(request, model="other", profile=Profile())
    assert upstream.check(request, Profile()) == rendered.losses
    assert all(loss.severity == "note" for loss in rendered.losses)
    asked = json.loads(rendered.body)
    assert asked["model"] == "other"
    assert not asked.keys() & {"store", "include", "stream", "max_tokens"}
    decoder = upstream.body_decoder(full=True)
    decoder.feed(json.dumps(answer).encode())
    whole = fold(decoder.close().events)
    assert whole.usage.quantities == {}
    assert json.loads(surface.encode_response(whole).body) == shown


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"error":{"message":"Nope."}}', "Nope."),
        (b"odd", "the answer is no token count (3 bytes)"),
    ],
)
def test_a_count_that_is_none(raw, message):
    decoder = COUNT.body_decoder(full=True)
    decoder.feed(raw)
    (failed,) = decoder.close().events
    assert failed.error.message == message
    assert not decoder.observed.complete


def test_a_count_that_is_no_number_is_doubted():
    assert COUNT.read_usage({"input_tokens": "9"}).problem == "input_tokens is '9'"


# ---------------------------------------------------------------- carriers


def test_foreign_thinking_returns_through_claude_code_and_codex():
    """clients.md 10 and 21: in each tool loop, sealed as its provider gave it."""
    openai = Reasoning("sum", encrypted="e", origin=NAME, id="rs_1")
    anthropic = Reasoning("hm", "sig", origin="anthropic.messages")
    messages = AnthropicMessages()
    for surface, part, upstream, item in (
        (
            messages,
            openai,
            DIALECT,
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "sum"}],
                "encrypted_content": "e",
            },
        ),
        (
            DIALECT,
            anthropic,
            messages,
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
        ),
    ):
        answer = Response("r", "m", 1, (Choice((part, Text("x"))),))
        shown = json.loads(surface.encode_response(answer).body)
        if surface is messages:
            turn = {"role": "assistant", "content": shown["content"]}
            again = {"model": "m", "max_tokens": 9, "messages": [turn]}
        else:
            again = {"model": "m", "input": shown["output"]}
        request = surface.parse(json.dumps(again).encode())
        assert request.messages[0].content[0] == part
        rendered = json.loads(upstream.render(request, model="m", profile=Profile()).body)
        found = (
            rendered["input"][0] if upstream is DIALECT else rendered["messages"][0]["content"][0]
        )
        assert found == item


def test_reasoning_of_nobody_is_shown_and_goes_nowhere():
    answer = Response("r", "m", 1, (Choice((Reasoning("hm"),)),))
    (item,) = json.loads(DIALECT.encode_response(answer).body)["output"]
    assert "encrypted_content" not in item
    broken = {"type": "reasoning", "summary": [], "encrypted_content": carry(Reasoning("x"))[:20]}
    request = DIALECT.parse(json.dumps({"model": "m", "input": [broken]}).encode())
    assert request.messages[0].content == (Reasoning(),)
    assert DIALECT.check(request, Profile()) == (
        Loss("messages[0].content[0]", "reasoning of nobody cannot be handed to another provider"),
    )


@pytest.mark.parametrize("full", [False, True])
def test_the_error_behind_a_stream_that_passed_through_goes_on_with_its_numbers(full):
    delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0}
    _, observed = decode(CREATED, *([delta | {"delta": "a"}] * 3), full=full)
    raw = DIALECT.end_stream(observed.error, observed)
    error, failed = (
        json.loads(frame.split("\n")[1][6:]) for frame in raw.decode().split("\n\n")[:2]
    )
    assert (error["sequence_number"], failed["sequence_number"]) == (4, 5)
    assert (failed["response"]["id"], failed["response"]["model"]) == ("resp_1", "gpt")
