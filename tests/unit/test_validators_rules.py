"""Each validator names the mistake, and where it is."""

from __future__ import annotations

import copy
import json

import pytest

from flo2.testing.validators import VALIDATORS, Violation
from flo2.testing.validators.samples import ANSWERS, ERRORS, STREAMS, written

JSON = {"content-type": "application/json"}
CHAT, ANTHROPIC, RESPONSES, GEMINI = (
    STREAMS[name] for name in ("openai.chat", "anthropic.messages", "openai.responses", "gemini")
)
CHOICE, PIECE = ("choices", 0), ("choices", 0, "delta", "tool_calls", 0)


def rules(violations):
    return [(each.where, each.rule) for each in violations]


def with_value(frames, number, path, value):
    """Give the frames with another value at a path of one; the number counts from 1."""
    copied = copy.deepcopy(frames)
    holder = copied[number - 1][1]
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return copied


@pytest.mark.parametrize(
    ("name", "number", "path", "value", "where", "rule"),
    [
        (
            "openai.chat",
            9,
            (*CHOICE, "finish_reason"),
            "done",
            "frame 9: choices[0].finish_reason",
            "is one of stop, length, tool_calls, content_filter, function_call",
        ),
        (
            "openai.chat",
            6,
            (*PIECE, "function", "arguments"),
            "nothing",
            "frame 9: choices[0].tool_calls[0].arguments",
            "is JSON",
        ),
        (
            "openai.chat",
            7,
            (*PIECE, "id"),
            "call_a",
            "frame 9: choices[0].tool_calls",
            "each call has its own id",
        ),
        (
            "openai.chat",
            7,
            (*PIECE, "index"),
            2,
            "frame 7: choices[0].delta.tool_calls.index",
            "numbers the calls from 0",
        ),
        (
            "openai.chat",
            6,
            (*PIECE, "id"),
            "call_a",
            "frame 6: choices[0].delta.tool_calls",
            "id, type and name come in the first piece only",
        ),
        (
            "openai.chat",
            10,
            ("usage", "total_tokens"),
            20,
            "frame 10: usage.total_tokens",
            "is prompt_tokens + completion_tokens",
        ),
        ("openai.chat", 3, ("id",), "other", "frame 3: id", "is 'chatcmpl-1' in each chunk"),
        (
            "anthropic.messages",
            8,
            ("index",),
            2,
            "frame 8: index",
            "is that of the open block",
        ),
        (
            "anthropic.messages",
            8,
            ("delta",),
            {"type": "thinking_delta", "thinking": "x"},
            "frame 8: delta.type",
            "fits a block of type text",
        ),
        (
            "anthropic.messages",
            14,
            ("delta", "stop_reason"),
            "end_turn",
            "frame 15: stop_reason",
            "'tool_use' goes with a tool_use block",
        ),
        (
            "anthropic.messages",
            14,
            ("delta", "stop_reason"),
            None,
            "frame 15: stop_reason",
            "is given before message_stop",
        ),
        (
            "anthropic.messages",
            14,
            ("type",),
            "ping",
            "frame 14: event",
            "is 'ping', as the data says",
        ),
        (
            "anthropic.messages",
            12,
            ("delta", "partial_json"),
            "[1]",
            "frame 15: content[2].input",
            "is JSON when the block stops",
        ),
        (
            "openai.responses",
            6,
            ("text",),
            "Hallo",
            "frame 6: text",
            "is what its deltas said",
        ),
        (
            "openai.responses",
            6,
            ("sequence_number",),
            4,
            "frame 6: sequence_number",
            "counts the events from 0",
        ),
        (
            "openai.responses",
            14,
            ("response", "output"),
            [],
            "frame 14: response.output",
            "holds the items that were done",
        ),
        (
            "openai.responses",
            14,
            ("response", "usage"),
            None,
            "frame 14: response.usage",
            "is there when the status is 'completed'",
        ),
        (
            "openai.responses",
            13,
            ("item", "arguments"),
            "{}",
            "frame 13: item.arguments",
            "is what its deltas said",
        ),
        (
            "gemini",
            3,
            ("candidates", 0, "content", "parts", 0, "text"),
            "",
            "frame 3: candidates[0].content.parts[0]",
            "holds one kind of data",
        ),
        (
            "gemini",
            4,
            ("usageMetadata", "candidatesTokenCount"),
            11,
            "end: usageMetadata.totalTokenCount",
            (
                "is promptTokenCount + candidatesTokenCount + thoughtsTokenCount + "
                "toolUsePromptTokenCount"
            ),
        ),
    ],
)
def test_a_wrong_value_is_named(name, number, path, value, where, rule):
    spoiled = written(with_value(STREAMS[name], number, path, value))
    assert (where, rule) in rules(VALIDATORS[name].stream(spoiled))


ERROR_FRAME = (None, ERRORS["openai.chat"])


