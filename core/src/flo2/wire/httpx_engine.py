"""The httpx2 (or httpx) engine, and the adapter that takes any of its transports.

It talks to the connection pool (httpcore) directly for real connections, and to
`AsyncBaseTransport` for given ones.
Imports: errors, wire.address, wire.destination, wire.flight, wire.httpx_*.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

from flo2.errors import ConnectFailed, ReadFailed, ResponseTooLarge, SendFailed, WireError
from flo2.wire.httpx_library import CONNECT_ERRORS, LIBRARY_ERRORS, httpcore, httpx
from flo2.wire.httpx_network import Backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence

    from flo2.wire.address import Address
    from flo2.wire.destination import DestinationCheck
    from flo2.wire.flight import Flight
    from flo2.wire.httpx_library import AsyncBaseTransport
    from flo2.wire.httpx_network import Courses
    from flo2.wire.types import Limits

__all__ = ["HttpxAdapter", "HttpxEngine"]


class _Closing:
    """The connections that are being closed on behalf of a `kill`, which cannot wait."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, closing: Coroutine[Any, Any, None]) -> None:
        """Close in the background."""
        task = asyncio.get_running_loop().create_task(closing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait(self) -> None:
        """Wait until all are closed."""
        while self._tasks:
            await asyncio.wait(self._tasks)


class _RawResponse:
    """A response of httpx or httpcore, seen through the seam."""

    def __init__(
        self,
        status: int,
        raw_headers: Sequence[tuple[bytes, bytes]],
        stream: Any,
        closing: _Closing,
    ) -> None:
        self.status = status
        self.raw_headers = tuple(raw_headers)
        self.content_encoding = ", ".join(
            value.decode("latin-1")
            for key, value in raw_headers
            if key.lower() == b"content-encoding"
        )
        self._stream = stream
        self._pieces: AsyncIterator[bytes] = stream.__aiter__()
        self._closing = closing
        self._done = False

    @property
    def at_end(self) -> bool:
        return self._done

    async def next_piece(self) -> bytes:
        try:
            async for piece in self._pieces:
                if piece:
                    return piece
        except LIBRARY_ERRORS:
            pass
        else:
            await self.aclose()
            return b""
        raise ReadFailed("the connection broke before the response body was complete")

    def kill(self) -> None:
        # Not by the socket: uvloop does not give it out, and its number may be another's by now.
        if not self._done:
            self._closing.start(self.aclose())

    async def aclose(self) -> None:
        if not self._done:
            self._done = True
            with contextlib.suppress(*LIBRARY_ERRORS):
                await self._stream.aclose()


class HttpxAdapter:
    """A `Transport` over any `AsyncBaseTransport`, such as a `MockTransport`.

    A given transport does not say when it connects, so the call counts as sent from its beginning,
    and the connect deadline is not seen.

    Args:
        transport: Closed together with the wire.
    """

    def __init__(self, transport: AsyncBaseTransport) -> None:
        self._transport = transport
        self._closing = _Closing()

    async def send(
        self,
        address: Address,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        flight: Flight,
    ) -> _RawResponse:
        """See `Transport.send`."""
        flight.connected(reused=False)
        try:
            response = await self._transport.handle_async_request(
                httpx.Request(method, address.origin + target, headers=headers, content=body)
            )
        except LIBRARY_ERRORS as exc:
            failure = _mapped(exc, address, flight)
        else:
            return _RawResponse(
                response.status_code,
                response.headers.raw,
                response.stream,
                self._closing,
            )
        raise failure

    async def aclose(self) -> None:
        """Close the given transport."""
        await self._closing.wait()
        await self._transport.aclose()


class HttpxEngine:
    """A `Transport` over httpcore's connection pools, one for each origin.

    httpcore scans its whole pool at each request, so one pool for all would slow every endpoint.

    Args:
        check: Judges every address.
        limits: Pool and header bounds; a response head is bounded by h11's 100 KiB besides.
        context: TLS.
    """

    def __init__(self, *, check: DestinationCheck, limits: Limits, context: ssl.SSLContext) -> None:
        self._limits = limits
        self._context = context
        self._courses: Courses = {}
        self._backend = Backend(check, self._courses)
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}
        self._closing = _Closing()

    def _pool(self, origin: str) -> httpcore.AsyncConnectionPool:
        pool = self._pools.get(origin)
        if pool is None:
            most = self._limits.max_connections_per_endpoint
            pool = self._pools[origin] = httpcore.AsyncConnectionPool(
                ssl_context=self._context,
                max_connections=most,
                max_keepalive_connections=most,
                keepalive_expiry=self._limits.keepalive_s,
                network_backend=self._backend,
            )
        return pool

    async def send(
        self,
        address: Address,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        flight: Flight,
    ) -> _RawResponse:
        """See `Transport.send`."""
        pool = self._pool(address.origin)
        if flight.fresh_only:
            for connection in pool.connections:
                if connection.is_idle():
                    await connection.aclose()
        host = address.origin.partition("://")[2].encode()
        fields = [(b"host", host), *((name.encode(), value.encode()) for name, value in headers)]
        if body or method in {"POST", "PUT", "PATCH"}:
            fields.append((b"content-length", b"%d" % len(body)))
        url = httpcore.URL(
            scheme=address.scheme, host=address.host, port=address.port, target=target
        )
        if (task := flight.task) is not None:
            self._courses[task] = flight
        try:
            response = await pool.handle_async_request(
                httpcore.Request(method, url, headers=fields, content=body)
            )
        except LIBRARY_ERRORS as exc:
            failure = _mapped(exc, address, flight)
        else:
            if response.status != 101:
                return _RawResponse(
                    response.status,
                    response.headers,
                    response.stream,
                    self._closing,
                )
            await response.aclose()
            failure = ReadFailed("the upstream switched protocols, which nobody asked for")
        finally:
            if task is not None:
                self._courses.pop(task, None)
        raise failure

    async def aclose(self) -> None:
        """Close every connection."""
        await self._closing.wait()
        for pool in self._pools.values():
            await pool.aclose()


def _mapped(exc: BaseException, address: Address, flight: Flight) -> WireError:
    """Say what happened in our words; the libraries' exceptions carry the request."""
    where = f"{address.host}:{address.port}"
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ConnectFailed(
                f"the certificate of {where} is not trusted: {cause.verify_message}; "
                "a private authority goes into ca_file"
            )
        if isinstance(cause, ssl.SSLError) and flight.sent_at is None:
            return ConnectFailed(f"no TLS with {where}; is it an https address?")
        cause = cause.__cause__ or cause.__context__
    if isinstance(exc, CONNECT_ERRORS) or flight.sent_at is None:
        return ConnectFailed(f"cannot connect to {where}")
    if isinstance(exc, httpx.WriteError | httpcore.WriteError):
        return SendFailed(f"{where} closed the connection while the request was being sent")
    if "buffer too long" in str(exc):  # h11's wording for a head past its bound
        return ResponseTooLarge(f"the response head from {where} is too large")
    if isinstance(exc, httpx.ProtocolError | httpcore.ProtocolError) and flight.received:
        return ReadFailed(f"what {where} sent is not an HTTP response")
    return ReadFailed(f"{where} closed the connection before a complete response head")
