"""Recorded traffic of other dialects, served to a client of the Responses API, and the reverse."""

from __future__ import annotations

import json

import httpx2
import openai
import pytest
from anthropic.types.beta import BetaRawMessageStreamEvent
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import Response as OfficialResponse
from pydantic import TypeAdapter

from flo2.canonical import Reasoning, Refusal, Text, ToolCall, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.carrier import open_carrier
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.testing.traces import golden_traces, recorded_traces

RESPONSES, CHAT, ANTHROPIC = OpenAIResponses(), OpenAIChat(), AnthropicMessages()
ENDPOINTS = {"/v1/messages": ANTHROPIC, "/v1/chat/completions": CHAT, "/v1/responses": RESPONSES}
TRACES = [
    trace
    for trace in (
        *golden_traces("anthropic_messages"),
        *golden_traces("openai_chat"),
        *golden_traces("openai_responses"),
        *recorded_traces("anthropic"),
        *recorded_traces("openai"),
    )
    if trace.endpoint in ENDPOINTS
]
ANTHROPIC_EVENT = TypeAdapter(BetaRawMessageStreamEvent)
UNREADABLE = {
    "dd-trace-py-anthropic-anthropic-completion-error-717eb4-0",
    "ai-gateway-testopenai-chat-no-messages-285eda-0",
}


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def dialect_of(trace):
    return ENDPOINTS[trace.endpoint]


def decode(dialect, body, *, stream):
    if stream:
        decoder = dialect.decoder(full=True, hide_usage=False)
    else:
        decoder = dialect.body_decoder(full=True)
    events = [*decoder.feed(body).events, *decoder.close().events]
    return events, decoder.observed


def encode(dialect, events):
    encoder = dialect.encoder(include_usage=True)
    return b"".join(encoder.feed(event) for event in events) + encoder.close()


def whole(traces, *dialects):
    return [
        trace
        for trace in traces
        if trace.status == 200
        and dialect_of(trace) in dialects
        and decode(dialect_of(trace), trace.body, stream=trace.stream)[1].complete
    ]


def arguments(text):
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def meaning(response):
    """What a client of any dialect acts on, for the first choice."""
    said, thoughts, calls = "", "", []
    for part in response.choices[0].parts if response.choices else ():
        match part:
            case Text() | Refusal():
                said += part.text
            case Reasoning():
                thoughts += part.text
            case ToolCall(kind="custom"):  # an object to those that know no free text
                calls.append((part.id, part.name, {"input": part.arguments}))
            case ToolCall():
                calls.append((part.id, part.name, arguments(part.arguments)))
    told = response.usage and response.usage.as_told
    usage = told and (told.input_total, told.output_total, told.total(("cache_read_tokens",)))
    return response.id, response.model, said, thoughts, calls, usage


def final_response(body: bytes):
    """Let the official SDK add a stream up."""
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    )
    with httpx2.Client(transport=transport) as http:
        client = openai.OpenAI(api_key="none", http_client=http, max_retries=0)
        with client.responses.stream(model="m", input="x") as events:
            for _ in events:
                pass
            return events.get_final_response()


@named(whole(TRACES, ANTHROPIC, CHAT))
def test_answers_mean_the_same_to_a_responses_client(trace, count_replay):
    count_replay(trace.kind)
    events, _ = decode(dialect_of(trace), trace.body, stream=trace.stream)
    response = fold(events)
    body = encode(RESPONSES, events)
    assert meaning(fold(decode(RESPONSES, body, stream=True)[0])) == meaning(response)
    plain = RESPONSES.encode_response(response)
    assert meaning(fold(decode(RESPONSES, plain.body, stream=False)[0])) == meaning(response)
    official = OfficialResponse.model_validate_json(plain.body)
    said = "".join(p.text for p in response.choices[0].parts if isinstance(p, Text))
    assert official.output_text == said
    if official.status == "completed":
        final = final_response(body)
        assert final.output_text == said
        assert final.id == response.id
        last = json.loads(body.decode().split("\ndata: ")[-1])
        assert len(final.output) == len(last["response"]["output"])


