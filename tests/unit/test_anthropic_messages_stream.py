"""Streams and plain answers of the Messages API: decoding and encoding."""

from __future__ import annotations

import json

import pytest

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
    Response,
    Start,
    Text,
    ToolCall,
    Usage,
    UsageUpdate,
    fold,
)
from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from flo2.dialects.carrier import carry
from flo2.dialects.sse import SSEParser
from flo2.errors import ProviderError

DIALECT = AnthropicMessages()
NAME = "anthropic.messages"


def carried(text: str) -> str:
    return carry(Reasoning(text, origin="openai.chat"))


def sse(*events: dict) -> bytes:
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events
    )


def message_start(**usage) -> dict:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude"}
    return {"type": "message_start", "message": head | {"content": [], "usage": usage}}


def block(index: int, content: dict, *deltas: dict) -> list[dict]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def message_delta(reason="end_turn", **usage) -> dict:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


STOP = {"type": "message_stop"}
STARTED = message_start(input_tokens=5, output_tokens=1)
ENDED = (message_delta(output_tokens=9), STOP)


def decode(body: bytes, *, full=True):
    decoder = DIALECT.decoder(full=full, hide_usage=True)
    events = [*decoder.feed(body).events, *decoder.close().events]
    return decoder.observed, events


def parts_of(*blocks: list[dict]):
    _, events = decode(sse(STARTED, *(event for one in blocks for event in one), *ENDED))
    return [event for event in events if isinstance(event, PartStart | PartDelta | PartStop)]


def encode(*events):
    encoder = DIALECT.encoder(include_usage=True)
    frames = [encoder.feed(event) for event in events]
    frames.append(encoder.close())
    text = b"".join(frames).decode()
    data = [json.loads(frame.split("data: ", 1)[1]) for frame in text.split("\n\n") if frame]
    return data, encoder.losses, frames


def content(data: list[dict]):
    """The blocks a client adds up, and that they are strictly serial."""
    blocks: list[dict] = []
    is_open = False
    for event in data:
        match event["type"]:
            case "content_block_start":
                assert not is_open
                assert event["index"] == len(blocks)
                blocks.append(dict(event["content_block"]))
                is_open = True
            case "content_block_delta":
                assert is_open
                assert event["index"] == len(blocks) - 1
                delta = dict(event["delta"])
                kind = delta.pop("type")
                for key, value in delta.items():
                    if kind == "citations_delta":
                        blocks[-1].setdefault("citations", []).append(value)
                    else:
                        blocks[-1][key] = blocks[-1].get(key, "") + value
            case "content_block_stop":
                assert is_open
                is_open = False
    assert not is_open
    return blocks


# ----------------------------------------------------------------------------------------- decode


def test_a_whole_stream():
    call = {"type": "tool_use", "id": "t1", "name": "f", "input": {}, "caller": {"type": "direct"}}
    observed, events = decode(
        sse(
            message_start(input_tokens=5, output_tokens=1),
            {"type": "ping"},
            *block(
                0,
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "hm"},
                {"type": "signature_delta", "signature": "s"},
            ),
            *block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Hi"}),
            *block(
                2,
                call,
                {"type": "input_json_delta", "partial_json": ""},
                {"type": "input_json_delta", "partial_json": '{"a":1}'},
            ),
            message_delta("tool_use", input_tokens=7, output_tokens=9),
            STOP,
        )
    )
    early = Usage(
        {"input_tokens": 5, "output_tokens": 1},
        raw={"input_tokens": 5, "output_tokens": 1},
        dialect=NAME,
    )
    late = Usage(
        {"input_tokens": 7, "output_tokens": 9},
        raw={"input_tokens": 7, "output_tokens": 9},
        dialect=NAME,
    )
    assert events == [
        Start("msg_1", "claude", origin=NAME),
        UsageUpdate(early, final=False),
        PartStart(0, Reasoning(origin=NAME)),
        PartDelta(0, "hm"),
        PartDelta(0, signature="s"),
        PartStop(0),
        PartStart(1, Text("")),
        PartDelta(1, "Hi"),
        PartStop(1),
        PartStart(2, ToolCall("t1", "f", "", extras={"caller": {"type": "direct"}})),
        PartDelta(2, '{"a":1}'),
        PartStop(2),
        UsageUpdate(late),
        Finish("tool_calls", "tool_use"),
    ]
    assert (observed.usage, observed.finish, observed.complete) == (late, "tool_use", True)


