"""Google's official SDK as a client of other providers, and of what stands beside the calls."""

from __future__ import annotations

import json

import pytest
from attrs import evolve
from google.genai import errors, types
from pydantic import BaseModel

from flo2.testing.traces import golden_traces

pytestmark = pytest.mark.anyio

GOLDEN = {trace.name: trace for trace in golden_traces("gemini")}
CHAT = {trace.name: trace for trace in golden_traces("openai_chat")}
ANTHROPIC = {trace.name: trace for trace in golden_traces("anthropic_messages")}
MODEL = "gemini-2.5-flash"


@pytest.fixture(scope="module")
async def sdk(genai, wide_stage):
    return genai(wide_stage.url, wide_stage.key)


@pytest.fixture(scope="module")
async def direct(genai, wide_stage):
    """Speaks to the upstream itself, so that its reading of an answer is the measure."""
    return genai(wide_stage.upstream_url, "none", api_version="v1beta")


@pytest.fixture(autouse=True)
def nothing_left_over(wide_stage):
    yield
    wide_stage.upstream.forget()


# On other providers -------------------------------------------------------------------------------

ELSEWHERE = {
    "openai": "openai/gpt-4o-mini",
    "anthropic": "anthropic/claude-haiku-4-5",
    "mistral": "mistral/mistral-small-latest",
}


def play(stage, provider, *, stream):
    if provider == "anthropic":
        stage.play(ANTHROPIC["no_blank_line_at_the_end" if stream else "plain_with_everything"])
    elif provider == "mistral":
        stage.play(CHAT["stream" if stream else "plain_text"])
    else:
        responses = {trace.name: trace for trace in golden_traces("openai_responses")}
        stage.play(responses["stream" if stream else "plain_text"])


@pytest.mark.parametrize("version", ["v1beta", "v1"])
@pytest.mark.parametrize("provider", ELSEWHERE)
async def test_an_answer_of_another_provider(provider, version, wide_stage, genai, count_replay):
    count_replay("sdk replays")
    sdk = genai(wide_stage.url, wide_stage.key, api_version=version)
    play(wide_stage, provider, stream=False)
    answer = await sdk.models.generate_content(
        model=ELSEWHERE[provider],
        contents="Hello",
        config=types.GenerateContentConfig(
            system_instruction="Be brief.", max_output_tokens=64, temperature=0.5
        ),
    )
    assert sdk.sent.url.path == f"/{version}/models/{ELSEWHERE[provider]}:generateContent"
    assert answer.text
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    usage = answer.usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count + (
        usage.thoughts_token_count or 0
    )
    arrived = wide_stage.arrived()[-1]
    assert arrived.json()["model"] == ELSEWHERE[provider].partition("/")[2]
    assert "Be brief." in arrived.body.decode()
    call = await wide_stage.call(sdk.request_id)
    priced = provider != "mistral"  # its prices come with `flo2-pricing-list`
    assert [entry.status for entry in call.entries] == ["settled" if priced else "unpriced"]


@pytest.mark.parametrize("provider", ELSEWHERE)
async def test_a_stream_of_another_provider(provider, wide_stage, sdk, count_replay):
    count_replay("sdk replays")
    play(wide_stage, provider, stream=True)
    chunks = [
        chunk
        async for chunk in await sdk.models.generate_content_stream(
            model=ELSEWHERE[provider], contents="Hello"
        )
    ]
    assert "".join(chunk.text or "" for chunk in chunks)
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.total_token_count > 0


CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
        }
    ],
}


def calling():
    body = json.loads(CHAT["plain_text"].body)
    body["choices"] = [{"index": 0, "message": CALLED, "finish_reason": "tool_calls"}]
    return body


async def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"{city}: sun"


async def test_a_python_function_is_called_by_another_provider_s_model(wide_stage, sdk):
    before = len(wide_stage.arrived())
    wide_stage.upstream.reply(json=calling())
    wide_stage.play(CHAT["plain_text"])
    answer = await sdk.models.generate_content(
        model=ELSEWHERE["mistral"],
        contents="Weather in Oslo?",
        config=types.GenerateContentConfig(tools=[get_weather]),
    )
    first, second = wide_stage.arrived(before)
    (tool,) = first.json()["tools"]
    assert tool["function"]["name"] == "get_weather"
    assert tool["function"]["parameters"]["properties"]["city"]["type"] == "string"
    user, called, result = second.json()["messages"]
    assert user == {"role": "user", "content": "Weather in Oslo?"}
    assert json.loads(called["tool_calls"][0]["function"]["arguments"]) == {"city": "Oslo"}
    assert result["tool_call_id"] == called["tool_calls"][0]["id"]
    assert "Oslo: sun" in result["content"]
    assert answer.text == json.loads(CHAT["plain_text"].body)["choices"][0]["message"]["content"]


class Capital(BaseModel):
    city: str
    country: str


