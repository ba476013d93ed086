"""The executor in a whole gateway over real sockets: who leaves or loses costs no settlement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import anyio
from anyio.abc import SocketAttribute, SocketStream
from attrs import frozen

from flo2 import Call, Facts, ProviderError, Register, Reply, hookimpl
from flo2.dialects.openai_chat import OpenAIChat
from flo2.stores import EntryFilter
from flo2.testing.harness import CANARY, House, running

ASK = {"model": "acme/m", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
TALK = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
END = (
    b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,'
    b'"total_tokens":11}}\n\ndata: [DONE]\n\n'
)


class Upstream:
    """Begins each answer at once, and says the rest when it is told to."""

    def __init__(self):
        self.go_on = anyio.Event()
        self.begun = anyio.Event()
        self.broken = 0

    async def serve(self, stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            try:
                await stream.send(HEAD + TALK)
                self.begun.set()
                await self.go_on.wait()
                await stream.send(TALK)
                await stream.send(END)
            except anyio.BrokenResourceError:
                self.broken += 1


@asynccontextmanager
async def served(upstream: Upstream) -> AsyncIterator[str]:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, upstream.serve)
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610  # anyio's, not Django's
        yield f"http://127.0.0.1:{port}/v1"
        group.cancel_scope.cancel()


@asynccontextmanager
async def house(*upstreams: Upstream) -> AsyncIterator[House]:
    names = ["acme", "other"][: len(upstreams)]
    async with served(upstreams[0]) as first, served(upstreams[-1]) as last:
        providers = {
            name: {"kind": "openai-compatible", "base_url": url}
            for name, url in zip(names, [first, last], strict=False)
        }
        async with running({"providers": providers}, credentials=names) as made:
            yield made


async def ended(h: House) -> list[tuple[str, str, str, object]]:
    with anyio.fail_after(5):
        while True:
            entries = await h.entries()
            if entries and all(entry.end for entry in entries):
                return [
                    (e.intent.role, e.status, e.end.outcome, getattr(e.end, "meters", None))
                    for e in entries
                ]
            await anyio.sleep(0.005)


METERS = {"input_tokens": 9, "output_tokens": 2}


async def test_a_client_that_hangs_up_while_its_stream_is_silent_is_billed_exactly():
    upstream = Upstream()
    async with house(upstream) as h:
        async with h.driver.stream(
            "POST", "/v1/chat/completions", headers=h.headers(), json=ASK
        ) as stream:
            assert await stream.chunk() == TALK
            await stream.hang_up()
        (before,) = await h.entries()
        upstream.go_on.set()
        assert await ended(h) == [("primary", "unpriced", "disconnected", METERS)]

    assert before.end is None  # the request was over while the provider went on
    assert upstream.broken == 0


async def test_a_host_program_that_cancels_a_call_is_billed_exactly():
    upstream = Upstream()
    async with house(upstream) as h:
        with anyio.move_on_after(5) as scope:
            async with h.gateway.chat(ASK, key=h.key) as answer:
                async for _ in answer.events():
                    scope.cancel()
        assert scope.cancelled_caught
        upstream.go_on.set()
        assert await ended(h) == [("primary", "unpriced", "disconnected", METERS)]


async def test_the_loser_of_a_race_is_read_to_its_end_and_billed_exactly():
    fast, slow = Upstream(), Upstream()
    fast.go_on.set()
    async with house(fast, slow) as h:
        await h.route("both", "race", "acme/m", "other/m")
        answer = await h.post("/v1/chat/completions", {**ASK, "model": "both"})
        slow.go_on.set()
        got = await ended(h)

    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert sorted(outcome for _, _, outcome, _ in got) == ["answered", "lost"]
    assert [meters for *_, meters in got] == [METERS, METERS]


async def test_what_is_still_drained_at_shutdown_is_pending(monkeypatch):
    monkeypatch.setattr("flo2.gateway.starting._GRACE_S", 0.05)
    upstream = Upstream()
    async with house(upstream) as h:
        async with h.driver.stream(
            "POST", "/v1/chat/completions", headers=h.headers(), json=ASK
        ) as stream:
            await stream.chunk()
            await stream.hang_up()
        store = h.gateway.store
        account = h.issued.account
    (entry,) = store.entries(EntryFilter(account))
    assert (entry.status, entry.end.outcome) == ("pending", "disconnected")


async def test_a_provider_with_its_own_io_cannot_tell_the_key() -> None:
    """Its words go to a client and into the ledger; the key in them does not."""

    class Chatty:
        kind = "chatty"
        facts = Facts(dialects=(OpenAIChat(),), key_env="X", cancel_semantics="stops")
        host = "chatty.example"

        @frozen
        class Config:
            """Nothing."""

        def __init__(self, config: object, services: object) -> None:
            pass

        @asynccontextmanager
        async def chat(self, call: Call) -> AsyncIterator[Reply]:
            assert call.credential.secret is not None
            key = call.credential.secret.reveal()
            raise ProviderError(f"refused {key}", status=400, kind="invalid_request")
            yield

    plugin = SimpleNamespace()

    @hookimpl
    def flo2_register_providers(register: Register) -> None:
        register(Chatty)

    plugin.flo2_register_providers = flo2_register_providers
    async with running(plugins={"chatty": plugin}, credentials=["chatty"]) as house:
        answer = await house.post(
            "/v1/chat/completions",
            {"model": "chatty/m", "messages": [{"role": "user", "content": "x"}]},
        )
        entries = await house.entries()

    assert answer.status == 400
    assert CANARY.encode() not in answer.body
    assert b"refused ***" in answer.body
    assert CANARY not in repr(entries)
