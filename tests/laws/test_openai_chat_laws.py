from __future__ import annotations

import itertools
import json

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from flo2.canonical import (
    CacheHint,
    Finish,
    Loss,
    Message,
    PartStart,
    Reasoning,
    Response,
    Text,
    ToolCall,
    fold,
)
from flo2.dialects.base import Profile
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing.canonical_strategies import answers, json_objects, requests, texts
from flo2.testing.capabilities import OPENAI_CHAT_CAN

DIALECT = OpenAIChat()
USAGE = DIALECT.read_usage({"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21})


def _bare(request):
    """Forget which host's field reasoning came in: written under the most common one."""
    messages = []
    for message in request.messages:
        parts = tuple(
            evolve(part, extras={}) if isinstance(part, Reasoning) else part
            for part in message.content
        )
        messages.append(evolve(message, content=parts))
    # A refusal beside bare text leaves the text's own form open.
    return evolve(request, messages=tuple(messages), include_usage=None)


@given(request=requests(OPENAI_CHAT_CAN))
def test_parse_of_render_is_identity(request):
    rendered = DIALECT.render(request, model=request.model, profile=Profile())
    assert rendered.losses == ()
    assert _bare(DIALECT.parse(rendered.body)) == _bare(request)


@given(request=requests(OPENAI_CHAT_CAN), unknown=json_objects())
def test_render_of_parse_is_identity_and_unknown_fields_survive_everywhere(request, unknown):
    body = json.loads(DIALECT.render(request, model=request.model, profile=Profile()).body)
    unknown = {f"x-{key}": value for key, value in unknown.items()}
    body |= unknown
    for message in body["messages"]:
        message.update(unknown)
        if isinstance(message["content"], list):
            for part in message["content"]:
                part.update(unknown)
    for tool in body.get("tools", ()):
        tool.update(unknown)
        tool[tool["type"]].update(unknown)
    parsed = DIALECT.parse(json.dumps(body).encode())
    assert json.loads(DIALECT.render(parsed, model=body["model"], profile=Profile()).body) == body


@given(request=requests(OPENAI_CHAT_CAN))
def test_peek_agrees_with_parse(request):
    body = DIALECT.render(request, model=request.model, profile=Profile()).body
    peek, parsed = DIALECT.peek(body), DIALECT.parse(body)
    assert peek.model == parsed.model
    assert peek.stream == bool(parsed.stream)
    assert peek.max_output_tokens == parsed.sampling.max_output_tokens
    assert peek.n == (parsed.sampling.n or 1)
    assert peek.end_user == parsed.end_user


@given(request=requests(OPENAI_CHAT_CAN), model=texts(1))
def test_splice_changes_the_model_and_asks_for_usage(request, model):
    body = json.loads(DIALECT.render(request, model=request.model, profile=Profile()).body)
    body.pop("stream_options", None)
    raw = json.dumps(body).encode()
    expected = {**body, "model": model}
    if body.get("stream"):
        expected["stream_options"] = {"include_usage": True}
    assert json.loads(DIALECT.splice(raw, DIALECT.peek(raw), model=model)) == expected


@given(request=requests(evolve(OPENAI_CHAT_CAN, cache_hints=False)), hint=st.booleans())
def test_what_a_foreign_request_loses_is_named(request, hint):
    foreign = evolve(request, origin="other.dialect")
    foreign = evolve(
        foreign,
        messages=(
            *foreign.messages,
            Message("user", (Text("x", cache=CacheHint("5m") if hint else None),)),
        ),
    )
    losses = DIALECT.render(foreign, model="m", profile=Profile()).losses
    assert DIALECT.check(foreign, Profile()) == losses
    at = f"messages[{len(foreign.messages) - 1}].content[0].cache"
    assert (Loss(at, "cached by the provider's own rules, not by marks", "note") in losses) == hint


def _encode(events, *, include_usage=True):
    encoder = DIALECT.encoder(include_usage=include_usage)
    return b"".join(encoder.feed(event) for event in events) + encoder.close()


def _decode(*chunks, full=True, hide_usage=False):
    decoder = DIALECT.decoder(full=full, hide_usage=hide_usage)
    out = [*(decoder.feed(chunk) for chunk in chunks), decoder.close()]
    events = [event for chunk in out for event in chunk.events]
    return events, b"".join(chunk.raw for chunk in out), decoder.observed


def _plain(response: Response) -> Response:
    """Leave out what the encoder adds: the reasoning field's name, `{}` for no arguments."""
    choices = []
    for choice in response.choices:
        parts = []
        for part in choice.parts:
            if isinstance(part, Reasoning):
                parts.append(evolve(part, extras={}))
            elif isinstance(part, ToolCall):
                parts.append(evolve(part, arguments=part.arguments or "{}"))
            else:
                parts.append(part)
        choices.append(evolve(choice, parts=tuple(parts)))
    return evolve(response, choices=tuple(choices))


FINISHES = (("stop", "stop"), ("length", "length"), ("tool_calls", "tool_calls"))


@given(events=answers(OPENAI_CHAT_CAN, finishes=FINISHES, usage=USAGE))
def test_decode_of_encode_folds_the_same(events):
    decoded, _, observed = _decode(_encode(events))
    assert _plain(fold(decoded)) == _plain(fold(events))
    assert observed.complete
    assert observed.usage == USAGE


@given(events=answers(OPENAI_CHAT_CAN, finishes=FINISHES, usage=USAGE))
def test_plain_answer_and_stream_mean_the_same(events):
    response = fold(events, origin="openai.chat")
    decoder = DIALECT.body_decoder(full=True)
    decoder.feed(DIALECT.encode_response(response).body)
    assert _plain(fold(decoder.close().events, origin="openai.chat")) == _plain(response)


@given(
    events=answers(OPENAI_CHAT_CAN, usage=USAGE), cuts=st.lists(st.integers(1, 2000), max_size=10)
)
def test_any_chunking_gives_the_same_events_and_every_byte(events, cuts):
    stream = _encode(events)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(edges)]
    whole = _decode(stream)
    assert whole[1] == stream
    assert _decode(*chunks) == whole
    assert _decode(*(stream[at : at + 1] for at in range(len(stream)))) == whole


@given(events=answers(OPENAI_CHAT_CAN, usage=USAGE), size=st.integers(1, 300))
def test_light_decoder_observes_what_the_full_one_does(events, size):
    stream = _encode(events)
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    light_events, light_raw, light = _decode(*chunks, full=False)
    _, _, full = _decode(*chunks)
    assert light == full
    assert light_raw == stream
    content = any(isinstance(event, PartStart) for event in light_events)
    assert content == full.has_content
    assert [event for event in light_events if isinstance(event, Finish)] == [
        event for event in events if isinstance(event, Finish)
    ]


@given(events=answers(OPENAI_CHAT_CAN, usage=USAGE), size=st.integers(1, 300), full=st.booleans())
def test_hiding_usage_removes_exactly_the_usage_frame(events, size, full):
    asked = _encode(events)
    usage_frame = asked.split(b"\n\n")[-3] + b"\n\n"
    assert b'"choices":[],"usage":{' in usage_frame
    chunks = [asked[at : at + size] for at in range(0, len(asked), size)]
    _, raw, observed = _decode(*chunks, full=full, hide_usage=True)
    assert raw == asked.replace(usage_frame, b"")
    assert observed.usage == USAGE


@given(events=answers(OPENAI_CHAT_CAN, usage=USAGE), at=st.integers(0, 5000), full=st.booleans())
def test_a_cut_stream_is_never_complete(events, at, full):
    stream = _encode(events)
    # Behind the usage frame all is said: some hosts leave [DONE] out.
    end = stream.rindex(b'"usage":{')
    events_seen, raw, observed = _decode(stream[: min(at, end)], full=full)
    assert not observed.complete
    assert observed.error is not None
    assert observed.error.retryable
    assert stream.startswith(raw)
    assert type(events_seen[-1]).__name__ == "Failed"
