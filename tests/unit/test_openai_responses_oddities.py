"""What hosts and clients of the Responses API do that nobody expects."""

from __future__ import annotations

import json

import pytest

from flo2.canonical import (
    Annotation,
    Finish,
    Message,
    Opaque,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolCall,
    ToolResult,
    fold,
)
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.dialects.sse import MAX_FRAME_BYTES

DIALECT = OpenAIResponses()
NAME = "openai.responses"
HEAD = {"id": "r", "model": "m", "created_at": 1, "output": []}


def decode(*events):
    decoder = DIALECT.decoder(full=True, hide_usage=True)
    end = {"type": "response.completed", "response": {**HEAD, "status": "completed"}}
    raw = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in (*events, end))
    found = [*decoder.feed(raw).events, *decoder.close().events]
    assert decoder.observed.complete
    return fold(found).choices[0].parts


def output(*events):
    encoder = DIALECT.encoder(include_usage=True)
    body = b"".join(map(encoder.feed, events)) + encoder.close()
    last = json.loads(body.decode().split("\ndata: ")[-1])
    return last["response"]["output"], encoder.losses


REASONING = {"type": "reasoning", "id": "rs", "summary": []}


@pytest.mark.parametrize(
    ("events", "parts"),
    [
        ([{"type": "response.output_item.added", "output_index": 0, "item": None}], ()),
        ([{"type": "response.output_item.done", "output_index": 0, "item": None}], ()),
        (
            [{"type": "response.output_item.done", "output_index": 0, "item": {"type": "x"}}] * 2,
            (Opaque(NAME, {"type": "x"}),),
        ),
        (
            [
                {"type": "response.output_item.added", "output_index": 0, "item": REASONING},
                {
                    "type": "response.reasoning_summary_text.delta",
                    "output_index": 0,
                    "summary_index": 0,
                    "delta": "a",
                },
                {"type": "response.reasoning_text.delta", "output_index": 0, "delta": "not told"},
                {
                    "type": "response.output_item.done",
                    "output_index": 0,
                    "item": {**REASONING, "summary": "odd"},
                },
            ],
            (Reasoning("a", origin=NAME, id="rs"),),
        ),
        (
            [
                {"type": "response.output_item.added", "output_index": 0, "item": REASONING},
                {"type": "response.reasoning_text.delta", "output_index": 0, "delta": "raw"},
                {
                    "type": "response.reasoning_summary_text.delta",
                    "output_index": 0,
                    "summary_index": 0,
                    "delta": "not told",
                },
                {
                    "type": "response.output_item.done",
                    "output_index": 0,
                    "item": {
                        **REASONING,
                        "summary": [{"type": "summary_text", "text": "not told"}],
                        "content": [{"type": "reasoning_text", "text": "raw!"}],
                    },
                },
            ],
            (
                Reasoning(
                    "raw!",
                    origin=NAME,
                    id="rs",
                    extras={
                        "content": [{"type": "reasoning_text", "text": "raw!"}],
                        "summary": [{"type": "summary_text", "text": "not told"}],
                    },
                ),
            ),
        ),
        (
            [
                {
                    "type": "response.output_text.annotation.added",
                    "output_index": 0,
                    "content_index": 0,
                    "annotation": {"type": "x"},
                }
            ],
            (),
        ),
        (
            [
                {
                    "type": "response.content_part.done",
                    "output_index": 0,
                    "content_index": 0,
                    "part": {"type": "brand_new"},
                }
            ]
            * 2,
            (Opaque(NAME, {"content": [{"type": "brand_new"}]}),),
        ),
    ],
)
def test_odd_events(events, parts):
    if not parts:
        events = [
            *events,
            {
                "type": "response.output_text.delta",
                "output_index": 1,
                "content_index": 0,
                "delta": "x",
            },
        ]
        parts = (Text("x"),)
    assert decode(*events) == parts


