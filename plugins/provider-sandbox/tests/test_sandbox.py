"""What the simulated model answers."""

from __future__ import annotations

import json

import anyio
import pytest
from attrs import evolve

from flo2 import (
    Call,
    Credential,
    Failed,
    Finish,
    Image,
    Inbound,
    Message,
    ModelInfo,
    PartDelta,
    Peek,
    ProviderError,
    Request,
    ResponseFormat,
    Sampling,
    Services,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Wire,
    WireTimeout,
    fold,
)
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.openai_chat import OpenAIChat
from flo2_provider_sandbox import Sandbox
from flo2_provider_sandbox.model import count_tokens

ASK = Request("sandbox-small", (Message("user", (Text("What is flo2?"),)),))
TOLD = "This is sandbox-small, a simulated model of the flo2 sandbox: no provider was called."
ANSWER = f"{TOLD} You said: What is flo2?"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER, OTHER = Tool("get_weather", "Weather", SCHEMA), Tool("other")


def make():
    return Sandbox(Sandbox.Config(first_word_s=0, word_s=0), Services(wire=Wire()))


def answer(request, *, model="sandbox-small", stream=False):
    """Give the folded response, its events and what was observed."""
    found = []

    async def test():
        peek = Peek(model, stream=stream)
        inbound = Inbound(OpenAIChat(), b"", peek, request=request)
        call = Call(inbound, OpenAIChat(), model, Credential(None), entry_id="x.1")
        async with make().chat(call) as reply:
            assert dict(reply.headers) == {"x-flo2-simulated": "true"}
            events = [event async for chunk in reply.chunks() for event in chunk.events]
            found.append((fold(events), events, reply.observed))

    anyio.run(test)
    return found[0]


def said(request, **facts):
    """Give the parts and the finish of the first choice."""
    choice = answer(request, **facts)[0].choices[0]
    return choice.parts, choice.finish


def user(text, **fields):
    return evolve(ASK, messages=(Message("user", (Text(text),)),), **fields)


@pytest.mark.parametrize("stream", [False, True])
def test_it_says_what_it_is_and_repeats_the_question(stream):
    response, _, observed = answer(ASK, stream=stream)
    assert response.choices[0].parts == (Text(ANSWER),)
    assert (response.id, response.model) == ("sandbox-x.1", "sandbox-small")
    assert response.usage is not None
    assert response.usage.quantities == {
        "input_tokens": count_tokens("What is flo2?"),
        "output_tokens": count_tokens(ANSWER),
    }
    assert (observed.complete, observed.finish) == (True, "stop")
    assert evolve(response, created=0) == evolve(answer(ASK)[0], created=0)


def test_it_streams_word_by_word():
    _, events, _ = answer(ASK, stream=True)
    words = [event.text for event in events if isinstance(event, PartDelta)]
    assert words[:3] == ["This ", "is ", "sandbox-small, "]
    assert "".join(words) == ANSWER


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("🌍" * 4, 1)]
)
def test_a_token_is_four_characters(text, tokens):
    assert count_tokens(text) == tokens


def test_everything_in_the_prompt_counts():
    request = evolve(
        ASK,
        messages=(
            Message("system", (Text("abcd"),)),
            Message("user", (Text("abcdefgh"), Image(url="https://example.com/a.png"))),
            Message("assistant", (ToolCall("1", "f", '{"a":1}'),)),
            Message("tool", (ToolResult("1", (Text("abcd"),)),)),
        ),
        tools=(Tool("four"),),
    )
    usage = answer(request)[0].usage
    assert usage is not None
    assert usage.quantities["input_tokens"] == 1 + 2 + 85 + 2 + 1 + count_tokens("fournull")


def test_the_bound_on_the_answer_holds():
    response, _, observed = answer(evolve(ASK, sampling=Sampling(max_output_tokens=3)))
    assert response.choices[0].parts == (Text(TOLD[:12]),)
    assert response.choices[0].finish == "length"
    assert observed.usage.quantities["output_tokens"] == 3


def test_the_first_stop_sequence_ends_it():
    request = evolve(ASK, sampling=Sampling(stop=("sandbox:", "simulated", "zebra")))
    choice = answer(request)[0].choices[0]
    assert choice.parts == (Text("This is sandbox-small, a "),)
    assert (choice.finish, choice.stop_sequence) == ("stop_sequence", "simulated")


def test_several_answers():
    response, _, observed = answer(evolve(ASK, sampling=Sampling(n=3)), stream=True)
    assert [choice.parts for choice in response.choices] == [(Text(ANSWER),)] * 3
    assert observed.usage.quantities["output_tokens"] == 3 * count_tokens(ANSWER)


