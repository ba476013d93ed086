"""What the official SDKs do beside the calls themselves: keys, errors, counts, lists, vectors."""

from __future__ import annotations

import base64
import json
import struct
from decimal import Decimal

import anthropic
import anyio
import httpx2
import openai
import pytest

from flo2.keys import issue
from flo2.testing.traces import Trace, golden_traces, recorded_traces

pytestmark = pytest.mark.anyio

OPENAI = {trace.name: trace for trace in golden_traces("openai_chat")}
ANTHROPIC = {trace.name: trace for trace in golden_traces("anthropic_messages")}
COUNTS = [
    trace
    for trace in (*golden_traces("anthropic_messages"), *recorded_traces("anthropic"))
    if trace.endpoint == "/v1/messages/count_tokens"
]
OWN_EMBEDDING = Trace(
    name="two_vectors",
    kind="golden traces",
    endpoint="/v1/embeddings",
    request={"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 2},
    status=200,
    headers={"content-type": "application/json"},
    body=(
        b'{"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 1]},\n'
        b'{"object": "embedding", "index": 1, "embedding": [-1e-3, 0], "new_field": {}}],\n'
        b'"model": "text-embedding-3-small", "usage": {"prompt_tokens": 2, "total_tokens": 2}}\n'
    ),
    stream=False,
    tags=frozenset(),
)
EMBEDDINGS = [
    trace
    for trace in (OWN_EMBEDDING, *recorded_traces("openai"))
    if trace.endpoint == "/v1/embeddings" and trace.request
]
HELLO = [{"role": "user", "content": "Hello"}]
MODELS = {"openai": "openai/gpt-4o-mini", "anthropic": "anthropic/claude-haiku-4-5"}


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def request_for(provider, **more):
    return {"model": MODELS[provider], "max_tokens": 64, "messages": HELLO, **more}


def play_plain(stage, provider):
    answer = OPENAI["plain_text"] if provider == "openai" else ANTHROPIC["plain_with_everything"]
    stage.play(answer)
    return answer


# Keys --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("surface", ["openai", "anthropic"])
@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_either_header_is_right_on_either_surface(surface, header, stage, sdks):
    value = f"Bearer {stage.key}" if header == "authorization" else stage.key
    sdk = sdks(surface, key="unused", default_headers={"authorization": "", header: value})
    sdk.http.event_hooks["request"].append(drop_empty_headers)
    answer = play_plain(stage, surface)
    body, error = await sdk.raw(request_for(surface))
    assert (body, error) == (answer.body, None)
    sent = sdk.requests[-1].headers
    assert [name for name in ("authorization", "x-api-key") if name in sent] == [header]
    arrived = stage.arrived()[-1]
    assert stage.key not in str(arrived.headers)


async def drop_empty_headers(request):
    if not request.headers["authorization"]:
        del request.headers["authorization"]


@pytest.mark.parametrize("surface", ["openai", "anthropic"])
async def test_bad_keys_are_an_authentication_error(surface, stage, sdks):
    before = len(stage.arrived())
    wrong = stage.key[:-1] + ("a" if stage.key[-1] != "a" else "b")
    sdk = sdks(surface, key=wrong)
    _, error = await sdk.raw(request_for(surface))
    assert error[:2] == ("AuthenticationError", 401)
    assert wrong not in str(error)

    two = sdks(surface, default_headers={"x-api-key": wrong})
    _, error = await two.raw(request_for(surface))
    assert error[:2] == ("AuthenticationError", 401)
    assert "two different keys" in str(error)

    gateway, store = stage.house.gateway, stage.house.gateway.store
    now = gateway.services.now_us()
    pepper = gateway.runtime.vault.pepper()
    _, secret = issue(store, "default", "old", pepper=pepper, now_us=now, expires_us=now + 1)
    await gateway.refresh(force=True)
    expired = sdks(surface, key=secret.reveal())
    _, error = await expired.raw(request_for(surface))
    assert error[:2] == ("AuthenticationError", 401)
    assert "expired" in str(error)
    assert stage.arrived(before) == []
    assert [len(each.requests) for each in (sdk, two, expired)] == [1, 1, 1]


# Errors ------------------------------------------------------------------------------------------

CLASSES = {
    "openai": {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        403: openai.PermissionDeniedError,
        404: openai.NotFoundError,
        413: openai.APIStatusError,
        429: openai.RateLimitError,
        500: openai.InternalServerError,
        503: openai.InternalServerError,
        529: openai.InternalServerError,
    },
    "anthropic": {
        400: anthropic.BadRequestError,
        401: anthropic.AuthenticationError,
        403: anthropic.PermissionDeniedError,
        404: anthropic.NotFoundError,
        413: anthropic.RequestTooLargeError,
        429: anthropic.RateLimitError,
        500: anthropic.InternalServerError,
        503: anthropic.ServiceUnavailableError,
        529: anthropic.OverloadedError,
    },
}
BODIES = {
    "openai": {"error": {"message": "no such luck", "type": "t", "param": None, "code": "c"}},
    "anthropic": {"type": "error", "error": {"type": "api_error", "message": "no such luck"}},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("surface", "status"), [(surface, status) for surface in CLASSES for status in CLASSES[surface]]
)
async def test_an_error_is_the_sdks_own_class_and_not_tried_again(
    surface, provider, status, stream, stage, by_surface, count_replay
):
    count_replay("sdk errors")
    sdk = by_surface[surface]
    before, sent = len(stage.arrived()), len(sdk.requests)
    # The provider invites to try again; a gateway that has done so itself must not pass that on.
    headers = {"retry-after": "7", "x-should-retry": "true"}
    stage.upstream.reply(status, json=BODIES[provider], headers=headers)
    with pytest.raises(CLASSES[surface][status]) as caught:
        await sdk.create(**request_for(provider, stream=stream))
    error = caught.value
    assert type(error) is CLASSES[surface][status]
    assert error.status_code == status
    assert (len(stage.arrived(before)), len(sdk.requests) - sent) == (1, 1)
    answer = error.response.headers
    assert (answer["x-should-retry"], answer["retry-after"]) == ("false", "7")
    told = error.response.json()
    assert set(told) == ({"error"} if surface == "openai" else {"type", "error", "request_id"}) or (
        told == BODIES[provider]
    )
    if status == 401:
        assert "flo2 providers add" in told["error"]["message"]
    else:
        assert told["error"]["message"] == "no such luck"
    call = await stage.call(sdk.request_id)
    assert [(entry.status, entry.total) for entry in call.entries] == [("void", 0)]


async def test_an_unknown_model_is_not_found_or_a_bad_request(stage, openai_sdk, anthropic_sdk):
    for sdk in (openai_sdk, anthropic_sdk):
        _, error = await sdk.raw(request_for("openai") | {"model": "no-such-model"})
        assert error[:2] == ("NotFoundError", 404)


# Headers and queries ------------------------------------------------------------------------------


async def test_betas_and_queries_go_on_to_anthropic(stage, anthropic_beta_sdk):
    play_plain(stage, "anthropic")
    await anthropic_beta_sdk.client.beta.messages.create(
        **request_for("anthropic"),
        betas=["context-management-2025-06-27", "never-heard-of-2030-01-01"],
        extra_query={"beta": "true"},
    )
    arrived = stage.arrived()[-1]
    assert arrived.target == "/v1/messages?beta=true"
    assert arrived.headers["anthropic-beta"] == (
        "context-management-2025-06-27,never-heard-of-2030-01-01"
    )
    assert (
        arrived.headers["anthropic-version"]
        == (anthropic_beta_sdk.requests[-1].headers["anthropic-version"])
    )


async def test_organisation_and_project_of_the_client_stay_here(stage, sdks):
    sdk = sdks("openai", organization="org-of-the-client", project="proj-of-the-client")
    play_plain(stage, "openai")
    await sdk.client.chat.completions.create(
        **request_for("openai"), extra_headers={"openai-beta": "assistants=v2"}
    )
    headers = stage.arrived()[-1].headers
    assert "of-the-client" in str(sdk.requests[-1].headers)
    assert "of-the-client" not in str(headers)
    assert headers["openai-beta"] == "assistants=v2"


# Counting -----------------------------------------------------------------------------------------


@named(COUNTS)
async def test_tokens_are_counted_by_anthropic(trace, stage, anthropic_sdk, count_replay):
    count_replay(trace.kind)
    count_replay("sdk replays")
    request = {**trace.request, "model": f"anthropic/{trace.request['model']}"}
    stage.play(trace)
    if trace.status != 200:
        with pytest.raises(anthropic.APIStatusError) as caught:
            await anthropic_sdk.client.messages.count_tokens(**request)
        assert caught.value.response.content == trace.body
        return
    known = {"model", "messages", "system", "tools", "tool_choice", "thinking"}
    extra = {key: value for key, value in request.items() if key not in known}
    given = {key: value for key, value in request.items() if key in known}
    count = await anthropic_sdk.client.messages.count_tokens(**given, extra_body=extra)
    assert count.input_tokens == json.loads(trace.body)["input_tokens"]
    arrived = stage.arrived()[-1]
    assert (arrived.path, arrived.json()) == ("/v1/messages/count_tokens", trace.request)
    call = await stage.call(anthropic_sdk.request_id)
    assert [(entry.status, entry.total) for entry in call.entries] == [("settled", 0)]


# Embeddings ---------------------------------------------------------------------------------------


@named(EMBEDDINGS)
async def test_recorded_embeddings_pass_through(trace, stage, openai_sdk, count_replay):
    count_replay(trace.kind)
    count_replay("sdk replays")
    request = {**trace.request, "model": f"openai/{trace.request['model']}"}
    stage.play(trace)
    create = openai_sdk.client.embeddings.with_raw_response.create
    if trace.status != 200:
        with pytest.raises(openai.APIStatusError) as caught:
            await create(**request)
        assert caught.value.status_code == trace.status
        return
    answer = await create(**{"encoding_format": "float", **request})
    assert answer.http_response.content == trace.body
    assert len(answer.parse().data) == len(json.loads(trace.body)["data"])
    call = await stage.call(openai_sdk.request_id)
    (entry,) = call.entries
    assert entry.status == "settled", entry.end
    assert entry.end.meters == {"input_tokens": json.loads(trace.body)["usage"]["prompt_tokens"]}


VECTOR = [0.5, -0.25, 1.0]
USAGE = {"prompt_tokens": 2, "total_tokens": 2}


@pytest.mark.parametrize(
    ("asked", "encoded"),
    [
        ({}, True),
        ({}, False),
        ({"encoding_format": "float"}, False),
        ({"encoding_format": "base64"}, True),
    ],
)
async def test_vectors_are_served_as_asked_for(asked, encoded, stage, openai_sdk):
    """The SDK asks for base64 unless told, and decodes it; some hosts answer with floats alone."""
    packed = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()
    data = [{"object": "embedding", "index": 0, "embedding": packed if encoded else VECTOR}]
    model = "text-embedding-3-small"
    stage.upstream.reply(json={"object": "list", "data": data, "model": model, "usage": USAGE})
    made = await openai_sdk.client.embeddings.create(model=f"openai/{model}", input="Hi", **asked)
    sent = openai_sdk.sent["encoding_format"]
    assert sent == asked.get("encoding_format", "base64")
    assert stage.arrived()[-1].json() == {**openai_sdk.sent, "model": model}
    expected = packed if asked.get("encoding_format") == "base64" else VECTOR
    assert made.data[0].embedding == expected
    call = await stage.call(openai_sdk.request_id)
    assert [(e.status, e.total) for e in call.entries] == [("settled", Decimal("4E-8"))]


# Models -------------------------------------------------------------------------------------------


async def test_both_sdks_list_the_same_models(stage, openai_sdk, anthropic_sdk):
    before = len(stage.arrived())
    mine = [model async for model in openai_sdk.client.models.list()]
    theirs = [model async for model in anthropic_sdk.client.models.list(limit=7)]
    assert [model.id for model in mine] == [model.id for model in theirs]
    assert {model.owned_by for model in mine} >= {"openai", "anthropic"}
    assert {"openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"} <= {model.id for model in mine}
    for model in (mine[0], mine[-1]):
        assert await openai_sdk.client.models.retrieve(model.id) == model
    assert await anthropic_sdk.client.models.retrieve(theirs[0].id) == theirs[0]
    with pytest.raises(openai.NotFoundError):
        await openai_sdk.client.models.retrieve("nothing")
    with pytest.raises(anthropic.NotFoundError):
        await anthropic_sdk.client.models.retrieve("nothing")
    # Each provider is asked for its own list once; this upstream has none to give.
    asked = [(each.method, each.path) for each in stage.arrived(before)]
    assert asked in ([], [("GET", "/v1/models")] * 2)


# The SDKs' own loops, and their blocking clients --------------------------------------------------


@anthropic.beta_async_tool
async def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"{city}: sun"


async def test_the_tool_runner_goes_on_without_threads_on_another_provider(
    stage, anthropic_beta_sdk
):
    """It opens a message thread, is told that there is none, and sends the whole conversation."""
    before = len(stage.arrived())
    called = {
        **json.loads(OPENAI["plain_text"].body),
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
                        }
                    ],
                },
                "finish_reason": "tool_calls",
            }
        ],
    }
    stage.upstream.reply(json=called)
    stage.play(OPENAI["plain_text"])
    runner = anthropic_beta_sdk.client.beta.messages.tool_runner(
        **request_for("openai"), tools=[get_weather]
    )
    last = await runner.until_done()
    first, second = stage.arrived(before)
    assert "thread" not in first.json()
    assert [message["role"] for message in second.json()["messages"]] == [
        "user",
        "assistant",
        "tool",
    ]
    assert second.json()["messages"][-1]["content"] == "Oslo: sun"
    expected = json.loads(OPENAI["plain_text"].body)["choices"][0]["message"]["content"]
    assert last.content[0].text == expected


