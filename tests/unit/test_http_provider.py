"""The driver of HTTP providers over a fake transport: what is sent, read, refused and closed."""

from __future__ import annotations

import json
from typing import ClassVar

import anyio
import pytest

from flo2.canonical import Usage
from flo2.dialects.openai_chat import OpenAIChat
from flo2.errors import ConnectFailed, ProviderError, ReadFailed, ResponseTooLarge, WireTimeout
from flo2.http_provider import HttpProvider
from flo2.protocols import Call, Credential, Facts, Inbound, Provider
from flo2.secrets import Secret
from flo2.services import Services
from flo2.wire import Limits, Wire

CHAT = OpenAIChat()
KEY = "sk-canary-1234567890"
BODY = b'{"model":"client-name","messages":[{"role":"user","content":"?"}],"x":1}'
ANSWER = (
    b'{"id":"r1","object":"chat.completion","model":"m-2026","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}'
)
TEXT, STOP, USED, DONE = FRAMES = [
    b"data: " + data + b"\n\n"
    for data in (
        b'{"id":"r1","model":"m-2026","choices":[{"index":0,"delta":{"content":"Hi"}}]}',
        b'{"id":"r1","model":"m-2026","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        b'{"id":"r1","model":"m-2026","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}',
        b"[DONE]",
    )
]


class Acme(HttpProvider):
    kind = "acme"
    facts = Facts(dialects=(CHAT,))
    base_url = "https://api.acme.example/v1"
    paths: ClassVar = {CHAT.name: "/chat/completions"}
    forward_headers = frozenset({"x-beta"})
    reply_headers = ("acme-",)


class Raw:
    """A response of the fake transport."""

    content_encoding = ""

    def __init__(self, status, headers, pieces):
        self.status = status
        self.raw_headers = [(k.encode(), v.encode()) for k, v in headers.items()]
        self.pieces = list(pieces)
        self.at_end = False
        self.killed = self.closed = False

    async def next_piece(self):
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        if piece is None:
            await anyio.sleep_forever()
        return piece

    def kill(self):
        self.killed = True

    async def aclose(self):
        self.closed = True


class Transport:
    """Answers every request the same way, and keeps what was sent."""

    def __init__(self, *pieces, status=200, fails=None, **headers):
        self.raw = Raw(status, {k.replace("_", "-"): v for k, v in headers.items()}, pieces)
        self.fails = fails
        self.sent = []

    async def send(self, address, method, target, headers, body, flight):
        self.sent.append((address.host, method, target, dict(headers), body))
        if self.fails is not None:
            raise self.fails
        flight.connected(reused=False)
        return self.raw

    async def aclose(self):
        pass


def provider(transport, *, cls=Acme, limits=None, **config):
    return cls(cls.Config(**config), Services(Wire(transport, limits=limits)))


class Foreign(OpenAIChat):
    """Another dialect, as far as names tell."""

    name = "acme.chat"


def call(*, stream=False, passthrough=True, secret=KEY, headers=None, query="", dialect=CHAT):
    body = BODY[:-1] + (b',"stream":true}' if stream else b"}")
    inbound = Inbound(dialect, body, CHAT.peek(body), headers=headers, query=query)
    credential = Credential("cred_1", None if secret is None else Secret(secret))
    return Call(inbound, CHAT, "m", credential, passthrough=passthrough, full=False)


async def read(acme, given):
    async with acme.chat(given) as reply:
        chunks = [chunk async for chunk in reply.chunks()]
        return reply, b"".join(chunk.raw for chunk in chunks)


def test_it_is_a_provider_and_names_the_host_of_its_credentials():
    acme = provider(Transport())
    assert isinstance(acme, Provider)
    assert acme.host == "api.acme.example"
    assert provider(Transport(), base_url="http://10.0.0.1:8000/v2").host == "10.0.0.1"


async def test_the_clients_bytes_go_out_with_the_model_replaced():
    transport = Transport(ANSWER)
    given = call(headers={"x-beta": "1", "x-other": "2"}, query="a=b")
    await read(provider(transport, headers={"x-constant": "c"}), given)

    ((host, method, target, headers, body),) = transport.sent
    assert (host, method, target) == ("api.acme.example", "POST", "/v1/chat/completions?a=b")
    assert headers == {
        "content-type": "application/json",
        "x-constant": "c",
        "x-beta": "1",
        "authorization": f"Bearer {KEY}",
        "accept-encoding": "identity",
    }
    assert body == b'{"model":"m","messages":[{"role":"user","content":"?"}],"x":1}'


async def test_a_translated_call_carries_no_query_and_a_keyless_one_no_key():
    transport = Transport(ANSWER)
    await read(
        provider(transport), call(passthrough=False, secret=None, query="a=b", dialect=Foreign())
    )

    ((_, _, target, headers, body),) = transport.sent
    assert target == "/v1/chat/completions"
    assert "authorization" not in headers
    assert json.loads(body)["model"] == "m"


async def test_an_answer_is_given_as_it_came_and_understood():
    transport = Transport(
        ANSWER[:50],
        ANSWER[50:],
        x_ratelimit_remaining="7",
        Retry_After="3",
        acme_version="2",
        set_cookie="secret",
    )
    reply, raw = await read(provider(transport), call())

    assert (reply.status, raw) == (200, ANSWER)
    assert reply.headers == {
        "x-ratelimit-remaining": "7",
        "retry-after": "3",
        "acme-version": "2",
    }
    observed = reply.observed
    assert observed.complete
    assert observed.usage.quantities == {"input_tokens": 9, "output_tokens": 2}
    assert (observed.model, observed.finish, observed.response_id) == ("m-2026", "stop", "r1")


async def test_a_plain_answer_can_be_read_in_one_piece():
    transport = Transport(ANSWER[:50], ANSWER[50:])
    async with provider(transport).chat(call()) as reply:
        chunk = await reply.whole()

    assert chunk.raw == ANSWER
    assert reply.observed.complete


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_stream_hides_the_usage_that_only_flo2_asked_for(size):
    body = b"".join(FRAMES)
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    transport = Transport(*pieces)
    reply, raw = await read(provider(transport), call(stream=True))

    assert raw == TEXT + STOP + DONE
    assert reply.observed.usage.quantities == {"input_tokens": 9, "output_tokens": 2}
    assert json.loads(transport.sent[0][4])["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (302, "invalid_request", False),
        (400, "invalid_request", False),
        (401, "authentication", False),
        (429, "rate_limit", True),
        (500, "upstream", True),
        (529, "overloaded", True),
    ],
)
async def test_another_status_is_an_error_with_the_providers_own_words(status, kind, retryable):
    body = b'{"error":{"message":"no","type":"t","code":"c","param":null}}'
    transport = Transport(body, status=status, retry_after="3", x_ratelimit_remaining="0")
    with pytest.raises(ProviderError) as caught:
        await read(provider(transport), call())

    error = caught.value
    assert (error.status, error.kind, error.retryable) == (status, kind, retryable)
    assert (error.provider, error.code, error.body) == ("acme", "c", body)
    assert error.retry_after_s == 3
    assert KEY not in f"{error!r} {error}"


