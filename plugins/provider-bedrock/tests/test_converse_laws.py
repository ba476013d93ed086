"""What holds for every request and every answer in Converse, alone and beside other dialects."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from flo2 import Failed, PartStart, Profile, ProviderError, Reasoning, Text, ToolCall, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing.canonical_strategies import Capabilities, answers, json_objects, requests
from flo2.testing.capabilities import ANTHROPIC_MESSAGES_CAN, OPENAI_CHAT_CAN
from flo2.testing.event_strategies import wild_events
from flo2.testing.hops import same_form, without
from flo2_provider_bedrock.converse import BedrockConverse
from flo2_provider_bedrock.eventstream import EventStreamParser

CONVERSE = BedrockConverse()
NAME = CONVERSE.name
OPENAI_CAN = evolve(OPENAI_CHAT_CAN, sampling=frozenset(["stop", "temperature", "top_p"]))
OWN = Capabilities(
    NAME,
    files=True,
    reasoning=True,
    signatures=True,
    result_images=True,
    result_errors=True,
    cache_hints=True,
    response_formats=("json_schema",),
    efforts=("low", "high"),
    end_user=False,
)
MODELS = st.sampled_from(
    ["amazon.nova-2-lite-v1:0", "us.anthropic.claude-sonnet-4-6", "meta.llama3-8b", "qwen.qwen3"]
)
PROFILES = st.sampled_from([Profile(), Profile(system_turns=False, adaptive_thinking=True)])
KINDS = {
    "audio", "cachePoint", "citationsContent", "document", "image", "reasoningContent", "text",
    "toolResult", "toolUse",
}  # fmt: skip


def blocks_of(body):
    """Give every block of a request, of the results inside it too."""
    for turn in [{"content": body.get("system", [])}, *body["messages"]]:
        for block in turn["content"]:
            yield block
            yield from block.get("toolResult", {}).get("content", ())


def assert_well_formed(body):
    """Hold a request to what the API says of one, whoever wrote it."""
    roles = [turn["role"] for turn in body["messages"]]
    assert all(a != b for a, b in pairwise(roles))
    assert all(turn["content"] for turn in body["messages"])
    names = []
    for block in blocks_of(body):
        ((kind, value),) = block.items()
        assert kind in KINDS
        if kind == "text":
            assert value
        if kind in {"toolUse", "toolResult"}:
            assert re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", value["toolUseId"])
        if kind == "toolUse":
            assert isinstance(value["input"], dict)
        if kind == "toolResult":
            assert value["content"]
        if kind == "document":
            names.append(value["name"])
            assert re.fullmatch(r"[a-zA-Z0-9\-()\[\]]+( [a-zA-Z0-9\-()\[\]]+)*", value["name"])
    assert len(names) == len(set(names))
    config = body.get("toolConfig")
    assert config is None or config["tools"]


@pytest.mark.parametrize("can", [OPENAI_CAN, ANTHROPIC_MESSAGES_CAN], ids=lambda can: can.origin)
def test_whatever_a_client_asks_is_well_formed_or_refused(can):
    @given(request=requests(can), model=MODELS, profile=PROFILES)
    def law(request, model, profile):
        rendered = CONVERSE.render(request, model=model, profile=profile)
        body = json.loads(rendered.body)
        if not any(loss.severity == "refuse" for loss in rendered.losses):
            assert_well_formed(body)
            again = CONVERSE.render(CONVERSE.parse(rendered.body), model=model, profile=profile)
            assert (json.loads(again.body), again.losses) == (body, ())

    law()


def told(request):
    """Give what a request says, in order: who, and the words, names and arguments."""
    said = []
    for message in request.messages:
        role = {"developer": "system", "tool": "user"}.get(message.role, message.role)
        for part in message.content:
            if isinstance(part, Text) and part.text:
                said.append((role, part.text))
            elif isinstance(part, ToolCall):
                said.append((role, part.name, json.loads(part.arguments or "{}")))
    return said


@pytest.mark.parametrize("can", [OPENAI_CAN, ANTHROPIC_MESSAGES_CAN], ids=lambda can: can.origin)
def test_what_is_said_arrives_minus_the_named_losses(can):
    @given(request=requests(can))
    def law(request):
        rendered = CONVERSE.render(request, model="m", profile=Profile())
        whole = all(loss.severity != "refuse" for loss in rendered.losses)
        lost = [loss for loss in rendered.losses if loss.path.startswith("messages[")]
        expected = told(same_form(without(request, lost)))
        if whole:
            assert told(CONVERSE.parse(rendered.body)) == expected

    law()


@st.composite
def own_requests(draw):
    """Requests that this dialect can write, of what its URL does not say."""
    request = draw(requests(OWN))
    form = request.response_format
    return evolve(
        request,
        model="",
        stream=None,
        parallel_tool_calls=None,
        response_format=form and evolve(form, strict=None),
        sampling=evolve(request.sampling, max_output_field=None, stop_as_text=False),
    )


@given(request=own_requests(), unknown=json_objects())
def test_render_of_parse_is_identity_and_unknown_fields_survive(request, unknown):
    body = json.loads(CONVERSE.render(request, model="m", profile=Profile()).body)
    unknown = {f"x-{key}": value for key, value in unknown.items() if value is not None}
    named = ("inferenceConfig", "toolConfig", "outputConfig")
    places = [body, *body["messages"], *(body[key] for key in named if key in body)]
    for block in list(blocks_of(body)):
        places += [block, *(value for value in block.values() if isinstance(value, dict))]
    tools = body.get("toolConfig", {}).get("tools", ())
    places += [tool["toolSpec"] for tool in tools if "toolSpec" in tool]
    for place in places:
        place.update(unknown)
    parsed = CONVERSE.parse(json.dumps(body).encode())
    rendered = CONVERSE.render(parsed, model="m", profile=Profile())
    assert json.loads(rendered.body) == body
    assert rendered.losses == ()


def read(body):
    decoder = CONVERSE.decoder(full=True, hide_usage=False)
    events = [*decoder.feed(body).events, *decoder.close().events]
    return decoder.observed, events


def encode(dialect, events):
    encoder = dialect.encoder(include_usage=True)
    return b"".join(encoder.feed(event) for event in events) + encoder.close()


@given(events=answers(Capabilities(NAME, reasoning=True, signatures=True)))
def test_an_answer_comes_through_its_own_stream(events):
    events = list(events)
    observed, again = read(encode(CONVERSE, events))
    assert observed.error is None
    meant, found = (
        [
            (type(part), part.text, getattr(part, "signature", None))
            if isinstance(part, Text | Reasoning)
            else (part.id, part.name, json.loads(part.arguments or "{}"))
            for part in fold(each).choices[0].parts
            if not isinstance(part, Text) or part.text
        ]
        for each in (events, again)
    )
    assert found == meant


@given(events=wild_events([NAME, "openai.chat", "anthropic.messages"], choices=2))
def test_whatever_it_is_fed_the_encoder_writes_a_stream_that_can_be_read(events):
    observed, again = read(encode(CONVERSE, events))
    assert observed.complete
    assert observed.usage.problem is None
    indices = [event.index for event in again if isinstance(event, PartStart)]
    assert indices == sorted(set(indices))
    assert_in_order(encode(CONVERSE, events))


def assert_in_order(body):
    """Hold a stream to the API's grammar: what is said of a block is said before its one end."""
    messages, _ = EventStreamParser().feed(body)
    kinds = [message.headers[":event-type"] for message in messages]
    assert kinds[0] == "messageStart"
    assert kinds[-2:] == ["messageStop", "metadata"]
    begun, ended = set(), set()
    for message in messages[1:-2]:
        index = json.loads(message.payload)["contentBlockIndex"]
        begun.add(index)
        assert index not in ended
        if message.headers[":event-type"] == "contentBlockStop":
            ended.add(index)
    assert ended == begun


@given(events=wild_events([NAME, "openai.chat"], fails=True))
def test_a_failure_ends_the_stream_as_one(events):
    observed, again = read(encode(CONVERSE, events))
    assert not observed.complete
    assert isinstance(again[-1], Failed)
    assert observed.error.kind == "overloaded"


@pytest.mark.parametrize("dialect", [OpenAIChat(), AnthropicMessages()], ids=lambda d: d.name)
def test_errors_of_any_kind_have_a_name_here(dialect):
    for status in (400, 401, 403, 404, 413, 429, 500, 503, 529):
        error = dialect.decode_error(status, {}, b"{}")
        written = CONVERSE.encode_error(error)
        again = CONVERSE.decode_error(written.status, written.headers, written.body)
        assert isinstance(again, ProviderError)
        assert (again.status, again.message) == (status, error.message)
        assert again.retryable == error.retryable