def test_a_tool_without_arguments_means_an_empty_object():
    call = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    for deltas in ([], [{"type": "input_json_delta", "partial_json": ""}]):
        assert parts_of(block(0, call, *deltas)) == [
            PartStart(0, ToolCall("t1", "f", "")),
            PartDelta(0, "{}"),
            PartStop(0),
        ]


def test_unmodelled_blocks_are_given_whole_at_their_end():
    tool = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    parts = parts_of(
        block(
            0,
            tool,
            {"type": "input_json_delta", "partial_json": '{"q'},
            {"type": "input_json_delta", "partial_json": '":1}'},
        ),
        block(
            1,
            {"type": "compaction", "content": None},
            {"type": "compaction_delta", "content": "sum", "encrypted_content": None},
            {"type": "compaction_delta", "content": "mary", "encrypted_content": "eA=="},
        ),
        block(
            2,
            {"type": "connector_text", "text": ""},
            {"type": "text_delta", "text": "x"},
            {"type": "citations_delta", "citation": {"type": "c"}},
        ),
        block(
            3,
            {"type": "server_tool_use", "id": "s", "input": {}},
            {"type": "input_json_delta", "partial_json": "{"},
        ),
    )
    assert [event for event in parts if isinstance(event, PartStart)] == [
        PartStart(0, Opaque(NAME, tool | {"input": {"q": 1}})),
        PartStart(
            1,
            Opaque(NAME, {"type": "compaction", "content": "summary", "encrypted_content": "eA=="}),
        ),
        PartStart(
            2, Opaque(NAME, {"type": "connector_text", "text": "x", "citations": [{"type": "c"}]})
        ),
        PartStart(3, Opaque(NAME, {"type": "server_tool_use", "id": "s", "input": "{"})),
    ]


def test_unknown_events_and_deltas_pass_in_raw_and_mean_nothing():
    odd = [
        {"type": "surprise"},
        {"type": "content_block_start", "index": "0"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta"}},
        {"type": "content_block_delta", "index": None},
        {"type": "content_block_stop"},
        {"type": "message_start", "message": None},
        {"type": "message_delta", "delta": None, "usage": None},
        {"type": 5},
    ]
    body = b": comment\n\n" + sse(STARTED, *odd, *ENDED)
    decoder = DIALECT.decoder(full=True, hide_usage=True)
    chunk = decoder.feed(body)
    assert chunk.raw == body
    kinds = [type(event).__name__ for event in chunk.events]
    assert kinds == ["Start", "UsageUpdate", "UsageUpdate", "Finish"]
    assert decoder.observed.complete


def test_later_usage_overwrites_key_by_key_and_is_never_added():
    body = sse(
        message_start(input_tokens=10, cache_read_input_tokens=2, output_tokens=1),
        message_delta(None, input_tokens=50, output_tokens=20, cache_read_input_tokens=None),
        message_delta("end_turn", output_tokens=30),
        STOP,
    )
    observed, events = decode(body)
    updates = [event for event in events if isinstance(event, UsageUpdate)]
    assert [update.final for update in updates] == [False, False, True]
    assert observed.usage.quantities == {
        "input_tokens": 50,
        "cache_read_tokens": 2,
        "output_tokens": 30,
    }
    assert decode(body, full=False)[0].usage == observed.usage


def test_light_decoder_gives_one_content_event_and_what_metering_needs():
    body = sse(
        STARTED,
        *block(
            0,
            {"type": "text", "text": ""},
            {"type": "text_delta", "text": "a"},
            {"type": "text_delta", "text": "b"},
        ),
        *ENDED,
    )
    _, events = decode(body, full=False)
    kinds = [type(event).__name__ for event in events]
    assert kinds == ["Start", "UsageUpdate", "PartStart", "UsageUpdate", "Finish"]


def test_a_delta_without_its_start_is_content_too():
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}}
    for full in (True, False):
        assert decode(sse(STARTED, delta, *ENDED), full=full)[0].has_content


