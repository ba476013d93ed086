from __future__ import annotations

import itertools
import json

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from flo2.canonical import (
    Message,
    Reasoning,
    Sampling,
    Start,
    Text,
    ToolCall,
    ToolChoice,
    fold,
)
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.testing.canonical_strategies import answers, json_objects, requests, texts
from flo2.testing.capabilities import ANTHROPIC_MESSAGES_CAN

DIALECT = AnthropicMessages()
NAME = "anthropic.messages"
CAN = evolve(ANTHROPIC_MESSAGES_CAN, efforts=("low", "medium", "high", "xhigh", "max"))
USAGE = DIALECT.read_usage(
    {
        "input_tokens": 9,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 4,
        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
        "output_tokens": 12,
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
        "service_tier": "standard",
    }
)
FINISHES = (
    ("stop", "end_turn"),
    ("length", "max_tokens"),
    ("tool_calls", "tool_use"),
    ("pause", "pause_turn"),
    ("refusal", "refusal"),
    ("context_window", "model_context_window_exceeded"),
    ("other", "brand_new"),
)


def compact(part):
    """Arguments travel as an object here, so their white space does not."""
    if isinstance(part, ToolCall):
        return evolve(part, arguments=json.dumps(json.loads(part.arguments or "{}")))
    return part


def normal(request):
    """The normal form that `request_parse` documents."""
    messages: list[Message] = []
    for message in request.messages:
        content = tuple(compact(part) for part in message.content)
        plain = message.plain and len(content) == 1 and isinstance(content[0], Text)
        if message.role == "tool" and messages and messages[-1].role == "tool":
            messages[-1] = evolve(messages[-1], content=messages[-1].content + content)
        else:
            messages.append(evolve(message, content=content, plain=plain))
    choice, parallel = request.tool_choice, request.parallel_tool_calls
    if choice is None and parallel is False:
        choice = ToolChoice("auto")
    elif choice is None or choice.mode == "none":
        parallel = None
    return evolve(
        request, messages=tuple(messages), tool_choice=choice, parallel_tool_calls=parallel
    )


@st.composite
def bounded_requests(draw):
    request = draw(requests(CAN))
    sampling = evolve(
        request.sampling, max_output_tokens=draw(st.integers(0, 9999)), max_output_field=None
    )
    return evolve(request, sampling=sampling)


def render(request):
    return DIALECT.render(request, model=request.model, profile=Profile())


@given(request=bounded_requests())
def test_parse_of_render_is_identity(request):
    rendered = render(request)
    assert rendered.losses == ()
    assert DIALECT.check(request, Profile()) == ()
    assert normal(DIALECT.parse(rendered.body)) == normal(request)


@given(request=bounded_requests(), unknown=json_objects())
def test_render_of_parse_is_identity_and_unknown_fields_survive_everywhere(request, unknown):
    body = json.loads(render(request).body)
    unknown = {f"x-{key}": value for key, value in unknown.items()}
    body |= unknown
    blocks = [block for block in body.get("system", ()) if isinstance(block, dict)]
    for message in body["messages"]:
        message.update(unknown)
        if isinstance(message["content"], list):
            blocks += message["content"]
    for block in blocks:
        block.update(unknown)
        if "source" in block:
            block["source"].update(unknown)
        if "cache_control" in block:
            block["cache_control"].update(unknown)
        if isinstance(block.get("content"), list):
            blocks += block["content"]
    for tool in body.get("tools", ()):
        tool.update(unknown)
    for key in ("tool_choice", "thinking", "output_config", "metadata"):
        if key in body:
            body[key].update(unknown)
    rendered = render(DIALECT.parse(json.dumps(body).encode()))
    assert json.loads(rendered.body) == body
    assert rendered.losses == ()


@given(request=bounded_requests())
def test_peek_agrees_with_parse(request):
    body = render(request).body
    peek, parsed = DIALECT.peek(body), DIALECT.parse(body)
    assert peek.model == parsed.model
    assert peek.stream == bool(parsed.stream)
    assert peek.max_output_tokens == parsed.sampling.max_output_tokens
    assert peek.end_user == parsed.end_user


@given(request=bounded_requests(), model=texts(1))
def test_splice_changes_the_model_only(request, model):
    raw = render(request).body
    spliced = DIALECT.splice(raw, DIALECT.peek(raw), model=model)
    assert json.loads(spliced) == {**json.loads(raw), "model": model}


