"""A gateway on a real socket in front of a real server that replays traces, for clients under test.

    async with staged(lambda url: {"acme": {"kind": "acme", "base_url": url}}) as stage:
        stage.play(trace)
        ...                                    # any HTTP client, at stage.url with stage.key
        call = await stage.call(request_id)    # its receipt, once the call has ended

Everything runs in one event loop: client, gateway, upstream.
Imports: testing.harness, testing.upstream, testing.traces, shell.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import anyio
from attrs import define

from flo2.ledger import Receipt
from flo2.shell import create_app
from flo2.shell.server import ServerSettings, listen
from flo2.shell.worker import GracefulServer
from flo2.testing.harness import House, running
from flo2.testing.traces import Trace
from flo2.testing.upstream import FakeUpstream, Received

__all__ = ["Stage", "cut", "staged"]

_PATIENCE_S: Final = 5.0
_PIECES: Final = 24
# The server that replays frames the body itself.
_FRAMING: Final = frozenset(
    {"connection", "content-encoding", "content-length", "date", "server", "transfer-encoding"}
)


def cut(body: bytes, seed: str) -> list[bytes]:
    """Cut a body at random places, inside of characters too; the same ones for the same seed."""
    rng = random.Random(seed)  # noqa: S311  # where chunks end is no secret
    at = sorted(rng.sample(range(len(body) + 1), min(len(body), _PIECES)))
    return [body[a:b] for a, b in zip([0, *at], [*at, len(body)], strict=True) if a < b]


@define
class Stage:
    """A served gateway and the upstream behind it.

    Attributes:
        house: The gateway, its key, its admin token.
        url: Where the gateway listens, without a path.
        upstream: Where requests arrive; `upstream_url` is its address.
    """

    house: House
    url: str
    upstream: FakeUpstream
    upstream_url: str

    @property
    def key(self) -> str:
        """The issued key."""
        return self.house.key

    def play(self, trace: Trace, *, body: bytes | None = None) -> None:
        """Let the upstream answer its next request as recorded.

        Args:
            trace: Its status, headers and body; a stream comes in pieces cut at random.
            body: Sent in place of the trace's own.
        """
        data = trace.body if body is None else body
        headers = {k: v for k, v in trace.headers.items() if k.lower() not in _FRAMING}
        if trace.stream:
            pieces = cut(data, trace.name)
            self.upstream.stream(pieces, status=trace.status, headers=headers)
        else:
            self.upstream.reply(trace.status, body=data, headers=headers)

    def arrived(self, since: int = 0) -> Sequence[Received]:
        """Give the requests that reached the upstream, from number `since` on."""
        return self.upstream.requests[since:]

    async def call(self, request_id: str) -> Receipt:
        """Give the receipt of a call once it has ended.

        The ledger's last record follows the last byte that the client gets.

        Raises:
            TimeoutError: the call does not end.
        """
        ledger, account = self.house.gateway.runtime.ledger, self.house.issued.account
        with anyio.fail_after(_PATIENCE_S):
            while True:
                receipt = await ledger.receipt(account, request_id)
                if receipt is not None and receipt.exchange is not None:
                    return receipt
                await anyio.sleep(0.001)


class _Server(GracefulServer):
    """Leaves the signals to whoever runs the tests."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def staged(
    providers: Callable[[str], Mapping[str, Mapping[str, Any]]],
    *,
    upstream: FakeUpstream | None = None,
    plugins: Mapping[str, object] | None = None,
    **config: Any,
) -> AsyncIterator[Stage]:
    """Serve a gateway and its upstream on free ports.

    Args:
        providers: Gives the `[providers]` table for the upstream's address; the account gets a
            credential for each but the sandbox, which takes none.
        upstream: What answers; None: one that is told by `Stage.play`.
        plugins: Plugins in Python, by name.
        config: Further tables, as in `flo2.toml`.
    """
    upstream = FakeUpstream() if upstream is None else upstream
    async with upstream.serving() as upstream_url:
        table = providers(upstream_url)
        given = {**config, "providers": table}
        keyed = [name for name, each in table.items() if each["kind"] != "sandbox"]
        async with running(given, credentials=keyed, plugins=plugins) as house:
            ready = anyio.Event()
            sock = listen("127.0.0.1", 0)
            url = f"http://127.0.0.1:{sock.getsockname()[1]}"
            server = _Server(
                create_app(house.gateway, lifespan=False),
                ServerSettings(graceful_timeout_s=1.0),
                on_ready=ready.set,
                say=lambda _: None,
            )
            async with anyio.create_task_group() as group:
                group.start_soon(server.serve, [sock])
                await ready.wait()
                try:
                    yield Stage(house, url, upstream, upstream_url)
                finally:
                    server.should_exit = True