def test_an_error_event_fails_the_answer():
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    for full in (True, False):
        observed, events = decode(sse(STARTED, error, *ENDED), full=full)
        failure = events[-1].error
        assert isinstance(events[-1], Failed)
        assert (failure.kind, failure.retryable, failure.status) == ("overloaded", True, 200)
        assert (observed.error, observed.complete) == (failure, False)


@pytest.mark.parametrize("tail", [b"", b"event: message_stop\nda", b'data: {"type":"mess'])
def test_an_end_without_message_stop_is_a_failure(tail):
    observed, events = decode(sse(STARTED, *block(0, {"type": "text", "text": "x"})) + tail)
    assert events[-1].error.message == "the stream ended before message_stop"
    assert (observed.error.kind, observed.error.retryable) == ("connection", True)


def test_half_a_frame_is_not_passed_on():
    decoder = DIALECT.decoder(full=True, hide_usage=False)
    body = sse(STARTED)
    assert decoder.feed(body + b"event: content_bl").raw == body
    assert decoder.close().raw == b""


def test_a_last_frame_without_its_blank_line_is_passed_on():
    decoder = DIALECT.decoder(full=True, hide_usage=False)
    body = sse(STARTED, *ENDED)
    assert decoder.feed(body[:-2]).raw + decoder.close().raw == body[:-2]
    assert decoder.observed.complete


def test_a_frame_without_end_is_a_failure():
    decoder = DIALECT.decoder(full=False, hide_usage=False)
    decoder._parser = SSEParser(max_frame_bytes=10)
    chunk = decoder.feed(b"data: " + b"x" * 5)
    assert (chunk.raw, chunk.events) == (b"", ())
    failed = decoder.feed(b"x" * 9).events[0]
    assert (failed.error.kind, failed.error.retryable) == ("upstream", False)
    assert decoder.feed(b"x" * 9).events == ()


def test_an_empty_stream_is_a_failure():
    assert isinstance(decode(b"")[1][0], Failed)


@pytest.mark.parametrize("data", [b"{", b"[]", b"null", b"<html>"])
def test_a_garbled_frame_is_a_failure(data):
    body = sse(STARTED) + b"data: " + data + b"\n\n" + sse(*ENDED)
    decoder = DIALECT.decoder(full=True, hide_usage=True)
    chunk = decoder.feed(body)
    assert chunk.raw == body
    assert chunk.events[-1].error.message == (
        f"the stream holds a frame that is no JSON object ({len(data)} bytes)"
    )
    assert decoder.close().events == ()


def test_a_lone_surrogate_in_a_delta_is_text():
    body = sse(
        STARTED,
        *block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "\ud83d"}),
        *ENDED,
    )
    _, events = decode(body)
    data, _, _ = encode(*events)
    assert content(data) == [{"type": "text", "text": "\ud83d"}]


def test_a_fallback_without_iterations_is_not_priced():
    body = sse(STARTED, *block(0, {"type": "fallback", "to": {"model": "other"}}), *ENDED)
    for full in (True, False):
        assert decode(body, full=full)[0].usage.problem.startswith("another model took over")
    answer = {
        "id": "m",
        "model": "c",
        "content": [{"type": "fallback"}],
        "usage": {"input_tokens": 1, "output_tokens": 1},
        "stop_reason": "end_turn",
    }
    decoder = DIALECT.body_decoder(full=False)
    decoder.feed(json.dumps(answer).encode())
    decoder.close()
    assert decoder.observed.usage.problem.startswith("another model took over")


