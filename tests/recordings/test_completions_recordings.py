"""Every recorded chat, of whatever vendor, answers a client of the older completions."""

from __future__ import annotations

import pytest

from flo2.canonical import fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.gemini import Gemini
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_completions import OpenAICompletions
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.testing.traces import golden_traces, recorded_traces
from flo2.testing.validators import VALIDATORS

COMPLETIONS = OpenAICompletions()
VALIDATOR = VALIDATORS["openai.completions"]
SOURCES = (
    (OpenAIChat(), "/chat/completions", "openai_chat", ("openai", "groq", "deepseek")),
    (AnthropicMessages(), "/v1/messages", "anthropic_messages", ("anthropic",)),
    (OpenAIResponses(), "/responses", "openai_responses", ("openai",)),
    (Gemini(), "enerateContent", "gemini", ("google",)),
)
TRACES = [
    (dialect, trace)
    for dialect, endpoint, golden, providers in SOURCES
    for trace in (*golden_traces(golden), *(t for p in providers for t in recorded_traces(p)))
    if trace.endpoint.endswith(endpoint) and trace.status == 200 and trace.body
]


def decoded(dialect, trace):
    decoder = (
        dialect.decoder(full=True, hide_usage=False)
        if trace.stream
        else dialect.body_decoder(full=True)
    )
    chunks = [decoder.feed(trace.body), decoder.close()]
    return [event for chunk in chunks for event in chunk.events], decoder.observed


@pytest.mark.parametrize(
    ("dialect", "trace"), TRACES, ids=[f"{dialect.name}-{trace.name}" for dialect, trace in TRACES]
)
def test_it_becomes_a_right_text_completion(dialect, trace, count_replay):
    count_replay(trace.kind)
    events, observed = decoded(dialect, trace)
    if observed.error is not None:
        return
    whole = fold(events)
    if any(choice.finish is None for choice in whole.choices) or not whole.choices:
        return  # a host that does not say how it ended, and nothing is made up
    if not whole.model:
        return  # a vendor's test data, cut down to less than it answers
    encoder = COMPLETIONS.encoder(include_usage=True)
    stream = b"".join(map(encoder.feed, events)) + encoder.close()
    plain = COMPLETIONS.encode_response(whole).body
    told = whole.id and whole.created and whole.usage is not None
    level = "strict" if told else "compatible"
    assert VALIDATOR.stream(stream, level=level) == []
    assert VALIDATOR.answer(200, {"content-type": "application/json"}, plain, level=level) == []