@pytest.mark.parametrize(
    ("asked", "called"),
    [
        (user("please call get_weather", tools=(OTHER, WEATHER)), "get_weather"),
        (user("hi", tools=(OTHER, WEATHER)), None),
        (user("hi", tools=(OTHER, WEATHER), tool_choice=ToolChoice("required")), "other"),
        (
            user("hi", tools=(OTHER, WEATHER), tool_choice=ToolChoice("tool", "get_weather")),
            "get_weather",
        ),
        (user("call other", tools=(OTHER,), tool_choice=ToolChoice("none")), None),
        (user("call get_weather"), None),
    ],
)
def test_when_it_calls_a_tool(asked, called):
    (part,), finish = said(asked)
    assert (part.name if isinstance(part, ToolCall) else None) == called
    assert finish == ("tool_calls" if called else "stop")


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_has_arguments_that_fit(stream):
    (part,), finish = said(user("call get_weather", tools=(WEATHER,)), stream=stream)
    assert isinstance(part, ToolCall)
    assert (part.name, json.loads(part.arguments), finish) == (
        "get_weather",
        {"city": "call get_weather"},
        "tool_calls",
    )


def test_a_tool_s_result_ends_the_turn():
    request = evolve(
        ASK,
        messages=(
            Message("user", (Text("call get_weather"),)),
            Message("assistant", (ToolCall("1", "get_weather", "{}"),)),
            Message("tool", (ToolResult("1", (Text("sunny"),)),)),
        ),
        tools=(WEATHER,),
    )
    assert said(request) == ((Text(f"{TOLD} The tool answered: sunny"),), "stop")


def test_json_is_json():
    (part,), _ = said(evolve(ASK, response_format=ResponseFormat("json_object")))
    assert json.loads(part.text) == {"simulated": True, "you_said": "What is flo2?"}
    form = ResponseFormat("json_schema", name="x", schema=SCHEMA)
    (part,), _ = said(evolve(ASK, response_format=form))
    assert json.loads(part.text) == {"city": "What is flo2?"}


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": ResponseFormat("json_schema", schema={"type": "nothing"})},
        {"tool_choice": ToolChoice("tool", "absent"), "tools": (OTHER,)},
    ],
)
def test_what_cannot_be_is_refused(fields):
    with pytest.raises(ProviderError) as caught:
        answer(evolve(ASK, **fields))
    assert (caught.value.status, caught.value.kind) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("model", "status", "kind", "retryable", "retry_after_s"),
    [
        ("sandbox-error-400", 400, "invalid_request", False, None),
        ("sandbox-error-401", 401, "authentication", False, None),
        ("sandbox-error-429", 429, "rate_limit", True, 1.0),
        ("sandbox-error-529", 529, "overloaded", True, None),
        ("sandbox-error-200", 404, "not_found", False, None),
        ("sandbox-huge", 404, "not_found", False, None),
    ],
)
def test_names_that_fail(model, status, kind, retryable, retry_after_s):
    with pytest.raises(ProviderError) as caught:
        answer(ASK, model=model)
    error = caught.value
    assert (error.status, error.kind, error.retryable) == (status, kind, retryable)
    assert (error.retry_after_s, error.provider) == (retry_after_s, "sandbox")
    assert model in str(error)


def test_a_name_that_times_out():
    with pytest.raises(WireTimeout) as caught:
        answer(ASK, model="sandbox-error-timeout")
    assert (caught.value.phase, caught.value.sent) == ("first_byte", True)


@pytest.mark.parametrize("stream", [False, True])
def test_a_name_that_breaks_off(stream):
    response, events, observed = answer(ASK, model="sandbox-error-stream", stream=stream)
    assert response.choices[0].parts == (Text("This is sandbox-error-stream, "),)
    assert isinstance(events[-1], Failed)
    assert response.error is observed.error
    assert (observed.complete, observed.error.retryable) == (False, True)
    assert observed.usage.quantities == {"input_tokens": 4}


def test_finish_comes_once_a_choice():
    _, events, _ = answer(ASK, stream=True)
    assert [event for event in events if isinstance(event, Finish)] == [Finish("stop", "stop")]


def test_its_answers_can_be_told_in_every_public_dialect():
    response = answer(user("call get_weather", tools=(WEATHER,)))[0]
    for dialect in (OpenAIChat(), AnthropicMessages()):
        rendered = dialect.encode_response(response)
        assert b"get_weather" in rendered.body


def test_models_and_names():
    found = []

    async def test():
        found.extend(await make().models(Credential(None)))

    anyio.run(test)
    assert found == [
        ModelInfo("sandbox-small", "sandbox", 0, "sandbox-small (simulated)", "flo2"),
        ModelInfo("sandbox-large", "sandbox", 0, "sandbox-large (simulated)", "flo2"),
    ]
    names = ("sandbox-small", "sandbox-error-429", "sandbox", "gpt-4o")
    assert [make().knows(name) for name in names] == [True, True, False, False]


def test_it_says_that_it_is_simulated():
    facts = make().facts
    assert (facts.simulated, facts.needs_key, facts.dialects) == (True, False, ())


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="word_s"):
        Sandbox.Config(word_s=-1)