def test_a_providers_own_usage_reader_is_used():
    mine = Usage({"input_tokens": 1})
    decoder = DIALECT.decoder(full=False, hide_usage=False, read_usage=lambda _: mine)
    decoder.feed(sse(STARTED, *ENDED))
    assert decoder.observed.usage is mine


# ------------------------------------------------------------------------------------ plain answer


def test_a_plain_answer_in_pieces():
    answer = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [
            {"type": "text", "text": "Hi"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1]}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "stop_details": None,
        "container": {"id": "c"},
        "diagnostics": {"x": 1},
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }
    body = json.dumps(answer).encode()
    decoder = DIALECT.body_decoder(full=True)
    assert decoder.feed(body[:20]).raw == b""
    decoder.feed(body[20:])
    chunk = decoder.close()
    assert chunk.raw == body
    assert fold(chunk.events) == Response(
        id="msg_1",
        model="claude",
        created=0,
        origin=NAME,
        extras={"diagnostics": {"x": 1}},
        choices=(
            Choice(
                (Text("Hi"), ToolCall("t", "f", '{"a":[1]}')),
                "tool_calls",
                "tool_use",
                extras={"container": {"id": "c"}},
            ),
        ),
        usage=Usage({"input_tokens": 5, "output_tokens": 2}, raw=answer["usage"], dialect=NAME),
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "the answer is no {} (6 bytes)"),
        (b"[]", "the answer is no {} (2 bytes)"),
        (b'{"type":"error","error":{"type":"api_error","message":"m"}}', "m"),
    ],
)
@pytest.mark.parametrize(
    ("dialect", "expected"),
    [(DIALECT, "message object"), (AnthropicCountTokens(), "token count")],
)
def test_a_body_of_another_kind_is_a_failure(dialect, expected, body, message):
    decoder = dialect.body_decoder(full=True)
    decoder.feed(body)
    chunk = decoder.close()
    error = decoder.observed.error
    assert (chunk.raw, error.kind, error.retryable) == (body, "upstream", True)
    assert error.message == message.format(expected)


# ----------------------------------------------------------------------------------------- encode


def test_events_of_another_dialect_become_a_stream():
    data, losses, _ = encode(
        Start("chatcmpl-1", "gpt", 5, {"system_fingerprint": "fp"}, "openai.chat"),
        PartDelta(0, "Hel"),
        PartDelta(0, "lo"),
        PartStart(1, ToolCall("c1", "f", "")),
        PartDelta(1, '{"a":'),
        PartDelta(1, "1}"),
        LogprobsDelta({"content": []}),
        Finish("tool_calls", "tool_calls", extras={"x": 1}),
        UsageUpdate(
            Usage(
                {
                    "input_tokens": 10,
                    "cache_read_tokens": 4,
                    "cache_write_tokens": 3,
                    "output_tokens": 6,
                },
                {"reasoning_tokens": 2},
                dialect="openai.chat",
            )
        ),
    )
    assert losses == ()
    assert data[0]["message"] == {
        "id": "chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "gpt",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
    assert content(data) == [
        {"type": "text", "text": "Hello"},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {}, "partial_json": '{"a":1}'},
    ]
    assert data[-2:] == [
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {
                "input_tokens": 10,
                "cache_creation_input_tokens": 3,
                "cache_read_input_tokens": 4,
                "output_tokens": 6,
                "output_tokens_details": {"thinking_tokens": 2},
            },
        },
        STOP,
    ]


