"""aiohttp's connection pool, judging addresses and telling each `Flight` about its connection.

Imports: wire.destination, wire.flight, wire.types.
"""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    import ssl

    from aiohttp.abc import ResolveResult
    from aiohttp.connector import Connection

    from flo2.wire.destination import DestinationCheck
    from flo2.wire.flight import Flight
    from flo2.wire.types import Limits

__all__ = ["Connector", "Course", "Handler"]

# A burst of new connections asks for its name once. What is kept are addresses that passed, and
# each is judged again when a socket is opened for it, so a stale one gives no way around the check.
_NAMES_KEPT_S = 10
_NAMES_KEPT = 1000


class Handler(ResponseHandler):
    """aiohttp's protocol, which also says whether bytes came and how the connection ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.flight: Flight | None = None
        self.uses = 0
        self.was_reset: bool = False

    def data_received(self, data: bytes) -> None:
        """Note that an answer has begun."""
        if self.flight is not None:
            self.flight.received = True
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End the body's reader in every case, and keep a reset apart from a close."""
        # aiohttp lets a reset end a close-delimited body like a close (client_proto, 3.14.5).
        self.was_reset = exc is not None
        payload = self._payload
        super().connection_lost(exc)
        # A chunk size that does not parse closes the connection and tells the head's reader, but
        # leaves the body's reader waiting for ever (same version, data_received).
        if payload is not None and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(aiohttp.ClientPayloadError("cut off"))


class Course:
    """One `send` on its way through the connector."""

    __slots__ = ("flight", "handler")

    def __init__(self, flight: Flight) -> None:
        self.flight: Flight = flight
        self.handler: Handler | None = None


class _Resolver(AbstractResolver):
    """Resolution with every address judged; aiohttp connects to what it returns."""

    def __init__(self, check: DestinationCheck) -> None:
        self._check = check

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": socket.IPPROTO_TCP,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in await self._check.resolve(host, port)
        ]

    async def close(self) -> None:
        """Own nothing."""


class Connector(aiohttp.TCPConnector):
    """aiohttp's pool, telling each call's `Flight` about its connection."""

    def __init__(self, check: DestinationCheck, limits: Limits, context: ssl.SSLContext) -> None:
        self._check = check
        self.courses: dict[asyncio.Task[Any], Course] = {}
        super().__init__(
            ssl=context,
            resolver=_Resolver(check),
            ttl_dns_cache=_NAMES_KEPT_S,
            dns_cache_max_size=_NAMES_KEPT,
            limit=0,
            limit_per_host=limits.max_connections_per_endpoint,
            keepalive_timeout=limits.keepalive_s,
            socket_factory=self._judged_socket,
        )
        self._factory = cast("partial[ResponseHandler]", partial(Handler, self._loop))

    def _judged_socket(self, info: Any) -> socket.socket:
        """Open a socket for an address about to be connected.

        The resolver has judged all but literal addresses, which aiohttp does not resolve; here
        every address passes, whatever way it came.
        """
        family, kind, proto, _, address = info
        self._check.require(str(address[0]), [str(address[0])])
        return socket.socket(family, kind, proto)

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Connection:  # noqa: ASYNC109
        """Take a connection from the pool, or open one, and tell the flight which."""
        connection = await super().connect(req, traces, timeout)
        task = asyncio.current_task()
        course = None if task is None else self.courses.get(task)
        handler = connection.protocol
        if course is None or not isinstance(handler, Handler):
            return connection
        while course.flight.fresh_only and handler.uses:
            connection.close()  # as stale, perhaps, as the one that just died
            connection = await super().connect(req, traces, timeout)
            handler = connection.protocol
            if not isinstance(handler, Handler):
                return connection
        course.handler = handler
        course.flight.kill = handler.abort
        course.flight.connected(reused=handler.uses > 0)
        handler.flight = course.flight
        handler.uses += 1
        return connection
