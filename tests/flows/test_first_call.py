"""A call through the whole house, over a real socket: bytes, headers, ledger, receipt."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import SocketStream

from flo2.testing.harness import CANARY, House, running

pytestmark = pytest.mark.anyio

ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1795413600,"model":"m-2026",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"Hi","new_field":[1, 2]},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}'
)
ASK = {"model": "acme/m1", "messages": [{"role": "user", "content": "Hello"}]}

Reply = Callable[[bytes, SocketStream], Awaitable[None]]


@asynccontextmanager
async def upstream(reply: Reply) -> AsyncIterator[str]:
    """Serve one kind of answer on a free port; gives the base URL."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # not Django

    async def serve(stream: SocketStream) -> None:
        async with stream:
            seen = b""
            while b"\r\n\r\n" not in seen:
                seen += await stream.receive()
            head, _, body = seen.partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            while len(body) < length:
                body += await stream.receive()
            await reply(head + b"\r\n\r\n" + body, stream)

    async with anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield f"http://127.0.0.1:{port}/v1"
        group.cancel_scope.cancel()
    await listener.aclose()


def chunk(**fields: object) -> bytes:
    return b"data: " + json.dumps({"id": "c", "model": "m-2026", **fields}).encode() + b"\n\n"


def plain(status: int, body: bytes, headers: str = "") -> Reply:
    async def reply(_: bytes, stream: SocketStream) -> None:
        await stream.send(
            f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
            + body
        )

    return reply


@asynccontextmanager
async def house(reply: Reply) -> AsyncIterator[House]:
    async with upstream(reply) as url:
        config = {"providers": {"acme": {"kind": "openai-compatible", "base_url": url}}}
        async with running(config, credentials=["acme"]) as made:
            yield made


async def test_the_answer_is_the_providers_bytes_and_the_receipt_says_why() -> None:
    seen: list[bytes] = []

    async def reply(request: bytes, stream: SocketStream) -> None:
        seen.append(request)
        await plain(200, ANSWER)(request, stream)

    async with house(reply) as h:
        answer = await h.post("/v1/chat/completions", ASK, x_flo2_feature="greeting")
        receipt = await h.receipt(answer)

    assert (answer.status, answer.body) == (200, ANSWER)
    assert f"authorization: bearer {CANARY}" in seen[0].decode().lower()
    assert h.key.encode() not in seen[0]
    sent = json.loads(seen[0].partition(b"\r\n\r\n")[2])
    assert sent == {**ASK, "model": "m1"}
    headers = dict(answer.headers)
    assert headers["x-flo2-provider"] == "acme"
    assert headers["x-flo2-cost-status"] == "unpriced"
    assert "x-flo2-cost-usd" not in headers
    attempt = receipt["attempts"][0]
    assert attempt["usage"] == {"input_tokens": 9, "output_tokens": 2}
    assert attempt["status"] == "unpriced"
    assert receipt["attribution"]["feature"] == "greeting"
    assert CANARY not in json.dumps(receipt)


@pytest.mark.parametrize(
    ("status", "seen_status"),
    [(400, 400), (401, 401), (403, 403), (404, 404), (429, 429), (500, 500), (503, 503)],
)
async def test_an_upstream_error_reaches_the_client_in_its_envelope_and_costs_nothing(
    status: int, seen_status: int
) -> None:
    body = b'{"error":{"message":"no","type":"x","param":null,"code":"y"}}'
    async with house(plain(status, body, "retry-after: 7\r\n")) as h:
        answer = await h.post("/v1/chat/completions", ASK)
        entries = await h.entries()

    headers = dict(answer.headers)
    assert answer.status == seen_status
    assert set(json.loads(answer.body)["error"]) == {"message", "type", "param", "code"}
    assert headers["x-should-retry"] == "false"
    assert headers["retry-after"] == "7"
    assert [entry.status for entry in entries] == ["void"]


async def test_a_refused_credential_is_told_without_the_providers_words() -> None:
    leak = (
        b'{"error":{"message":"Incorrect API key provided: sk-can***053","code":"invalid_api_key"}}'
    )
    async with house(plain(401, leak)) as h:
        answer = await h.post("/v1/chat/completions", ASK)

    assert answer.status == 401
    assert b"sk-can" not in answer.body
    assert b"flo2 providers add" in answer.body


async def test_garbage_with_a_200_is_an_error_and_pending() -> None:
    async with house(plain(200, b"<html>hello</html>")) as h:
        answer = await h.post("/v1/chat/completions", ASK)
        entries = await h.entries()

    assert answer.status == 502
    assert json.loads(answer.body)["error"]["type"] == "server_error"
    assert [entry.status for entry in entries] == ["pending"]


async def test_a_stream_without_usage_asked_for_hides_the_usage_frame_but_bills_it() -> None:
    frames = [
        chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}]),
        chunk(choices=[{"index": 0, "delta": {"content": "Hi"}}]),
        chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        chunk(choices=[], usage={"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}),
        b"data: [DONE]\n\n",
    ]
    body = b"".join(frames)

    async def reply(request: bytes, stream: SocketStream) -> None:
        assert json.loads(request.partition(b"\r\n\r\n")[2])["stream_options"] == {
            "include_usage": True
        }
        await stream.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        )
        for i in range(0, len(body), 37):
            await stream.send(body[i : i + 37])

    async with house(reply) as h:
        answer = await h.post("/v1/chat/completions", {**ASK, "stream": True})
        entries = await h.entries()

    assert answer.body == b"".join(frames[:3] + frames[4:])
    assert [entry.status for entry in entries] == ["unpriced"]
    assert entries[0].end is not None
    assert entries[0].end.meters == {"input_tokens": 9, "output_tokens": 2}  # type: ignore[union-attr]  # a Settle


async def test_a_stream_that_breaks_off_ends_in_an_error_event_and_is_pending() -> None:
    async def reply(_: bytes, stream: SocketStream) -> None:
        await stream.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 5000\r\n\r\n"
            + chunk(choices=[{"index": 0, "delta": {"content": "Hi"}}])
        )

    async with house(reply) as h:
        answer = await h.post("/v1/chat/completions", {**ASK, "stream": True})
        entries = await h.entries()

    last = answer.body.strip().rpartition(b"\n\n")[2]
    assert b'"error"' in last
    assert [(e.status, e.end and e.end.outcome) for e in entries] == [("pending", "broken")]
