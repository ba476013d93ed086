"""Drive an ASGI app in process, message by message.

The transports that HTTP clients offer for ASGI apps gather the whole answer before they return,
so they cannot show when a chunk was sent, nor hang up in the middle. `ASGIDriver` can: a stream's
app waits in `send()` until the test takes the chunk, and `hang_up()` is what a lost connection is.

    async with ASGIDriver(app) as driver:
        answer = await driver.request("POST", "/v1/chat/completions", json={...}, key="flo2_sk_…")
        async with driver.stream("POST", "/v1/chat/completions", body=b"…") as stream:
            async for chunk in stream: ...
            await stream.hang_up()

Imports: anyio.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import anyio

from flo2.testing._exchange import Answer, AppMisbehaved, Checker, Exchange, Message, single_header

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from anyio.abc import ObjectReceiveStream, ObjectSendStream, TaskGroup

__all__ = ["ASGIDriver", "Answer", "AppMisbehaved", "Stream"]

_App = Callable[
    [Any, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]
_Headers = Mapping[str, str] | Sequence[tuple[str, str]]
_Body = bytes | Sequence[bytes]


class Stream:
    """An answer while it is being sent; `async for` gives each message's bytes.

    Args:
        exchange: The request.
        messages: What the app sends.
    """

    def __init__(self, exchange: Exchange, messages: ObjectReceiveStream[Message]) -> None:
        self._exchange = exchange
        self._messages = messages
        self._checker = Checker()

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._checker.status()

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Names in lower case, in the order sent."""
        return self._checker.headers()

    @property
    def is_complete(self) -> bool:
        """Whether the app has sent its last message, and it was taken."""
        return self._checker.complete

    def header(self, name: str) -> str | None:
        """Return the header's value, or None.

        Raises:
            AppMisbehaved: The header was sent more than once.
        """
        return single_header(self.headers, name)

    async def begin(self) -> None:
        """Wait for the status and the headers."""
        try:
            message = await self._messages.receive()
        except anyio.EndOfStream:
            raise AppMisbehaved("the app returned without http.response.start") from None
        if self._checker.take(message) is not None:
            raise AppMisbehaved("the app sent a body before http.response.start")

    async def chunk(self) -> bytes | None:
        """Return the next message's bytes, or None when the answer is over."""
        while not self._checker.complete:
            try:
                message = await self._messages.receive()
            except (anyio.EndOfStream, anyio.ClosedResourceError):
                return None
            data = self._checker.take(message)
            if data:
                return data
        return None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        while (data := await self.chunk()) is not None:
            yield data

    async def hang_up(self) -> None:
        """Lose the connection: the app's `receive` says so, and what it still sends is dropped."""
        await self._messages.aclose()
        self._exchange.hang_up()


