r"""A provider's server as a script: what it answers, how it cuts it, and how it breaks.

    upstream = FakeUpstream()
    upstream.stream([b"data: 1\n\n", 0.002, b"data: 2\n\n"])      # pieces, and pauses in seconds
    upstream.reply(429, json={"error": "slow down"}, headers={"retry-after": "7"})
    upstream.stream([b"data: 1\n\n"], ends="reset")

In process, `Wire(transport=upstream.transport())` speaks to it with no socket; on the loopback,
`async with upstream.serving() as base_url` does, through a real engine. Each answer is given once,
in order; a request past the script's end gets a 599 that says so.
Imports: anyio, errors, wire (types), testing.loopback.
"""

from __future__ import annotations

import json as jsonlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Literal

import anyio
from attrs import field, frozen

from flo2.errors import ConnectFailed, ReadFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flo2.wire.address import Address
    from flo2.wire.flight import Flight

__all__ = ["Ending", "FakeUpstream", "Received", "Scripted"]

Piece = bytes | float | anyio.Event
"""Bytes to send, seconds to wait, or an event of the test to wait for."""

Ending = Literal["complete", "truncated", "reset", "hang", "garbage", "refuse"]
"""How an answer ends.

`complete`: as HTTP wants it. `truncated`: the connection closes before the announced end. `reset`:
it is reset. `hang`: nothing more comes, until the client leaves. `garbage`: what comes is no HTTP
at all. `refuse`: there is no connection (in process only).
"""


@frozen
class Received:
    """One request as it arrived.

    Attributes:
        headers: Names in lower case.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def json(self) -> Any:
        """Return the body parsed as JSON."""
        return jsonlib.loads(self.body)


@frozen
class Scripted:
    """One answer of the script."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    pieces: tuple[Piece, ...] = ()
    ends: Ending = "complete"
    chunked: bool = True
    length: int = field(init=False)

    @length.default
    def _length(self) -> int:
        return sum(len(piece) for piece in self.pieces if isinstance(piece, bytes))


_OVER = Scripted(
    599, (("content-type", "text/plain"),), (b"the script of this fake upstream is over",)
)


