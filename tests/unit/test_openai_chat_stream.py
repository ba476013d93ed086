from __future__ import annotations

import json
from decimal import Decimal

import attrs
import pytest

from flo2.canonical import (
    Annotation,
    Audio,
    Charge,
    Choice,
    Failed,
    Finish,
    Image,
    LogprobsDelta,
    Loss,
    Opaque,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Refusal,
    Response,
    Start,
    SubUsage,
    Text,
    ToolCall,
    Usage,
    UsageUpdate,
    fold,
)
from flo2.dialects.base import Observed
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_chat.light import glance
from flo2.dialects.openai_chat.usage import read_usage
from flo2.errors import ProviderError

DIALECT = OpenAIChat()
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
READ = DIALECT.read_usage(USAGE)


def frame(payload):
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


def chunk(delta=None, finish=None, **top):
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish}]
    return frame({"id": "c", "model": "m", "created": 1, "choices": choices, **top})


DONE = b"data: [DONE]\n\n"
USAGE_ONLY = frame({"id": "c", "model": "m", "choices": [], "usage": USAGE})


def decode(*chunks, full=True, hide_usage=False):
    decoder = DIALECT.decoder(full=full, hide_usage=hide_usage)
    out = [*map(decoder.feed, chunks), decoder.close()]
    events = [event for each in out for event in each.events]
    return events, b"".join(each.raw for each in out), decoder.observed


def parts_of(*deltas):
    events, _, observed = decode(*map(chunk, deltas), chunk(finish="stop"), DONE)
    assert observed.complete
    return fold(events).choices[0].parts


def test_events_of_a_stream():
    events, _, observed = decode(
        chunk({"role": "assistant", "content": ""}, service_tier="flex", system_fingerprint="fp"),
        chunk({"content": "a"}),
        chunk({"content": "b"}),
        chunk(finish="stop"),
        USAGE_ONLY,
        DONE,
    )
    usage = Usage(
        READ.quantities, raw=USAGE, dialect="openai.chat", context={"service_tier": "flex"}
    )
    assert events == [
        Start("c", "m", 1, {"service_tier": "flex", "system_fingerprint": "fp"}, "openai.chat"),
        PartStart(0, Text("a")),
        PartDelta(0, "b"),
        Finish("stop", "stop"),
        UsageUpdate(usage),
    ]
    assert (observed.response_id, observed.model, observed.finish) == ("c", "m", "stop")
    assert (observed.usage, observed.complete, observed.has_content) == (usage, True, True)


CALL = {"index": 0, "id": "1", "function": {"name": "f", "arguments": '{"a":'}}


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        ([CALL, {"index": 0, "function": {"arguments": "1}"}}], [("1", "f", '{"a":1}')]),
        # Mistral: later pieces have an empty name and no id.
        (
            [CALL, {"index": 0, "id": "", "function": {"name": "", "arguments": "1}"}}],
            [("1", "f", '{"a":1}')],
        ),
        # No index at all.
        (
            [
                {"id": "1", "function": {"name": "f", "arguments": "{}"}},
                {"id": "2", "function": {"name": "g", "arguments": "{"}},
                {"function": {"arguments": "}"}},
                {"id": "1", "function": {"arguments": " "}},
            ],
            [("1", "f", "{} "), ("2", "g", "{}")],
        ),
        # One index for all, told apart by id.
        (
            [
                {"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}},
                {"index": 0, "id": "2", "function": {"name": "f", "arguments": "{}"}},
            ],
            [("1", "f", "{}"), ("2", "f", "{}")],
        ),
        # The id comes late; so does the name.
        (
            [
                {"index": 0, "function": {"name": "f", "arguments": "{"}},
                {"index": 0, "id": "1", "function": {"arguments": "}"}},
            ],
            [("1", "f", "{}")],
        ),
        # Arguments as an object.
        (
            [{"index": 0, "id": "1", "function": {"name": "f", "arguments": {"a": 1}}}],
            [("1", "f", '{"a":1}')],
        ),
    ],
)
def test_tool_calls_of_every_cut(pieces, calls):
    parts = parts_of(*({"tool_calls": [piece]} for piece in pieces))
    assert [(part.id, part.name, part.arguments) for part in parts] == calls


