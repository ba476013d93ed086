"""Replay Vertex AI's recorded traffic: Gemini in Google's API, Claude in Anthropic's."""

from __future__ import annotations

import json
import random

import anthropic
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from flo2.canonical import Failed, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing.traces import recorded_traces
from flo2_provider_vertex.claude import VertexMessages, dressed
from flo2_provider_vertex.gemini import VertexGemini, VertexGeminiCount

GEMINI, CLAUDE = VertexGemini(), VertexMessages()
OPENAI, ANTHROPIC = OpenAIChat(), AnthropicMessages()
TRACES = recorded_traces("google-vertex")
# Firebase's samples keep answers of countTokens under the path of generateContent.
COUNTS = [trace for trace in TRACES if trace.status == 200 and b'"totalTokens"' in trace.body]
ANSWERS = [trace for trace in TRACES if trace.status == 200 and trace not in COUNTS]
STREAMS = [trace for trace in ANSWERS if trace.stream]
ERRORS = [trace for trace in TRACES if trace.status != 200]
OF_CLAUDE = [trace for trace in ANSWERS if "/anthropic/" in trace.endpoint]

BROKEN_OFF = {
    # No finish reason anywhere, and an error instead of one.
    "vertexai-sdk-test-data-vertexai-streaming-failure-empty-content-5d0785-0",
    "vertexai-sdk-test-data-vertexai-streaming-failure-error-mid-stream-769447-0",
}
EDITED = "is not prompt 18 + candidates 1 + thoughts"  # by the source, which made answers short
DOUBTFUL = {
    "newrelic-python-agent-mlmodel-gemini-cassette-d81e70-11": EDITED,
    "newrelic-python-agent-mlmodel-gemini-cassette-d81e70-7": EDITED,
    # A prompt that Model Armor blocked; its usage holds the type of traffic alone.
    "pydantic-ai-test-google-test-google-model-armor-prompt-template-text-gets-blocked-64d76f-1": (
        "promptTokenCount is missing"
    ),
}


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def dialect_of(trace):
    return CLAUDE if "/anthropic/" in trace.endpoint else GEMINI


def decode(trace, pieces=None, *, full=True):
    dialect = dialect_of(trace)
    make = dialect.decoder if trace.stream else dialect.body_decoder
    decoder = make(full=full, hide_usage=True) if trace.stream else make(full=full)
    chunks = [decoder.feed(piece) for piece in pieces or [trace.body]]
    chunks.append(decoder.close())
    events = [event for chunk in chunks for event in chunk.events]
    return decoder.observed, events, b"".join(chunk.raw for chunk in chunks)


def comparable(events):
    return [
        ("failed", event.error.kind, event.error.message) if isinstance(event, Failed) else event
        for event in events
    ]


def cuts(body, seed):
    rng = random.Random(seed)
    at = sorted(rng.sample(range(len(body) + 1), min(len(body), 40)))
    return [body[a:b] for a, b in zip([0, *at], [*at, len(body)], strict=True)]


@named(STREAMS)
def test_any_chunking_gives_the_same_events_and_bytes(trace, count_replay):
    count_replay(trace.kind)
    observed, events, raw = decode(trace)
    for pieces in (cuts(trace.body, seed) for seed in range(3)):
        again, same, bytes_again = decode(trace, pieces)
        assert comparable(same) == comparable(events)
        assert bytes_again == raw
        assert again.usage == observed.usage


@named(ANSWERS)
def test_light_decoder_observes_what_the_full_one_does(trace, count_replay):
    count_replay(trace.kind)
    full, light = decode(trace)[0], decode(trace, full=False)[0]
    for name in ("usage", "response_id", "model", "finish", "complete", "has_content"):
        assert getattr(light, name) == getattr(full, name), name
    assert (light.error is None) == (full.error is None)


@named(ANSWERS)
def test_answer_ends_and_its_usage_adds_up(trace):
    observed, _, _ = decode(trace)
    assert observed.complete != (trace.name in BROKEN_OFF)
    usage = observed.usage
    if usage is None:
        assert "no_usage" in trace.tags or trace.name in BROKEN_OFF
        return
    assert DOUBTFUL.get(trace.name, "") in (usage.problem or "")
    if trace.name in DOUBTFUL:
        return
    assert usage.problem is None
    assert all(count > 0 for count in usage.quantities.values())
    if trace in OF_CLAUDE:
        told = usage.raw["input_tokens"] + usage.raw["output_tokens"]
    else:
        told = usage.raw.get("totalTokenCount", usage.input_total + usage.output_total)
    assert usage.input_total + usage.output_total == told


