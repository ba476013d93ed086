"""Replay recorded Chat Completions traffic, and our golden traces, through the dialect."""

from __future__ import annotations

import copy
import json
import random

import pytest
from attrs import evolve
from msgspec.structs import replace
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from flo2.canonical import Failed, Opaque, Reasoning, ToolCall, fold
from flo2.dialects.base import Profile
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_chat.words import join_logprobs
from flo2.errors import InvalidRequest
from flo2.testing.traces import golden_traces, recorded_traces

DIALECT = OpenAIChat()
COMPATIBLE = (
    "alibaba",
    "azure",
    "cerebras",
    "deepseek",
    "google",
    "groq",
    "huggingface",
    "llamacpp",
    "mistral",
    "ollama",
    "openrouter",
    "perplexity",
    "together",
    "venice",
    "vercel-gateway",
    "xai",
    "zai",
)


def _chat(traces):
    return [trace for trace in traces if trace.endpoint.endswith("chat/completions")]


OWN = _chat((*golden_traces("openai_chat"), *recorded_traces("openai")))
OTHERS = [trace for provider in COMPATIBLE for trace in _chat(recorded_traces(provider))]
ALL = [*OWN, *OTHERS]

# Refused by the provider too: an empty list of messages.
# Azure's own path names the model in its URL: those bodies lack it.
UNREADABLE = {"ai-gateway-testopenai-chat-no-messages-285eda-0"}
BROKEN_OFF = {
    "mid_stream_error": "The server had an error while processing your request. Sorry about that!",
    "cut_stream": "the stream ended before its end (openai.chat)",
    "go-openai-pull-396-6caad1-0": (
        "The server had an error while processing your request. Sorry about that!"
    ),
}
# Old vision models said `finish_details` instead.
FINISH_DETAILS = {"dd-trace-py-v1-chat-completion-image-input-6ea900-0"}
# The recorded stream holds no usage although its request asks for it; why is not known.
UNASKED = {"activeagent-native-format-test-test-agent-streaming-cc4b45-0"}
# A fixture somebody wrote: cached tokens beside audio tokens, and no word on which were cached.
DOUBTFUL = {"openinference-test-instrumentor-test-token-counts-b9ea77-0"}


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def normalise_message(message, empty):
    """Do the same for one message."""
    own = ("tool_calls", "refusal", "reasoning", "reasoning_content")
    for key in ("name", *(own if message["role"] == "assistant" else ())):
        if message.get(key, 0) in empty:
            message.pop(key, None)
    if message["role"] == "assistant" and message.get("content") in empty:
        message["content"] = None
    for part in message["content"] if isinstance(message.get("content"), list) else ():
        if isinstance(part.get("image_url"), str):
            part["image_url"] = {"url": part["image_url"]}


def normal(body):
    """Write a request in the normal form of this dialect.

    A null or an empty list says no more than absence; an assistant without text says `null`; a tool
    is a function unless it says otherwise; an image's address stands in an object; a stream asks
    for usage; a seed has one name, and a host that knows another gets it by that.
    """
    body = copy.deepcopy(body)
    if "random_seed" in body:
        body["seed"] = body.pop("random_seed")
    empty = (None, [])
    modelled = {"tools", "stop", "tool_choice", "response_format", "presence_penalty"}
    for key in modelled | {"frequency_penalty", "seed", "temperature", "user", "max_tokens"}:
        if body.get(key, 0) in empty:
            body.pop(key, None)
    for message in body["messages"]:
        normalise_message(message, empty)
    for tool in body.get("tools", ()):
        if "function" in tool:
            tool.setdefault("type", "function")
    if body.get("stream"):
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return body


@named([trace for trace in ALL if trace.request])
def test_request_survives_parse_and_render(trace, count_replay):
    count_replay(trace.kind)
    raw = trace.request_body
    if trace.name in UNREADABLE or "model" not in trace.request:
        with pytest.raises(InvalidRequest, match=r"'messages' is empty|'model' is missing"):
            DIALECT.parse(raw)
        return
    request = DIALECT.parse(raw)
    peek = DIALECT.peek(raw)
    assert (peek.model, peek.stream) == (request.model, bool(request.stream))
    rendered = DIALECT.render(request, model=request.model, profile=Profile())
    assert rendered.losses == ()
    assert json.loads(rendered.body) == normal(trace.request)
    spliced = json.loads(DIALECT.splice(raw, peek, model="another/model"))
    expected = {**trace.request, "model": "another/model"}
    if peek.stream:
        options = trace.request.get("stream_options") or {}
        expected["stream_options"] = {**options, "include_usage": True}
    assert spliced == expected


def _decode(trace, *, full=True, chunks=None):
    if trace.stream:
        decoder = DIALECT.decoder(full=full, hide_usage=False)
    else:
        decoder = DIALECT.body_decoder(full=full)
    out = [*map(decoder.feed, chunks or [trace.body]), decoder.close()]
    events = [event for chunk in out for event in chunk.events]
    return events, b"".join(chunk.raw for chunk in out), decoder.observed


