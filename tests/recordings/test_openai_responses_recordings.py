"""Replay recorded Responses traffic, and our golden traces, through the dialect."""

from __future__ import annotations

import json
import random
from typing import get_args

import pytest
from attrs import evolve
from msgspec.structs import replace
from openai.types.responses import Response as OfficialResponse
from openai.types.responses import ResponseStreamEvent

from flo2.canonical import Failed, Reasoning, Text, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_responses import OpenAIInputTokens, OpenAIResponses
from flo2.errors import InvalidRequest
from flo2.testing.traces import golden_traces, recorded_traces

DIALECT = OpenAIResponses()
COUNT = OpenAIInputTokens()
PROVIDERS = ("openai", "azure", "xai", "deepseek", "openrouter", "llamacpp")
TRACES = (
    *golden_traces("openai_responses"),
    *(trace for provider in PROVIDERS for trace in recorded_traces(provider)),
)
# One file of Azure's holds an answer of Chat Completions under this path.
ODD = {"ai-azure-azure-deepseek-reasoning-1-89e900-0"}
ALL = [trace for trace in TRACES if trace.endpoint.endswith("/responses") and trace.name not in ODD]
COUNTS = [trace for trace in TRACES if trace.endpoint.endswith("/responses/input_tokens")]
ANSWERS = [trace for trace in ALL if trace.status == 200]
STREAMS = [trace for trace in ANSWERS if trace.stream]
REQUESTS = [trace for trace in ALL if isinstance(trace.request, dict)]

# The model stands in a prompt that the provider keeps.
NO_MODEL = {"dd-trace-py-v1-response-with-mixed-prompt-url-preserved-f79de4-0"}
# A fixture somebody edited: the deltas do not add up to the text behind them.
EDITED = {"ai-responses-openai-shell-container-1-73e4ad-0"}
# Azure repeats only the last message in the last event.
REPEATED_IN_PART = {"ai-azure-azure-reasoning-encrypted-content-1-471a86-0"}
# The provider ran a tool whose fee the answer does not tell.
UNTOLD = ("code_interpreter_call: ", "shell_call: ", "image_generation_call: ")
EVENT_OF = {
    get_args(kind.model_fields["type"].annotation)[0]: kind
    for kind in get_args(get_args(ResponseStreamEvent)[0])
}


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def normal(request):
    """Write a request in the normal form of this dialect: see `request_parse`."""
    body = {key: value for key, value in request.items() if value is not None}
    items = body.get("input", [])
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    body["input"] = [
        {key: value for key, value in item.items() if (key, value) != ("encrypted_content", None)}
        | ({"type": "message"} if "role" in item and item.get("type") is None else {})
        for item in items
    ]
    if isinstance(body.get("reasoning"), dict):
        body["reasoning"] = {k: v for k, v in body["reasoning"].items() if v is not None}
    body["tools"] = [
        {key: value for key, value in tool.items() if (key, value) != ("description", None)}
        for tool in body.get("tools", ())
    ]
    return {
        key: value
        for key, value in body.items()
        if value or key not in {"tools", "reasoning", "input"}
    }


@named(REQUESTS)
def test_request_survives_parse_and_render(trace, count_replay):
    count_replay(trace.kind)
    if trace.name in NO_MODEL:
        with pytest.raises(InvalidRequest, match="'model' is missing"):
            DIALECT.parse(trace.request_body)
        return
    request = DIALECT.parse(trace.request_body)
    written = DIALECT.render(request, model=request.model, profile=Profile())
    assert written.losses == ()
    assert DIALECT.check(request, Profile()) == ()
    assert json.loads(written.body) == normal(trace.request)
    assert DIALECT.parse(written.body) == request