def test_a_call_without_id_gets_one_that_repeats():
    delta = {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]}
    (call,) = parts_of(delta)
    assert call.id.startswith("call_")
    assert len(call.id) == 29
    assert parts_of(delta) == (call,)
    assert parts_of({"tool_calls": [{"function": {"name": "f", "arguments": "[]"}}]}) != (call,)


@pytest.mark.parametrize(
    ("deltas", "parts"),
    [
        (
            [{"reasoning_content": "a"}, {"reasoning_content": "b"}, {"content": "c"}],
            (
                Reasoning("ab", origin="openai.chat", extras={"reasoning_content": True}),
                Text("c"),
            ),
        ),
        (
            [
                {"reasoning": "a", "reasoning_details": [{"n": 1}]},
                {"reasoning": "b", "reasoning_details": [{"n": 2}]},
            ],
            (
                Reasoning(
                    "ab",
                    origin="openai.chat",
                    extras={"reasoning": True, "reasoning_details": [{"n": 1}, {"n": 2}]},
                ),
            ),
        ),
        (
            [
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]},
                {"content": [{"type": "text", "text": "b"}, {"type": "odd"}]},
            ],
            (
                Reasoning("a", origin="openai.chat"),
                Text("b"),
                Opaque("openai.chat", {"type": "odd"}),
            ),
        ),
        ([{"refusal": "I "}, {"refusal": "won't"}], (Refusal("I won't"),)),
        (
            [{"audio": {"id": "a"}}, {"audio": {"data": "AA"}}, {"audio": {"transcript": "x"}}],
            (Audio(data="AA", audio_id="a", transcript="x"),),
        ),
        ([{"annotations": [{"n": 1}]}, {"content": "a"}], (Text("a", ({"n": 1},)),)),
        (
            [
                {"function_call": {"name": "f", "arguments": ""}},
                {"function_call": {"arguments": "{}"}},
            ],
            (ToolCall("call_" + "x" * 24, "f", "{}", extras={"legacy": True}),),
        ),
    ],
)
def test_parts_of_every_kind(deltas, parts):
    found = parts_of(*deltas)
    if isinstance(found[0], ToolCall):
        found = (
            ToolCall("call_" + "x" * 24, found[0].name, found[0].arguments, extras=found[0].extras),
        )
    assert found == parts


@pytest.mark.parametrize("full", [True, False])
def test_only_the_usage_only_frame_is_hidden(full):
    azure = frame({"choices": [], "id": "", "model": "", "prompt_filter_results": [1]})
    mixed = chunk(finish="stop", usage=USAGE)
    stream = [azure, chunk({"content": "a"}), mixed, USAGE_ONLY, DONE]
    events, raw, observed = decode(*stream, full=full, hide_usage=True)
    assert raw == b"".join(each for each in stream if each is not USAGE_ONLY)
    assert [event for event in events if isinstance(event, UsageUpdate)] == [UsageUpdate(READ)]
    assert observed.usage == READ
    assert decode(b"".join(stream), full=full, hide_usage=True)[1] == raw


@pytest.mark.parametrize("full", [True, False])
def test_usage_said_three_times_counts_once(full):
    stream = (chunk({"content": "a"}), chunk(finish="stop", usage=USAGE, x_groq={"usage": USAGE}))
    events, _, _ = decode(*stream, USAGE_ONLY, DONE, full=full)
    assert [event for event in events if isinstance(event, UsageUpdate)] == [UsageUpdate(READ)]
    only = chunk(finish="stop", x_groq={"usage": USAGE})
    assert decode(stream[0], only, DONE, full=full)[2].usage == READ


