"""Laws of the Responses dialect: nothing goes missing in a round trip, whatever the chunking."""

from __future__ import annotations

import itertools
import json

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response as OfficialResponse
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from flo2.canonical import Failed, Finish, PartStart, Reasoning, Request, Text, ToolCall, fold
from flo2.dialects.base import Profile
from flo2.dialects.carrier import carry, holds_carrier, open_carrier
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.testing.canonical_strategies import answers, json_objects, requests, texts
from flo2.testing.capabilities import OPENAI_RESPONSES_CAN

DIALECT = OpenAIResponses()
NAME = "openai.responses"
CAN = evolve(
    OPENAI_RESPONSES_CAN,
    max_output_fields=("max_output_tokens",),
    efforts=("none", "minimal", "low", "medium", "high", "xhigh"),
)
USAGE = DIALECT.read_usage({"input_tokens": 9, "output_tokens": 12, "total_tokens": 21})
FINISHES = (("stop", "completed"), ("length", "max_output_tokens"), ("content_filter",) * 2)
OFFICIAL_EVENT = TypeAdapter(ResponseStreamEvent)


def plain(request: Request) -> Request:
    """The normal form that `request_parse` documents, and marks of the place of a prompt."""
    messages = []
    for message in request.messages:
        bare = message.plain and message.role in {"user", "developer"}
        parts = tuple(
            evolve(part, extras={}) if isinstance(part, Text | Reasoning) else part
            for part in message.content
        )
        messages.append(evolve(message, content=parts, extras={}, plain=bare))
    effort = request.reasoning and request.reasoning.effort
    reasoning = request.reasoning
    if reasoning is not None and effort == "none":
        reasoning = evolve(reasoning, mode="off")
    sampling = evolve(request.sampling, max_output_field=None)
    return evolve(request, messages=tuple(messages), reasoning=reasoning, sampling=sampling)


def rendered(request):
    return DIALECT.render(request, model=request.model, profile=Profile())


@given(request=requests(CAN))
def test_parse_of_render_is_identity(request):
    written = rendered(request)
    assert written.losses == ()
    assert plain(DIALECT.parse(written.body)) == plain(request)


@given(request=requests(CAN), unknown=json_objects())
def test_render_of_parse_is_identity_and_unknown_fields_survive_everywhere(request, unknown):
    body = json.loads(rendered(request).body)
    unknown = {f"x-{key}": value for key, value in unknown.items() if value is not None}
    body |= unknown
    for item in body["input"]:
        item.update(unknown)
        for key in ("content", "output"):
            for part in item[key] if isinstance(item.get(key), list) else ():
                part.update(unknown)
    for tool in body.get("tools", ()):
        tool.update(unknown)
    parsed = DIALECT.parse(json.dumps(body).encode())
    assert json.loads(rendered(parsed).body) == body


@given(request=requests(CAN))
def test_peek_agrees_with_parse(request):
    body = rendered(request).body
    peek, parsed = DIALECT.peek(body), DIALECT.parse(body)
    assert (peek.model, peek.stream) == (parsed.model, bool(parsed.stream))
    assert peek.max_output_tokens == parsed.sampling.max_output_tokens
    assert peek.end_user == parsed.end_user
    assert (peek.n, peek.wants_usage, peek.needs_render) == (1, True, False)


@given(request=requests(CAN), model=texts(1))
def test_splice_changes_the_model_alone(request, model):
    body = rendered(request).body
    expected = {**json.loads(body), "model": model}
    assert json.loads(DIALECT.splice(body, DIALECT.peek(body), model=model)) == expected


def encode(events):
    encoder = DIALECT.encoder(include_usage=True)
    return b"".join(encoder.feed(event) for event in events) + encoder.close()


def decode(*chunks, full=True):
    decoder = DIALECT.decoder(full=full, hide_usage=False)
    out = [*(decoder.feed(chunk) for chunk in chunks), decoder.close()]
    events = [event for chunk in out for event in chunk.events]
    return events, b"".join(chunk.raw for chunk in out), decoder.observed


def decode_plain(body):
    decoder = DIALECT.body_decoder(full=True)
    decoder.feed(body)
    return decoder.close().events


def meant(response):
    """Leave out what the encoder adds: ids of items, `{}` for no arguments, fields of the head."""
    (choice,) = response.choices
    parts = []
    for part in choice.parts:
        match part:
            case Reasoning():
                parts.append(evolve(part, id=None, extras={}))
            case ToolCall():
                parts.append(evolve(part, arguments=part.arguments or "{}", extras={}))
            case _:
                parts.append(evolve(part, extras={}))
    called = any(isinstance(part, ToolCall) for part in parts)
    finish = "tool_calls" if called and choice.finish == "stop" else choice.finish
    told = (finish, choice.finish_raw, choice.stop_sequence)
    return parts, told, response.usage, response.id, response.model, response.created


