"""Google's official SDK as a client: its recordings replayed, and other providers behind it."""

from __future__ import annotations

import json
import random

import httpx
import pytest
from attrs import evolve
from google.genai import Client, errors, types
from pydantic import BaseModel

from flo2.records import Void
from flo2.testing.traces import golden_traces, recorded_traces

pytestmark = pytest.mark.anyio

GOLDEN = {trace.name: trace for trace in golden_traces("gemini")}
CHAT = {trace.name: trace for trace in golden_traces("openai_chat")}
ANTHROPIC = {trace.name: trace for trace in golden_traces("anthropic_messages")}
RECORDED = [
    trace
    for trace in recorded_traces("google")
    if trace.endpoint.endswith((":generateContent", ":streamGenerateContent"))
    # Firebase's samples keep answers of countTokens under the path of generateContent.
    and b'"totalTokens"' not in trace.body
]
SHORT = {trace.name for trace in random.Random(2026).sample(RECORDED, min(90, len(RECORDED)))}
TRACES = [
    trace
    for trace in (*GOLDEN.values(), *RECORDED)
    if trace.endpoint.endswith((":generateContent", ":streamGenerateContent"))
]
# Streams that do not end as a stream must.
BROKEN_OFF = {
    "bare_error_in_mid_stream",
    "cut_stream",
    "error_in_mid_stream",
    "continue-issue-10639-624e6c-0",
}
# Told in flo2's own words: a page of HTML, and the provider's on a refused credential.
REWORDED = {"bad_gateway_page"} | {
    trace.name for trace in TRACES if trace.status in {401, 403} or b"API_KEY_" in trace.body
}
# The SDK sends this to Vertex alone.
NOT_SAID = {"streamed_arguments"}
MODEL = "gemini-2.5-flash"


def named(traces):
    return pytest.mark.parametrize(
        "trace",
        [
            pytest.param(
                trace,
                id=trace.name,
                marks=()
                if trace.kind == "golden traces" or trace.name in SHORT
                else pytest.mark.deep,
            )
            for trace in traces
        ],
    )


def frames_of(trace):
    """Give the body; a stream that was asked for without `alt=sse` is a list, and we ask for it."""
    if not trace.stream or not trace.body.lstrip().startswith(b"["):
        return trace.body
    chunks = map(json.dumps, json.loads(trace.body))
    return "".join(f"data: {chunk}\r\n\r\n" for chunk in chunks).encode()


def dumped(answer):
    return answer.model_dump(mode="json", exclude={"sdk_http_response"}, warnings=False)


class Genai:
    """The SDK's client, and what it sent and got."""

    def __init__(self, base_url, key, **options):
        self.sent = self.answer = None
        self.http = httpx.AsyncClient(
            event_hooks={"request": [self._note_request], "response": [self._note_answer]},
            timeout=30,
        )
        options = types.HttpOptions(base_url=base_url, httpx_async_client=self.http, **options)
        self.client = Client(api_key=key, http_options=options)
        self.models = self.client.aio.models

    async def _note_request(self, request):
        self.sent = request

    async def _note_answer(self, answer):
        self.answer = answer

    @property
    def request_id(self):
        return self.answer.headers["x-flo2-request-id"]

    async def result(self, model, contents, config=None, *, stream=False):
        """Give what the SDK makes of an answer: all of its chunks, or the error it raises."""
        given = {"model": model, "contents": contents, "config": config}
        seen = []
        try:
            if not stream:
                return [dumped(await self.models.generate_content(**given))]
            async for chunk in await self.models.generate_content_stream(**given):
                seen += [dumped(chunk)]
        except errors.APIError as error:
            return (type(error).__name__, error.code, error.status, error.message)
        return seen


@pytest.fixture(scope="module")
async def make(wide_stage):
    made = []

    def make(base_url=wide_stage.url, key=wide_stage.key, **options):
        made.append(Genai(base_url, key, **options))
        return made[-1]

    yield make
    for each in made:
        await each.http.aclose()


@pytest.fixture(scope="module")
async def sdk(make):
    return make()


@pytest.fixture(scope="module")
async def direct(make, wide_stage):
    """Speaks to the upstream itself, so that its reading of an answer is the measure."""
    return make(wide_stage.upstream_url, "none", api_version="v1beta")


@pytest.fixture(autouse=True)
def nothing_left_over(wide_stage):
    yield
    wide_stage.upstream.forget()


# On Google ----------------------------------------------------------------------------------------