def test_cumulative_usage_is_final_only_at_the_end():
    early = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    events, _, observed = decode(
        chunk({"content": "a"}, usage=early), chunk(finish="stop", usage=USAGE), DONE
    )
    usages = [event for event in events if isinstance(event, UsageUpdate)]
    assert [(each.usage.output_total, each.final) for each in usages] == [(1, False), (2, True)]
    assert observed.usage == READ


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    ("frames", "message", "kind"),
    [
        ([frame({"error": {"message": "no", "type": "server_error"}})], "no", "upstream"),
        ([b"event: error\n" + frame({"message": "no"})], "no", "upstream"),
        ([b"event: error\ndata: no\n\n"], "no", "upstream"),
        ([frame({"object": "error", "message": "no"})], "no", "upstream"),
        ([frame({"error": {"code": 429, "message": "no"}}), DONE], "no", "rate_limit"),
        (
            [frame({"choices": [{"error": {"code": 502, "message": "no"}}]}), DONE],
            "no",
            "upstream",
        ),
        (
            [b"data: {oops\n\n"],
            "a frame of the stream is no JSON object: '{oops' (openai.chat)",
            "upstream",
        ),
        (
            [b"data: 7\n\n"],
            "a frame of the stream is no JSON object: '7' (openai.chat)",
            "upstream",
        ),
        ([], "the stream ended before its end (openai.chat)", "upstream"),
        ([b'data: {"id":'], "the stream ended before its end (openai.chat)", "upstream"),
        ([chunk(finish="stop")], "the stream ended before its end (openai.chat)", "upstream"),
    ],
)
def test_a_broken_stream_fails(frames, message, kind, full):
    events, raw, observed = decode(chunk({"content": "a"}), *frames, full=full)
    assert (observed.error.message, observed.error.kind) == (message, kind)
    assert (observed.error.retryable, observed.error.status, observed.complete) == (
        True,
        200,
        False,
    )
    assert events[-1] == Failed(observed.error)
    whole = [each for each in frames if each.endswith(b"\n\n")]
    assert raw == chunk({"content": "a"}) + b"".join(whole)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    "ends",
    [
        [chunk(finish="stop"), USAGE_ONLY],
        [chunk(finish="stop", usage=USAGE)],
        [chunk(finish="stop"), USAGE_ONLY, b"data: [DONE]"],
        [chunk(finish="stop"), USAGE_ONLY, b"data: [DONE] \n"],
        [b": ping\n\n", chunk(finish="stop"), USAGE_ONLY, DONE],
    ],
)
def test_a_stream_that_says_all_is_complete(ends, full):
    stream = [chunk({"content": "a"}), *ends]
    _, raw, observed = decode(*stream, full=full)
    assert (observed.complete, observed.error, observed.usage) == (True, None, READ)
    assert raw == b"".join(stream)


def test_light_decoder_is_not_fooled_by_text_that_looks_like_keys():
    tricky = chunk({"content": '"usage":{"prompt_tokens":9},"finish_reason":"stop","error":1'})
    _, raw, observed = decode(chunk({"content": "a"}), tricky, full=False)
    assert raw == chunk({"content": "a"}) + tricky
    assert (observed.usage, observed.finish) == (None, None)
    assert observed.error.message == "the stream ended before its end (openai.chat)"


FAILED_CHOICE = json.dumps(
    {
        "id": "1",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "error",
                "message": {"content": "a"},
                "error": {"code": 502, "message": "no"},
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"<h1>Bad</h1>", "the answer is no JSON object: 'Bad' (openai.chat)"),
        (b"", "the answer is no JSON object: '' (openai.chat)"),
        (b'{"choices":[]}', "the answer holds no choices (openai.chat)"),
        (b'{"error":{"message":"no"}}', "no"),
        (FAILED_CHOICE, "no"),
    ],
)
@pytest.mark.parametrize("full", [True, False])
def test_a_plain_answer_that_is_none_fails(raw, message, full):
    decoder = DIALECT.body_decoder(full=full)
    decoder.feed(raw)
    answer = decoder.close()
    assert (answer.raw, decoder.observed.error.message) == (raw, message)
    assert answer.events[-1] == Failed(decoder.observed.error)


def encode(*events, include_usage=False):
    encoder = DIALECT.encoder(include_usage=include_usage)
    out = b"".join(map(encoder.feed, events)) + encoder.close()
    return [line[6:] for line in out.decode().split("\n\n") if line], encoder.losses


def deltas(frames):
    return [json.loads(each)["choices"][0]["delta"] for each in frames[:-1]]