async def test_an_object_by_its_schema(wide_stage, sdk):
    body = json.loads(CHAT["plain_text"].body)
    body["choices"][0]["message"]["content"] = '{"city": "Oslo", "country": "Norway"}'
    wide_stage.upstream.reply(json=body)
    answer = await sdk.models.generate_content(
        model=ELSEWHERE["mistral"],
        contents="Where?",
        config=types.GenerateContentConfig(
            response_mime_type="application/json", response_schema=Capital
        ),
    )
    assert answer.parsed == Capital(city="Oslo", country="Norway")
    sent = wide_stage.arrived()[-1].json()["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["schema"]["required"] == ["city", "country"]


async def test_thoughts_of_another_provider_and_how_many_were_asked_for(wide_stage, sdk):
    wide_stage.play(ANTHROPIC["plain_with_everything"])
    answer = await sdk.models.generate_content(
        model="anthropic/claude-sonnet-4-5",
        contents="Hello",
        config=types.GenerateContentConfig(
            thinking_config=types.ThinkingConfig(thinking_budget=2048, include_thoughts=True),
            max_output_tokens=4096,
        ),
    )
    sent = wide_stage.arrived()[-1].json()
    assert sent["thinking"]["type"] == "enabled"
    assert sent["thinking"]["budget_tokens"] == 2048
    assert answer.text == "Green."


async def test_a_chat_remembers_its_turns(wide_stage, sdk):
    chat = sdk.client.aio.chats.create(model=ELSEWHERE["mistral"])
    wide_stage.play(CHAT["plain_text"])
    first = await chat.send_message("One?")
    wide_stage.play(CHAT["stream"])
    async for _ in await chat.send_message_stream("Two?"):
        pass
    sent = wide_stage.arrived()[-1].json()["messages"]
    assert [each["role"] for each in sent] == ["user", "assistant", "user"]
    assert [each["content"] for each in sent] == ["One?", first.text, "Two?"]


# Beside the calls ---------------------------------------------------------------------------------


async def test_tokens_are_counted(wide_stage, sdk):
    wide_stage.play(GOLDEN["counted"])
    count = await sdk.models.count_tokens(model=f"google/{MODEL}", contents="Hello")
    assert count.total_tokens == json.loads(GOLDEN["counted"].body)["totalTokens"]
    wide_stage.upstream.reply(json={"input_tokens": 14})
    count = await sdk.models.count_tokens(model=ELSEWHERE["anthropic"], contents="Hello")
    assert count.total_tokens == 14
    assert wide_stage.arrived()[-1].path == "/v1/messages/count_tokens"


@pytest.mark.parametrize("name", ["one", "many"])
async def test_texts_are_embedded_by_google(name, wide_stage, sdk, direct):
    trace = next(each for each in golden_traces("gemini_embed") if each.name == name)
    texts = ["a"] if name == "one" else ["a", "b"]
    if trace.endpoint.endswith(":embedContent"):
        body = {"embeddings": [json.loads(trace.body)["embedding"]]}
        trace = evolve(trace, body=json.dumps(body).encode())
    wide_stage.play(trace)
    mine = await sdk.models.embed_content(model="google/gemini-embedding-001", contents=texts)
    wide_stage.play(trace)
    theirs = await direct.models.embed_content(model="gemini-embedding-001", contents=texts)
    assert mine.embeddings == theirs.embeddings
    assert mine.usage_metadata == theirs.usage_metadata


async def test_models_are_listed_and_found(wide_stage, sdk):
    listed = [model async for model in await sdk.models.list(config={"page_size": 7})]
    names = [model.name for model in listed]
    assert {f"models/{ELSEWHERE[each]}" for each in ("openai", "anthropic")} <= {*names}
    assert len({*names}) == len(names)
    one = await sdk.models.get(model=ELSEWHERE["anthropic"])
    assert one in listed
    assert "generateContent" in one.supported_actions
    with pytest.raises(errors.ClientError) as caught:
        await sdk.models.get(model="nothing")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


STATUS = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
}
BODIES = {
    "openai": {"error": {"message": "no such luck", "type": "t", "param": None, "code": "c"}},
    "anthropic": {"type": "error", "error": {"type": "api_error", "message": "no such luck"}},
    "mistral": {"object": "error", "message": "no such luck", "type": "t", "code": "1"},
    "google": {"error": {"code": 0, "message": "no such luck", "status": "X"}},
}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("provider", [*ELSEWHERE, "google"])
@pytest.mark.parametrize("status", STATUS)
async def test_an_error_is_the_sdk_s_own(status, provider, stream, wide_stage, sdk, count_replay):
    count_replay("sdk errors")
    before, body = len(wide_stage.arrived()), BODIES[provider]
    if provider == "anthropic":
        body = {"type": "error", "error": {**body["error"], "type": ANTHROPIC_TYPES[status]}}
    if provider == "google":
        body = {"error": {**body["error"], "code": status, "status": STATUS[status]}}
    wide_stage.upstream.reply(status, json=body)
    model = ELSEWHERE.get(provider, f"google/{MODEL}")
    told = await sdk.result(model, "Hello", stream=stream)
    kind = "ClientError" if status < 500 else "ServerError"
    assert told[:3] == (kind, status, STATUS[status])
    assert "no such luck" in told[3]
    assert len(wide_stage.arrived(before)) == 1


async def test_a_wrong_key_and_an_unknown_model(wide_stage, genai, sdk):
    before = len(wide_stage.arrived())
    wrong = wide_stage.key[:-1] + ("a" if wide_stage.key[-1] != "a" else "b")
    told = await genai(wide_stage.url, wrong).result(f"google/{MODEL}", "Hello")
    assert told[:3] == ("ClientError", 401, "UNAUTHENTICATED")
    assert wrong not in told[3]
    told = await sdk.result("no-such-model", "Hello")
    assert told[:3] == ("ClientError", 404, "NOT_FOUND")
    assert wide_stage.arrived(before) == []
