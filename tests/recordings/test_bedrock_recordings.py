"""Replay Bedrock's recorded traffic through Converse, and Claude's through its own API."""

from __future__ import annotations

import json
import random
from base64 import b64encode

import anthropic
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from flo2.canonical import Annotation, Opaque, PartStart, Reasoning, Text, ToolCall, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing.traces import recorded_traces
from flo2_provider_bedrock.converse import BedrockConverse
from flo2_provider_bedrock.eventstream import EventStreamParser, encode_message
from flo2_provider_bedrock.invoke import BedrockMessages, dressed

CONVERSE, CLAUDE = BedrockConverse(), BedrockMessages()
OPENAI, ANTHROPIC = OpenAIChat(), AnthropicMessages()
TRACES = recorded_traces("bedrock")
CONVERSED = [trace for trace in TRACES if "/converse" in trace.endpoint]
ANSWERS = [trace for trace in CONVERSED if trace.status == 200]
STREAMS = [trace for trace in ANSWERS if trace.stream]
PLAIN = [trace for trace in ANSWERS if not trace.stream]
ERRORS = [trace for trace in CONVERSED if trace.status != 200]
INVOKED = [
    trace
    for trace in TRACES
    if trace.endpoint.endswith("/invoke") and trace.body.lstrip().startswith(b"{")
    and json.loads(trace.body).get("type") == "message"
]  # fmt: skip


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def decode(trace, pieces=None, *, dialect=CONVERSE, full=True):
    make = dialect.decoder if trace.stream else dialect.body_decoder
    decoder = make(full=full, hide_usage=True) if trace.stream else make(full=full)
    chunks = [decoder.feed(piece) for piece in pieces or [trace.body]]
    chunks.append(decoder.close())
    events = [event for chunk in chunks for event in chunk.events]
    return decoder.observed, events, b"".join(chunk.raw for chunk in chunks)


def normal(request):
    """Leave out what says nothing: empty lists and objects of the top level."""
    kept = {key: value for key, value in request.items() if value not in ([], {}, None)}
    config = {k: v for k, v in kept.get("inferenceConfig", {}).items() if v not in ([], None)}
    if not config:
        kept.pop("inferenceConfig", None)
    return {**kept, **({"inferenceConfig": config} if config else {})}


def cuts(body, seed):
    rng = random.Random(seed)
    at = sorted(rng.sample(range(len(body) + 1), min(len(body), 40)))
    return [body[a:b] for a, b in zip([0, *at], [*at, len(body)], strict=True)]


@named([trace for trace in CONVERSED if isinstance(trace.request, dict)])
def test_request_survives_parse_and_render(trace, count_replay):
    count_replay(trace.kind)
    request = CONVERSE.parse(trace.request_body)
    rendered = CONVERSE.render(request, model="m", profile=Profile())
    assert normal(json.loads(rendered.body)) == normal(trace.request)
    assert rendered.losses == ()
    assert CONVERSE.check(request, Profile()) == ()
    assert CONVERSE.parse(rendered.body) == request
    assert CONVERSE.splice(trace.request_body, CONVERSE.peek(trace.request_body), model="x") == (
        trace.request_body
    )


@named(STREAMS)
def test_any_chunking_gives_the_same_events_and_bytes(trace, count_replay):
    count_replay(trace.kind)
    observed, events, raw = decode(trace)
    assert raw == trace.body
    for pieces in (
        *(cuts(trace.body, seed) for seed in range(3)),
        [bytes([b]) for b in trace.body],
    ):
        again, same, bytes_again = decode(trace, pieces)
        assert (same, bytes_again, again) == (events, raw, observed)


@named(ANSWERS)
def test_light_decoder_observes_what_the_full_one_does(trace):
    assert decode(trace, full=False)[0] == decode(trace)[0]


@named(ANSWERS)
def test_answer_is_complete_and_its_usage_adds_up(trace):
    observed, _, _ = decode(trace)
    assert observed.complete
    assert observed.error is None
    assert observed.finish
    usage = observed.usage
    assert usage.problem is None
    assert usage.input_total + usage.output_total == usage.raw["totalTokens"]
    assert all(count > 0 for count in usage.quantities.values())


def test_cache_writes_know_how_long_they_live():
    found = {
        meter: count
        for trace in ANSWERS
        for meter, count in decode(trace)[0].usage.quantities.items()
        if meter.startswith("cache_")
    }
    assert not TRACES or found == {
        "cache_read_tokens": 7351,
        "cache_write_5m_tokens": 7351,
        "cache_write_tokens": 1028,  # a model that says nothing of a lifetime
    }


def test_a_guardrail_tells_its_units_in_a_trace():
    units = [
        {m: n for m, n in decode(trace)[0].usage.quantities.items() if m.startswith("guardrail_")}
        for trace in ANSWERS
        if "guardrail" in trace.name
    ]
    assert any(units) or not TRACES
    assert all(count > 0 for each in units for count in each.values())


@named(ANSWERS)
def test_encoded_stream_means_the_same(trace):
    _, events, _ = decode(trace)
    encoder = CONVERSE.encoder(include_usage=True)
    body = b"".join(encoder.feed(event) for event in events) + encoder.close()
    decoder = CONVERSE.decoder(full=True, hide_usage=False)
    again = fold([*decoder.feed(body).events, *decoder.close().events])
    original = fold(events)
    assert decoder.observed.error is None
    assert (again.choices, again.usage) == (original.choices, original.usage)
    assert encoder.losses == ()


@named(PLAIN)
def test_plain_answer_is_encoded_as_it_came(trace, count_replay):
    count_replay(trace.kind)
    rendered = CONVERSE.encode_response(fold(decode(trace)[1]))
    assert rendered.losses == ()
    assert json.loads(rendered.body) == json.loads(trace.body)


