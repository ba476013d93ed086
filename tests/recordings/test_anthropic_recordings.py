"""Replay Anthropic's recorded traffic, and our golden traces, through the dialect."""

from __future__ import annotations

import json
import random

import anthropic
import httpx2
import pytest
from anthropic.types.beta import BetaMessage

from flo2.canonical import Event, Failed, Opaque, PartStart, fold
from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from flo2.dialects.base import Decoder, Profile
from flo2.errors import InvalidRequest
from flo2.testing.traces import Trace, golden_traces, recorded_traces

DIALECT = AnthropicMessages()
COUNT = AnthropicCountTokens()
TRACES = (*golden_traces("anthropic_messages"), *recorded_traces("anthropic"))
MESSAGES = [trace for trace in TRACES if trace.endpoint == "/v1/messages"]
ANSWERS = [trace for trace in MESSAGES if trace.status == 200]
STREAMS = [trace for trace in ANSWERS if trace.stream]
PLAIN = [trace for trace in ANSWERS if not trace.stream]

UNREADABLE = {
    # The client's own mistake, refused by the provider too: a message that is a string.
    "dd-trace-py-anthropic-anthropic-completion-error-717eb4-0": "messages[0]",
}
BROKEN_OFF = {
    "ai-anthropic-anthropic-language-model-test-ts-e0720c-0": ("overloaded", True),
    "overloaded_in_mid_stream": ("overloaded", True),
    "broken_off": ("connection", True),
}
WITHOUT_USAGE = {"ai-anthropic-anthropic-language-model-test-ts-e0720c-0"}  # an error is its all
DOUBTFUL = {
    # message_delta raises cache_creation_input_tokens and does not say how long the writes live.
    "ai-anthropic-anthropic-code-execution-20260120-prompt-cache-1-59f0ed-0": (
        "cache_creation adds up to 3068, cache_creation_input_tokens is 3337"
    ),
    # A fixture of the SDK: a fallback block and no iterations to say whose the tokens are.
    "anthropic-sdk-python-streaming-fallback-response-68105a-0": (
        "another model took over in mid-answer and the usage does not say which tokens are whose"
    ),
    # The hop that was refused carries no model's name.
    "fallback_to_another_model": ("iterations (message): the model of this hop is not named"),
}


SDK_READS_OTHERWISE = {
    # Two answers in one file (a fixture put together from two calls): we stop at message_stop.
    "ai-anthropic-anthropic-tool-search-bm25-1-70d853-0",
    # The SDK itself needs the event lines that this trace leaves out.
    "data_lines_only",
}


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def normal(request: dict) -> dict:
    """Leave out what says nothing: top-level nulls."""
    return {key: value for key, value in request.items() if value is not None}


def decode(trace: Trace, pieces=None, *, full=True) -> tuple[Decoder, list[Event], bytes]:
    make = DIALECT.decoder if trace.stream else DIALECT.body_decoder
    decoder = make(full=full, hide_usage=True) if trace.stream else make(full=full)
    chunks = [decoder.feed(piece) for piece in pieces or [trace.body]]
    chunks.append(decoder.close())
    events = [event for chunk in chunks for event in chunk.events]
    return decoder, events, b"".join(chunk.raw for chunk in chunks)


def comparable(events):
    """Exceptions compare by identity; say what they are instead."""
    return [
        ("failed", event.error.kind, event.error.message) if isinstance(event, Failed) else event
        for event in events
    ]


def without_error(response):
    error = response.error
    return (
        error.message if error else None,  # a broken connection has no `type` on the wire
        response.id,
        response.model,
        response.choices,
        response.usage,
        response.extras,
        response.origin,
    )


def cut_short(decoder: Decoder) -> bool:
    error = decoder.observed.error
    return error is not None and error.kind == "connection"


def cuts(body: bytes, seed: int) -> list[bytes]:
    rng = random.Random(seed)
    at = sorted(rng.sample(range(len(body) + 1), min(len(body), 40)))
    return [body[a:b] for a, b in zip([0, *at], [*at, len(body)], strict=True)]


