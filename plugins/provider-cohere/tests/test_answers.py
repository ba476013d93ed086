"""Answers of Cohere's chat, read and written."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from attrs import evolve

from flo2 import (
    Annotation,
    Failed,
    Finish,
    Opaque,
    PartDelta,
    PartStart,
    ProviderError,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolCall,
    Usage,
)
from flo2.canonical import LogprobsDelta, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.sse import MAX_FRAME_BYTES
from flo2_provider_cohere import CohereChat

CHAT = CohereChat()


USAGE = {
    "billed_units": {"input_tokens": 84, "output_tokens": 314},
    "tokens": {"input_tokens": 1501, "output_tokens": 346, "reasoning_tokens": 7},
    "cached_tokens": 1488,
}
CALL = {"id": "look_1", "type": "function", "function": {"name": "look", "arguments": "null"}}
CITATION = {"start": 0, "end": 1, "text": "a", "sources": [], "content_index": 1, "type": "X"}
ANSWER = {
    "id": "1",
    "message": {
        "role": "assistant",
        "tool_plan": "I will look.",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}],
        "tool_calls": [CALL],
        "citations": [CITATION],
    },
    "finish_reason": "TOOL_CALL",
    "usage": USAGE,
    "logprobs": [{"token_ids": [1], "logprobs": [-0.5]}],
    "x": 1,
}


def read(answer, *, full=True, dialect=CHAT):
    decoder = dialect.body_decoder(full=full)
    raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    first, last = decoder.feed(raw), decoder.close()
    assert first.raw + last.raw == raw
    return [*first.events, *last.events], decoder.observed


def stream(*events, full=True):
    decoder = CHAT.decoder(full=full, hide_usage=False)
    raw = b"".join(
        event
        if isinstance(event, bytes)
        else b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())
        for event in events
    )
    chunks = [decoder.feed(raw), decoder.close()]
    return [event for chunk in chunks for event in chunk.events], decoder.observed


def delta(kind, index=None, **message):
    head = {"type": kind} if index is None else {"type": kind, "index": index}
    return {**head, "delta": {"message": message}} if message else head


STREAM = [
    {"id": "1", "type": "message-start", "delta": {"message": {"role": "assistant"}}},
    delta("tool-plan-delta", tool_plan="I will "),
    delta("tool-plan-delta", tool_plan="look."),
    delta("content-start", 0, content={"type": "thinking", "thinking": ""}),
    delta("content-delta", 0, content={"thinking": "hm"}),
    delta("content-end", 0),
    delta("content-start", 1, content={"type": "text", "text": ""}),
    {**delta("content-delta", 1, content={"text": "a"}), "logprobs": {"token_ids": [1]}},
    delta("content-end", 1),
    delta("tool-call-start", 0, tool_calls={**CALL, "function": {"name": "look", "arguments": ""}}),
    delta("tool-call-delta", 0, tool_calls={"function": {"arguments": "{}"}}),
    delta("tool-call-end", 0),
    delta("citation-start", 0, citations=CITATION),
    delta("citation-end", 0),
    {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": USAGE}},
]


@pytest.mark.parametrize("read_it", [lambda: read(ANSWER), lambda: stream(*STREAM)])
def test_an_answer_holds_all_that_was_said(read_it):
    events, observed = read_it()
    response = fold(events)
    (choice,) = response.choices
    assert [type(part) for part in choice.parts] == [Reasoning, Reasoning, Text, ToolCall]
    plan, thought, text, call = choice.parts
    assert (plan.text, plan.extras) == ("I will look.", {"tool_plan": True})
    assert (thought.text, thought.origin, dict(thought.extras)) == ("hm", "cohere.chat", {})
    assert (text.text, list(text.citations)) == ("a", [CITATION])
    assert (call.id, call.name, call.arguments) == ("look_1", "look", "{}")
    assert (choice.finish, choice.finish_raw) == ("tool_calls", "TOOL_CALL")
    assert choice.logprobs
    assert (response.id, response.origin) == ("1", "cohere.chat")
    assert response.usage.quantities == {"input_tokens": 84, "output_tokens": 314}
    assert response.usage.informational == {
        "reasoning_tokens": 7,
        "model_input_tokens": 1501,
        "model_output_tokens": 346,
        "cached_tokens": 1488,
    }
    assert (observed.complete, observed.error, observed.response_id) == (True, None, "1")
    assert (observed.model, observed.finish) == (None, "TOOL_CALL")


def test_the_light_forms_see_the_same_and_give_the_first_content_alone():
    for full, light in (
        (read(ANSWER), read(ANSWER, full=False)),
        (stream(*STREAM), stream(*STREAM, full=False)),
    ):
        assert light[1] == full[1]
        content = [each for each in light[0] if isinstance(each, PartStart | PartDelta)]
        assert len(content) == 1


def test_events_of_a_stream_may_be_new_odd_or_missing():
    events, observed = stream(
        {"type": "x-new", "delta": 1},
        delta("content-delta", 0, content={"text": "a"}),
        delta("content-start", 1, content=5),
        delta("content-start", 2, content={"type": "x_new", "x": 1}),
        delta("tool-call-start", 0, tool_calls=None),
        delta("citation-start", 0, citations={"text": "a"}),
        {"type": "message-end", "delta": {"finish_reason": "X_NEW"}},
    )
    parts = fold(events).choices[0].parts
    assert parts[:2] == (
        Text("a", citations=({"text": "a"},)),
        Opaque("cohere.chat", {"type": "x_new", "x": 1}),
    )
    assert (observed.complete, observed.usage, observed.finish) == (True, None, "X_NEW")
    assert next(each.reason for each in events if isinstance(each, Finish)) == "other"


@pytest.mark.parametrize(
    ("end", "kind", "said"),
    [
        ({"finish_reason": "ERROR", "error": "it broke"}, "upstream", "it broke"),
        ({"finish_reason": "ERROR"}, "upstream", "ERROR"),
        ({"finish_reason": "TIMEOUT"}, "timeout", "TIMEOUT"),
    ],
)
def test_an_end_may_be_a_failure_and_is_still_billed(end, kind, said):
    events, observed = stream({"type": "message-end", "delta": {**end, "usage": USAGE}})
    assert isinstance(events[-1], Failed)
    assert (observed.error.kind, observed.complete) == (kind, False)
    assert said in str(observed.error)
    assert observed.usage.output_total == 314
    whole = read({"message": {"content": []}, "finish_reason": end["finish_reason"]})
    assert whole[1].error.kind == kind


@pytest.mark.parametrize(
    "events",
    [
        [b"data: {\n\n"],
        [b'data: {"message": "too late"}\n\n'],
        [STREAM[0]],
        [b"data: [DONE]\n\n"],
        [],
    ],
)
@pytest.mark.parametrize("full", [True, False])
def test_a_stream_without_its_end_has_failed(events, full):
    events, observed = stream(*events, full=full)
    assert isinstance(events[-1], Failed)
    assert not observed.complete


@pytest.mark.parametrize("answer", [{}, {"message": "no"}, {"message": None}, [1], b"<html>"])
@pytest.mark.parametrize("full", [True, False])
def test_an_answer_without_a_message_has_failed(answer, full):
    events, observed = read(answer, full=full)
    assert isinstance(events[-1], Failed)
    assert not observed.complete


@pytest.mark.parametrize(
    ("billed", "quantities"),
    [
        ({"input_tokens": 12.0, "output_tokens": 3}, {"input_tokens": 12, "output_tokens": 3}),
        ({"input_tokens": 0.1}, {"input_tokens": Decimal("0.1")}),
        ({"search_units": 1, "classifications": 2}, {"search_units": 1, "classifications": 2}),
        ({"images": 2, "output_tokens": 0}, {"input_images": 2}),
        ({"image_tokens": 9, "input_tokens": None}, {"input_image_tokens": 9}),
    ],
)
def test_billed_units_are_counted_exactly(billed, quantities):
    usage = CHAT.read_usage({"billed_units": billed})
    assert (usage.quantities, usage.problem) == (quantities, None)


@pytest.mark.parametrize(
    "raw",
    [
        {"tokens": {"input_tokens": 3}},
        {"billed_units": None},
        {"billed_units": {"x_new": 2}},
        {"billed_units": {"input_tokens": -1}},
        {"billed_units": {"input_tokens": "3"}},
        {"billed_units": {"input_tokens": True}},
    ],
)
def test_what_is_billed_without_a_meter_is_a_problem(raw):
    usage = CHAT.read_usage(raw)
    assert usage.problem is not None
    assert (usage.quantities, usage.raw) == ({}, raw)


def told(events):
    """Encode events as a stream of Cohere's, and give its frames."""
    encoder = CHAT.encoder(include_usage=True)
    raw = b"".join(map(encoder.feed, events)) + encoder.close()
    return raw, encoder.losses


