"""Whatever an encoder is fed, the validator of its dialect has nothing to say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.canonical import Failed, PartStart, Start, ToolCall, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import EndsStreams
from flo2.dialects.gemini import Gemini
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_completions import OpenAICompletions
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.errors import AuthenticationFailed, InvalidRequest, ProviderError
from flo2.testing.conformance.readers import read
from flo2.testing.event_strategies import wild_events
from flo2.testing.validators import VALIDATORS
from flo2.testing.validators.samples import STREAMS, written

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        OpenAIChat(),
        OpenAICompletions(),
        OpenAIResponses(),
        AnthropicMessages(),
        Gemini(),
    )
}
ELSEWHERE = "somewhere.else"
JSON = {"content-type": "application/json"}
each_dialect = pytest.mark.parametrize("name", DIALECTS)


def origins(name):
    """Parts of the dialect itself are its decoder's, and never of a type it does not know."""
    return [ELSEWHERE, *(other for other in DIALECTS if other != name)]


def encoded(name, events, *, include_usage):
    encoder = DIALECTS[name].encoder(include_usage=include_usage)
    return b"".join(encoder.feed(event) for event in events) + encoder.close()


@each_dialect
@given(data=st.data(), include_usage=st.booleans())
def test_any_answer_becomes_a_right_stream(name, data, include_usage):
    events = data.draw(wild_events(origins(name), choices=3))
    body = encoded(name, events, include_usage=include_usage)
    assert VALIDATORS[name].stream(body) == []


@each_dialect
@given(data=st.data())
def test_any_answer_becomes_a_right_object(name, data):
    events = data.draw(wild_events(origins(name), choices=3))
    rendered = DIALECTS[name].encode_response(fold(events))
    assert VALIDATORS[name].answer(200, JSON, rendered.body) == []


@each_dialect
@given(data=st.data(), include_usage=st.booleans())
def test_any_failure_in_mid_stream_becomes_a_right_stream(name, data, include_usage):
    events = data.draw(wild_events(origins(name), choices=3, fails=True))
    body = encoded(name, events, include_usage=include_usage)
    assert VALIDATORS[name].stream(body) == []


@each_dialect
def test_calls_that_are_open_when_the_answer_breaks_are_not_said_to_be_whole(name):
    events = [
        Start("answer_1", "model-1", 7, origin=ELSEWHERE),
        PartStart(0, ToolCall("call_0", "look", '{"a')),
        PartStart(1, ToolCall("call_1", "look", "{}")),
        Failed(ProviderError("it broke off", status=200)),
    ]
    body = encoded(name, events, include_usage=True)
    assert VALIDATORS[name].stream(body) == []
    assert read(name, body, stream=True).error == "it broke off"


@each_dialect
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_stream_cut_at_any_byte_ends_in_an_error_that_can_be_read(name, end):
    dialect, body = DIALECTS[name], written(STREAMS[name], end)
    begun = dialect.encode_stream_error(InvalidRequest("no"))
    assert read(name, begun, stream=True).error == "no"
    untold, wrong = [], []
    for size in range(len(body)):
        decoder = dialect.decoder(full=False, hide_usage=False)
        raw = decoder.feed(body[:size]).raw + decoder.close().raw
        error = decoder.observed.error
        if error is not None and isinstance(dialect, EndsStreams):
            raw += dialect.end_stream(error, decoder.observed)
        elif error is not None:
            raw += dialect.encode_stream_error(error)
        said = read(name, raw, stream=True)
        if (said.error is None) != decoder.observed.complete:
            untold.append(size)
        if error is not None and size > len(body) // 2 and VALIDATORS[name].stream(raw):
            wrong.append(size)
    assert (untold, wrong) == ([], [])


KINDS = (
    "invalid_request authentication permission not_found too_large budget rate_limit overloaded "
    "unavailable timeout connection upstream internal"
)


@each_dialect
@pytest.mark.parametrize("kind", KINDS.split())
@pytest.mark.parametrize("foreign", [*DIALECTS, ELSEWHERE])
def test_any_error_of_a_provider_is_in_the_envelope(name, kind, foreign):
    # A body comes with its status; without one the kind decides.
    said = DIALECTS[foreign].encode_error(InvalidRequest("no")) if foreign in DIALECTS else None
    body, status = (said.body, said.status) if said else (b"<html>no</html>", None)
    error = ProviderError(
        "no", kind=kind, retryable=False, status=status, body=body, error_type="odd"
    )
    told = DIALECTS[name].encode_error(error, request_id="req_1")
    assert VALIDATORS[name].answer(told.status, JSON, told.body) == []


@each_dialect
@pytest.mark.parametrize("error", [InvalidRequest("no", param="a.b"), AuthenticationFailed("no")])
def test_a_refusal_of_our_own_is_in_the_envelope(name, error):
    told = DIALECTS[name].encode_error(error, request_id="req_1")
    assert VALIDATORS[name].answer(told.status, JSON, told.body) == []