@named([trace for trace in MESSAGES if isinstance(trace.request, dict)])
def test_request_survives_parse_and_render(trace, count_replay):
    count_replay(trace.kind)
    if trace.name in UNREADABLE:
        with pytest.raises(InvalidRequest) as refused:
            DIALECT.parse(trace.request_body)
        assert refused.value.param == UNREADABLE[trace.name]
        return
    request = DIALECT.parse(trace.request_body)
    rendered = DIALECT.render(request, model=request.model, profile=Profile())
    assert json.loads(rendered.body) == normal(trace.request)
    assert rendered.losses == ()
    assert DIALECT.check(request, Profile()) == ()
    assert DIALECT.parse(rendered.body) == request


@named([trace for trace in MESSAGES if isinstance(trace.request, dict)])
def test_peek_and_splice_keep_the_clients_bytes(trace):
    body = trace.request_body
    peek = DIALECT.peek(body)
    assert peek.model == trace.request["model"]
    assert peek.stream == bool(trace.request.get("stream"))
    assert peek.max_output_tokens == trace.request["max_tokens"]
    model = json.dumps(trace.request["model"]).encode()
    spliced = DIALECT.splice(body, peek, model="another")
    assert spliced == body.replace(b'"model": ' + model, b'"model": "another"', 1)


@named(STREAMS)
def test_any_chunking_gives_the_same_events_and_bytes(trace, count_replay):
    count_replay(trace.kind)
    decoder, events, raw = decode(trace)
    # Half a frame at a broken end is held back, lest an error event be glued to it.
    assert raw == (
        trace.body[: trace.body.rindex(b"\n\n") + 2] if cut_short(decoder) else trace.body
    )
    ways = [cuts(trace.body, seed) for seed in range(3)]
    if len(trace.body) < 4000:
        ways.append([trace.body[i : i + 1] for i in range(len(trace.body))])
    for pieces in ways:
        again, same, bytes_again = decode(trace, pieces)
        assert comparable(same) == comparable(events)
        assert bytes_again == raw
        assert again.observed.usage == decoder.observed.usage


@named(ANSWERS)
def test_light_decoder_observes_what_the_full_one_does(trace):
    full, light = decode(trace)[0].observed, decode(trace, full=False)[0].observed
    for name in ("usage", "response_id", "model", "finish", "complete", "has_content"):
        assert getattr(light, name) == getattr(full, name), name
    errors = [one.error and (one.error.kind, one.error.message) for one in (light, full)]
    assert errors[0] == errors[1]


@named(ANSWERS)
def test_answer_is_complete_and_its_usage_sound(trace):
    observed = decode(trace)[0].observed
    if trace.name in BROKEN_OFF:
        assert (observed.error.kind, observed.error.retryable) == BROKEN_OFF[trace.name]
        assert not observed.complete
    else:
        assert observed.complete
        assert observed.error is None
        assert observed.response_id
        assert observed.model
    if trace.name in WITHOUT_USAGE:
        assert observed.usage is None
        return
    assert observed.usage.problem == DOUBTFUL.get(trace.name)


@named([trace for trace in ANSWERS if trace.name not in WITHOUT_USAGE | DOUBTFUL.keys()])
def test_meters_hold_each_token_once(trace):
    usage = decode(trace)[0].observed.usage
    raw = usage.raw
    told = [
        raw.get(key) or 0
        for key in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    ]
    inside = sum(
        sum(sub.quantities.values())
        for sub in usage.subcalls
        if sub.kind in {"message", "fallback_message"}
    )
    assert usage.input_total + usage.output_total + inside == sum(told) + raw["output_tokens"]
    assert all(count > 0 for count in usage.quantities.values())


@named(ANSWERS)
def test_encoded_stream_means_the_same(trace):
    _, events, _ = decode(trace)
    encoder = DIALECT.encoder(include_usage=True)
    body = b"".join(encoder.feed(event) for event in events) + encoder.close()
    decoder = DIALECT.decoder(full=True, hide_usage=False)
    again = [*decoder.feed(body).events, *decoder.close().events]
    assert without_error(fold(again)) == without_error(fold(events))
    assert encoder.losses == ()