@given(request=bounded_requests())
def test_losses_of_a_foreign_request_are_the_same_in_check_and_render(request):
    foreign = evolve(request, origin="other.dialect", sampling=Sampling(n=2, seed=1))
    losses = render(foreign).losses
    assert DIALECT.check(foreign, Profile()) == losses
    assert {"n", "seed", "max_tokens"} <= {loss.path for loss in losses}


@st.composite
def own_answers(draw):
    events = draw(answers(CAN, finishes=FINISHES, usage=USAGE))
    start = events[0]
    assert isinstance(start, Start)
    return [evolve(start, created=0, origin=NAME), *events[1:]]


def encode(events):
    encoder = DIALECT.encoder(include_usage=True)
    return b"".join(encoder.feed(event) for event in events) + encoder.close()


def decode(*chunks, full=True):
    decoder = DIALECT.decoder(full=full, hide_usage=False)
    out = [*(decoder.feed(chunk) for chunk in chunks), decoder.close()]
    events = [event for chunk in out for event in chunk.events]
    return events, b"".join(chunk.raw for chunk in out), decoder.observed


def meaning(response):
    choices = tuple(
        evolve(choice, parts=tuple(compact(part) for part in choice.parts))
        for choice in response.choices
    )
    return evolve(response, choices=choices)


@given(events=own_answers())
def test_decode_of_encode_folds_the_same(events):
    decoded, _, observed = decode(encode(events))
    assert meaning(fold(decoded)) == meaning(fold(events))
    assert observed.complete
    assert observed.usage == USAGE


@given(events=own_answers())
def test_plain_answer_and_stream_mean_the_same(events):
    response = fold(events)
    rendered = DIALECT.encode_response(response)
    decoder = DIALECT.body_decoder(full=True)
    decoder.feed(rendered.body)
    assert meaning(fold(decoder.close().events)) == meaning(response)
    assert rendered.losses == ()


@given(events=own_answers(), cuts=st.lists(st.integers(1, 3000), max_size=10))
def test_any_chunking_gives_the_same_events_and_every_byte(events, cuts):
    stream = encode(events)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(edges)]
    whole = decode(stream)
    assert whole[1] == stream
    assert decode(*chunks) == whole
    assert decode(*(stream[at : at + 1] for at in range(len(stream)))) == whole


@given(events=own_answers(), size=st.integers(1, 400))
def test_light_decoder_observes_what_the_full_one_does(events, size):
    stream = encode(events)
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    _, light_raw, light = decode(*chunks, full=False)
    assert light == decode(stream)[2]
    assert light_raw == stream


@given(events=own_answers(), at=st.floats(0, 1))
def test_a_stream_that_is_cut_anywhere_fails_and_never_raises(events, at):
    stream = encode(events)
    end = stream.index(b"event: message_stop")
    _, raw, observed = decode(stream[: int(at * end)])
    assert observed.error is not None
    assert observed.error.retryable
    assert stream.startswith(raw)
    assert decode(stream[: int(at * end)], full=False)[2].complete is False


@given(events=own_answers(), data=st.binary(max_size=60), at=st.floats(0, 1))
def test_garbage_never_raises(events, data, at):
    stream = encode(events)
    place = int(at * len(stream))
    for full in (True, False):
        _, _, observed = decode(stream[:place] + data + stream[place:], full=full)
        assert observed.complete or observed.error is not None


@given(
    raw=st.dictionaries(
        st.sampled_from([*USAGE.raw, "iterations", "x_tokens"]),
        st.none()
        | st.integers(-2, 9)
        | st.text(max_size=2)
        | st.booleans()
        | st.lists(st.integers())
        | st.dictionaries(st.text(max_size=2), st.integers()),
    )
)
def test_reading_usage_never_raises_and_never_gives_a_negative_count(raw):
    usage = DIALECT.read_usage(raw)
    assert all(count > 0 for count in usage.quantities.values())


@given(value=json_objects(), extra=json_objects())
def test_reasoning_of_another_provider_never_reaches_anthropic(value, extra):
    thought = Reasoning("secret thought", json.dumps(value), origin="other", extras=extra)
    message = Message("assistant", (thought, Text("x")))
    request = evolve(
        DIALECT.parse(b'{"model":"m","messages":[],"max_tokens":1}'), messages=(message,)
    )
    rendered = render(request)
    assert b"secret thought" not in rendered.body
    assert [loss.path for loss in rendered.losses] == ["messages[0].content[0]"]
