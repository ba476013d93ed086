"""Recorded traffic of one vendor, served in the other's dialect."""

from __future__ import annotations

import json

import pytest
from anthropic.types import RawMessageStreamEvent
from anthropic.types.beta import BetaRawMessageStreamEvent
from anthropic.types.beta.beta_message import BetaMessage
from anthropic.types.message_create_params import MessageCreateParams
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParams
from pydantic import TypeAdapter

from flo2.canonical import Reasoning, Text, ToolCall, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing.traces import golden_traces, recorded_traces

OPENAI, ANTHROPIC = OpenAIChat(), AnthropicMessages()
OF_ANTHROPIC = [
    trace
    for trace in (*golden_traces("anthropic_messages"), *recorded_traces("anthropic"))
    if trace.endpoint == "/v1/messages"
]
OF_OPENAI = [
    trace
    for trace in (*golden_traces("openai_chat"), *recorded_traces("openai"))
    if trace.endpoint == "/v1/chat/completions"
]
ANTHROPIC_REQUEST = TypeAdapter(MessageCreateParams)
OPENAI_REQUEST = TypeAdapter(CompletionCreateParams)
ANTHROPIC_EVENT = TypeAdapter(BetaRawMessageStreamEvent)


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def drain(value):
    """The SDKs' `Iterable` fields validate as they are read."""
    if isinstance(value, dict):
        return {key: drain(each) for key, each in value.items()}
    if isinstance(value, list | tuple) or type(value).__name__ == "ValidatorIterator":
        return [drain(each) for each in value]
    return value


def decode(dialect, body, *, stream):
    if stream:
        decoder = dialect.decoder(full=True, hide_usage=False)
    else:
        decoder = dialect.body_decoder(full=True)
    events = [*decoder.feed(body).events, *decoder.close().events]
    return events, decoder.observed


def encode(dialect, events):
    encoder = dialect.encoder(include_usage=True)
    return b"".join(encoder.feed(event) for event in events) + encoder.close(), encoder.losses


def frames(body: bytes):
    for line in body.decode().split("\n"):
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line[6:])


def arguments(text):
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def meaning(response):
    """What a client of either dialect acts on, for the first choice."""
    texts, thoughts, calls = "", "", []
    for part in response.choices[0].parts if response.choices else ():
        match part:
            case Text():
                texts += part.text
            case Reasoning():
                thoughts += part.text
            case ToolCall(kind="function"):
                calls.append((part.id, part.name, arguments(part.arguments)))
    told = response.usage and response.usage.as_told
    usage = told and (told.input_total, told.output_total, told.total(("cache_read_tokens",)))
    return response.id, response.model, texts, thoughts, calls, usage


def whole(traces):
    for trace in traces:
        if trace.status == 200:
            dialect = ANTHROPIC if trace in OF_ANTHROPIC else OPENAI
            if decode(dialect, trace.body, stream=trace.stream)[1].complete:
                yield trace


FINISHED = {
    "stop": "stop",
    "stop_sequence": "stop",
    "pause": "stop",
    "other": "stop",
    "length": "length",
    "context_window": "length",
    "tool_calls": "tool_calls",
    "refusal": "content_filter",
    "content_filter": "content_filter",
}


@named(list(whole(OF_ANTHROPIC)))
def test_anthropic_answers_mean_the_same_to_an_openai_client(trace, count_replay):
    count_replay(trace.kind)
    events, _ = decode(ANTHROPIC, trace.body, stream=trace.stream)
    response = fold(events)
    body, _ = encode(OPENAI, events)
    again = fold(decode(OPENAI, body, stream=True)[0])
    assert meaning(again) == meaning(response)
    for chunk in frames(body):
        ChatCompletionChunk.model_validate(chunk)
    plain = OPENAI.encode_response(response).body
    assert meaning(fold(decode(OPENAI, plain, stream=False)[0])) == meaning(response)
    completion = ChatCompletion.model_validate_json(plain)
    assert completion.choices[0].finish_reason == FINISHED[response.choices[0].finish]


@named(list(whole(OF_OPENAI)))
def test_openai_answers_mean_the_same_to_an_anthropic_client(trace, count_replay):
    count_replay(trace.kind)
    events, _ = decode(OPENAI, trace.body, stream=trace.stream)
    response = fold(events)
    body, losses = encode(ANTHROPIC, events)
    again = fold(decode(ANTHROPIC, body, stream=True)[0])
    told = meaning(response)
    if response.usage is None:
        told = (*told[:-1], (0, 0, 0))  # the wire has no word for unknown; the ledger has
    refused = "".join(
        getattr(part, "text", "")
        for part in response.choices[0].parts
        if type(part).__name__ == "Refusal"
    )
    told = (*told[:2], told[2] + refused, *told[3:])
    assert meaning(again) == told
    for event in frames(body):
        ANTHROPIC_EVENT.validate_python(event)
    plain = ANTHROPIC.encode_response(response)
    BetaMessage.model_validate_json(plain.body)
    if not any("valid JSON" in loss.reason for loss in plain.losses):
        assert meaning(fold(decode(ANTHROPIC, plain.body, stream=False)[0])) == told
    several = len(response.choices) > 1
    assert several == any(loss.path.startswith("choices[") for loss in losses)


UNREADABLE = {"dd-trace-py-anthropic-anthropic-completion-error-717eb4-0"}


@named([t for t in OF_ANTHROPIC if isinstance(t.request, dict) and t.name not in UNREADABLE])
def test_anthropic_requests_are_written_for_openai(trace):
    request = ANTHROPIC.parse(trace.request_body)
    rendered = OPENAI.render(request, model="gpt", profile=Profile())
    assert b"x-anthropic-billing-header" not in rendered.body
    if not any(loss.severity == "refuse" for loss in rendered.losses):
        drain(OPENAI_REQUEST.validate_python(json.loads(rendered.body)))
    assert len(json.loads(rendered.body)["messages"]) >= 1


@named([t for t in OF_OPENAI if isinstance(t.request, dict) and t.status == 200])
def test_openai_requests_are_written_for_anthropic(trace):
    request = OPENAI.parse(trace.request_body)
    rendered = ANTHROPIC.render(request, model="claude", profile=Profile())
    body = json.loads(rendered.body)
    if not any(loss.severity == "refuse" for loss in rendered.losses):
        drain(ANTHROPIC_REQUEST.validate_python(body))
        assert ANTHROPIC.peek(rendered.body).model == "claude"
    texts = [
        part.text
        for message in request.messages
        for part in message.content
        if isinstance(part, Text) and part.text
    ]
    for text in texts:
        assert json.dumps(text, ensure_ascii=False)[1:-1] in rendered.body.decode()


def test_the_types_that_validate_know_the_stable_api():
    stable = TypeAdapter(RawMessageStreamEvent)
    events = [
        event
        for trace in whole(OF_OPENAI)
        if trace.stream
        for event in frames(encode(ANTHROPIC, decode(OPENAI, trace.body, stream=True)[0])[0])
    ]
    assert {type(stable.validate_python(event)).__name__ for event in events} >= {
        "RawMessageStartEvent",
        "RawContentBlockDeltaEvent",
        "RawMessageDeltaEvent",
    } or not events