@named(ERRORS)
def test_error_answers_are_read(trace, count_replay):
    count_replay(trace.kind)
    error = CONVERSE.decode_error(trace.status, trace.headers, trace.body)
    name = trace.headers.get("x-amzn-errortype", "").partition(":")[0] or None
    expected = {403: "authentication", 400: "invalid_request"}[trace.status]
    assert (error.status, error.kind, error.retryable) == (trace.status, expected, False)
    assert (error.message, error.error_type) == (json.loads(trace.body)["message"], name)
    told = CONVERSE.encode_error(error)
    assert (told.status, json.loads(told.body)) == (trace.status, json.loads(trace.body))


# To other clients -----------------------------------------------------------------------------


def encode(dialect, events):
    encoder = dialect.encoder(include_usage=True)
    return b"".join(encoder.feed(event) for event in events) + encoder.close()


def frames(body):
    lines = body.decode().split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


def meaning(response):
    parts = response.choices[0].parts
    texts = "".join(part.text for part in parts if isinstance(part, Text))
    thoughts = "".join(part.text for part in parts if isinstance(part, Reasoning))
    calls = [
        (part.id, part.name, json.loads(part.arguments))
        for part in parts
        if isinstance(part, ToolCall)
    ]
    return texts, thoughts, calls


@named(ANSWERS)
def test_an_openai_client_reads_it(trace, count_replay):
    count_replay(trace.kind)
    _, events, _ = decode(trace)
    original = fold(events)
    whole = OPENAI.encode_response(original).body
    ChatCompletion.model_validate(json.loads(whole), strict=False)
    streamed = encode(OPENAI, events)
    for chunk in frames(streamed):
        ChatCompletionChunk.model_validate(chunk)
    for body, make in (
        (whole, OPENAI.body_decoder(full=True)),
        (streamed, OPENAI.decoder(full=True, hide_usage=False)),
    ):
        again = fold([*make.feed(body).events, *make.close().events])
        assert again.error is None
        assert meaning(again) == meaning(original)
        assert again.usage.input_total == original.usage.input_total
        assert again.usage.output_total == original.usage.output_total


@named(ANSWERS)
def test_an_anthropic_client_reads_it(trace):
    _, events, _ = decode(trace)
    original = fold(events)
    whole = ANTHROPIC.encode_response(original).body
    anthropic.types.Message.model_validate(json.loads(whole))
    streamed = encode(ANTHROPIC, events)
    for body, make in (
        (whole, ANTHROPIC.body_decoder(full=True)),
        (streamed, ANTHROPIC.decoder(full=True, hide_usage=False)),
    ):
        again = fold([*make.feed(body).events, *make.close().events])
        assert again.error is None
        assert meaning(again) == meaning(original)
        assert again.usage.input_total == original.usage.input_total


def test_what_no_other_client_may_take_for_its_own_is_opaque():
    """A tool that Bedrock runs itself is no call for the client to answer."""
    kinds = {
        next(iter(event.part.data))
        for trace in ANSWERS
        for event in decode(trace)[1]
        if isinstance(event, PartStart) and isinstance(event.part, Opaque)
    }
    assert not TRACES or kinds == {"toolUse", "toolResult"}


def test_citations_are_kept():
    cited = [
        citation
        for trace in ANSWERS
        for choice in fold(decode(trace)[1]).choices
        for part in choice.parts
        if isinstance(part, Text)
        for citation in part.citations
    ]
    assert not TRACES or len(cited) == 5
    assert not any(isinstance(e, Annotation) for t in PLAIN for e in decode(t)[1])


# Claude through its own API -------------------------------------------------------------------


@named([trace for trace in INVOKED if isinstance(trace.request, dict)])
def test_a_messages_request_goes_as_it_was_recorded(trace, count_replay):
    """What an Anthropic client would have sent, dressed for Bedrock, is what was sent there."""
    count_replay(trace.kind)
    client_s = {"model": "claude-x", "stream": False, **trace.request}
    client_s.pop("anthropic_version", None)
    sent = json.loads(dressed(json.dumps(client_s).encode()))
    recorded = {"anthropic_version": "bedrock-2023-05-31", **trace.request}
    assert sent == recorded


@named(INVOKED)
def test_a_message_is_read_and_streamed_as_anthropics_own(trace):
    observed, events, raw = decode(trace, dialect=CLAUDE)
    assert raw == trace.body
    assert observed.complete
    assert observed.usage.problem is None
    sse = encode(ANTHROPIC, events)
    wrapped = b"".join(
        encode_message(
            {":event-type": "chunk", ":message-type": "event"},
            json.dumps(
                {"bytes": b64encode(json.dumps(frame).encode()).decode(), "p": "ab"}
            ).encode(),
        )
        for frame in frames(sse)
    )
    decoder = CLAUDE.decoder(full=True, hide_usage=False)
    chunks = [decoder.feed(wrapped), decoder.close()]
    again = fold([event for chunk in chunks for event in chunk.events])
    assert frames(b"".join(chunk.raw for chunk in chunks)) == frames(sse)
    assert again.choices == fold(events).choices
    assert again.usage.quantities == observed.usage.quantities


def test_checksums_of_the_recordings_hold():
    for trace in STREAMS:
        messages, problem = EventStreamParser().feed(trace.body)
        assert problem is None
        again = [encode_message(message.headers, message.payload) for message in messages]
        assert b"".join(again) == trace.body


def test_what_the_recordings_show():
    if TRACES:
        assert (len(PLAIN), len(STREAMS), len(ERRORS), len(INVOKED)) == (38, 7, 4, 9)