@given(events=answers(CAN, finishes=FINISHES, usage=USAGE))
def test_decode_of_encode_folds_the_same(events):
    decoded, _, observed = decode(encode(events))
    assert meant(fold(decoded)) == meant(fold(events))
    assert observed.complete
    assert observed.usage == USAGE


@given(events=answers(CAN, finishes=FINISHES, usage=USAGE))
def test_plain_answer_and_stream_mean_the_same(events):
    response = fold(events)
    body = DIALECT.encode_response(response).body
    streamed = fold(decode(encode(events))[0])
    whole = fold(decode_plain(body))
    assert whole == streamed
    assert meant(whole) == meant(response)
    told = _with_counts({"response": json.loads(body)})["response"]
    assert OfficialResponse.model_validate(told).output_text == "".join(
        part.text for part in response.choices[0].parts if isinstance(part, Text)
    )


@given(events=answers(CAN, finishes=FINISHES, usage=USAGE))
def test_the_last_event_of_a_stream_is_the_plain_answer(events):
    stream = encode(events)
    frames = [json.loads(frame.split("\n")[1][6:]) for frame in stream.decode().split("\n\n")[:-1]]
    assert frames[-1]["response"] == json.loads(DIALECT.encode_response(fold(events)).body)
    assert [frame["sequence_number"] for frame in frames] == list(range(len(frames)))
    for frame in frames:
        OFFICIAL_EVENT.validate_python(_with_counts(frame))


def _with_counts(frame):
    """Give a usage object the details that today's types want of every one."""
    if usage := (frame.get("response") or {}).get("usage"):
        frame["response"]["usage"] = {
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
            **usage,
        }
    return frame


@given(events=answers(CAN, usage=USAGE), cuts=st.lists(st.integers(1, 5000), max_size=10))
def test_any_chunking_gives_the_same_events_and_every_byte(events, cuts):
    stream = encode(events)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(edges)]
    whole = decode(stream)
    assert whole[1] == stream
    assert decode(*chunks) == whole
    assert decode(*(stream[at : at + 7] for at in range(0, len(stream), 7))) == whole


@given(events=answers(CAN, finishes=FINISHES, usage=USAGE), size=st.integers(1, 300))
def test_light_decoder_observes_what_the_full_one_does(events, size):
    stream = encode(events)
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    light_events, light_raw, light = decode(*chunks, full=False)
    full_events, _, full = decode(*chunks)
    assert light == full
    assert light_raw == stream
    assert any(isinstance(event, PartStart) for event in light_events) == full.has_content
    assert [event for event in light_events if isinstance(event, Finish)] == [
        event for event in full_events if isinstance(event, Finish)
    ]


@given(events=answers(CAN, usage=USAGE), at=st.integers(0, 8000), full=st.booleans())
def test_a_cut_stream_is_never_complete(events, at, full):
    stream = encode(events)
    end = stream.rindex(b"event: response.")
    seen, raw, observed = decode(stream[: min(at, end)], full=full)
    assert not observed.complete
    assert observed.error is not None
    assert observed.error.retryable
    assert stream.startswith(raw)
    assert isinstance(seen[-1], Failed)


@given(garbage=st.binary(max_size=200), events=answers(CAN, usage=USAGE), at=st.integers(0, 3000))
def test_garbage_never_raises(garbage, events, at):
    stream = encode(events)
    decode(stream[:at] + garbage + stream[at:])
    decode(stream[:at] + garbage, full=False)
    decode_plain(garbage)
    DIALECT.decode_error(500, {}, garbage)
    open_carrier(carry(Reasoning("x")) + garbage.decode("latin-1"))


reasonings = st.builds(
    Reasoning,
    text=texts(),
    signature=st.none() | texts(1),
    encrypted=st.none() | texts(1),
    origin=st.sampled_from(["anthropic.messages", "openai.chat", NAME]),
    id=st.none() | texts(1),
    extras=json_objects().map(lambda fields: {k: v for k, v in fields.items() if k}),
)


@given(part=reasonings)
def test_a_carrier_brings_reasoning_back_whole(part):
    text = carry(part)
    assert open_carrier(text) == part
    assert holds_carrier(json.dumps({"signature": text}).encode())


@given(part=reasonings, cut=st.integers(0, 60))
def test_a_carrier_that_was_cut_is_nobodys(part, cut):
    text = carry(part)
    found = open_carrier(text[: max(15, len(text) - 1 - cut)])
    assert found in (Reasoning(), part)
