"""What holds for every request and every answer in Google's dialect, alone and beside others."""

from __future__ import annotations

import itertools
import json

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from flo2.canonical import (
    Image,
    Message,
    PartStart,
    Reasoning,
    Start,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
    UsageUpdate,
    fold,
)
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.gemini import Gemini
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.errors import InvalidRequest
from flo2.testing.canonical_strategies import answers, json_objects, requests
from flo2.testing.capabilities import ANTHROPIC_MESSAGES_CAN, GEMINI_CAN, OPENAI_CHAT_CAN
from flo2.testing.hops import same_form, unasked, without
from flo2.testing.traces import golden_traces
from flo2.testing.validators import VALIDATORS

GEMINI, OPENAI, ANTHROPIC = Gemini(), OpenAIChat(), AnthropicMessages()
RESPONSES = OpenAIResponses()
NAME = "gemini"
LEVELS = Profile(adaptive_thinking=True)


def own_part(part):
    match part:
        case Image(url=str()):
            return evolve(part, media_type="image/png")
        case ToolResult():
            return evolve(part, content=tuple(own_part(each) for each in part.content))
        case _:
            return part


@st.composite
def own_requests(draw):
    """Requests that this dialect can write, of what its URL does not say."""
    request = draw(requests(GEMINI_CAN))
    form = request.response_format
    return evolve(
        request,
        model="",
        stream=None,
        messages=tuple(
            evolve(message, content=tuple(own_part(part) for part in message.content))
            for message in request.messages
        ),
        tools=tuple(evolve(tool, strict=None) for tool in request.tools),
        parallel_tool_calls=None,
        response_format=form and evolve(form, name=None, strict=None),
        sampling=evolve(request.sampling, max_output_field=None, stop_as_text=False),
    )


def compact(part):
    """Arguments and what a function gave travel as objects, so their white space does not."""
    match part:
        case ToolCall():
            return evolve(part, arguments=json.dumps(json.loads(part.arguments or "{}")))
        case ToolResult(content=(Text() as only,)):
            try:
                text = json.dumps(json.loads(only.text))
            except ValueError:
                text = only.text
            return evolve(part, content=(Text(text),), plain=False, name=None)
        case ToolResult():
            texts = [each for each in part.content if isinstance(each, Text)]
            media = [each for each in part.content if not isinstance(each, Text)]
            return evolve(part, content=(*texts, *media), plain=False, name=None)
        case _:
            return part


def normal(request):
    """The normal form that `request_parse` documents; bare text has no form of its own."""
    messages = tuple(
        Message(message.role, tuple(compact(part) for part in message.content), message.name)
        for message in request.messages
    )
    return evolve(request, messages=messages)


def render(request, profile=None):
    return GEMINI.render(request, model="m", profile=profile or Profile())


@given(request=own_requests())
def test_parse_of_render_is_identity(request):
    rendered = render(request)
    assert rendered.losses == ()
    assert GEMINI.check(request, Profile()) == ()
    assert normal(GEMINI.parse(rendered.body)) == normal(request)


@given(request=own_requests(), unknown=json_objects())
def test_render_of_parse_is_identity_and_unknown_fields_survive_everywhere(request, unknown):
    body = json.loads(render(request).body)
    unknown = {f"x-{key}": value for key, value in unknown.items() if value is not None}
    places = [body, *body["contents"], *body.get("tools", ())[:0]]
    places += [body[key] for key in ("systemInstruction", "generationConfig") if key in body]
    config = body.get("generationConfig", {})
    places += [config["thinkingConfig"]] if "thinkingConfig" in config else []
    calling = body.get("toolConfig", {})
    places += [calling, calling["functionCallingConfig"]] if calling else []
    for tool in body.get("tools", ()):
        places += tool["functionDeclarations"]
    for content in (body.get("systemInstruction", {"parts": ()}), *body["contents"]):
        for part in content["parts"]:
            places.append(part)
            for key in ("functionCall", "functionResponse", "inlineData", "fileData"):
                places += [part[key]] if key in part else []
    for place in places:
        place.update(unknown)
    rendered = render(GEMINI.parse(json.dumps(body).encode()))
    assert json.loads(rendered.body) == body
    assert rendered.losses == ()