def test_a_stream_written_and_read_is_the_same():
    events, _ = stream(*STREAM)
    raw, losses = told(events)
    assert [loss.path for loss in losses] == ["logprobs"]
    assert raw.endswith(b"data: [DONE]\n\n")
    decoder = CHAT.decoder(full=True, hide_usage=False)
    chunks = [decoder.feed(raw), decoder.close()]
    back = fold([event for chunk in chunks for event in chunk.events])
    first = fold(events)
    assert back.choices[0].parts == first.choices[0].parts
    assert back.usage == first.usage


def test_an_answer_written_and_read_is_the_same():
    events, _ = read(ANSWER)
    rendered = CHAT.encode_response(fold(events))
    assert rendered.losses == ()
    written = json.loads(rendered.body)
    assert written["message"].pop("tool_calls")[0]["function"]["arguments"] == "{}"
    expected = json.loads(json.dumps(ANSWER))
    del expected["message"]["tool_calls"]
    assert written == expected


@pytest.mark.parametrize("dialect", [OpenAIChat(), AnthropicMessages()])
def test_its_answers_can_be_said_to_others(dialect):
    for events, _ in (read(ANSWER), stream(*STREAM)):
        meant = fold(events)
        whole = dialect.body_decoder(full=True)
        whole.feed(dialect.encode_response(meant).body)
        back = fold(whole.close().events)
        parts = back.choices[0].parts
        calls = [part for part in parts if isinstance(part, ToolCall)]
        thoughts = [part.text for part in parts if isinstance(part, Reasoning)]
        assert "".join(thoughts) == "I will look.hm"
        assert [(call.id, call.name, call.arguments) for call in calls] == [
            ("look_1", "look", "{}")
        ]
        assert back.choices[0].finish == "tool_calls"
        assert back.usage.output_total == 314


