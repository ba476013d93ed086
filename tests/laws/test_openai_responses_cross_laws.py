"""Between the Responses API and the two older dialects nothing goes missing that is not named."""

from __future__ import annotations

import json

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from flo2.canonical import (
    Message,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Request,
    Text,
    ToolCall,
    Usage,
    fold,
)
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.gemini import Gemini
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.testing.canonical_strategies import answers, requests, texts
from flo2.testing.capabilities import ANTHROPIC_MESSAGES_CAN, OPENAI_CHAT_CAN, OPENAI_RESPONSES_CAN
from flo2.testing.hops import same_form, unasked, without

RESPONSES, CHAT, ANTHROPIC = OpenAIResponses(), OpenAIChat(), AnthropicMessages()
GEMINI = Gemini()


def hop(request, target):
    """Write a request for another dialect and read it there."""
    # A model of Gemini's that knows levels of thinking: others are sent a budget in their place.
    profile = Profile(adaptive_thinking=target is GEMINI)
    rendered = target.render(request, model=request.model, profile=profile)
    assert target.check(request, profile) == rendered.losses
    found = target.parse(rendered.body)
    if target is GEMINI:  # its URL says these
        found = evolve(found, model=request.model, stream=request.stream)
    assert asked(found) == asked(without(request, rendered.losses))
    return found


def asked(request: Request) -> Request:
    """What is asked, less what flo2 says of its own."""
    return unasked(same_form(request))


@given(request=requests(OPENAI_RESPONSES_CAN))
def test_responses_to_chat_and_back_is_the_request_minus_the_named_losses(request):
    hop(hop(request, CHAT), RESPONSES)


@given(request=requests(OPENAI_RESPONSES_CAN))
def test_responses_to_anthropic_and_back_is_the_request_minus_the_named_losses(request):
    there = hop(request, ANTHROPIC)
    if there.messages:  # all of them may have been audio
        hop(there, RESPONSES)


@given(request=requests(OPENAI_RESPONSES_CAN))
def test_responses_to_gemini_and_back_is_the_request_minus_the_named_losses(request):
    there = hop(request, GEMINI)
    if there.messages:
        hop(there, RESPONSES)


@given(request=requests(OPENAI_CHAT_CAN))
def test_chat_to_responses_and_back_is_the_request_minus_the_named_losses(request):
    hop(hop(request, RESPONSES), CHAT)


@given(request=requests(ANTHROPIC_MESSAGES_CAN))
def test_anthropic_to_responses_and_back_is_the_request_minus_the_named_losses(request):
    hop(hop(request, RESPONSES), ANTHROPIC)


def encode(dialect, events):
    encoder = dialect.encoder(include_usage=True)
    return b"".join(encoder.feed(event) for event in events) + encoder.close()


def decode(dialect, body):
    decoder = dialect.decoder(full=True, hide_usage=False)
    events = [*decoder.feed(body).events, *decoder.close().events]
    assert decoder.observed.complete
    return fold(events)


def meaning(response):
    """What a client acts on, whatever the dialect."""
    (choice,) = response.choices
    parts = []
    for part in choice.parts:
        match part:
            case Reasoning():
                parts.append(("reasoning", part.text))
            case ToolCall():
                parts.append((part.id, part.name, json.loads(part.arguments or "{}")))
            case Text() if part.text:
                parts.append(("text", part.text))
    told = response.usage
    counts = (
        told.input_total,
        told.output_total,
        told.total(("cache_read_tokens",)),
        told.total(("cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")),
        told.informational.get("reasoning_tokens"),
    )
    called = any(isinstance(part, ToolCall) for part in choice.parts)
    finish = "tool_calls" if called and choice.finish == "stop" else choice.finish
    return response.id, response.model, parts, finish, counts