class FakeUpstream:
    """A scripted server.

    Attributes:
        requests: All that arrived, in order.
        open: How many answers are being sent at the moment.
        finished: How many were sent to their scripted end.
        abandoned: How many the client left before that.
    """

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.open: int = 0
        self.finished: int = 0
        self.abandoned: int = 0
        self._script: deque[Scripted] = deque()
        self._changed = anyio.Event()

    @property
    def last(self) -> Received:
        """The newest request."""
        return self.requests[-1]

    # The script -------------------------------------------------------------------------------

    def reply(
        self,
        status: int = 200,
        *,
        json: Any = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        ends: Ending = "complete",
        delay_s: float = 0.0,
    ) -> None:
        """Answer with a whole body of known length.

        Args:
            status: HTTP status.
            json: The body as a value, in place of `body`.
            body: The body.
            headers: `content-type` is `application/json` unless it is among them.
            ends: How; all but `complete` cut the body in the middle.
            delay_s: Wait before the status.
        """
        data = body if json is None else jsonlib.dumps(json).encode()
        half = data if ends == "complete" else data[: len(data) // 2]
        pieces: tuple[Piece, ...] = (half,) if half else ()
        if delay_s:
            pieces = (delay_s, *pieces)
        self._put(status, headers, "application/json", pieces, ends, length=len(data))

    def stream(
        self,
        pieces: Iterable[Piece],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        ends: Ending = "complete",
    ) -> None:
        """Answer with a stream, in exactly these pieces.

        Args:
            pieces: Bytes, pauses in seconds, and events of the test to wait for.
            status: HTTP status.
            headers: `content-type` is `text/event-stream` unless it is among them.
            ends: How, after the last piece.
        """
        whole = tuple(piece for piece in pieces if piece != b"")
        self._put(status, headers, "text/event-stream", whole, ends, length=None)

    def _put(
        self,
        status: int,
        headers: Mapping[str, str] | None,
        content_type: str,
        pieces: tuple[Piece, ...],
        ends: Ending,
        *,
        length: int | None,
    ) -> None:
        named = {name.lower(): value for name, value in (headers or {}).items()}
        named.setdefault("content-type", content_type)
        if length is not None:
            named.setdefault("content-length", str(length))
        self._script.append(
            Scripted(status, tuple(named.items()), pieces, ends, chunked=length is None)
        )

    def forget(self) -> None:
        """Drop what is left of the script."""
        self._script.clear()

    # Used by both forms -----------------------------------------------------------------------

    def take(self, received: Received) -> Scripted:
        """Note a request, and give the answer that is due."""
        self.requests.append(received)
        return self._script.popleft() if self._script else _OVER

    def began(self) -> None:
        """Note that an answer is being sent."""
        self.open += 1

    def ended(self, *, abandoned: bool) -> None:
        """Note that an answer is over."""
        self.open -= 1
        if abandoned:
            self.abandoned += 1
        else:
            self.finished += 1
        self._changed.set()
        self._changed = anyio.Event()

    async def quiet(self, within_s: float = 0.5) -> None:
        """Wait until no answer is open.

        Raises:
            TimeoutError: one still is.
        """
        with anyio.fail_after(within_s):
            while self.open:
                await self._changed.wait()

    # The two forms ----------------------------------------------------------------------------

    def transport(self) -> InProcess:
        """Give what `Wire(transport=…)` takes."""
        return InProcess(self)

    def serving(self, port: int = 0) -> AbstractAsyncContextManager[str]:
        """Serve on 127.0.0.1; gives the base URL. The wire must allow private addresses.

        Args:
            port: Where to listen; 0: any port that is free.
        """
        from flo2.testing.loopback import serve  # noqa: PLC0415  # it imports this module

        return serve(self, port)


class _Answer:
    """An answer of the in-process form; a `RawResponse` of the wire."""

    content_encoding = ""

    def __init__(self, upstream: FakeUpstream, script: Scripted) -> None:
        self._upstream = upstream
        self._script = script
        self._pieces = iter(script.pieces)
        self._over = False
        self.status = script.status
        self.raw_headers = tuple(
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in script.headers
        )
        upstream.began()

    @property
    def at_end(self) -> bool:
        return self._over

    async def next_piece(self) -> bytes:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                return piece
            await _wait(piece)
        ends = self._script.ends
        if ends == "hang":
            await anyio.sleep_forever()
        self._end(abandoned=False)
        if ends != "complete":
            raise ReadFailed("the connection broke before the response body was complete")
        return b""

    def kill(self) -> None:
        self._end(abandoned=True)

    async def aclose(self) -> None:
        self._end(abandoned=True)

    def _end(self, *, abandoned: bool) -> None:
        if not self._over:
            self._over = True
            self._upstream.ended(abandoned=abandoned)


class InProcess:
    """The in-process form: a `Transport` of the wire without a socket."""

    def __init__(self, upstream: FakeUpstream) -> None:
        self._upstream = upstream

    async def send(
        self,
        address: Address,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        flight: Flight,
    ) -> _Answer:
        """See `flo2.wire.Transport.send`."""
        named = {name.lower(): value for name, value in headers}
        script = self._upstream.take(Received(method, target, named, body))
        if script.ends == "refuse":
            raise ConnectFailed(f"cannot connect to {address.host}:{address.port}: refused")
        flight.connected(reused=False)
        if script.ends == "garbage":
            raise ReadFailed("the answer is no HTTP")
        if script.pieces and isinstance(script.pieces[0], float) and not script.chunked:
            await anyio.sleep(script.pieces[0])
        return _Answer(self._upstream, script)

    async def aclose(self) -> None:
        """Nothing to close."""


async def _wait(piece: float | anyio.Event) -> None:
    if isinstance(piece, anyio.Event):
        await piece.wait()
    else:
        await anyio.sleep(piece)


async def pieces_of(script: Scripted) -> AsyncIterator[bytes]:
    """Give the bytes of an answer, waiting where the script says so."""
    for piece in script.pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            await _wait(piece)