@named([trace for trace in OF_CLAUDE if isinstance(trace.request, dict)])
def test_a_messages_request_goes_as_it_was_recorded(trace, count_replay):
    """What an Anthropic client would have sent, dressed for Vertex, is what was sent there."""
    count_replay(trace.kind)
    client_s = {"model": "claude-x", **trace.request}
    del client_s["anthropic_version"]
    assert json.loads(dressed(json.dumps(client_s).encode())) == trace.request
    request = ANTHROPIC.parse(json.dumps(client_s).encode())
    rendered = CLAUDE.render(request, model="claude-x", profile=Profile())
    assert json.loads(rendered.body) == trace.request


@named(OF_CLAUDE)
def test_an_anthropic_client_gets_the_bytes_as_they_came(trace):
    assert decode(trace, full=False)[2] == trace.body


@named([trace for trace in TRACES if trace not in OF_CLAUDE and isinstance(trace.request, dict)])
def test_a_gemini_request_passes_as_it_was_recorded(trace):
    body = trace.request_body
    assert GEMINI.splice(body, GEMINI.peek(body), model="m") == body
    request = GEMINI.parse(body)
    again = GEMINI.parse(GEMINI.render(request, model="m", profile=Profile()).body)
    assert again.messages == request.messages


@named(ERRORS)
def test_error_answers_are_read(trace, count_replay):
    count_replay(trace.kind)
    error = dialect_of(trace).decode_error(trace.status, trace.headers, trace.body)
    if b"API_KEY_INVALID" in trace.body:
        assert (error.status, error.kind) == (400, "authentication")
        return
    kinds = {400: "invalid_request", 401: "authentication", 403: "permission", 404: "not_found"}
    assert (error.status, error.kind, error.retryable) == (
        trace.status,
        kinds[trace.status],
        False,
    )
    assert error.message
    for surface in (OPENAI, ANTHROPIC):
        told = json.loads(surface.encode_error(error).body)
        assert told["error"]["message"] == error.message


# To other clients -----------------------------------------------------------------------------

READABLE = [trace for trace in ANSWERS if trace.name not in BROKEN_OFF]


def frames(body):
    lines = body.decode().split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


def encode(dialect, events):
    encoder = dialect.encoder(include_usage=True)
    return b"".join(encoder.feed(event) for event in events) + encoder.close()


@named(READABLE)
def test_an_openai_client_reads_it(trace):
    observed, events, _ = decode(trace)
    whole = OPENAI.encode_response(fold(events)).body
    ChatCompletion.model_validate(json.loads(whole))
    streamed = encode(OPENAI, events)
    for chunk in frames(streamed):
        ChatCompletionChunk.model_validate(chunk)
    if observed.usage is not None:
        decoder = OPENAI.decoder(full=True, hide_usage=False)
        again = fold([*decoder.feed(streamed).events, *decoder.close().events])
        assert again.error is None
        assert again.usage.input_total == observed.usage.input_total
        assert again.usage.output_total == observed.usage.output_total


@named(READABLE)
def test_an_anthropic_client_reads_it(trace):
    observed, events, _ = decode(trace)
    whole = ANTHROPIC.encode_response(fold(events)).body
    anthropic.types.Message.model_validate(json.loads(whole))
    decoder = ANTHROPIC.decoder(full=True, hide_usage=False)
    streamed = encode(ANTHROPIC, events)
    again = fold([*decoder.feed(streamed).events, *decoder.close().events])
    assert again.error is None
    if observed.usage is not None:
        assert again.usage.input_total == observed.usage.input_total


@named(COUNTS)
def test_counts_are_free(trace, count_replay):
    count_replay(trace.kind)
    decoder = VertexGeminiCount().body_decoder(full=True)
    decoder.feed(trace.body)
    assert decoder.close().raw == trace.body
    assert decoder.observed.usage.quantities == {}
    total = json.loads(trace.body)["totalTokens"]
    assert decoder.observed.usage.informational == {"input_tokens": total}


def test_what_the_recordings_show():
    if TRACES:
        assert (len(ANSWERS), len(STREAMS), len(ERRORS), len(OF_CLAUDE)) == (83, 20, 13, 4)