USAGE = Usage(
    {
        "input_tokens": 9,
        "cache_read_tokens": 4,
        "cache_write_5m_tokens": 5,
        "output_tokens": 12,
    },
    {"reasoning_tokens": 3},
    dialect="x",
)
WORDS = {
    "openai.responses": (("stop", "completed"), ("length", "max_output_tokens")),
    "openai.chat": (("stop", "stop"), ("length", "length")),
    "anthropic.messages": (("stop", "end_turn"), ("length", "max_tokens")),
}
PAIRS = [
    (OPENAI_CHAT_CAN, RESPONSES),
    (ANTHROPIC_MESSAGES_CAN, RESPONSES),
    (OPENAI_RESPONSES_CAN, CHAT),
    (OPENAI_RESPONSES_CAN, ANTHROPIC),
]


@pytest.mark.parametrize(("can", "target"), PAIRS, ids=lambda each: getattr(each, "name", None))
@given(data=st.data())
def test_an_answer_means_the_same_to_a_client_of_another_dialect(can, target, data):
    events = data.draw(answers(can, finishes=WORDS[can.origin], usage=USAGE))
    response = fold(events)
    assert meaning(decode(target, encode(target, events))) == meaning(response)
    decoder = target.body_decoder(full=True)
    decoder.feed(target.encode_response(response).body)
    assert meaning(fold(decoder.close().events)) == meaning(response)


SEALED = {
    "anthropic.messages": st.builds(
        Reasoning, text=texts(), signature=texts(1), origin=st.just("anthropic.messages")
    )
    | st.builds(Reasoning, encrypted=texts(1), origin=st.just("anthropic.messages")),
    "openai.responses": st.builds(
        Reasoning,
        text=texts(),
        encrypted=texts(1),
        id=st.just("rs_1"),
        origin=st.just("openai.responses"),
    ),
}


def returned(surface, part, *, stream):
    """Show an answer to a client, and read what the client sends back of it."""
    call = ToolCall("call_1", "f", "{}")
    events = [
        PartStart(0, evolve(part, text="", signature=None, encrypted=None))
        if part.origin == "openai.responses" or part.encrypted is None
        else PartStart(0, part),
        PartDelta(0, part.text),
        PartDelta(0, signature=part.signature or "", encrypted=part.encrypted or ""),
        PartStop(0),
        PartStart(1, call),
        PartStop(1),
    ]
    if part.encrypted is not None and part.origin == "anthropic.messages":
        del events[1:3]
    if stream:
        response = decode(surface, encode(surface, events))
        body = surface.encode_response(response).body
    else:
        body = surface.encode_response(fold(events)).body
    answer = json.loads(body)
    if surface is RESPONSES:
        request = {"model": "m", "input": answer["output"]}
    else:
        turn = {"role": "assistant", "content": answer["content"]}
        request = {"model": "m", "max_tokens": 9, "messages": [turn]}
    raw = json.dumps(request).encode()
    return surface.peek(raw), surface.parse(raw)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("surface", "origin"), [(RESPONSES, "anthropic.messages"), (ANTHROPIC, "openai.responses")]
)
@given(data=st.data())
def test_sealed_reasoning_returns_through_a_client_of_another_dialect(
    surface, origin, stream, data
):
    part = data.draw(SEALED[origin])
    peek, request = returned(surface, part, stream=stream)
    assert peek.needs_render
    assert request.messages[0].content[0] == part
    assert request.messages == (
        Message("assistant", request.messages[0].content, extras=request.messages[0].extras),
    )
    # Its own provider gets it as it gave it, and the client's provider never sees it.
    upstream = {"anthropic.messages": ANTHROPIC, "openai.responses": RESPONSES}[origin]
    again = upstream.parse(upstream.render(request, model="m", profile=Profile()).body)
    assert again.messages[0].content[0] == part
    written = surface.render(request, model="m", profile=Profile())
    assert b"flo2-carrier" not in written.body
    assert [loss.path for loss in written.losses] == ["messages[0].content[0]"]
