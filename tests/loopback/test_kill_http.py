"""`kill -9` of the whole gateway under concurrent clients: nothing that was sent is forgotten.

Three parties write down what they saw: the provider each call that reached it, each client the
answers it got to the end, the ledger the rest. Then they are held against each other.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections import Counter

import anyio
import anyio.to_thread
import pytest
from attrs import define, field

from flo2.ledger import verify
from flo2.stores import EntryFilter

CLIENTS = 16
REFUSALS = {503}


@define
class Seen:
    """What the clients saw, by token.

    Attributes:
        asked: Every token sent.
        acked: Token → request id, of answers that came to their last event.
        refused: Status of every answer that was an error.
        retried: How many of the acknowledged took two attempts.
    """

    asked: set[str] = field(factory=set)
    acked: dict[str, str] = field(factory=dict)
    refused: Counter[int] = field(factory=Counter)
    retried: int = 0


class Clients:
    """Clients that ask for as long as a gateway is there, and wait while none is."""

    def __init__(self, key, rng, seen):
        self._key = key
        self._rng = rng
        self.seen = seen
        self._port = None
        self._there = anyio.Event()

    def gateway_is_at(self, port):
        self._port = port
        if port is not None:
            self._there.set()
        elif self._there.is_set():  # else they wait for this one already
            self._there = anyio.Event()

    async def run(self, number):
        count = 0
        while True:
            await self._there.wait()
            count += 1
            token = f"{self._rng.choice('sssspf')}-{number}-{count}"
            with contextlib.suppress(OSError, anyio.EndOfStream, anyio.BrokenResourceError):
                async with await anyio.connect_tcp("127.0.0.1", self._port) as stream:
                    await self._ask(stream, token)
            await anyio.sleep(self._rng.random() * 0.01)

    async def _ask(self, stream, token):
        self.seen.asked.add(token)
        await stream.send(self._request(token))
        # Some leave early: what was sent for them must be in the ledger all the same.
        patience = self._rng.random() * 0.08 if self._rng.random() < 0.1 else 60
        with anyio.move_on_after(patience):
            head, body = await self._read_head(stream)
            if (status := int(head[9:12])) != 200:
                self.seen.refused[status] += 1
                return
            # A stream is over for an SDK with its last event, before HTTP says so.
            length = header(head, b"content-length")
            while len(body) < int(length) if length else b"data: [DONE]\n\n" not in body:
                body += await stream.receive()
            self.seen.acked[token] = header(head, b"x-flo2-request-id")
            self.seen.retried += header(head, b"x-flo2-attempts") == "2"

    async def _read_head(self, stream):
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        head, _, body = data.partition(b"\r\n\r\n")
        return head, body

    def _request(self, token):
        body = {
            "model": "patient" if token.startswith("f") and self._rng.random() < 0.7 else "acme/m1",
            "messages": [{"role": "user", "content": token}],
            "stream": token.startswith("s"),
        }
        data = json.dumps(body).encode()
        return (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {self._key}"
            f"\r\nx-flo2-feature: {token}\r\nconnection: close\r\ncontent-length: {len(data)}"
            "\r\n\r\n"
        ).encode() + data


def header(head, name):
    return head.partition(name + b": ")[2].partition(b"\r\n")[0].decode()


async def kill_many(house, kills, rng, seen):
    """Run clients against gateways that are killed: mostly at work, sometimes while they start.

    Returns:
        How many were killed at work.
    """
    at_work = 0
    async with anyio.create_task_group() as group:
        clients = Clients(house.key, rng, seen)
        for number in range(CLIENTS):
            group.start_soon(clients.run, number)
        for _ in range(kills):
            process = house.start()
            # One needs about a second to serve: these kills hit imports, opening and adoption.
            patience = rng.uniform(0.3, 1.2) if rng.random() < 0.2 else 60
            port = await anyio.to_thread.run_sync(house.port_of, process, patience)
            if port is not None:
                at_work += 1
                clients.gateway_is_at(port)
                # By answers rather than by the clock, so that a laden machine tests as much.
                enough = len(seen.acked) + rng.randint(0, 90)
                with anyio.move_on_after(5):
                    while len(seen.acked) < enough:  # noqa: ASYNC110  # the clients tell nobody
                        await anyio.sleep(0.002)
                await anyio.sleep(rng.random() * 0.03)
            house.kill(process)
            clients.gateway_is_at(None)
        group.cancel_scope.cancel()
    return at_work


def check(house, provider, seen):
    """Hold the three against each other; gives the figures."""
    process, _ = house.serve()  # it adopts what the dead have left
    assert house.stop(process)[0] == 0
    assert house.left() == ["adoption.flock"]
    assert house.run("ledger", "verify")["ok"]
    with house.store() as store:
        entries = list(store.entries(EntryFilter("default")))
        exchanges = {each.exchange_id: each for each in store.exchanges(EntryFilter("default"))}
        problems = [each for writer in store.writers() for each in verify(store.chain(writer))]
    assert problems == []
    received = Counter(provider.received())
    written = Counter(entry.intent.attribution.feature for entry in entries)
    # Every call that reached the provider has an entry; an intent may not have got that far.
    assert received - written == Counter()
    assert set(written) <= seen.asked
    statuses = Counter(entry.status for entry in entries)
    assert set(statuses) <= {"unpriced", "void", "pending"}
    assert [entry for entry in entries if len(entry.ends) != 1] == []
    # Every answer that a client has to its end is settled, with the usage that the provider told.
    by_exchange = {}
    for entry in entries:
        by_exchange.setdefault(entry.intent.exchange_id, []).append(entry)
    unsettled = []
    for token, exchange_id in seen.acked.items():
        last = by_exchange[exchange_id][-1]
        assert last.intent.attribution.feature == token
        if last.status != "unpriced":
            unsettled.append((token, last.status, last.end.outcome))
            continue
        usage = provider.usage_of(token)
        assert last.end.meters == {"input_tokens": usage["prompt_tokens"], "output_tokens": 10}
    assert unsettled == []
    crashed = [e for e in entries if e.status == "pending" and e.end.outcome == "crashed"]
    for exchange in exchanges.values():
        assert exchange.attempts == len(by_exchange.get(exchange.exchange_id, ()))
    return {
        "reached the provider": sum(received.values()),
        "entries": len(entries),
        "acknowledged": len(seen.acked),
        "of these after a retry": seen.retried,
        "crashed": len(crashed),
        **dict(sorted(statuses.items())),
    }


def run(house, provider, kills, seed):
    seen = Seen()
    at_work = anyio.run(kill_many, house, kills, random.Random(seed), seen)
    figures = check(house, provider, seen)
    told = ", ".join(f"{name} {number}" for name, number in figures.items())
    print(f"{kills} kills, {at_work} at work: {told}; refused {dict(seen.refused)}")  # noqa: T201  # for `pytest -s`
    assert set(seen.refused) <= REFUSALS
    assert figures["reached the provider"] >= figures["acknowledged"] > 0
    assert figures["crashed"] > 0
    assert figures["void"] > 0


def test_no_call_is_lost_when_the_gateway_is_killed(make_house, provider):
    run(make_house(), provider, kills=7, seed=3)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(10, 16))
def test_no_call_is_lost_in_a_hundred_kills(make_house, provider, seed):
    run(make_house(), provider, kills=20, seed=seed)