class ASGIDriver:
    """Send requests to an ASGI app without a server; also its lifespan's context manager.

    Args:
        app: The ASGI app.
        root_path: The prefix it is mounted under; request paths are given without it.
        host: The Host header.
        client: The client's address and port.
        patience_s: How long the app may take to end a request, its start or its shutdown.

    Used with `async with`, it runs the app's lifespan; used without, it does not.
    """

    def __init__(
        self,
        app: _App,
        *,
        root_path: str = "",
        host: str = "flo2.test",
        client: tuple[str, int] = ("127.0.0.1", 50_000),
        patience_s: float = 10.0,
    ) -> None:
        self._app = app
        self._root_path = root_path
        self._host = host
        self._client = client
        self._patience_s = patience_s
        self._state: dict[str, Any] = {}
        self._group: TaskGroup | None = None
        self._stop = anyio.Event()
        self._said: list[Message] = []
        self._spoke = anyio.Event()

    async def __aenter__(self) -> Self:
        self._stop, self._said, self._spoke = anyio.Event(), [], anyio.Event()
        group = self._group = anyio.create_task_group()
        await group.__aenter__()
        group.start_soon(self._live)
        await self._hear("startup")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        group, self._group = self._group, None
        if group is None:
            return
        if exc is None:
            self._spoke = anyio.Event()
            self._stop.set()
            await self._hear("shutdown", group)
        group.cancel_scope.cancel()
        await group.__aexit__(None, None, None)

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: _Headers = (),
        body: _Body = b"",
        json: object = None,
        key: str | None = None,
    ) -> Answer:
        """Return the whole answer.

        Args:
            method: HTTP method.
            path: Path, perhaps with a query.
            headers: Replace the ones the driver would send (host, content-length, ...).
            body: The body, or its parts: each becomes one ASGI message.
            json: Sent as the body, with its content type.
            key: Sent as `authorization: Bearer …`.

        Raises:
            AppMisbehaved: The app broke the ASGI contract, or took longer than `patience_s`.
        """
        exchange = self._exchange(method, path, headers, body, json, key)
        checker = Checker()
        chunks: list[bytes] = []

        async def send(message: Message) -> None:
            data = checker.take(message)
            if data:
                chunks.append(data)
            if checker.complete:
                exchange.end()

        with anyio.move_on_after(self._patience_s) as scope:
            await self._app(exchange.scope, exchange.receive, send)
        if scope.cancelled_caught:
            raise AppMisbehaved(f"{method} {path} was not answered within {self._patience_s} s")
        status = checker.status()
        if not checker.complete:
            raise AppMisbehaved("the app returned without completing its answer")
        return Answer(status=status, headers=checker.headers(), chunks=tuple(chunks))

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        headers: _Headers = (),
        body: _Body = b"",
        json: object = None,
        key: str | None = None,
    ) -> AsyncIterator[Stream]:
        """Yield the answer once its headers are there; on leaving, hang up and let the app end.

        Arguments as for `request`. When the `async with` block is left, the app's task is over:
        what it does at the end (settle, record) has been done.

        Raises:
            AppMisbehaved: The app broke the ASGI contract, or took longer than `patience_s` to end.
        """
        exchange = self._exchange(method, path, headers, body, json, key)
        sender, receiver = anyio.create_memory_object_stream[Message](0)
        stream = Stream(exchange, receiver)
        failure: list[Exception] = []
        ended = anyio.Event()

        async def run() -> None:
            try:
                async with sender:
                    await self._app(exchange.scope, exchange.receive, _sending(exchange, sender))
            except Exception as exc:  # noqa: BLE001  # raised again below, outside the task group
                failure.append(exc)
            finally:
                ended.set()

        # Entered by hand: as a `with` block it would wrap what the test raises in a group.
        group = anyio.create_task_group()
        await group.__aenter__()
        try:
            group.start_soon(run)
            with anyio.move_on_after(self._patience_s) as scope:
                await _begin(stream, failure)
            if scope.cancelled_caught:
                raise AppMisbehaved(f"no answer began within {self._patience_s} s")
            yield stream
        finally:
            receiver.close()
            if not stream.is_complete:
                exchange.hang_up()
            with anyio.move_on_after(self._patience_s, shield=True):
                await ended.wait()
            late = not ended.is_set()
            group.cancel_scope.cancel()
            await group.__aexit__(None, None, None)
        if late:
            raise AppMisbehaved(f"the app did not end within {self._patience_s} s")
        if failure:
            raise failure[0]

    def _exchange(
        self,
        method: str,
        path: str,
        headers: _Headers,
        body: _Body,
        json: object,
        key: str | None,
    ) -> Exchange:
        sent: dict[str, str] = {"host": self._host}
        if json is not None:
            body = jsonlib.dumps(json).encode()
            sent["content-type"] = "application/json"
        if isinstance(body, bytes):
            if body:
                sent["content-length"] = str(len(body))
        else:
            sent["transfer-encoding"] = "chunked"
        if key is not None:
            sent["authorization"] = f"Bearer {key}"
        given = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        named = {name.lower() for name, _ in given}
        fields = [(name, value) for name, value in sent.items() if name not in named] + given
        raw_path, _, query = path.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": self._root_path + unquote(raw_path),
            "raw_path": (self._root_path + raw_path).encode(),
            "query_string": query.encode(),
            "root_path": self._root_path,
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields
            ],
            "client": self._client,
            "server": (self._host, 80),
            "state": self._state.copy(),
        }
        return Exchange(scope, body)

    async def _live(self) -> None:
        """Run the app's lifespan."""
        started = False

        async def receive() -> Message:
            nonlocal started
            if not started:
                started = True
                return {"type": "lifespan.startup"}
            await self._stop.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: Message) -> None:
            self._said.append(message)
            self._spoke.set()

        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self._state}
        try:
            await self._app(scope, receive, send)
        finally:
            self._spoke.set()

    async def _hear(self, phase: str, group: TaskGroup | None = None) -> None:
        """Wait until the app says that the phase is complete."""
        group = group or self._group
        with anyio.move_on_after(self._patience_s):
            await self._spoke.wait()
        said = self._said[-1] if self._said else {"type": "nothing"}
        if said["type"] == f"lifespan.{phase}.complete" or group is None:
            return
        self._group = None
        problem = AppMisbehaved(
            f"lifespan {phase}: the app said {said['type']}: {said.get('message', '')}"
        )
        group.cancel_scope.cancel()
        # A failure of the app itself, raised here by the group, is the better explanation.
        await group.__aexit__(None, None, None)
        raise problem


def _sending(
    exchange: Exchange, sender: ObjectSendStream[Message]
) -> Callable[[Message], Awaitable[None]]:
    async def send(message: Message) -> None:
        # uvicorn drops what is sent to a client that left, and so does this.
        try:
            await sender.send(message)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            exchange.end()

    return send


async def _begin(stream: Stream, failure: list[Exception]) -> None:
    try:
        await stream.begin()
    except AppMisbehaved:
        # An app that failed before its first message explains itself better.
        if failure:
            raise failure[0] from None
        raise