@named([trace for trace in REQUESTS if trace.name not in NO_MODEL])
def test_peek_and_splice_keep_the_clients_bytes(trace):
    body = trace.request_body
    if trace.request.get("background") and not trace.request.get("stream"):
        with pytest.raises(InvalidRequest, match="'background' is true"):
            DIALECT.peek(body)
        return
    peek = DIALECT.peek(body)
    assert peek.model == trace.request["model"]
    assert peek.stream == bool(trace.request.get("stream"))
    assert peek.max_output_tokens == trace.request.get("max_output_tokens")
    assert peek.continues == trace.request.get("previous_response_id")
    model = json.dumps(trace.request["model"]).encode()
    spliced = DIALECT.splice(body, peek, model="another")
    assert spliced == body.replace(b'"model": ' + model, b'"model": "another"', 1)


def texts(request):
    """What was said to the model and by it, in order."""
    return [
        part.text
        for message in request.messages
        for part in message.content
        if isinstance(part, Text) and part.text
    ]


@named([trace for trace in REQUESTS if trace.name not in NO_MODEL])
@pytest.mark.parametrize("other", [AnthropicMessages(), OpenAIChat()], ids=lambda each: each.name)
def test_requests_are_written_for_other_dialects(trace, other):
    request = DIALECT.parse(trace.request_body)
    written = other.render(request, model="other", profile=Profile())
    refused = {loss.path for loss in written.losses if loss.severity == "refuse"}
    kept = ("background", "conversation", "previous_response_id", "prompt")
    assert refused >= {key for key in kept if trace.request.get(key)}
    if not refused:
        beside = "From the tool call "  # chat's tools give text only
        told = [text for text in texts(other.parse(written.body)) if not text.startswith(beside)]
        assert told == texts(request)


def decode(trace, pieces=None, *, full=True):
    if trace.stream:
        decoder = DIALECT.decoder(full=full, hide_usage=True)
    else:
        decoder = DIALECT.body_decoder(full=full)
    chunks = [*map(decoder.feed, pieces or [trace.body]), decoder.close()]
    events = [event for chunk in chunks for event in chunk.events]
    return events, b"".join(chunk.raw for chunk in chunks), decoder.observed


def comparable(events):
    """Exceptions are equal to themselves only."""
    return [vars(event.error) if isinstance(event, Failed) else event for event in events]


def facts(observed):
    return replace(observed, error=None), observed.error and vars(observed.error)


@named(STREAMS)
def test_any_chunking_gives_the_same_events_and_bytes(trace, count_replay):
    count_replay(trace.kind)
    events, raw, observed = decode(trace)
    assert raw == (trace.body if observed.complete else raw)
    assert trace.body.startswith(raw)
    rng = random.Random(trace.name)
    at = sorted(rng.sample(range(len(trace.body) + 1), min(len(trace.body), 30)))
    edges = zip([0, *at], [*at, len(trace.body)], strict=True)
    again, same, also = decode(trace, [trace.body[a:b] for a, b in edges])
    assert same == raw
    assert comparable(again) == comparable(events)
    assert facts(also) == facts(observed)


@named(ANSWERS)
def test_light_decoder_observes_what_the_full_one_does(trace):
    _, raw, full = decode(trace)
    for pieces in ([trace.body], trace.body.splitlines(keepends=True)):
        _, light_raw, light = decode(trace, pieces, full=False)
        assert light_raw == raw
        assert facts(light) == facts(full)


@named(ANSWERS)
def test_answer_is_complete_and_its_usage_adds_up(trace, count_replay):
    count_replay(trace.kind)
    _, _, observed = decode(trace)
    if not observed.complete:
        assert observed.error is not None
        assert b'"failed"' in trace.body or b'"queued"' in trace.body or b'"error"' in trace.body
        return
    usage = observed.usage
    assert (observed.error, usage.dialect) == (None, "openai.responses")
    assert usage.input_total == usage.raw["input_tokens"]
    assert usage.output_total == usage.raw["output_tokens"]
    assert usage.problem is None or usage.problem.startswith(UNTOLD)