def test_interleaved_tool_calls_come_out_one_after_the_other():
    data, losses, frames = encode(
        Start("i", "m"),
        PartStart(0, ToolCall("a", "f", "")),
        PartStart(1, ToolCall("b", "g", "")),
        PartDelta(1, "{}"),
        PartDelta(0, '{"x":'),
        PartStop(1),
        PartDelta(0, "1}"),
        PartStop(0),
        PartStart(2, Text("end")),
        PartStop(2),
        Finish("stop"),
    )
    assert content(data) == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {}, "partial_json": '{"x":1}'},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}, "partial_json": "{}"},
        {"type": "text", "text": "end"},
    ]
    assert losses == ()
    assert frames[2] == frames[3] == b""
    assert data[-2]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("pieces", "sent", "losses"),
    [
        # Groq's models write null for a function without parameters (recordings/groq,
        # parallel-tool-calls-single-turn).
        (["null"], "{}", ()),
        (["nu", "ll"], "{}", ()),
        ([" ", '{"a":', "1}"], ' {"a":1}', ()),
        (
            ["[1", "]"],
            '{"arguments":"[1]"}',
            (
                Loss(
                    "content[0]",
                    "content[0]: must be a JSON object, not list; sent as {'arguments': text}",
                ),
            ),
        ),
    ],
)
def test_arguments_that_are_no_object_are_sent_as_one(pieces, sent, losses):
    data, lost, _ = encode(
        Start("i", "m"),
        PartStart(0, ToolCall("a", "f", "")),
        *(PartDelta(0, piece) for piece in pieces),
        PartStop(0),
        Finish("tool_calls"),
    )
    (call,) = content(data)
    assert call["partial_json"] == sent
    assert lost == losses


def test_text_that_resumes_after_another_part_gets_a_block_of_its_own():
    data, _, _ = encode(
        Start("i", "m"),
        PartDelta(0, "a"),
        PartStart(1, Reasoning("t", origin="openai.chat")),
        PartDelta(0, "b"),
        PartDelta(1, "u"),
        Finish("stop"),
    )
    assert content(data) == [
        {"type": "text", "text": "a"},
        {"type": "thinking", "thinking": "t", "signature": carried("t")},
        {"type": "text", "text": "b"},
        {"type": "thinking", "thinking": "u", "signature": carried("u")},
    ]


def test_what_the_dialect_cannot_show_is_lost_by_name():
    data, losses, _ = encode(
        Start("i", "m", origin="openai.chat"),
        PartStart(0, Audio(data="AA==")),
        PartDelta(0, data="AA=="),
        PartStart(1, Opaque("openai.chat", {"type": "odd"})),
        PartStart(2, Reasoning(encrypted="x", origin="openai.responses", id="rs_1")),
        PartStart(3, Text("t")),
        Annotation(3, {"type": "url_citation"}),
        PartDelta(0, choice=1),
        Finish("stop", choice=1),
        PartStart(4, ToolCall("c", "f", "hi ", "custom")),
        PartDelta(4, "there"),
        PartStop(4),
        PartDelta(4, "late"),
        Finish("stop"),
    )
    encrypted = Reasoning(encrypted="x", origin="openai.responses", id="rs_1")
    assert content(data) == [
        {"type": "thinking", "thinking": "", "signature": carry(encrypted)},
        {"type": "text", "text": "t"},
        {
            "type": "tool_use",
            "id": "c",
            "name": "f",
            "input": {},
            "partial_json": '{"input":"hi there"}',
        },
    ]
    assert losses == (
        Loss("content[0]", "an answer holds no audio in this dialect"),
        Loss("content[1]", "'odd' is a part of openai.chat only"),
        Loss("content[3].citations", "annotations of another dialect"),
        Loss("choices[1]", "one answer a request"),
        Loss("content[4]", "a free-text tool call is sent as {'input': text}"),
        Loss("content[4]", "arguments after the end of a tool call"),
    )


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "end_turn"),
        ("stop_sequence", "stop_sequence"),
        ("length", "max_tokens"),
        ("context_window", "model_context_window_exceeded"),
        ("tool_calls", "tool_use"),
        ("content_filter", "refusal"),
        ("refusal", "refusal"),
        ("pause", "pause_turn"),
        ("other", "end_turn"),
    ],
)
def test_finish_reasons(reason, word):
    data, _, _ = encode(Start("i", "m"), Finish(reason, "raw", "END"))
    assert data[-2]["delta"] == {"stop_reason": word, "stop_sequence": "END"}
    ours, _, _ = encode(Start("i", "m", origin=NAME), Finish("other", "brand_new"))
    assert ours[-2]["delta"]["stop_reason"] == "brand_new"