@named(PLAIN)
def test_plain_answer_is_encoded_as_it_came(trace):
    response = fold(decode(trace)[1])
    rendered = DIALECT.encode_response(response)
    assert rendered.losses == ()
    told = {
        key: value
        for key, value in json.loads(trace.body).items()
        if value is not None or key in {"stop_reason", "stop_sequence"}
    }
    assert json.loads(rendered.body) == told


def final_message(body: bytes, *, stream: bool):
    """Let the official SDK read an answer, with its beta types, which know more blocks."""
    kind = "text/event-stream" if stream else "application/json"
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": kind}, content=body)
    )
    with httpx2.Client(transport=transport) as http:
        client = anthropic.Anthropic(api_key="none", http_client=http, max_retries=0)
        asked = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
        if not stream:
            return client.beta.messages.create(**asked)
        with client.beta.messages.stream(**asked) as events:
            return events.get_final_message()


def strictly(message) -> bool:
    """Whether the answer validates against the SDK's types."""
    data = message.model_dump(mode="json", exclude_unset=True, warnings=False)
    try:
        BetaMessage.model_validate(data)
    except ValueError:
        return False
    return True


@named([trace for trace in ANSWERS if trace.name not in BROKEN_OFF.keys() | SDK_READS_OTHERWISE])
def test_official_sdk_reads_our_encoding_as_the_original(trace):
    _, events, _ = decode(trace)
    if trace.stream:
        encoder = DIALECT.encoder(include_usage=True)
        ours = b"".join(encoder.feed(event) for event in events) + encoder.close()
    else:
        ours = DIALECT.encode_response(fold(events)).body
    theirs = final_message(trace.body, stream=trace.stream)
    mine = final_message(ours, stream=trace.stream)
    assert mine.content == theirs.content
    assert (mine.id, mine.model, mine.role) == (theirs.id, theirs.model, theirs.role)
    assert (mine.stop_reason, mine.stop_sequence) == (theirs.stop_reason, theirs.stop_sequence)
    assert mine.usage.input_tokens == theirs.usage.input_tokens
    assert mine.usage.output_tokens == theirs.usage.output_tokens
    assert strictly(mine) >= strictly(theirs)


@named([trace for trace in MESSAGES if trace.status != 200])
def test_error_answers_are_read(trace, count_replay):
    count_replay(trace.kind)
    error = DIALECT.decode_error(trace.status, trace.headers, trace.body)
    told = json.loads(trace.body)["error"]
    assert (error.status, error.message, error.error_type, error.body) == (
        trace.status,
        told["message"],
        told["type"],
        trace.body,
    )
    assert DIALECT.encode_error(error).body == trace.body
    assert DIALECT.encode_error(error).status == trace.status


@named([trace for trace in TRACES if trace.endpoint.endswith("count_tokens")])
def test_count_tokens(trace, count_replay):
    count_replay(trace.kind)
    request = COUNT.parse(trace.request_body)
    rendered = COUNT.render(request, model=request.model, profile=Profile())
    assert json.loads(rendered.body) == normal(trace.request)
    assert COUNT.peek(trace.request_body).model == trace.request["model"]
    if trace.status != 200:
        assert COUNT.decode_error(trace.status, trace.headers, trace.body).kind == "not_found"
        return
    decoder = COUNT.body_decoder(full=True)
    decoder.feed(trace.body)
    chunk = decoder.close()
    assert chunk.raw == trace.body
    assert decoder.observed.complete
    assert decoder.observed.usage.quantities == {}
    rendered = COUNT.encode_response(fold(chunk.events))
    assert json.loads(rendered.body) == json.loads(trace.body)


def test_golden_traces_cover_what_no_recording_does():
    finishes = {decode(trace)[0].observed.finish for trace in STREAMS}
    assert finishes >= {"pause_turn", "refusal", "model_context_window_exceeded"}
    parts = [
        event.part.data["type"]
        for trace in ANSWERS
        for event in decode(trace)[1]
        if isinstance(event, PartStart) and isinstance(event.part, Opaque)
    ]
    assert {"hologram", "compaction", "fallback", "server_tool_use"} <= set(parts)
