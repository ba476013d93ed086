"""Recorded answers of one dialect, written in another one, pass that one's validator."""

from __future__ import annotations

import pytest
from attrs import evolve

from flo2.canonical import Event, Start, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Dialect
from flo2.dialects.gemini import Gemini
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.testing.traces import Trace, golden_traces, recorded_traces
from flo2.testing.validators import VALIDATORS, Level

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (OpenAIChat(), OpenAIResponses(), AnthropicMessages(), Gemini())
}
GOLDEN = {
    "openai.chat": "openai_chat",
    "openai.responses": "openai_responses",
    "anthropic.messages": "anthropic_messages",
    "gemini": "gemini",
}
RECORDED = {
    "openai.chat": [
        ("openai", "/v1/chat/completions"),
        ("groq", "/openai/v1/chat/completions"),
        ("mistral", "/v1/chat/completions"),
        ("deepseek", "/chat/completions"),
        ("xai", "/v1/chat/completions"),
        ("openrouter", "/api/v1/chat/completions"),
    ],
    "openai.responses": [("openai", "/v1/responses"), ("xai", "/v1/responses")],
    "anthropic.messages": [("anthropic", "/v1/messages")],
    "gemini": [
        ("google", ":generateContent"),
        ("google", ":streamGenerateContent"),
        ("google-vertex", ":generateContent"),
        ("google-vertex", ":streamGenerateContent"),
    ],
}
LEFT_OUT = {
    # The provider said no reason why the answer ended, and flo2 makes up none.
    "dd-trace-py-v1-chat-completion-image-input-6ea900-0",
    "crewai-crewai-test-deepseek-r1-with-open-router-463817-0",
    # The model wrote `null` for the arguments of a function without any; OpenAI's APIs have them
    # as text, which stays what the model wrote.
    "rig-agent-tool-sessions-parallel-tool-calls-single-turn-streaming-91c4bc-0",
}
LEVELS: tuple[Level, ...] = ("strict", "compatible")
JSON = {"content-type": "application/json"}
SHORT = 6


def events_of(dialect: Dialect, trace: Trace) -> list[Event] | None:
    """Decode a whole answer; None for one that broke."""
    if trace.stream:
        decoder = dialect.decoder(full=True, hide_usage=False)
    else:
        decoder = dialect.body_decoder(full=True)
    events = [*decoder.feed(trace.body).events, *decoder.close().events]
    if not decoder.observed.complete:
        return None
    return [named(event) for event in events]


def named(event: Event) -> Event:
    """Give an answer the id and the model that its source took out of it."""
    if not isinstance(event, Start):
        return event
    return evolve(event, id=event.id or "taken out", model=event.model or "taken out")


def own_level(source: str, trace: Trace) -> Level | None:
    """Say how well a provider keeps to its own API; between equal dialects that stays so."""
    validator = VALIDATORS[source]
    for level in LEVELS:
        if trace.stream:
            found = validator.stream(trace.body, level=level)
        else:
            found = validator.answer(200, JSON, trace.body, level=level)
        if not found:
            return level
    return None


def traces():
    """Give (dialect, trace): golden ones, one recording in six; the others in deep sessions."""
    for source in DIALECTS:
        yield from (
            pytest.param(source, each, id=each.name) for each in golden_traces(GOLDEN[source])
        )
        for host, endpoint in RECORDED[source]:
            found = [each for each in recorded_traces(host) if each.endpoint.endswith(endpoint)]
            for place, trace in enumerate(found):
                marks = () if place % SHORT == 0 else pytest.mark.deep
                yield pytest.param(source, trace, id=f"{host}-{trace.name}", marks=marks)


@pytest.mark.parametrize(("source", "trace"), [*traces()])
def test_an_answer_in_another_dialect_passes_its_validator(source, trace, count_replay):
    count_replay(trace.kind)
    if trace.status != 200 or trace.name in LEFT_OUT:
        return
    if (events := events_of(DIALECTS[source], trace)) is None:
        return  # it broke off: what becomes of those is a law of its own
    for target in DIALECTS:
        level = own_level(source, trace) if target == source else "strict"
        if level is not None:
            passes(source, target, trace, events, level)


def passes(source, target, trace, events, level):
    """Write an answer in a dialect, plain and as a stream, and let its validator look."""
    response, validator = fold(events), VALIDATORS[target]

    def judged(found):
        # Usage that the provider never told is unknown in every dialect, and stays so.
        untold = response.usage is None
        return [each for each in found if not (untold and "usage" in each.where.lower())]

    # A plain answer in its own dialect is never written as a stream.
    streams = trace.stream or source != target
    for include_usage in (True, False) if streams else ():
        encoder = DIALECTS[target].encoder(include_usage=include_usage)
        body = b"".join(map(encoder.feed, events)) + encoder.close()
        assert judged(validator.stream(body, level=level)) == [], target
    rendered = DIALECTS[target].encode_response(response)
    assert judged(validator.answer(200, JSON, rendered.body, level=level)) == [], target