@pytest.mark.parametrize("reason", ["stop", "other", "tool_calls"])
def test_a_call_ends_in_tool_use(reason):
    # Gemini says UNEXPECTED_TOOL_CALL with a call; clients act on `tool_use` only.
    data, _, _ = encode(Start("i", "m"), PartStart(0, ToolCall("a", "f", "{}")), Finish(reason))
    assert data[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_refusal_in_words_is_text_and_a_refusal():
    data, _, _ = encode(
        Start("i", "m"), PartStart(0, Refusal("I ")), PartDelta(0, "won't"), Finish("stop")
    )
    assert content(data) == [{"type": "text", "text": "I won't"}]
    assert data[-2]["delta"]["stop_reason"] == "refusal"


def test_a_failure_ends_the_stream_with_an_error():
    error = ProviderError("gone", kind="overloaded", status=200)
    data, _, frames = encode(Start("i", "m"), PartDelta(0, "x"), Failed(error), Finish("stop"))
    assert [event["type"] for event in data] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "error",
    ]
    assert frames[-2:] == [b"", b""]
    assert encode(Failed(error))[0] == [
        {
            "type": "error",
            "error": {"type": "overloaded_error", "message": "gone"},
            "request_id": None,
        }
    ]


def test_a_stream_without_finish_says_so():
    data, _, _ = encode(Start("i", "m"), PartDelta(0, "x"))
    assert data[-2]["delta"] == {"stop_reason": None, "stop_sequence": None}
    assert data[-2]["usage"] == {"input_tokens": 0, "output_tokens": 0}


def test_a_plain_answer_of_another_dialect():
    response = Response(
        "chatcmpl-1",
        "gpt",
        7,
        origin="openai.chat",
        extras={"object": "chat.completion"},
        choices=(
            Choice(
                (
                    Reasoning("hm", "sig", origin="openai.chat"),
                    Text("Hi", ({"type": "url_citation"},), extras={"x": 1}),
                    Refusal("no"),
                    ToolCall("c1", "f", '{"a":1}'),
                    ToolCall("c2", "f", ""),
                    ToolCall("c3", "f", "{"),
                    ToolCall("c4", "g", "free", "custom"),
                    Audio(data="AA=="),
                ),
                "tool_calls",
                extras={"index": 0},
            ),
            Choice((Text("second"),), "stop"),
        ),
        usage=Usage(
            {
                "input_tokens": 3,
                "output_tokens": 4,
                "cache_write_5m_tokens": 2,
                "web_search_requests": 1,
            }
        ),
    )
    rendered = DIALECT.encode_response(response)
    assert json.loads(rendered.body) == {
        "id": "chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "gpt",
        "content": [
            {
                "type": "thinking",
                "thinking": "hm",
                "signature": carry(Reasoning("hm", "sig", origin="openai.chat")),
            },
            {"type": "text", "text": "Hi"},
            {"type": "text", "text": "no"},
            {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "c2", "name": "f", "input": {}},
            {"type": "tool_use", "id": "c3", "name": "f", "input": {"arguments": "{"}},
            {"type": "tool_use", "id": "c4", "name": "g", "input": {"input": "free"}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 3,
            "cache_creation_input_tokens": 2,
            "cache_read_input_tokens": 0,
            "output_tokens": 4,
            "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 0},
            "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
        },
    }
    assert [loss.path for loss in rendered.losses] == [
        "choices[1]",
        "content[1].citations",
        "content[5]",
        "content[6]",
        "content[7]",
    ]


def test_an_answer_without_choices_or_usage():
    rendered = DIALECT.encode_response(Response("i", "m", 0, ()))
    message = json.loads(rendered.body)
    assert (message["content"], message["stop_reason"]) == ([], None)
    assert message["usage"] == {"input_tokens": 0, "output_tokens": 0}