@pytest.mark.parametrize(
    ("name", "frames", "expected"),
    [
        (
            "openai.chat",
            [*CHAT[:2], *CHAT[8:]],
            [("frame 3: choices[0]", "finish_reason 'tool_calls' follows a tool call")],
        ),
        ("openai.chat", [*CHAT[:3], ERROR_FRAME], []),
        (
            "openai.chat",
            [*CHAT[:3], ERROR_FRAME, *CHAT[8:]],
            [(f"frame {n}", "nothing follows an error") for n in (5, 6, 7)],
        ),
        ("openai.chat", [*CHAT, (None, "[DONE]")], [("frame 12", "nothing follows [DONE]")]),
        ("openai.chat", [("x", CHAT[0][1]), *CHAT[1:]], [("frame 1: event", "is not given")]),
        (
            "openai.chat",
            CHAT[:-2] + CHAT[-1:],
            [
                (
                    "end: usage",
                    "all chunks but the usage chunk say usage: null, or none has usage",
                )
            ],
        ),
        (
            "anthropic.messages",
            [*ANTHROPIC, ANTHROPIC[-1]],
            [("frame 16", "nothing follows message_stop")],
        ),
        ("anthropic.messages", [*ANTHROPIC[:8], ("error", ERRORS["anthropic.messages"])], []),
        (
            "anthropic.messages",
            ANTHROPIC[:-1],
            [("end", "the stream ends with message_stop or an error")],
        ),
        ("openai.responses", [*RESPONSES, (None, "[DONE]")], [("frame 15", "has no [DONE]")]),
        ("gemini", [*GEMINI[:2], (None, ERRORS["gemini"])], []),
        ("gemini", GEMINI[:3], [("end: candidates[0].finishReason", "is given by the end")]),
    ],
)
def test_the_order_of_frames_is_checked(name, frames, expected):
    assert rules(VALIDATORS[name].stream(written(frames))) == expected


def test_a_gemini_stream_may_be_a_json_array():
    body = json.dumps([value for _, value in GEMINI]).encode()
    assert VALIDATORS["gemini"].stream(body) == []
    assert VALIDATORS["gemini"].stream(body[:-9]) != []


@pytest.mark.parametrize("name", ANSWERS)
def test_a_right_answer_has_no_violation(name):
    answer = VALIDATORS[name].answer(200, JSON, json.dumps(ANSWERS[name]).encode())
    assert answer == []


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("other", ERRORS)
def test_an_error_must_be_in_the_envelope_of_its_own_dialect(name, other):
    found = VALIDATORS[name].answer(404, JSON, json.dumps(ERRORS[other]).encode())
    assert (found == []) == (ERRORS[name] == ERRORS[other])


def test_an_answer_must_say_that_it_is_json():
    body = json.dumps(ANSWERS["openai.chat"]).encode()
    found = VALIDATORS["openai.chat"].answer(200, {"content-type": "text/html"}, body)
    assert found == [Violation("header content-type", "is application/json", "text/html")]
    assert str(found[0]) == "header content-type: is application/json; seen: text/html"


def test_json_is_read_by_its_letter():
    body = json.dumps(ANSWERS["openai.embeddings"]).encode()
    odd = body.replace(b"[0.5, -1]", b"[NaN, -1]").replace(b'"model"', b'"model": 1, "model"')
    assert rules(VALIDATORS["openai.embeddings"].answer(200, JSON, odd)) == [
        ("body", "is JSON, which has no such number"),
        ("model", "is given once"),
        ("data[0].embedding[0]", "is a number"),
    ]


def test_framing_is_checked():
    body = written(CHAT[:1]) + b"bogus: 1\ndata: {}\n\nevent: a\nevent: b\n\n\xff"
    found = rules(VALIDATORS["openai.chat"].stream(body))
    assert [
        each for each in found if each[1].startswith(("is UTF-8", "is a field", "is given"))
    ] == [
        ("body", "is UTF-8"),
        ("frame 2: bogus", "is a field of an event stream"),
        ("frame 3: event", "is given once"),
        ("frame 3: \N{REPLACEMENT CHARACTER}", "is a field of an event stream"),
    ]


def test_the_compatible_level_takes_what_hosts_send_and_still_finds_what_breaks_clients():
    first = with_value(CHAT[:1], 1, ("id",), "")[0][1]
    last = with_value(CHAT[:1], 1, (*CHOICE, "finish_reason"), "eos")[0][1]
    frames = [("message", first), ("message", {**last, "usage": {"total_tokens": 5}})]
    stream = VALIDATORS["openai.chat"].stream
    assert stream(written(frames), level="strict") != []
    assert stream(written(frames), level="compatible") == []
    assert rules(stream(written(frames[:1]), level="compatible")) == [
        ("end: choices[0]", "each choice has a finish_reason")
    ]


def test_embeddings_do_not_stream():
    assert rules(VALIDATORS["openai.embeddings"].stream(b"")) == [
        ("body", "is one JSON object: embeddings do not stream")
    ]