@named(whole(TRACES, ANTHROPIC))
def test_sealed_thinking_is_in_what_a_responses_client_sends_back(trace):
    response = fold(decode(ANTHROPIC, trace.body, stream=trace.stream)[0])
    output = json.loads(RESPONSES.encode_response(response).body)["output"]
    sealed = [part for part in response.choices[0].parts if isinstance(part, Reasoning)]
    carried = [item["encrypted_content"] for item in output if item["type"] == "reasoning"]
    assert [open_carrier(text) for text in carried] == sealed
    if not output:
        return
    request = RESPONSES.parse(json.dumps({"model": "m", "input": output}).encode())
    again = json.loads(ANTHROPIC.render(request, model="m", profile=Profile()).body)
    thinking = [
        block
        for message in again["messages"]
        for block in message["content"]
        if isinstance(block, dict) and "thinking" in block["type"]
    ]
    expected = [
        {"type": "thinking", "thinking": part.text, "signature": part.signature}
        if part.encrypted is None
        else {"type": "redacted_thinking", "data": part.encrypted}
        for part in sealed
        if part.encrypted is not None or part.signature is not None
    ]
    assert [block for block in thinking if "signature" in block or "data" in block] == expected


@named(whole(TRACES, RESPONSES))
def test_responses_answers_mean_the_same_to_other_clients(trace, count_replay):
    count_replay(trace.kind)
    events, _ = decode(RESPONSES, trace.body, stream=trace.stream)
    response = fold(events)
    for dialect in (ANTHROPIC, CHAT):
        body = encode(dialect, events)
        assert meaning(fold(decode(dialect, body, stream=True)[0])) == meaning(response)
        for line in body.decode().split("\n"):
            if line.startswith("data: ") and line != "data: [DONE]":
                event = json.loads(line[6:])
                if dialect is ANTHROPIC:
                    ANTHROPIC_EVENT.validate_python(event)
                elif '"type":"custom"' not in line:  # the SDK's chunks know functions only
                    ChatCompletionChunk.model_validate(event)


@named(whole(TRACES, RESPONSES))
def test_encrypted_reasoning_returns_from_an_anthropic_client(trace):
    response = fold(decode(RESPONSES, trace.body, stream=trace.stream)[0])
    content = json.loads(ANTHROPIC.encode_response(response).body)["content"]
    if not content:
        return
    body = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "assistant", "content": content}],
    }
    request = ANTHROPIC.parse(json.dumps(body).encode())
    reasoning = [part for part in response.choices[0].parts if isinstance(part, Reasoning)]
    assert [p for p in request.messages[0].content if isinstance(p, Reasoning)] == reasoning
    items = json.loads(RESPONSES.render(request, model="m", profile=Profile()).body)["input"]
    assert [item["encrypted_content"] for item in items if item["type"] == "reasoning"] == [
        part.encrypted for part in reasoning if part.encrypted is not None
    ]


@named([t for t in TRACES if isinstance(t.request, dict) and t.name not in UNREADABLE])
def test_requests_of_other_dialects_are_written(trace):
    dialect = dialect_of(trace)
    if dialect is RESPONSES:
        return
    request = dialect.parse(trace.request_body)
    rendered = RESPONSES.render(request, model="gpt", profile=Profile())
    body = json.loads(rendered.body)
    assert b"x-anthropic-billing-header" not in rendered.body
    if any(loss.severity == "refuse" for loss in rendered.losses):
        return
    assert RESPONSES.peek(rendered.body).model == "gpt"
    assert body["store"] is False
    again = RESPONSES.parse(rendered.body)
    said = [
        part.text
        for message in request.messages
        for part in message.content
        if isinstance(part, Text) and part.text
    ]
    back = [
        part.text
        for message in again.messages
        for part in message.content
        if isinstance(part, Text) and part.text
    ]
    assert [text for text in back if text in said] == [text for text in said if text in back]
    assert len(back) >= len(said)