def test_stream_is_written_as_openai_writes_it():
    frames, losses = encode(
        Start("c", "m", 7), PartStart(0, Text("a")), PartDelta(0, "b"), Finish("stop", "end_turn"),
        UsageUpdate(READ), include_usage=True,
    )  # fmt: skip
    head = {"id": "c", "object": "chat.completion.chunk", "created": 7, "model": "m"}

    def one(delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {**head, "choices": [choice], "usage": None}

    assert [json.loads(each) for each in frames[:-1]] == [
        one({"role": "assistant", "content": "a"}),
        one({"content": "b"}),
        one({}, "stop"),
        {**head, "choices": [], "usage": USAGE},
    ]
    assert (frames[-1], losses) == ("[DONE]", ())


@pytest.mark.parametrize(
    ("finish", "word", "loss"),
    [
        (Finish("stop", "end_turn"), "stop", None),
        (Finish("tool_calls", "tool_use"), "tool_calls", None),
        (Finish("stop", "STOP"), "stop", None),
        (Finish("tool_calls", "function_call"), "function_call", None),
        (
            Finish("stop_sequence", "stop_sequence", "END"),
            "stop",
            Loss("stop_sequence", "which sequence was hit has no field", "note"),
        ),
        (
            Finish("context_window", "model_context_window_exceeded"),
            "length",
            Loss("finish_reason", "'model_context_window_exceeded' is written as 'length'", "note"),
        ),
        (
            Finish("refusal", "refusal"),
            "content_filter",
            Loss("finish_reason", "'refusal' is written as 'content_filter'", "note"),
        ),
        (
            Finish("pause", "pause_turn"),
            "stop",
            Loss("finish_reason", "'pause_turn' is written as 'stop'", "note"),
        ),
        (
            Finish("other"),
            "stop",
            Loss("finish_reason", "'other' is written as 'stop'", "note"),
        ),
    ],
)
def test_foreign_finish_reasons(finish, word, loss):
    frames, losses = encode(Start("c", "m"), finish)
    assert json.loads(frames[0])["choices"][0] == {
        "index": 0,
        "delta": {"role": "assistant", "content": ""},
        "finish_reason": word,
    }
    assert losses == ((loss,) if loss else ())
    choice = Choice((), finish.reason, finish.raw, finish.stop_sequence)
    rendered = DIALECT.encode_response(Response("c", "m", 0, (choice,)))
    assert json.loads(rendered.body)["choices"][0]["finish_reason"] == word
    assert rendered.losses == losses


CITATION = {"type": "page", "url": "https://example.com", "title": "T", "cited_text": "b"}
NOTE = {
    "type": "url_citation",
    "url_citation": {"url": "https://example.com", "title": "T", "start_index": 0, "end_index": 1},
}
FOREIGN = (
    Start("c", "m"),
    PartStart(0, Reasoning("why", extras={"a_mark": True}, origin="other")),
    PartDelta(0, signature="sig"),
    PartDelta(0, signature="more"),
    PartStart(1, Text("b")),
    Annotation(1, CITATION),
    Annotation(1, {"type": "char_location", "n": 1}),
    PartStart(2, Opaque("other", {"type": "server_tool_use"})),
    PartStart(3, Image(file_id="u")),
    PartStart(4, ToolCall("1", "f", "")),
    PartStop(4),
    PartStart(5, ToolCall("2", "g", "x", "custom")),
    PartDelta(5, "y"),
    Finish("tool_calls", "tool_use"),
)
FOREIGN_LOSSES = (
    Loss("choices[0].parts[0].signature", "a reasoning signature has no field"),
    Loss(
        "choices[0].parts[1].citations",
        "only URL and title are kept, not cited_text",
        "note",
    ),
    Loss("choices[0].parts[1].citations", "a citation of kind 'char_location' has no form here"),
    Loss("choices[0].parts[2]", "'server_tool_use' has no form in a chat answer"),
    Loss("choices[0].parts[3]", "'Image' has no form in a chat answer"),
)


def test_foreign_stream_is_written_and_its_losses_are_named():
    frames, losses = encode(*FOREIGN)
    assert deltas(frames) == [
        {"role": "assistant", "content": None, "reasoning_content": "why"},
        {"content": "b"},
        {"annotations": [{"index": 0, **NOTE}]},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "1",
                    "type": "function",
                    "function": {"name": "f", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
        {
            "tool_calls": [
                {"index": 1, "id": "2", "type": "custom", "custom": {"name": "g", "input": "x"}}
            ]
        },
        {"tool_calls": [{"index": 1, "custom": {"input": "y"}}]},
        {},
    ]
    assert losses == FOREIGN_LOSSES


def test_foreign_answer_is_written_and_its_losses_are_named():
    rendered = DIALECT.encode_response(fold(FOREIGN, origin="other"))
    assert json.loads(rendered.body) == {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "b",
                    "refusal": None,
                    "reasoning_content": "why",
                    "annotations": [NOTE],
                    "tool_calls": [
                        {
                            "id": "1",
                            "type": "function",
                            "function": {"name": "f", "arguments": "{}"},
                        },
                        {"id": "2", "type": "custom", "custom": {"name": "g", "input": "xy"}},
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
    }
    assert rendered.losses == FOREIGN_LOSSES


def test_logprobs_go_with_the_content_they_are_about():
    one, two = {"content": [1], "refusal": None}, {"content": [2], "refusal": None}
    frames, _ = encode(
        Start("c", "m"), LogprobsDelta(one), LogprobsDelta(two), PartStart(0, Text("a"))
    )
    assert json.loads(frames[0])["choices"][0]["logprobs"] == {"content": [1, 2], "refusal": None}


def test_a_failure_ends_the_stream_without_done():
    frames, _ = encode(Start("c", "m"), PartStart(0, Text("a")), Failed(ProviderError("no")))
    envelope = {"message": "no", "type": "server_error", "param": None, "code": None}
    assert json.loads(frames[-1]) == {"error": envelope}
    assert len(frames) == 2


def test_own_fields_of_the_start_are_written_again():
    extras = {"service_tier": "flex", "prompt_filter_results": [1]}
    frames, _ = encode(
        Start("c", "m", 0, extras, "openai.chat"), PartStart(0, Text("a")), Finish("stop", "stop")
    )
    assert [json.loads(each).get("prompt_filter_results") for each in frames[:-1]] == [[1], None]
    assert [json.loads(each)["service_tier"] for each in frames[:-1]] == ["flex", "flex"]
    foreign, _ = encode(Start("c", "m", 0, extras, "other"), Finish("stop"))
    assert json.loads(foreign[0]).keys() == {"id", "object", "created", "model", "choices"}


def test_a_plain_answer_of_the_common_shape_is_only_glanced_at() -> None:
    answer = {
        "id": "c",
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        "service_tier": "default",
    }
    observed = Observed()

    usage = glance(json.dumps(answer).encode(), observed, read_usage)

    assert usage is not None
    assert usage.quantities == {"input_tokens": 3, "output_tokens": 2}
    assert usage.context == {"service_tier": "default"}
    assert (observed.complete, observed.has_content, observed.finish) == (True, True, "stop")


def test_the_tier_is_added_to_all_that_a_reader_gave() -> None:
    given = Usage(
        {"input_tokens": 1},
        {"reasoning_tokens": 1},
        {"raw": 1},
        "d",
        {"region": "eu"},
        "odd",
        (SubUsage("m", "k", {}, {}),),
        Charge(Decimal(1)),
    )
    assert all(getattr(given, each.name) for each in attrs.fields(Usage))
    answer = {
        "id": "c",
        "model": "m",
        "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3},
        "service_tier": "flex",
    }

    usage = glance(json.dumps(answer).encode(), Observed(), lambda _: given)

    assert usage == attrs.evolve(given, context={"service_tier": "flex", "region": "eu"})


@pytest.mark.parametrize(
    "change",
    [{"error": {"message": "no"}}, {"choices": []}, {"usage": None}, {"id": ""}, {"choices": [{}]}],
)
def test_what_is_odd_is_left_to_the_full_reader(change: dict[str, object]) -> None:
    answer = {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
    observed = Observed()

    assert glance(json.dumps({**answer, **change}).encode(), observed, read_usage) is None
    assert observed == Observed()
