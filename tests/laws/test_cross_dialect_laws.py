"""Between OpenAI Chat and Anthropic Messages nothing goes missing that is not named."""

from __future__ import annotations

import json
from collections.abc import Iterator

from anthropic.types import RawMessageStreamEvent
from anthropic.types.message import Message as AnthropicMessage
from anthropic.types.message_create_params import MessageCreateParams
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParams
from pydantic import TypeAdapter

from flo2.canonical import Reasoning, Start, Text, ToolCall, Usage, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing.canonical_strategies import answers, requests
from flo2.testing.capabilities import ANTHROPIC_MESSAGES_CAN, OPENAI_CHAT_CAN
from flo2.testing.hops import same_form, without

OPENAI, ANTHROPIC = OpenAIChat(), AnthropicMessages()

ANTHROPIC_REQUEST = TypeAdapter(MessageCreateParams)
ANTHROPIC_EVENT = TypeAdapter(RawMessageStreamEvent)
OPENAI_REQUEST = TypeAdapter(CompletionCreateParams)


def drain(value):
    """The SDKs' `Iterable` fields validate as they are read."""
    if isinstance(value, dict):
        return {key: drain(each) for key, each in value.items()}
    if isinstance(value, list | tuple) or (
        isinstance(value, Iterator) or type(value).__name__ == "ValidatorIterator"
    ):
        return [drain(each) for each in value]
    return value


def hop(request, target):
    """Write a request for another dialect and read it there."""
    rendered = target.render(request, model=request.model, profile=Profile())
    assert target.check(request, Profile()) == rendered.losses
    found = target.parse(rendered.body)
    assert same_form(found) == same_form(without(request, rendered.losses))
    return found, rendered


def accepted(rendered):
    """What a loss policy lets through: nothing that would have been refused."""
    return all(loss.severity != "refuse" for loss in rendered.losses)


@given(request=requests(OPENAI_CHAT_CAN))
def test_openai_to_anthropic_and_back_is_the_request_minus_the_named_losses(request):
    there, rendered = hop(request, ANTHROPIC)
    if accepted(rendered):
        drain(ANTHROPIC_REQUEST.validate_python(json.loads(rendered.body)))
    if there.messages:  # all of them may have been audio
        hop(there, OPENAI)


@given(request=requests(ANTHROPIC_MESSAGES_CAN))
def test_anthropic_to_openai_and_back_is_the_request_minus_the_named_losses(request):
    there, rendered = hop(request, OPENAI)
    if accepted(rendered):
        drain(OPENAI_REQUEST.validate_python(json.loads(rendered.body)))
    hop(there, ANTHROPIC)


def meaning(response, *, usage: bool = True):
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
    return response.id, response.model, parts, choice.finish, counts


def encode(dialect, events):
    encoder = dialect.encoder(include_usage=True)
    return b"".join(encoder.feed(event) for event in events) + encoder.close()


def decode(dialect, body):
    decoder = dialect.decoder(full=True, hide_usage=False)
    events = [*decoder.feed(body).events, *decoder.close().events]
    assert decoder.observed.complete
    return fold(events)


def decode_plain(dialect, body):
    decoder = dialect.body_decoder(full=True)
    decoder.feed(body)
    return fold(decoder.close().events)


def frames(body: bytes):
    for line in body.decode().split("\n"):
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line[6:])


QUANTITIES = {"input_tokens": 9, "cache_read_tokens": 4, "output_tokens": 12}
INFORMATIONAL = {"reasoning_tokens": 3}
OPENAI_USAGE = Usage(QUANTITIES | {"cache_write_tokens": 5}, INFORMATIONAL, dialect="x")
ANTHROPIC_USAGE = Usage(
    QUANTITIES | {"cache_write_5m_tokens": 2, "cache_write_1h_tokens": 3},
    INFORMATIONAL,
    dialect="x",
)


@st.composite
def answers_of(draw, can, finishes, usage):
    events = draw(answers(can, finishes=finishes, usage=usage))
    calls = any(isinstance(getattr(event, "part", None), ToolCall) for event in events)
    if calls:
        word = {"openai.chat": "tool_calls", "anthropic.messages": "tool_use"}[can.origin]
        events = [
            evolve(event, reason="tool_calls", raw=word) if hasattr(event, "reason") else event
            for event in events
        ]
    start = events[0]
    assert isinstance(start, Start)
    return [evolve(start, origin=can.origin), *events[1:]]


OPENAI_FINISHES = (("stop", "stop"), ("length", "length"))
ANTHROPIC_FINISHES = (("stop", "end_turn"), ("length", "max_tokens"))


@given(events=answers_of(OPENAI_CHAT_CAN, OPENAI_FINISHES, OPENAI_USAGE))
def test_an_openai_answer_means_the_same_to_an_anthropic_client(events):
    body = encode(ANTHROPIC, events)
    assert meaning(decode(ANTHROPIC, body)) == meaning(fold(events))
    for event in frames(body):
        ANTHROPIC_EVENT.validate_python(event)
    plain = ANTHROPIC.encode_response(fold(events))
    assert plain.losses == ()
    assert meaning(decode_plain(ANTHROPIC, plain.body)) == meaning(fold(events))
    AnthropicMessage.model_validate_json(plain.body)


@given(events=answers_of(ANTHROPIC_MESSAGES_CAN, ANTHROPIC_FINISHES, ANTHROPIC_USAGE))
def test_an_anthropic_answer_means_the_same_to_an_openai_client(events):
    body = encode(OPENAI, events)
    assert meaning(decode(OPENAI, body)) == meaning(fold(events))
    for chunk in frames(body):
        ChatCompletionChunk.model_validate(chunk)
    plain = OPENAI.encode_response(fold(events))
    assert meaning(decode_plain(OPENAI, plain.body)) == meaning(fold(events))
    ChatCompletion.model_validate_json(plain.body)


@given(events=answers_of(ANTHROPIC_MESSAGES_CAN, ANTHROPIC_FINISHES, ANTHROPIC_USAGE))
def test_an_answer_through_both_dialects_means_what_it_meant(events):
    there = decode(OPENAI, encode(OPENAI, events))
    body = ANTHROPIC.encode_response(there).body
    assert meaning(decode_plain(ANTHROPIC, body)) == meaning(fold(events))


def test_what_a_provider_keeps_is_refused_and_a_billing_header_is_not() -> None:
    """Message threads need their provider (clients.md 22); Claude Code's billing line does not."""
    body = {
        "model": "m",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=1"}],
        "messages": [{"role": "user", "content": "Hi"}],
        "thread": {"type": "create"},
    }
    request = AnthropicMessages().parse(json.dumps(body).encode())

    losses = OpenAIChat().check(request, Profile())

    assert {(loss.path, loss.severity) for loss in losses} == {
        ("thread", "refuse"),
        ("messages[0].content[0]", "note"),
    }