@given(request=own_requests())
def test_peek_agrees_with_parse(request):
    body = render(request).body
    peek, parsed = GEMINI.peek(body), GEMINI.parse(body)
    assert peek.max_output_tokens == parsed.sampling.max_output_tokens
    assert peek.n == (parsed.sampling.n or 1)
    assert GEMINI.splice(body, peek, model="another") is body


def hop(request, target, profile):
    """Write a request for another dialect and read it there."""
    rendered = target.render(request, model=request.model, profile=profile)
    assert target.check(request, profile) == rendered.losses
    # What stands in the URL is not in the body.
    found = target.parse(rendered.body)
    if target is GEMINI:
        found = evolve(found, model=request.model, stream=request.stream)
    expected = same_form(without(request, rendered.losses))
    assert unasked(same_form(found)) == unasked(expected)
    return found, rendered


@given(request=requests(OPENAI_CHAT_CAN))
def test_openai_to_gemini_and_back_is_the_request_minus_the_named_losses(request):
    there, _ = hop(request, GEMINI, LEVELS)
    if there.messages:
        hop(there, OPENAI, Profile())


@given(request=requests(ANTHROPIC_MESSAGES_CAN))
def test_anthropic_to_gemini_and_back_is_the_request_minus_the_named_losses(request):
    there, _ = hop(request, GEMINI, LEVELS)
    if there.messages:
        hop(there, ANTHROPIC, Profile())


@given(request=own_requests(), model=st.sampled_from(["m", "gemini-9"]))
def test_gemini_to_another_and_back_is_the_request_minus_the_named_losses(request, model):
    request = evolve(request, model=model, stream=False)
    for target in (OPENAI, ANTHROPIC, RESPONSES):
        there, _ = hop(request, target, Profile())
        if there.messages:
            hop(there, GEMINI, LEVELS)


# Bad input ----------------------------------------------------------------------------------------

GOLDEN = [trace for trace in golden_traces("gemini") if trace.status == 200]
ODD = (
    st.sampled_from([None, True, -1, 0.5, 10**30, "", "STOP", [], {}, [None], [[1]], {"a": 1}])
    | st.sampled_from([{"text": "x"}, [{"text": ""}], "\ud83d", {"parts": {}}])
    | json_objects()
)