NOT_GENERATION = {"systemInstruction", "tools", "toolConfig", "safetySettings", "cachedContent"}


def asked(trace):
    """Give the recorded request as the SDK's arguments; None where its types do not know it all."""
    request = trace.request or {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    given = {key: request[key] for key in NOT_GENERATION if request.get(key)}
    config = {**(request.get("generationConfig") or {}), **given}
    try:
        contents = [types.Content.model_validate(each) for each in request["contents"]]
        return contents, types.GenerateContentConfig.model_validate(config)
    except ValueError:
        return None


@named(TRACES)
async def test_bytes_pass_through(trace, wide_stage, sdk, count_replay):
    count_replay(trace.kind)
    count_replay("sdk replays")
    stage, verb = wide_stage, "streamGenerateContent" if trace.stream else "generateContent"
    request = trace.request or {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    before = len(stage.arrived())
    stage.play(trace, body=frames_of(trace))
    answer = await sdk.http.post(
        f"{stage.url}/v1beta/models/google/{MODEL}:{verb}?alt=sse",
        headers={"x-goog-api-key": stage.key},
        json=request,
    )
    (arrived,) = stage.arrived(before)
    assert arrived.path == f"/v1beta/models/{MODEL}:{verb}"
    if "model" in request:  # said once more than the path does
        request = {**request, "model": f"models/{MODEL}"}
    assert arrived.json() == request
    assert stage.key not in str(arrived.headers) + arrived.target
    call = await stage.call(sdk.request_id)
    (entry,) = call.entries
    assert answer.status_code == (trace.status if trace.name not in BROKEN_OFF else 200)
    if trace.status != 200:
        assert isinstance(entry.end, Void)
    elif trace.name in BROKEN_OFF:
        assert (entry.status, entry.end.outcome) == ("pending", "broken")
        assert b'"error"' in answer.content.rstrip().rpartition(b"\n\n")[2]
        return
    else:
        assert entry.status in {"settled", "unpriced", "pending"}
        count_replay(f"{entry.status} entries")
    if trace.name not in REWORDED:
        assert answer.content == frames_of(trace)


@named([trace for trace in TRACES if trace.name not in BROKEN_OFF])
async def test_the_sdk_reads_it_as_it_reads_google(trace, wide_stage, sdk, direct, count_replay):
    count_replay("sdk replays")
    stage, given = wide_stage, asked(trace)
    contents, config = ("Hello", None) if trace.name in NOT_SAID else given or ("Hello", None)
    before = len(stage.arrived())
    stage.play(trace, body=frames_of(trace))
    mine = await sdk.result(f"google/{MODEL}", contents, config, stream=trace.stream)
    assert len(stage.arrived(before)) == 1
    stage.play(trace, body=frames_of(trace))
    theirs = await direct.result(MODEL, contents, config, stream=trace.stream)
    through, straight = stage.arrived(before)
    assert (through.target, through.body) == (straight.target, straight.body)
    if trace.name in REWORDED:
        assert mine[0] == theirs[0]
        return
    assert mine == theirs


@named([trace for trace in TRACES if trace.name in BROKEN_OFF])
async def test_the_sdk_raises_where_an_answer_breaks_off(trace, wide_stage, sdk, count_replay):
    count_replay("sdk replays")
    wide_stage.play(trace, body=frames_of(trace))
    told = await sdk.result(f"google/{MODEL}", "Hello", stream=True)
    assert isinstance(told, tuple)
    # The one is cancelled by the provider, which Google counts among a client's errors.
    assert told[0] == ("ClientError" if b"CANCELLED" in trace.body else "ServerError")
    assert told[3]


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
async def test_an_answer_of_another_provider(provider, version, wide_stage, make, count_replay):
    count_replay("sdk replays")
    sdk = make(api_version=version)
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
    assert dumped(mine) == dumped(theirs)


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


async def test_a_wrong_key_and_an_unknown_model(wide_stage, make, sdk):
    before = len(wide_stage.arrived())
    wrong = wide_stage.key[:-1] + ("a" if wide_stage.key[-1] != "a" else "b")
    told = await make(key=wrong).result(f"google/{MODEL}", "Hello")
    assert told[:3] == ("ClientError", 401, "UNAUTHENTICATED")
    assert wrong not in told[3]
    told = await sdk.result("no-such-model", "Hello")
    assert told[:3] == ("ClientError", 404, "NOT_FOUND")
    assert wide_stage.arrived(before) == []