def bare(response):
    """Leave out what differs each time an answer is told: its reasoning is encrypted anew."""
    (choice,) = response.choices
    parts = [
        evolve(part, encrypted=part.encrypted and "x") if isinstance(part, Reasoning) else part
        for part in choice.parts
    ]
    tokens = [
        each["token"]
        for piece in choice.logprobs
        for each in piece["content"]  # rounded anew
    ]
    return parts, choice.finish, choice.finish_raw, choice.extras, tokens, response.usage


def last_event(trace):
    frames = [line[5:] for line in trace.body.decode().splitlines() if line.startswith("data:")]
    events = [json.loads(frame) for frame in frames if frame.strip() != "[DONE]"]
    return events[-1]["response"]


WHOLE = [trace for trace in ANSWERS if decode(trace)[2].complete]


@named([t for t in WHOLE if t.stream and t.name not in EDITED | REPEATED_IN_PART])
def test_a_stream_means_what_its_last_event_repeats(trace):
    body = json.dumps(last_event(trace)).encode()
    whole = fold(decode(evolve(trace, body=body, stream=False))[0])
    assert bare(fold(decode(trace)[0])) == bare(whole)


def encode(trace, events):
    if trace.stream:
        encoder = DIALECT.encoder(include_usage=True)
        body = b"".join(map(encoder.feed, events)) + encoder.close()
        return body, encoder.losses
    written = DIALECT.encode_response(fold(events))
    return written.body, written.losses


@named(WHOLE)
def test_what_was_decoded_encodes_to_the_same_answer(trace):
    events, _, _ = decode(trace)
    body, losses = encode(trace, events)
    assert losses == ()
    again, before = fold(decode(evolve(trace, body=body))[0]), fold(events)
    assert again.choices == before.choices
    assert (again.usage, again.id, again.model) == (before.usage, before.id, before.model)
    assert before.extras.items() <= again.extras.items()
    plain = fold(events)
    written = evolve(trace, body=DIALECT.encode_response(plain).body, stream=False)
    assert bare(fold(decode(written)[0])) == bare(plain)


def counted(response):
    """Give a usage object the details that today's types want of every one."""
    if usage := response.get("usage"):
        for key, details in (
            ("input_tokens_details", {"cached_tokens": 0, "cache_write_tokens": 0}),
            ("output_tokens_details", {"reasoning_tokens": 0}),
        ):
            usage[key] = details | (usage.get(key) or {})
    return response


def accepted_by_the_sdk(body, *, stream):
    if not stream:
        OfficialResponse.model_validate(counted(json.loads(body)))
        return
    for number, frame in enumerate(body.decode().split("\n\n")[:-1]):
        head, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert head == f"event: {event['type']}"
        assert event["sequence_number"] == number
        if "response" in event:
            counted(event["response"])
        EVENT_OF[event["type"]].model_validate(event)


OF_OPENAI = {trace.name for trace in recorded_traces("openai")}


@named([trace for trace in WHOLE if trace.kind != "recordings" or trace.name in OF_OPENAI])
def test_official_types_accept_what_is_encoded(trace):
    body, _ = encode(trace, decode(trace)[0])
    accepted_by_the_sdk(body, stream=trace.stream)


@named([trace for trace in ALL if trace.status >= 400 and trace.body])
def test_error_is_read_and_passed_on(trace, count_replay):
    count_replay(trace.kind)
    error = DIALECT.decode_error(trace.status, trace.headers, trace.body)
    assert error.message
    written = DIALECT.encode_error(error)
    assert written.status == trace.status
    assert json.loads(written.body)["error"]["message"]


@named(COUNTS)
def test_a_count_is_read_and_written(trace, count_replay):
    count_replay(trace.kind)
    request = COUNT.parse(trace.request_body)
    written = COUNT.render(request, model=request.model, profile=Profile())
    assert json.loads(written.body) == normal(trace.request)
    decoder = COUNT.body_decoder(full=True)
    events = [*decoder.feed(trace.body).events, *decoder.close().events]
    expected = json.loads(trace.body)
    assert decoder.observed.usage.informational == {"input_tokens": expected["input_tokens"]}
    assert json.loads(COUNT.encode_response(fold(events)).body) == expected