def _shape(events):
    """Compare errors by what they say: exceptions are equal to themselves only."""
    return [vars(event.error) if isinstance(event, Failed) else event for event in events]


def _facts(observed):
    error = observed.error
    return replace(observed, error=None), error and vars(error)


ANSWERS = [trace for trace in ALL if trace.status == 200 and trace.body]
STREAMS = [trace for trace in ANSWERS if trace.stream]


@named(STREAMS)
def test_any_chunking_gives_the_same_events_and_bytes(trace):
    whole, raw, observed = _decode(trace)
    if trace.name != "cut_stream":
        assert raw == trace.body
    assert trace.body.startswith(raw)
    rng = random.Random(trace.name)
    chunks, at = [], 0
    while at < len(trace.body):
        size = rng.choice((1, 2, 3, 7, 64, 500, 5000))
        chunks.append(trace.body[at : at + size])
        at += size
    events, again, facts = _decode(trace, chunks=chunks)
    assert again == raw
    assert _shape(events) == _shape(whole)
    assert _facts(facts) == _facts(observed)


@named(ANSWERS)
def test_light_decoder_observes_what_the_full_one_does(trace):
    _, raw, full = _decode(trace)
    for chunks in ([trace.body], trace.body.splitlines(keepends=True)):
        _, light_raw, light = _decode(trace, full=False, chunks=chunks)
        assert light_raw == raw
        assert _facts(light) == _facts(full)


@named([trace for trace in OWN if trace.status == 200 and trace.body])
def test_answer_is_complete_and_its_usage_adds_up(trace):
    _, _, observed = _decode(trace)
    if trace.name in BROKEN_OFF:
        assert observed.error.message == BROKEN_OFF[trace.name]
        assert observed.error.retryable
        assert not observed.complete
        return
    assert (observed.complete, observed.error) == (True, None)
    assert (observed.finish is None) == (trace.name in FINISH_DETAILS)
    asked = trace.request and (trace.request.get("stream_options") or {}).get("include_usage")
    if (asked and trace.name not in UNASKED) or (not trace.stream and b'"usage"' in trace.body):
        assert bool(observed.usage.problem) == (trace.name in DOUBTFUL)
    if observed.usage is not None and not observed.usage.problem:
        said = observed.usage.raw
        assert observed.usage.input_total == said["prompt_tokens"]
        assert observed.usage.output_total == said["completion_tokens"]


def _plain(response):
    """Leave out what another writing of the same answer may change."""
    choices = []
    for choice in response.choices:
        parts = []
        for part in choice.parts:
            if isinstance(part, Reasoning):
                parts.append(evolve(part, extras={}))
            elif isinstance(part, ToolCall):
                extras = {key: each for key, each in part.extras.items() if key == "extra_content"}
                arguments = part.arguments or "{}"
                parts.append(evolve(part, arguments=arguments, extras=extras))
            else:
                parts.append(part)
        joined = join_logprobs(choice.logprobs)
        choices.append(evolve(choice, parts=tuple(parts), logprobs=(joined,) if joined else ()))
    return choices, response.usage, response.id, response.model, response.created


def _recode(trace, events):
    if trace.stream:
        encoder = DIALECT.encoder(include_usage=True)
        return b"".join(map(encoder.feed, events)) + encoder.close()
    return DIALECT.encode_response(fold(events, origin="openai.chat")).body


@named(ANSWERS)
def test_what_was_decoded_encodes_to_the_same_answer(trace):
    events, _, observed = _decode(trace)
    if observed.error is not None:
        return
    written = evolve(trace, body=_recode(trace, events))
    assert _plain(fold(_decode(written)[0])) == _plain(fold(events))


@named(ANSWERS)
def test_official_types_accept_what_is_encoded(trace):
    events, _, observed = _decode(trace)
    if observed.error is not None:
        return
    choices = fold(events).choices
    if any(choice.finish is None for choice in choices):
        return  # old vision models and a few hosts give none, and none is made up
    parts = [part for choice in choices for part in choice.parts]
    if any(isinstance(part, Opaque) or getattr(part, "kind", "") == "custom" for part in parts):
        return  # content of one host that the types do not know
    body = _recode(trace, events)
    if trace.stream:
        *frames, done, rest = body.decode().split("\n\n")
        assert (done, rest) == ("data: [DONE]", "")
        kind, written = ChatCompletionChunk, [json.loads(each[6:]) for each in frames]
    else:
        kind, written = ChatCompletion, [json.loads(body)]
    for each in written:
        if trace in OTHERS:
            each.pop("service_tier", None)  # a host's own word (`on_demand`) stays its own
        kind.model_validate(each)


@named([trace for trace in ALL if trace.status >= 400 and trace.body])
def test_error_is_read_and_passed_on(trace, count_replay):
    count_replay(trace.kind)
    error = DIALECT.decode_error(trace.status, trace.headers, trace.body)
    assert error.message
    assert "<html" not in error.message
    body = DIALECT.encode_error(error)
    assert body.status == trace.status
    assert json.loads(body.body)["error"]["message"]