@pytest.mark.parametrize("full", [False, True])
def test_a_frame_without_an_end_is_refused(full):
    decoder = DIALECT.decoder(full=full, hide_usage=True)
    decoder.feed(b"data: ")
    piece = b"x" * (MAX_FRAME_BYTES // 2)
    decoder.feed(piece)
    (failed,) = decoder.feed(piece + b"x").events
    assert "is larger than" in failed.error.message
    assert not failed.error.retryable
    assert decoder.feed(piece).events == ()
    assert decoder.close().events == ()


@pytest.mark.parametrize(
    ("fields", "messages"),
    [
        ({"prompt": {"id": "p"}}, ()),
        ({"input": None, "prompt": {"id": "p"}}, ()),
        ({"input": [{"role": "user"}]}, (Message("user", ()),)),
        (
            {"input": [{"role": "assistant", "content": []}]},
            (Message("assistant", (Text(""),)),),
        ),
        (
            {"input": [{"role": "critic", "content": "x"}]},
            (Message("user", (Opaque(NAME, {"role": "critic", "content": "x"}),)),),
        ),
        (
            {"input": [{"type": "function_call_output", "name": "f", "output": "x"}]},
            (Message("tool", (ToolResult("", (Text("x"),), name="f", plain=True),)),),
        ),
    ],
)
def test_odd_requests(fields, messages):
    request = DIALECT.parse(json.dumps({"model": "m", **fields}).encode())
    assert request.messages == messages
    again = DIALECT.parse(DIALECT.render(request, model="m", profile=Profile()).body)
    assert again.messages == messages or messages[0].role == "user"


def test_an_empty_wish_to_reason_is_none():
    request = DIALECT.parse(b'{"model":"m","input":"x","reasoning":{"effort":null}}')
    assert request.reasoning is None


def test_unknown_content_and_late_fields_of_an_answer_are_written_again():
    content = {"type": "brand_new", "x": 1}
    items, losses = output(
        Start("r", "m", origin=NAME),
        PartStart(0, Text("a", extras={"item": {"id": "msg_1"}})),
        PartDelta(0, extras={"item": {"id": "msg_1", "phase": "final_answer"}}),
        PartStart(1, Opaque(NAME, {"content": [content]})),
        PartStart(2, Refusal("b")),
        PartStop(1),
        PartDelta(1, "lost"),
        Annotation(2, {"type": "x"}),
        PartStart(3, ToolCall("c", "f", "{}")),
        PartDelta(3, extras={"namespace": "n"}),
        PartDelta(0, " again"),
        Finish("tool_calls", "completed"),
    )
    assert losses == ()
    assert [part["type"] for part in items[0]["content"]] == ["output_text", "brand_new", "refusal"]
    assert (items[0]["phase"], items[1]["namespace"]) == ("final_answer", "n")
    assert items[2]["content"][0]["text"] == " again"


def test_a_seal_without_its_reasoning_is_lost_by_name():
    _, losses = output(
        Start("r", "m"),
        PartStart(0, Reasoning("hm", origin="anthropic.messages")),
        PartStart(1, Text("x")),
        PartDelta(0, signature="late"),
        PartDelta(0),
    )
    assert [loss.reason for loss in losses] == ["a seal after the end of its reasoning"]


@pytest.mark.parametrize(
    ("citation", "written"),
    [
        (
            {"type": "url_citation", "url_citation": {"url": "u", "title": "t"}},
            [{"type": "url_citation", "url": "u", "title": "t"}],
        ),
        ({"type": "file_citation", "file_id": "f"}, [{"type": "file_citation", "file_id": "f"}]),
        (
            {"uri": "u"},
            [{"type": "url_citation", "url": "u", "title": "", "start_index": 0, "end_index": 2}],
        ),
        ({"type": "page_location"}, []),
    ],
)
def test_citations_of_other_dialects(citation, written):
    items, losses = output(Start("r", "m"), PartStart(0, Text("ab", (citation,))))
    assert items[0]["content"][0]["annotations"] == written
    assert bool(losses) == (not written)


@pytest.mark.parametrize(
    ("drawn", "problem"),
    [
        (
            {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, "cached_tokens": 1},
            "tool_usage.image_gen.cached_tokens has a price of its own and no meter",
        ),
        (
            {
                "input_tokens": 1,
                "output_tokens": 1,
                "total_tokens": 2,
                "input_tokens_details": {"image_tokens": 2},
            },
            "the parts of tool_usage.image_gen exceed its sums",
        ),
    ],
)
def test_odd_drawings_are_doubted(drawn, problem):
    raw = {"input_tokens": 1, "output_tokens": 1, "tool_usage": {"image_gen": drawn}}
    assert DIALECT.read_usage(raw).problem == problem


def test_cached_audio_is_told_from_cached_text():
    details = {"cached_tokens": 5, "audio_tokens": 4, "cached_tokens_details": {"audio_tokens": 3}}
    raw = {"input_tokens": 10, "output_tokens": 0, "input_tokens_details": details}
    assert DIALECT.read_usage(raw).quantities == {
        "input_tokens": 4,
        "cache_read_tokens": 2,
        "cache_read_audio_tokens": 3,
        "input_audio_tokens": 1,
    }


def test_what_stands_for_earlier_turns_is_refused_by_anthropic_and_a_search_is_not():
    items = [
        {"type": "compaction", "encrypted_content": "x"},
        {"role": "user", "content": "Go on."},
        {"type": "web_search_call", "id": "ws", "status": "completed"},
        {"role": "assistant", "content": "It is b."},
    ]
    request = DIALECT.parse(json.dumps({"model": "m", "input": items}).encode())
    losses = AnthropicMessages().check(request, Profile())
    assert [(loss.path, loss.severity) for loss in losses if "content" in loss.path] == [
        ("messages[0].content[0]", "refuse"),
        ("messages[2].content[0]", "drop"),
    ]