def places(value):
    """Every place of a JSON value, as its holder and its key there."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in list(pairs):
        yield value, key
        if isinstance(each, dict | list):
            yield from places(each)


def spoil(value, at, odd):
    holder, key = list(places(value))[int(at * (sum(1 for _ in places(value)) - 1))]
    holder[key] = odd


@given(trace=st.sampled_from(GOLDEN), at=st.floats(0, 1), odd=ODD)
def test_a_spoilt_request_is_read_or_refused(trace, at, odd):
    request = json.loads(trace.request_body)
    spoil(request, at, odd)
    body = json.dumps(request).encode()
    try:
        GEMINI.peek(body)
        found = GEMINI.parse(body)
        render(found)
    except InvalidRequest as refused:
        assert refused.message  # noqa: PT017  # either way is fine, in words
        return
    assert GEMINI.check(found, Profile()) == ()


@given(trace=st.sampled_from(GOLDEN), at=st.floats(0, 1), odd=ODD)
def test_a_spoilt_answer_is_read_and_shown(trace, at, odd):
    if trace.stream:
        frames = [line[6:] for line in trace.body.splitlines() if line.startswith(b"data: {")]
        chunks = [json.loads(one) for one in frames if one.endswith(b"}")]
        spoil(chunks, at, odd)
        body = b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in chunks)
        decoders = [GEMINI.decoder(full=full, hide_usage=False) for full in (True, False)]
    else:
        answer = json.loads(trace.body)
        spoil(answer, at, odd)
        body = json.dumps(answer).encode()
        decoders = [GEMINI.body_decoder(full=full) for full in (True, False)]
    full, light = ([*one.feed(body).events, *one.close().events] for one in decoders)
    assert decoders[0].observed.complete == decoders[1].observed.complete
    assert decoders[0].observed.complete or decoders[0].observed.error is not None
    assert bool(full) == bool(light)
    encode(GEMINI, full)
    GEMINI.encode_response(fold(full))


# Answers ------------------------------------------------------------------------------------------

USAGE = GEMINI.read_usage(
    {
        "promptTokenCount": 20,
        "cachedContentTokenCount": 4,
        "candidatesTokenCount": 9,
        "thoughtsTokenCount": 3,
        "toolUsePromptTokenCount": 2,
        "totalTokenCount": 34,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
        "serviceTier": "standard",
    }
)
FINISHES = (
    ("stop", "STOP"),
    ("length", "MAX_TOKENS"),
    ("content_filter", "RECITATION"),
    ("other", "LANGUAGE"),
)


@st.composite
def own_answers(draw):
    events = draw(answers(GEMINI_CAN, finishes=FINISHES, usage=USAGE))
    start = events[0]
    assert isinstance(start, Start)
    calls = any(isinstance(getattr(event, "part", None), ToolCall) for event in events)
    if calls:
        events = [
            evolve(event, reason="tool_calls", raw="STOP")
            if getattr(event, "reason", None) == "stop"
            else event
            for event in events
        ]
    return [evolve(start, created=0, origin=NAME), *events[1:]]


def encode(dialect, events):
    encoder = dialect.encoder(include_usage=True)
    return b"".join(encoder.feed(event) for event in events) + encoder.close()


def decode(*chunks, full=True):
    decoder = GEMINI.decoder(full=full, hide_usage=False)
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
    stream = encode(GEMINI, events)
    decoded, _, observed = decode(stream)
    assert meaning(fold(decoded)) == meaning(fold(events))
    assert observed.complete
    assert observed.usage == USAGE
    assert VALIDATORS["gemini"].stream(stream) == []


@given(events=own_answers())
def test_plain_answer_and_stream_mean_the_same(events):
    response = fold(events)
    rendered = GEMINI.encode_response(response)
    decoder = GEMINI.body_decoder(full=True)
    decoder.feed(rendered.body)
    assert meaning(fold(decoder.close().events)) == meaning(response)
    assert rendered.losses == ()


@given(events=own_answers(), cuts=st.lists(st.integers(1, 3000), max_size=10))
def test_any_chunking_gives_the_same_events_and_every_byte(events, cuts):
    stream = encode(GEMINI, events)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(edges)]
    whole = decode(stream)
    assert whole[1] == stream
    assert decode(*chunks) == whole
    assert decode(*(stream[at : at + 1] for at in range(len(stream)))) == whole


@given(events=own_answers(), size=st.integers(1, 400))
def test_light_decoder_observes_what_the_full_one_does(events, size):
    stream = encode(GEMINI, events)
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    _, light_raw, light = decode(*chunks, full=False)
    assert light == decode(stream)[2]
    assert light_raw == stream


@given(events=own_answers(), at=st.floats(0, 1))
def test_a_stream_that_is_cut_anywhere_fails_and_never_raises(events, at):
    stream = encode(GEMINI, events)
    end = stream.rindex(b"data: ")
    _, raw, observed = decode(stream[: int(at * end)])
    assert observed.error is not None
    assert observed.error.retryable
    assert stream.startswith(raw)
    assert decode(stream[: int(at * end)], full=False)[2].complete is False


@given(events=own_answers(), data=st.binary(max_size=60), at=st.floats(0, 1))
def test_garbage_never_raises(events, data, at):
    stream = encode(GEMINI, events)
    place = int(at * len(stream))
    for full in (True, False):
        _, _, observed = decode(stream[:place] + data + stream[place:], full=full)
        assert observed.complete or observed.error is not None


_count = (
    st.none()
    | st.integers(-2, 30)
    | st.text(max_size=2)
    | st.booleans()
    | st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "modality": st.sampled_from(["TEXT", "IMAGE", "AUDIO", "VIDEO", "DOCUMENT", "X"]),
                "tokenCount": st.integers(-1, 9),
            },
        ),
        max_size=3,
    )
)
_usages = st.dictionaries(
    st.sampled_from(
        [
            "promptTokenCount",
            "cachedContentTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
            "toolUsePromptTokenCount",
            "totalTokenCount",
            "promptTokensDetails",
            "cacheTokensDetails",
            "candidatesTokensDetails",
            "toolUsePromptTokensDetails",
            "serviceTier",
            "newTokenCount",
        ]
    ),
    _count,
)


@given(raw=_usages)
def test_reading_usage_never_raises_and_sound_meters_are_the_total(raw):
    usage = GEMINI.read_usage(raw)
    assert all(count > 0 for count in usage.quantities.values())
    if usage.problem is None:
        keys = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
        told = sum(raw.get(key) or 0 for key in (*keys, "toolUsePromptTokenCount"))
        assert usage.input_total + usage.output_total == told


QUANTITIES = {"input_tokens": 9, "cache_read_tokens": 4, "output_tokens": 12}
FOREIGN = Usage(QUANTITIES, {"reasoning_tokens": 3}, dialect="x")


def told(response):
    """What a client acts on, whatever the dialect."""
    (choice,) = response.choices
    parts = []
    for part in choice.parts:
        match part:
            case Reasoning() if part.text:
                parts.append(("reasoning", part.text))
            case ToolCall():
                parts.append((part.id, part.name, json.loads(part.arguments or "{}")))
            case Text() if part.text:
                parts.append(("text", part.text))
    usage = response.usage
    counts = (usage.input_total, usage.output_total, usage.total(("cache_read_tokens",)))
    return response.id, response.model, parts, choice.finish, counts, usage.informational


@st.composite
def foreign_answers(draw, can, words):
    events = draw(answers(can, finishes=(("stop", words[0]), ("length", words[1])), usage=FOREIGN))
    calls = any(isinstance(getattr(event, "part", None), ToolCall) for event in events)
    if calls:
        events = [
            evolve(event, reason="tool_calls", raw=words[2]) if hasattr(event, "reason") else event
            for event in events
        ]
    start = events[0]
    assert isinstance(start, Start)
    return [evolve(start, origin=can.origin, created=0), *events[1:]]


@pytest.mark.parametrize(
    ("can", "words"),
    [
        (OPENAI_CHAT_CAN, ("stop", "length", "tool_calls")),
        (ANTHROPIC_MESSAGES_CAN, ("end_turn", "max_tokens", "tool_use")),
    ],
    ids=["openai", "anthropic"],
)
@given(data=st.data())
def test_a_foreign_answer_means_the_same_to_a_gemini_client(can, words, data):
    events = data.draw(foreign_answers(can, words))
    stream = encode(GEMINI, events)
    decoded, _, observed = decode(stream)
    assert observed.complete
    assert told(fold(decoded)) == told(fold(events))
    assert VALIDATORS["gemini"].stream(stream) == []
    plain = GEMINI.encode_response(fold(events))
    decoder = GEMINI.body_decoder(full=True)
    decoder.feed(plain.body)
    assert told(fold(decoder.close().events)) == told(fold(events))
    assert plain.losses == ()


@given(events=own_answers())
def test_a_gemini_answer_means_the_same_to_foreign_clients(events):
    told_by = [event for event in events if not isinstance(event, UsageUpdate)]
    answer = fold([*told_by, UsageUpdate(FOREIGN)])
    for dialect in (OPENAI, ANTHROPIC):
        decoder = dialect.body_decoder(full=True)
        decoder.feed(dialect.encode_response(answer).body)
        there = fold(decoder.close().events)
        assert told(there)[2] == told(answer)[2]


@given(thought=st.text(min_size=1), sealed=st.text(min_size=1).map("seal-".__add__))
def test_reasoning_of_another_vendor_comes_back_through_a_gemini_client(thought, sealed):
    reasoning = Reasoning(thought, sealed, origin="anthropic.messages")
    whole = [Start("i", "m", origin="anthropic.messages"), PartStart(0, reasoning)]
    for body in (
        encode(GEMINI, [*whole, PartStart(1, Text("x"))]),
        b"data: " + GEMINI.encode_response(fold(whole)).body,
    ):
        chunks = [json.loads(line[6:]) for line in body.splitlines() if line]
        parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
        sent = json.dumps({"contents": [{"role": "model", "parts": parts}]}).encode()
        assert GEMINI.peek(sent).needs_render
        assert GEMINI.parse(sent).messages[0].content[0] == reasoning
        assert b"seal-" not in render(GEMINI.parse(sent)).body


def test_tools_are_never_lost() -> None:
    tool = Tool("f", parameters={"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}})
    request = evolve(GEMINI.parse(b'{"contents":[{"parts":[{"text":"x"}]}]}'), origin="x")
    body = json.loads(render(evolve(request, tools=(tool,))).body)
    declared = {"name": "f", "parametersJsonSchema": tool.parameters}
    assert body["tools"] == [{"functionDeclarations": [declared]}]