def test_answers_of_others_are_said_as_well_as_it_can():
    note = {"type": "web"}
    events = [
        Start("1", "m", origin="openai.chat"),
        PartStart(0, Reasoning("", signature="s", origin="anthropic.messages")),
        PartDelta(0, "hm"),
        PartStart(1, Text("a", citations=(note,))),
        PartDelta(1, "b"),
        Annotation(1, note),
        PartStart(2, Opaque("x.y", {"type": "video"})),
        PartDelta(2, "lost"),
        PartStart(3, Refusal("no")),
        PartStart(4, ToolCall("c", "look", "")),
        PartDelta(4, '{"a":1}'),
        PartStart(0, Text("second"), choice=1),
        Finish("refusal", "refusal"),
        Finish("stop", "stop", choice=1),
    ]
    raw, losses = told(events)
    decoder = CHAT.decoder(full=True, hide_usage=False)
    chunks = [decoder.feed(raw), decoder.close()]
    parts = fold([event for chunk in chunks for event in chunk.events]).choices[0].parts
    assert [(type(part), getattr(part, "text", None)) for part in parts] == [
        (Reasoning, "hm"),
        (Text, "ab"),
        (Text, "no"),
        (ToolCall, None),
    ]
    assert parts[-1].arguments == '{"a":1}'
    rendered = CHAT.encode_response(fold(events))
    whole = CHAT.body_decoder(full=True)
    whole.feed(rendered.body)
    assert fold(whole.close().events).choices[0].parts == parts
    said = {loss.path for loss in losses}
    assert said == {loss.path for loss in rendered.losses}
    assert {"finish_reason", "choices[1]", "choices[0].parts[2]"} <= said


def test_failures_end_a_stream():
    error = ProviderError("it broke", status=500)
    encoder = CHAT.encoder(include_usage=True)
    encoder.feed(Start("1", "m"))
    raw = encoder.feed(Failed(error))
    assert encoder.close() == b""
    decoder = CHAT.decoder(full=True, hide_usage=False)
    decoder.feed(raw)
    assert "it broke" in str(decoder.observed.error)


def test_usage_of_others_is_written_as_billed():
    events = [Start("1", "m")]
    response = fold([*events, PartStart(0, Text("a")), Finish("stop", "stop")])
    usage = Usage({"input_tokens": 3, "cache_read_tokens": 2, "output_tokens": 4})
    body = json.loads(CHAT.encode_response(evolve(response, usage=usage)).body)
    counts = {"input_tokens": 5, "output_tokens": 4}
    assert body["usage"] == {"billed_units": counts, "tokens": counts}


def test_blocks_nobody_models_are_written_as_they_came():
    block = {"type": "x_new", "x": 1}
    events = [Start("1", "m", origin="cohere.chat"), PartStart(0, Opaque("cohere.chat", block))]
    assert b'"x_new"' in told(events)[0]
    written = json.loads(CHAT.encode_response(fold(events)).body)
    assert written["message"]["content"] == [block]


def test_log_probabilities_of_others_are_lost_by_name():
    events = [Start("1", "m", origin="openai.chat"), LogprobsDelta({"content": []})]
    rendered = CHAT.encode_response(fold([*events, PartStart(0, Text("a"))]))
    assert [loss.path for loss in rendered.losses] == ["logprobs"]


def test_a_frame_without_an_end_is_no_answer():
    decoder = CHAT.decoder(full=False, hide_usage=False)
    half = b"x" * (MAX_FRAME_BYTES // 2 + 1)
    assert decoder.feed(half).events == ()
    chunk = decoder.feed(half)
    assert isinstance(chunk.events[-1], Failed)
    assert not decoder.observed.error.retryable
    assert decoder.feed(b"data: {}\n\n").events == ()
