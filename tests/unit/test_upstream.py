"""The fake upstream, in process and on the loopback, through the real wire."""

from __future__ import annotations

from ipaddress import ip_network

import anyio
import pytest

from flo2.errors import ConnectFailed, ReadFailed, WireError
from flo2.testing.upstream import FakeUpstream, Received
from flo2.wire import Wire

LOOPBACK = [ip_network("127.0.0.0/8")]
HEADERS = [("content-type", "application/json")]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def upstream():
    return FakeUpstream()


@pytest.fixture(params=["in process", "aiohttp", "httpx"])
async def endpoint(request, upstream):
    if request.param == "in process":
        async with Wire(transport=upstream.transport()) as wire:
            yield wire.endpoint("https://api.vendor.example/v1")
        return
    async with (
        upstream.serving() as base_url,
        Wire(engine=request.param, allow_private=LOOPBACK) as wire,
    ):
        yield wire.endpoint(base_url + "/v1")


async def ask(endpoint, path="/chat", body=b"{}"):
    response = await endpoint.send("POST", path, HEADERS, body)
    try:
        return response.status, [piece async for piece in response.chunks()]
    finally:
        await response.aclose()


async def test_answers_are_given_in_order_and_requests_are_kept(endpoint, upstream):
    upstream.reply(json={"a": 1}, headers={"X-Name": "value"})
    upstream.reply(429, body=b"slow down")

    response = await endpoint.send("POST", "/chat?beta=true", HEADERS, b'{"model":"m"}')
    assert (response.status, response.headers.get("x-name")) == (200, "value")
    assert await response.read() == b'{"a": 1}'
    await response.aclose()
    assert await ask(endpoint) == (429, [b"slow down"])

    await upstream.quiet()
    first = upstream.requests[0]
    assert (first.method, first.target, first.path) == ("POST", "/v1/chat?beta=true", "/v1/chat")
    assert first.json() == {"model": "m"}
    assert first.headers["content-type"] == "application/json"
    assert [upstream.open, upstream.finished, upstream.abandoned] == [0, 2, 0]


async def test_a_stream_comes_whole_with_its_pauses(endpoint, upstream):
    upstream.stream([b"one", 0.002, b"two", b"", b"three"])
    status, pieces = await ask(endpoint)
    assert (status, b"".join(pieces)) == (200, b"onetwothree")


async def test_a_stream_waits_for_the_test(endpoint, upstream):
    go = anyio.Event()
    upstream.stream([b"one", go, b"two"])
    response = await endpoint.send("POST", "/chat", HEADERS, b"")
    pieces = response.chunks()
    assert await anext(pieces) == b"one"
    go.set()
    assert [piece async for piece in pieces] == [b"two"]
    await response.aclose()


async def test_past_the_script_it_says_so(endpoint):
    assert await ask(endpoint) == (599, [b"the script of this fake upstream is over"])


@pytest.mark.parametrize("ends", ["truncated", "reset"])
@pytest.mark.parametrize("form", ["stream", "reply"])
async def test_a_broken_answer_is_an_error_after_its_last_byte(endpoint, upstream, ends, form):
    if form == "stream":
        upstream.stream([b"onetwo", 0.005], ends=ends)
    else:
        upstream.reply(body=b"onetwothree!", ends=ends)
    response = await endpoint.send("POST", "/chat", HEADERS, b"")
    pieces = response.chunks()
    seen = await anext(pieces)
    with pytest.raises(ReadFailed):
        await anext(pieces)
    await response.aclose()
    assert seen == b"onetwo"


async def test_garbage_is_an_error(endpoint, upstream):
    upstream.reply(ends="garbage")
    with pytest.raises(WireError) as caught:
        await ask(endpoint)
    assert caught.value.sent


async def test_a_client_that_leaves_is_noticed(endpoint, upstream):
    upstream.stream([b"one"], ends="hang")
    response = await endpoint.send("POST", "/chat", HEADERS, b"")
    assert await anext(response.chunks()) == b"one"
    response.abort()
    await response.aclose()
    await upstream.quiet()
    assert [upstream.open, upstream.finished, upstream.abandoned] == [0, 0, 1]


async def test_a_refused_connection_sends_nothing(upstream):
    upstream.reply(ends="refuse")
    async with Wire(transport=upstream.transport()) as wire:
        with pytest.raises(ConnectFailed) as caught:
            await ask(wire.endpoint("https://api.vendor.example"))
    assert not caught.value.sent


async def test_quiet_gives_up_in_time(upstream):
    upstream.began()
    with pytest.raises(TimeoutError):
        await upstream.quiet(within_s=0.001)


def test_a_request_shows_its_parts():
    received = Received("POST", "/v1/x?y=1", {}, b"[1]")
    assert (received.path, received.json()) == ("/v1/x", [1])