async def test_an_error_page_without_end_is_cut_off_and_closed():
    transport = Transport(*[b"x" * (1 << 18)] * 5, status=500)
    with pytest.raises(ResponseTooLarge):
        await read(provider(transport), call())

    assert transport.raw.killed


async def test_a_failed_connection_is_told_with_whether_it_was_sent():
    with pytest.raises(ConnectFailed) as caught:
        await read(provider(Transport(fails=ConnectFailed("no route"))), call())
    assert not caught.value.sent


async def test_an_answer_that_breaks_off_raises_where_it_broke():
    transport = Transport(TEXT, ReadFailed("reset"))
    async with provider(transport).chat(call(stream=True)) as reply:
        given = reply.chunks()
        assert (await anext(given)).raw == TEXT
        with pytest.raises(ReadFailed):
            await anext(given)

    assert reply.observed.has_content
    assert not reply.observed.complete
    assert transport.raw.killed


async def test_an_answer_that_ends_too_early_is_a_failure_event():
    transport = Transport(TEXT)
    async with provider(transport).chat(call(stream=True)) as reply:
        chunks = [chunk async for chunk in reply.chunks()]

    assert type(chunks[-1].events[-1]).__name__ == "Failed"
    assert reply.observed.error is not None


async def test_silence_inside_an_answer_ends_in_a_timeout():
    transport = Transport(TEXT, None)
    async with provider(transport, idle_s=0.01).chat(call(stream=True)) as reply:
        chunks = reply.chunks()
        await anext(chunks)
        with pytest.raises(WireTimeout) as caught:
            await anext(chunks)

    assert (caught.value.phase, caught.value.sent) == ("idle", True)
    assert transport.raw.killed


async def test_leaving_an_unread_answer_closes_it():
    transport = Transport(TEXT, None)
    async with provider(transport).chat(call(stream=True)) as reply:
        await anext(reply.chunks())

    assert transport.raw.closed


async def test_an_aborted_answer_raises_in_its_reader():
    transport = Transport(TEXT, None)
    async with provider(transport).chat(call(stream=True)) as reply:
        chunks = reply.chunks()
        await anext(chunks)
        reply.abort()
        with pytest.raises(ReadFailed):
            await anext(chunks)

    assert transport.raw.killed


async def test_cancellation_while_the_error_is_read_closes_the_connection():
    transport = Transport(None, status=500)
    with anyio.move_on_after(0.01) as scope:
        await read(provider(transport), call())

    assert scope.cancelled_caught
    assert transport.raw.killed


@pytest.mark.parametrize("step", ["decoder", "passed_on", "error"])
async def test_a_plugin_that_raises_after_the_head_leaves_no_connection_open(step):
    class Broken(Acme):
        pass

    def bug(*_):
        raise KeyError("bug")

    setattr(Broken, step, bug)
    transport = Transport(b"{}", None, status=500 if step == "error" else 200)
    transport.raw.at_end = step == "error"
    with pytest.raises(KeyError):
        await read(provider(transport, cls=Broken), call())

    assert transport.raw.killed or transport.raw.at_end


@pytest.mark.parametrize("step", ["url", "headers", "body"])
async def test_a_plugin_that_raises_before_the_request_sends_nothing(step):
    class Broken(Acme):
        pass

    def bug(*_):
        raise KeyError("bug")

    setattr(Broken, step, bug)
    transport = Transport(ANSWER)
    with pytest.raises(KeyError):
        await read(provider(transport, cls=Broken), call())

    assert transport.sent == []


async def test_a_providers_own_usage_reader_is_used():

    class Own(Acme):
        def usage_reader(self, call):
            return lambda raw: Usage({"input_tokens": 1}, raw=raw)

    reply, _ = await read(provider(Transport(ANSWER), cls=Own), call())
    assert reply.observed.usage.quantities == {"input_tokens": 1}


async def test_an_answer_over_the_limit_is_cut_off():
    transport = Transport(ANSWER)
    with pytest.raises(ResponseTooLarge):
        await read(provider(transport, limits=Limits(max_body_bytes=10)), call())

    assert transport.raw.killed
