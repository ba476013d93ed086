"""The three ways to embed a gateway, plain and streamed; and what none of them may do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request as HTTPRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from flo2 import (
    AuthenticationFailed,
    Gateway,
    MemoryStore,
    Message,
    NotFound,
    ProviderError,
    Request,
    Sampling,
    Secret,
    Text,
    Unavailable,
    Wire,
    create_app,
)
from flo2.stores import EntryFilter
from flo2.testing import ASGIDriver, FakeUpstream

pytestmark = pytest.mark.anyio

PATH = "/v1/chat/completions"
ASK = {"model": "acme/m1", "messages": [{"role": "user", "content": "Hello"}]}
ANSWER = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 1795413600,
    "model": "m1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi there"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}


def frame(**fields: object) -> bytes:
    head = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m1"}
    return b"data: " + json.dumps({**head, **fields}).encode() + b"\n\n"


def delta(text: str) -> bytes:
    return frame(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


FRAMES = (
    delta("Hi "),
    delta("there"),
    frame(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
    frame(choices=[], usage=ANSWER["usage"]),
    b"data: [DONE]\n\n",
)
SEEN = b"".join((*FRAMES[:3], FRAMES[4]))  # nobody asked for the usage frame


def build(upstream: FakeUpstream, provider: str = "acme") -> Gateway:
    return Gateway.build(
        {
            "plugins": {"only": []},
            "pricing": {},
            "providers": {provider: {"kind": "openai-compatible", "base_url": "https://a.example"}},
        },
        store=MemoryStore(),
        environ={},
        wire=Wire(transport=upstream.transport()),
    )


async def prepare(gateway: Gateway, provider: str = "acme") -> str:
    await gateway.add_credential(provider, Secret("sk-a-provider-key-of-the-host"))
    _, key = await gateway.issue_key("app")
    return key.reveal()


async def statuses(gateway: Gateway) -> list[tuple[str, str]]:
    entries = await gateway.runtime.ledger.entries(EntryFilter("default"))
    return [(each.status, each.end.outcome if each.end else "") for each in entries]


@pytest.fixture
def upstream() -> FakeUpstream:
    return FakeUpstream()


# ------------------------------------------------------------------------------------- stand-alone


async def test_stand_alone_the_app_runs_the_gateway(upstream: FakeUpstream):
    gateway = build(upstream)
    upstream.reply(json=ANSWER)
    upstream.stream(FRAMES)
    async with ASGIDriver(create_app(gateway)) as driver:
        assert gateway.started
        key = await prepare(gateway)
        plain = await driver.request("POST", PATH, json=ASK, key=key)
        streamed = await driver.request("POST", PATH, json={**ASK, "stream": True}, key=key)
        ready = await driver.request("GET", "/readyz")
    assert not gateway.started

    assert (plain.status, json.loads(plain.body)) == (200, ANSWER)
    assert (streamed.status, streamed.body) == (200, SEEN)
    assert (ready.status, json.loads(ready.body)) == (200, {"status": "ready"})


async def test_a_gateway_is_entered_once(upstream: FakeUpstream):
    gateway = build(upstream)
    async with gateway:
        with pytest.raises(Unavailable, match="lifespan=False"):
            await gateway.__aenter__()
        assert gateway.started


# ------------------------------------------------------------------------------------- in a host


def host(*mounts: Mount, gateways: tuple[Gateway, ...]) -> Starlette:
    async def state(request: HTTPRequest) -> Response:
        return JSONResponse({name: getattr(request.state, name) for name in request.state._state})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
        async with anyio.create_task_group():
            for gateway in gateways:
                await gateway.__aenter__()
            yield {"who": "the host"}
            for gateway in reversed(gateways):
                await gateway.__aexit__(None, None, None)

    return Starlette(routes=[Route("/state", state), *mounts], lifespan=lifespan)


async def test_mounted_in_a_host_that_enters_the_gateway(upstream: FakeUpstream):
    gateway = build(upstream)
    app = host(Mount("/llm", create_app(gateway, lifespan=False)), gateways=(gateway,))
    upstream.reply(json=ANSWER)
    upstream.stream(FRAMES)
    async with ASGIDriver(app) as driver:
        key = await prepare(gateway)
        plain = await driver.request("POST", "/llm" + PATH, json=ASK, key=key)
        asked = {**ASK, "stream": True}
        streamed = await driver.request("POST", "/llm" + PATH, json=asked, key=key)
        receipt = await driver.request(
            "GET", f"/llm/api/calls/{plain.header('x-flo2-request-id')}", key=key
        )
        elsewhere = await driver.request("POST", PATH, json=ASK, key=key)
        state = await driver.request("GET", "/state")

    assert (plain.status, json.loads(plain.body)) == (200, ANSWER)
    assert (streamed.status, streamed.body) == (200, SEEN)
    assert json.loads(receipt.body)["attempts"][0]["usage"] == {
        "input_tokens": 9,
        "output_tokens": 2,
    }
    assert elsewhere.status == 404
    assert json.loads(state.body) == {"who": "the host"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", PATH), ("POST", "/v1/messages"), ("GET", "/v1/models"), ("GET", "/api/usage")],
)
async def test_a_gateway_nobody_entered_says_so_and_what_to_do(
    method: str, path: str, upstream: FakeUpstream
):
    app = create_app(build(upstream), lifespan=False)
    driver = ASGIDriver(Starlette(routes=[Mount("/llm", app)]))
    answer = await driver.request(method, "/llm" + path, json=ASK, key="flo2_sk_whatever")
    live = await driver.request("GET", "/llm/livez")
    ready = await driver.request("GET", "/llm/readyz")

    assert answer.status == 503
    assert b"async with gateway:" in answer.body
    assert b"create_app(gateway)" in answer.body
    if path != "/v1/messages":  # this format has no code field
        assert json.loads(answer.body)["error"]["code"] == "gateway_not_started"
    assert (live.status, ready.status) == (200, 503)
    assert upstream.requests == []


async def test_two_gateways_in_one_process_do_not_see_each_other():
    left, right = FakeUpstream(), FakeUpstream()
    one, two = build(left, "acme"), build(right, "zeta")
    app = host(
        Mount("/one", create_app(one, lifespan=False)),
        Mount("/two", create_app(two, lifespan=False)),
        gateways=(one, two),
    )
    left.reply(json=ANSWER)
    right.reply(json={**ANSWER, "id": "c-2"})
    async with ASGIDriver(app) as driver:
        first, second = await prepare(one, "acme"), await prepare(two, "zeta")
        asked = {**ASK, "model": "zeta/m1"}
        answers = [
            await driver.request("POST", "/one" + PATH, json=ASK, key=first),
            await driver.request("POST", "/two" + PATH, json=asked, key=second),
        ]
        crossed = await driver.request("POST", "/two" + PATH, json=asked, key=first)
        unknown = await driver.request("POST", "/one" + PATH, json=asked, key=first)
        mine = answers[0].header("x-flo2-request-id")
        receipt = await driver.request("GET", f"/two/api/calls/{mine}", key=second)
        found = [await statuses(one), await statuses(two)]

    assert [json.loads(each.body)["id"] for each in answers] == ["c-1", "c-2"]
    assert [crossed.status, unknown.status, receipt.status] == [401, 404, 404]
    assert found == [[("unpriced", "answered")], [("unpriced", "answered")]]
    assert [len(left.requests), len(right.requests)] == [1, 1]


async def test_a_client_that_hangs_up_in_mid_stream_is_settled(upstream: FakeUpstream):
    gateway, gone = build(upstream), anyio.Event()
    app = host(Mount("/llm", create_app(gateway, lifespan=False)), gateways=(gateway,))
    upstream.stream([FRAMES[0], gone, *FRAMES[1:]])
    async with ASGIDriver(app) as driver:
        key = await prepare(gateway)
        asked = {**ASK, "stream": True}
        async with driver.stream("POST", "/llm" + PATH, json=asked, key=key) as stream:
            assert await stream.chunk() == FRAMES[0]
            await stream.hang_up()
        gone.set()
        await upstream.quiet()
        found = await settled(gateway)

    # Nobody knows whether this host stops when it is left, so the answer is read to its end.
    assert found == [("unpriced", "disconnected")]


async def settled(gateway: Gateway) -> list[tuple[str, str]]:
    """Give the statuses once no attempt is open."""
    for _ in range(1000):
        found = await statuses(gateway)
        if all(status != "open" for status, _ in found):
            break
        await anyio.sleep(0.001)
    return found


# ------------------------------------------------------------------------------------- no HTTP


REQUEST = Request("acme/m1", (Message("user", (Text("Hello"),)),))


@pytest.mark.parametrize("request_", [REQUEST, ASK], ids=["canonical", "mapping"])
async def test_no_http_plain(request_: Any, upstream: FakeUpstream):
    upstream.reply(json=ANSWER)
    async with build(upstream) as gateway:
        key = await prepare(gateway)
        async with gateway.chat(request_, key=key, headers={"X-Flo2-Feature": "hello"}) as answer:
            response = await answer.response()
        receipt = await gateway.receipt(answer.request_id, account="default", key_id=None)

    sent = upstream.last.json()
    assert (sent["model"], len(sent["messages"])) == ("m1", 1)
    assert [part.text for part in response.choices[0].parts] == ["Hi there"]
    assert response.usage is not None
    assert response.usage.quantities == {"input_tokens": 9, "output_tokens": 2}
    assert receipt.exchange is not None
    assert (receipt.exchange.client, receipt.exchange.attribution.feature) == ("served", "hello")
    assert [entry.status for entry in receipt.entries] == ["unpriced"]


@pytest.mark.parametrize(
    "request_",
    [
        Request("acme/m1", REQUEST.messages, stream=True, sampling=Sampling()),
        {**ASK, "stream": True},
    ],
    ids=["canonical", "mapping"],
)
async def test_no_http_streamed(request_: Any, upstream: FakeUpstream):
    upstream.stream(FRAMES)
    async with build(upstream) as gateway:
        key = await prepare(gateway)
        async with gateway.chat(request_, key=key) as answer:
            texts = [text async for text in answer.texts()]
        found = await statuses(gateway)

    assert texts == ["Hi ", "there"]
    assert found == [("unpriced", "answered")]


async def test_no_http_a_stream_that_breaks_off_raises_after_its_text(upstream: FakeUpstream):
    upstream.stream(FRAMES[:2], ends="truncated")
    texts: list[str] = []
    raised = ProviderError("nothing was raised")
    async with build(upstream) as gateway:
        key = await prepare(gateway)
        async with gateway.chat({**ASK, "stream": True}, key=key) as answer:
            try:
                async for text in answer.texts():
                    texts.append(text)  # noqa: PERF401  # what came before the error is kept
            except ProviderError as exc:
                raised = exc
        found = await settled(gateway)

    assert texts == ["Hi ", "there"]
    assert raised.kind == "upstream"
    assert [status for status, _ in found] == ["pending"]


async def test_no_http_left_in_mid_stream_is_settled(upstream: FakeUpstream):
    gone = anyio.Event()
    upstream.stream([FRAMES[0], gone, *FRAMES[1:]])
    async with build(upstream) as gateway:
        key = await prepare(gateway)
        async with gateway.chat({**ASK, "stream": True}, key=key) as answer:
            events = answer.events()
            async for _ in events:
                break
        gone.set()
        await upstream.quiet()
        found = await settled(gateway)

    assert found == [("unpriced", "disconnected")]


async def test_no_http_refusals_are_exceptions(upstream: FakeUpstream):
    gateway = build(upstream)
    with pytest.raises(Unavailable) as early:
        async with gateway.chat(ASK, key="flo2_sk_whatever"):
            pass
    async with gateway:
        key = await prepare(gateway)
        with pytest.raises(AuthenticationFailed):
            async with gateway.chat(ASK, key="flo2_sk_whatever"):
                pass
        with pytest.raises(NotFound):
            async with gateway.chat({**ASK, "model": "nobody/m1"}, key=key):
                pass
        with pytest.raises(NotFound):
            await gateway.add_credential("nobody", Secret("sk-x"))

    assert early.value.code == "gateway_not_started"
    assert upstream.requests == []
