"""httpcore's network backend, judging addresses and telling each `Flight` about its connection.

Imports: wire.destination, wire.flight, wire.httpx_library.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, cast

from flo2.wire.httpx_library import httpcore

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from flo2.wire.destination import DestinationCheck
    from flo2.wire.flight import Flight

__all__ = ["Backend", "Courses"]

Courses = dict["asyncio.Task[Any]", "Flight"]
# With several addresses none may use up the whole connect deadline, except the last.
_PER_ADDRESS_S = 2.0


class Stream(httpcore.AsyncNetworkStream):
    """A network stream that tells the current task's flight what passes."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, courses: Courses) -> None:
        self._stream = stream
        self._courses = courses
        self._uses = 0

    def _flight(self) -> Flight | None:
        task = asyncio.current_task()
        return None if task is None else self._courses.get(task)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        data = await self._stream.read(max_bytes, timeout)
        flight = self._flight()
        if flight is not None and data:
            flight.received = True
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        flight = self._flight()
        if flight is not None and flight.sent_at is None:
            flight.connected(reused=self._uses > 0)
            self._uses += 1
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        inner = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return Stream(inner, self._courses)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class Backend(httpcore.AsyncNetworkBackend):
    """Connects to judged addresses only; Host and SNI stay as they were."""

    def __init__(self, check: DestinationCheck, courses: Courses) -> None:
        self._check = check
        self._courses = courses
        self._backend = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Look the host up, judge what it has, and connect to the first address that answers."""
        addresses = await self._check.resolve(host, port)
        for address in addresses[:-1]:
            with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return Stream(
                    await self._backend.connect_tcp(address, port, _PER_ADDRESS_S), self._courses
                )
        stream = await self._backend.connect_tcp(addresses[-1], port, timeout)
        return Stream(stream, self._courses)