async def test_the_blocking_clients_work_too(stage):
    def ask_openai():
        with (
            httpx2.Client() as http,
            openai.OpenAI(base_url=f"{stage.url}/v1", api_key=stage.key, http_client=http) as sdk,
        ):
            raw = sdk.chat.completions.with_raw_response.create(**request_for("openai"))
            with sdk.chat.completions.stream(**request_for("openai")) as events:
                return raw.http_response.content, events.get_final_completion()

    def ask_anthropic():
        with (
            httpx2.Client() as http,
            anthropic.Anthropic(base_url=stage.url, api_key=stage.key, http_client=http) as sdk,
        ):
            raw = sdk.messages.with_raw_response.create(**request_for("anthropic"))
            with sdk.messages.stream(**request_for("anthropic")) as events:
                return raw.http_response.content, events.get_final_message()

    stage.play(OPENAI["plain_text"])
    stage.play(OPENAI["stream"])
    body, completion = await anyio.to_thread.run_sync(ask_openai)
    assert body == OPENAI["plain_text"].body
    assert completion.choices[0].finish_reason == "stop"

    stage.play(ANTHROPIC["plain_with_everything"])
    stage.play(ANTHROPIC["no_blank_line_at_the_end"])
    body, message = await anyio.to_thread.run_sync(ask_anthropic)
    assert body == ANTHROPIC["plain_with_everything"].body
    assert message.stop_reason == "end_turn"
