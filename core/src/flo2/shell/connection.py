"""One client connection: uvicorn's httptools protocol, with deadlines for slow clients.

uvicorn keeps a connection that sends nothing, half a header or a byte a second for ever. Here
each connection carries two timestamps, and one timer per process sweeps all of them: no timer
object per request, on the keep-alive path not even uvicorn's own (its `call_later` per answer).

A connection waits for one of three things: a request's head (`head_s`), its body (`body_s`, plus
the time its bytes would take at `body_rate`), or the next request (`idle_s`). The first two end
in 408; none of them touches a running answer, and a client that waits for *us* is never late.

It also refuses what httptools lets grow without bound (an endless head, trailer fields), answers
its own refusals as JSON, keeps a closing connection open long enough for the client to read why,
and tells the app when a client leaves, without a task: see `CLIENT_LEFT`.
Imports: uvicorn; the shell's body, guard and limits. Only after `server.check_installed()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from flo2.shell.body import CLIENT_LEFT
from flo2.shell.guard import error_body

if TYPE_CHECKING:
    import asyncio  # noqa: TID251  # uvicorn's protocols live on asyncio's transports; types only
    from collections.abc import Callable

    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
    from uvicorn.config import Config
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from flo2.shell.limits import ClientLimits

__all__ = ["Connection", "ConnectionFactory"]


class ConnectionFactory:
    """Make the connections of one server and sweep them.

    Passed to uvicorn as `http=`, which calls it once per accepted connection.
    """

    def __init__(self, limits: ClientLimits) -> None:
        self.limits = limits
        self.per_ip: dict[str, int] = {}
        self.nowhere: _Nowhere = _Nowhere()
        self._open: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        # A deadline is met within a quarter of the shortest one, and within a second.
        self._every_s = min(1.0, min(limits.head_s, limits.body_s, limits.idle_s) / 4)

    def __call__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> Connection:
        """Return the protocol of one connection."""
        return Connection(config, server_state, app_state, _loop, factory=self)

    def opened(self, connection: Connection, ip: str) -> str | None:
        """Count a new connection; return why it is one too many, or None."""
        limits = self.limits
        if limits.connections is not None and len(self._open) >= limits.connections:
            return f"this server has its most, {limits.connections}, connections; try again later"
        if limits.connections_per_ip is not None:
            count = self.per_ip.get(ip, 0)
            if count >= limits.connections_per_ip:
                return f"{ip} has its most, {limits.connections_per_ip}, connections; close some"
            self.per_ip[ip] = count + 1
        self._open.add(connection)
        if self._timer is None:
            self._timer = connection.loop.call_later(self._every_s, self._sweep, connection.loop)
        return None

    def closed(self, connection: Connection, ip: str) -> None:
        """Forget a connection that `opened` counted."""
        if connection not in self._open:
            return
        self._open.remove(connection)
        if ip in self.per_ip:
            self.per_ip[ip] -= 1
            if not self.per_ip[ip]:
                del self.per_ip[ip]

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self._open):
            connection.check(now)
        self._timer = loop.call_later(self._every_s, self._sweep, loop) if self._open else None


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with two timestamps; `check` compares them with the limits."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        factory: ConnectionFactory,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._factory = factory
        self._limits = factory.limits
        self._now = self.loop.time
        # When the request that is still arriving began; 0.0 when none is.
        self._begun = 0.0
        self._idle_since = 0.0
        # Bytes of a request beyond the piece in which it began; -1 in that piece.
        self._arrived = 0
        # Set once nothing more is read: after a refusal, until the client is gone.
        self._deaf_since = 0.0
        self._ip = ""
        self._gone = False
        self._draining = False
        self._leavers: dict[object, Callable[[], None]] = {}
        self._extensions = {CLIENT_LEFT: self._on_leave}

    # What the transport tells us.

    def connection_made(  # type: ignore[override]  # uvicorn narrows the transport the same way
        self, transport: asyncio.Transport
    ) -> None:
        """Start the first deadline, or refuse a connection too many."""
        super().connection_made(transport)
        # uvicorn closes through `self.transport`; the stand-in closes without losing the answer.
        self.transport: asyncio.Transport = _Closer(transport, self)  # type: ignore[assignment]
        self._begun = self._now()
        self._ip = self.client[0] if self.client else ""
        problem = self._factory.opened(self, self._ip)
        if problem is not None:
            self._refuse(503, "too_many_connections", problem)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever asked that the client is gone."""
        self._factory.closed(self, self._ip)
        super().connection_lost(exc)
        self._gone = True
        leavers = list(self._leavers.values())
        self._leavers.clear()
        for leave in leavers:
            leave()

    def data_received(self, data: bytes) -> None:
        """Parse, and count what did not arrive in one piece."""
        if self._deaf_since:
            return
        super().data_received(data)
        if self._begun:
            self._arrived = self._arrived + len(data) if self._arrived >= 0 else 0
            if self._arrived > self._limits.head_bytes and not self._head_is_complete():
                self._refuse(
                    431,
                    "headers_too_large",
                    f"the request's head is over {self._limits.head_bytes} bytes; send less",
                )

    # What the parser tells us.

    def on_message_begin(self) -> None:
        """Start the deadline of a request."""
        super().on_message_begin()
        self._begun = self._now()
        self._arrived = -1
        self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]  # ours

    def on_headers_complete(self) -> None:
        """Start the request; fields after this point are trailers and reach nobody."""
        super().on_headers_complete()
        # Else httptools adds trailer fields to the headers that the guard has already judged.
        self.headers: list[tuple[bytes, bytes]] = self._factory.nowhere
        # uvicorn takes the parser away when the connection is lost; here it is calling us.
        if self.parser.should_upgrade():  # pyright: ignore[reportOptionalMemberAccess]
            # We speak no other protocol: answer as HTTP/1.1 and close, as what follows on this
            # connection may be in the other protocol (RFC 9110 §7.8).
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """End the deadline: from here on the client waits for us."""
        super().on_message_complete()
        self._begun = 0.0

    def _unsupported_upgrade_warning(self) -> None:
        # uvicorn logs two lines for each such request; any client could fill a disk with them.
        pass

    # What uvicorn asks of a connection.

    def shutdown(self) -> None:
        """Close when idle, else after the answer; the server is stopping, so do not linger."""
        self._draining = True
        super().shutdown()

    def on_response_complete(self) -> None:
        """Start the next pipelined request, or note since when the connection is idle."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_since = self._now()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        running = self._limits.running
        if running is not None and len(self.tasks) >= running:
            app = _busy
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are no HTTP, without writing into an answer that is on its way."""
        self._refuse(400, "invalid_http", f"{msg} Send what RFC 9112 allows, no more.")

    # Deadlines.

    def check(self, now: float) -> None:
        """Close the connection if its client has kept it waiting for too long."""
        limits = self._limits
        if self._deaf_since:
            if now - self._deaf_since > limits.linger_s and not self._is_answering():
                self.transport.abort()
        elif self._begun:
            if not self._head_is_complete():
                # A slow second request waits until the first one's answer is through.
                if now - self._begun > limits.head_s and not self._is_answering():
                    self._refuse(408, "request_timeout", "the request's head came too slowly")
            elif self.flow.read_paused or self.cycle.waiting_for_100_continue:
                # The app has not read yet: the client waits for us.
                self._begun = now
                self._arrived = 0
            elif now - self._begun > limits.body_s + self._arrived / limits.body_rate:
                self._refuse(408, "request_timeout", "the request's body came too slowly")
        elif not self._is_answering() and now - self._idle_since > limits.idle_s:
            self.transport.close()

    def _head_is_complete(self) -> bool:
        # uvicorn makes a new scope at a request's first byte, and puts the path in at its end.
        return self.scope is not None and "path" in self.scope

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer an error, unless that would cut into another answer; then read no more.

        A request whose own body is at fault ends here. One that is complete and being answered
        ends in its own time; pipelined ones behind it are dropped with the connection.
        """
        self._deaf_since = self._now()
        if not self._may_refuse():
            return
        if status in {408, 503}:
            # There is nothing in flight that a reset could overtake.
            self._begun = 0.0
        kind = "invalid_request_error" if status < 500 else "server_error"
        body = error_body(message, code, kind)
        head = [STATUS_LINE[status]]
        head += [
            name + b": " + value + b"\r\n" for name, value in self.server_state.default_headers
        ]
        head.append(b"content-type: application/json\r\nconnection: close\r\n")
        head.append(b"content-length: %d\r\n\r\n" % len(body))
        self.transport.write(b"".join(head) + body)
        self.transport.close()

    def _may_refuse(self) -> bool:
        """Say whether an error can be written now; if not, arrange for the connection's end."""
        cycle = self.cycle
        if cycle is None:
            return True
        if cycle.response_complete:
            if self._begun and self._head_is_complete():
                # This request has had its answer; a second one would answer the next.
                self.transport.abort()
                return False
            return True
        if self.pipeline:
            self.transport.abort()
            return False
        if not cycle.more_body:
            cycle.keep_alive = False
            return False
        cycle.disconnected = True
        cycle.message_event.set()
        if cycle.response_started:
            self.transport.abort()
            return False
        return True

    # What the app may ask.

    def _on_leave(self, callback: Callable[[], None]) -> Callable[[], None]:
        if self._gone:
            self.loop.call_soon(callback)
            return _nothing
        key = object()
        self._leavers[key] = callback

        def forget() -> None:
            self._leavers.pop(key, None)

        return forget

    def is_arriving(self) -> bool:
        """Say whether the client may still be sending a request that is worth an answer."""
        return bool(self._begun) and not self._draining

    def linger(self, transport: asyncio.Transport) -> None:
        """Close after the client has had time to read the answer.

        Closing a socket that holds unread bytes sends a reset, and the reset may overtake the
        answer that says why (RFC 9112 §9.6). So while a request is still arriving: end our
        side, drop what comes, and let the client, or `check`, end the rest.
        """
        self._deaf_since = self._now()
        self.flow.resume_reading()
        transport.write_eof()


class _Closer:
    """Stands in for a transport: the same, but `close` lingers while a request is arriving."""

    __slots__ = ("_closing", "_connection", "_transport", "get_extra_info", "write")

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self._transport = transport
        self._connection = connection
        self._closing = False
        # Bound to the instance: what is called for each request costs no extra frame.
        self.write = transport.write
        self.get_extra_info = transport.get_extra_info

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        transport = self._transport
        connection = self._connection
        if self._closing or not connection.is_arriving() or not transport.can_write_eof():
            transport.close()
        elif not transport.is_closing():
            self._closing = True
            connection.linger(transport)

    def abort(self) -> None:
        self._closing = True
        self._transport.abort()


class _Nowhere(list[tuple[bytes, bytes]]):
    """A list of headers that keeps none."""

    def append(self, item: tuple[bytes, bytes], /) -> None:
        """Drop a trailer field."""


def _nothing() -> None:
    """Forget a callback that has been called."""


async def _busy(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:  # noqa: ARG001
    body = error_body(
        "this server has its most requests in progress; try again in a second",
        "too_many_running_requests",
        "server_error",
    )
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"1"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
