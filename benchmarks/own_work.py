"""Measure flo2's own work per call: everything but the HTTP server, the HTTP client and the wire.

    python benchmarks/own_work.py            # a table
    python benchmarks/own_work.py --profile plain

A request goes through the whole ASGI app (guard, key, policies, plan, ledger, prices, receipt) to a
transport that answers at once. CPU time of the event loop's thread, the best of several rounds:
what is stored afterwards, by the ledger's own thread, is the last line.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

import anyio
from attrs import frozen

from flo2 import (
    Declaration,
    Gateway,
    MemoryStore,
    PriceRow,
    Register,
    Secret,
    Services,
    Wire,
    create_app,
    hookimpl,
)

WORDS = ["the", "gateway", "counts", "tokens", "while", "upstream", "streams", "answers", "back"]
ROUNDS = 7
EVENTS = 1000


def text(size: int) -> str:
    """Make about `size` characters of words."""
    return " ".join(WORDS[i % len(WORDS)] for i in range(size // 6))


def ask(size: int, *, stream: bool = False, **more: Any) -> bytes:
    """Make a request body."""
    turns = [{"role": "user", "content": text(size)}]
    return json.dumps(
        {"model": "mock/m1", "messages": turns, "max_tokens": 512, "stream": stream, **more}
    ).encode()


USAGE = {"prompt_tokens": 25, "completion_tokens": 90, "total_tokens": 115}
PLAIN = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1795413600,
        "model": "m1-2026",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text(900), "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
        "service_tier": "default",
    }
).encode()


def frame(choices: list[Any], **more: Any) -> bytes:
    """Make one frame of a stream."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m1-2026"}
    return b"data: " + json.dumps({**head, "choices": choices, **more}).encode() + b"\n\n"


STREAM = [
    frame([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]),
    *(
        frame([{"index": 0, "delta": {"content": f" word {i}"}, "finish_reason": None}])
        for i in range(EVENTS)
    ),
    frame([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
    frame([], usage=USAGE),
    b"data: [DONE]\n\n",
]


class Prices:
    """What the model costs, so that a call is priced as any other."""

    kind: ClassVar[str] = "mock-prices"
    precedence: ClassVar[int] = 10

    @frozen
    class Config:
        """Nothing to configure."""

    def __init__(self, config: Config, services: Services) -> None:
        """Keep nothing."""

    def rows(self) -> list[PriceRow]:
        """Give two rows; as real ones, they hold at the tier `default`."""
        return [
            PriceRow(
                id=f"mock/m1/{meter}",
                provider="mock",
                models=frozenset({"m1", "m1-2026"}),
                dimension=meter,
                unit_price=Decimal(price),
                per=1_000_000,
                source="invented",
                read_on=date(2026, 11, 25),
                evidence="simulated",
            )
            for meter, price in (("input_tokens", "0.40"), ("output_tokens", "1.60"))
        ]

    def defaults(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Say at which values the rows hold."""
        return {"mock": {"service_tier": ("default",)}}


class PricePlugin:
    """Registers the prices."""

    @staticmethod
    @hookimpl
    def flo2_register_pricing(register: Register) -> None:
        """Register them."""
        register(Prices)


class Answered:
    """A raw response whose pieces are there already."""

    status = 200
    content_encoding = ""
    raw_headers = (
        (b"content-type", b"application/json"),
        (b"x-ratelimit-limit-requests", b"10000"),
        (b"x-ratelimit-remaining-requests", b"9999"),
    )

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self._at = 0

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._pieces)

    async def next_piece(self) -> bytes:
        """Give the next piece, `b""` at the end."""
        self._at += 1
        return self._pieces[self._at - 1] if self._at <= len(self._pieces) else b""

    def kill(self) -> None:
        """Nothing is open."""

    async def aclose(self) -> None:
        """Nothing is open."""


class Null:
    """A transport that answers at once."""

    async def send(self, *arguments: Any) -> Answered:
        """Answer; the arguments are those of `flo2.wire.Transport.send`."""
        body, flight = arguments[4], arguments[5]
        flight.connected(reused=True)
        ends = (body[:200] + body[-200:]).replace(b" ", b"")  # all of 20 kB would take 35 µs
        return Answered(STREAM if b'"stream":true' in ends else [PLAIN])

    async def aclose(self) -> None:
        """Nothing is open."""


UNDER: Mapping[str, Sequence[tuple[str, dict[str, str]]]] = {
    "a budget": [("budget", {"limit_usd": "1000000"})],
    "a limit": [("limit", {"unit": "requests", "amount": "100000000", "per": "minute"})],
    "two limits": [
        ("limit", {"unit": "requests", "amount": "100000000", "per": "minute"}),
        ("limit", {"unit": "tokens", "amount": "100000000000", "per": "minute"}),
    ],
}
"""What calls can be under, by its name in the table."""

Call = Callable[[str, bytes], Awaitable[list[dict[str, Any]]]]


@asynccontextmanager
async def calls(*declared: tuple[str, dict[str, str]]) -> Any:
    """Run a gateway over the null transport; gives a function that makes one call.

    Args:
        declared: The budgets and limits that the calls are under, as kind and document.
    """
    host = {
        "kind": "openai-compatible",
        "base_url": "https://mock.invalid/v1",
        "cancel_semantics": "stops",
    }
    config = {"providers": {"mock": host}, "pricing": {"mock-prices": {}}}
    gateway = Gateway.build(
        config,
        plugins={"mock-prices": PricePlugin()},
        store=MemoryStore(),
        environ={},
        wire=Wire(Null()),
    )
    app = create_app(gateway, lifespan=False)
    async with gateway:
        _, secret = await gateway.issue_key("bench")
        for number, (kind, told) in enumerate(declared):
            gateway.store.put_declaration(Declaration("default", kind, f"d{number}", told, 1))
        await gateway.add_credential("mock", Secret("sk-bench-0123456789"))
        headers = [
            (b"host", b"127.0.0.1:8787"),
            (b"authorization", b"Bearer " + secret.reveal().encode()),
            (b"content-type", b"application/json"),
            (b"user-agent", b"bench"),
            (b"accept", b"*/*"),
        ]

        async def call(path: str, body: bytes) -> list[dict[str, Any]]:
            sent: list[dict[str, Any]] = []

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": body, "more_body": False}

            async def send(message: dict[str, Any]) -> None:
                sent.append(message)

            scope = {
                "type": "http",
                "method": "POST",
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "root_path": "",
                "headers": [*headers, (b"content-length", str(len(body)).encode())],
                "extensions": {"flo2.disconnect": lambda _: lambda: None},
            }
            await app(scope, receive, send)
            assert sent[0]["status"] == 200, sent
            return sent

        yield call


CASES = {
    # name: (path, body, calls a round, events a call)
    "plain": ("/v1/chat/completions", ask(900), 1000, 1),
    "plain 20 KB": ("/v1/chat/completions", ask(20_000), 500, 1),
    "stream": ("/v1/chat/completions", ask(900, stream=True), 10, EVENTS),
    "translated plain": ("/v1/messages", ask(900), 500, 1),
    "translated stream": ("/v1/messages", ask(900, stream=True), 5, EVENTS),
}


async def measure() -> dict[str, float]:
    """Give CPU microseconds per call, or per event, of each case."""
    found: dict[str, float] = {}
    async with calls() as call:
        for name, (path, body, number, events) in CASES.items():
            told = dict((await call(path, body))[0]["headers"])
            assert "stream" in name or told[b"x-flo2-cost-usd"] == b"0.000154", told
            best = float("inf")
            for _ in range(ROUNDS):
                before = time.thread_time()
                for _ in range(number):
                    await call(path, body)
                best = min(best, (time.thread_time() - before) / number / events)
                await anyio.sleep(0.2)  # lets the ledger's thread catch up
            found[name] = best * 1e6
        path, body, number, _ = CASES["plain"]
        best = float("inf")
        for _ in range(ROUNDS):
            before = time.process_time()
            for _ in range(number):
                await call(path, body)
            await anyio.sleep(1)
            best = min(best, (time.process_time() - before) / number)
        found["plain, storing included"] = best * 1e6
    for name, declared in UNDER.items():
        async with calls(*declared) as call:
            best = float("inf")
            for _ in range(ROUNDS):
                before = time.thread_time()
                for _ in range(number):
                    await call(path, body)
                best = min(best, (time.thread_time() - before) / number)
                await anyio.sleep(0.2)
            found[f"plain, under {name}"] = best * 1e6
    return found


async def profile(case: str) -> None:
    """Print where the time of a case goes."""
    path, body, number, _ = CASES[case]
    async with calls() as call:
        await call(path, body)
        profiler = cProfile.Profile()
        profiler.enable()
        for _ in range(number):
            await call(path, body)
        profiler.disable()
    pstats.Stats(profiler).sort_stats("cumtime").print_stats(60)


def import_ms(module: str) -> float:
    """Give the time to import a module in a new interpreter, best of 5, without starting Python."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    clean = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    runs = [
        subprocess.run(  # this interpreter, our own text
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean
        )
        for _ in range(5)
    ]
    return min(float(run.stdout) for run in runs) * 1000


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", choices=sorted(CASES))
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if chosen.profile:
        anyio.run(profile, chosen.profile)
        return
    found = anyio.run(measure)
    units = {name: "µs per event" if "stream" in name else "µs per call" for name in found}
    for module in ("flo2", "flo2.gateway"):
        found[f"import {module}"] = import_ms(module)
        units[f"import {module}"] = "ms"
    if chosen.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:28s}{value:9.1f} {units[name]}")


if __name__ == "__main__":
    main()
