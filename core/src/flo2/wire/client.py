"""The wire: prepared endpoints over one engine, with deadlines, checks and the one safe resend.

Never follows a redirect, reads no proxy or netrc from the environment, keeps no cookies. Names no
provider. Imports: errors, wire.*.
"""

from __future__ import annotations

import asyncio
import time
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

from flo2.errors import (
    ConnectFailed,
    InvalidHeader,
    ReadFailed,
    ResponseTooLarge,
    SendFailed,
    WireError,
)
from flo2.wire.address import is_target, parse_base_url
from flo2.wire.decoding import decoder_for
from flo2.wire.destination import DestinationCheck, system_lookup
from flo2.wire.engines import client_context, make_engine
from flo2.wire.flight import Deadlines
from flo2.wire.headers import HeaderCheck
from flo2.wire.response import WireResponse
from flo2.wire.types import Limits, Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from ipaddress import IPv4Network, IPv6Network
    from pathlib import Path

    from flo2.wire.address import Address
    from flo2.wire.destination import Lookup
    from flo2.wire.engines import EngineName
    from flo2.wire.flight import Flight
    from flo2.wire.httpx_library import AsyncBaseTransport
    from flo2.wire.types import RawResponse, Transport

__all__ = ["Endpoint", "Wire"]

# A keep-alive race shows within a round trip. An upstream that worked for longer before it hung up
# has perhaps produced, and bills, an answer: sending again would pay twice.
_STALE_WITHIN_S = 1.0
_REMEMBERED = 64


class Wire:
    """Connections to providers.

    Args:
        transport: Used in place of an engine: a `Transport`, or any httpx2 (httpx)
            `AsyncBaseTransport`, such as a `MockTransport`. It makes its own connections, so the
            destination check is its own matter.
        engine: Which library makes the connections.
        allow_private: Networks that may be reached although they are not public.
        limits: Pool, header and body bounds.
        clock: Monotonic seconds, for deadlines, `sent_at` and `first_byte_at`.
        ca_file: PEM certificates to trust besides the system's.
        lookup: Name resolution, where the system's is not wanted.

    Example:
        async with Wire() as wire:
            endpoint = wire.endpoint("https://api.vendor.example/v1")
            async with await endpoint.send("POST", "/chat", headers, body) as response:
                data = await response.read()
    """

    def __init__(
        self,
        transport: AsyncBaseTransport | Transport | None = None,
        *,
        engine: EngineName = "auto",
        allow_private: Sequence[IPv4Network | IPv6Network] = (),
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        ca_file: Path | str | None = None,
        lookup: Lookup = system_lookup,
    ) -> None:
        self.limits: Limits = limits or Limits()
        self.deadlines: Deadlines = Deadlines(clock)
        self.header_check: HeaderCheck = HeaderCheck()
        self._given = transport
        self._engine: EngineName = engine
        self._check = DestinationCheck(allow_private, lookup=lookup)
        self._ca_file = ca_file
        self.transport: Transport | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def open(self) -> Transport:
        """Give the transport, making it at the first call; needs a running event loop."""
        if self.transport is not None:
            return self.transport
        if self._closed:
            raise ConnectFailed("the wire is closed")
        self.transport = transport = self._make()
        return transport

    def _make(self) -> Transport:
        given: Any = self._given  # which of the two, the method it has will tell
        if given is None:
            return make_engine(
                self._engine,
                check=self._check,
                limits=self.limits,
                context=client_context(self._ca_file),
            )
        if hasattr(given, "handle_async_request"):
            from flo2.wire.httpx_engine import HttpxAdapter  # noqa: PLC0415  # loaded when needed

            return HttpxAdapter(given)
        transport: Transport = given
        return transport

    def endpoint(self, base_url: str, *, timeouts: Timeouts | None = None) -> Endpoint:
        """Prepare a base URL; does no I/O.

        Args:
            base_url: `http(s)://host[:port][/prefix]`.
            timeouts: For calls that bring none of their own.

        Raises:
            ConfigError: another scheme, no host, or a user, query or fragment in the URL.
        """
        return Endpoint(self, parse_base_url(base_url), timeouts or Timeouts())

    async def aclose(self) -> None:
        """Interrupt what runs and close every connection."""
        self._closed = True
        self.deadlines.close()
        transport, self.transport = self.transport, None
        if transport is not None:
            await transport.aclose()


class Endpoint:
    """A base URL of one provider; made by `Wire.endpoint`.

    Attributes:
        address: The parsed base URL.
    """

    def __init__(self, wire: Wire, address: Address, timeouts: Timeouts) -> None:
        self.address = address
        self._wire = wire
        self._timeouts = timeouts
        self._targets: dict[str, str] = {}  # paths that passed; bounded, and without queries

    def __repr__(self) -> str:
        return f"<Endpoint {self.address.origin}{self.address.prefix}>"

    async def send(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        *,
        timeouts: Timeouts | None = None,
    ) -> WireResponse:
        """Send one request and wait for the head of its answer.

        Asks for an uncompressed body (`accept-encoding: identity`) unless the caller says
        otherwise: a compressor holds back pieces of a stream, and inflating costs more than the
        network saves.

        Sends once more, on a new connection, in one case only: the connection was kept alive from
        an earlier call and closed before any byte of an answer, within 1 s. That is the race
        between an upstream's idle timeout and our request. `WireResponse.resends` tells.

        Args:
            method: In capitals.
            path: Begins with `/`, percent-encoded, with the query if there is one.
            headers: Names and values; `host` and framing are the wire's.
            body: May be empty.
            timeouts: In place of the endpoint's.

        Raises:
            InvalidHeader: header or path cannot be sent.
            ConnectFailed, DestinationRefused: nothing was sent.
            SendFailed, ReadFailed, ResponseTooLarge: the request may have been processed.
            WireTimeout: `connect`, `first_byte` or `total`.
        """
        wire = self._wire
        if not wire.header_check.check(headers):
            headers = [*headers, ("accept-encoding", "identity")]
        target = self._targets.get(path) or self._target(path)
        transport = wire.transport or wire.open()
        flight = wire.deadlines.begin(timeouts or self._timeouts)
        resends = 0
        try:
            # One coroutine with a loop in it: each further one costs every call half a microsecond.
            while True:
                try:
                    raw = await transport.send(self.address, method, target, headers, body, flight)
                except asyncio.CancelledError:
                    if not flight.resume() or flight.failure is None:
                        raise
                    failure = flight.failure
                except WireError as error:
                    flight.resume()
                    failure = flight.failure or error
                else:
                    flight.resume()
                    if flight.failure is None:
                        return self._response(raw, flight, resends)
                    failure = flight.failure  # interrupted, but the engine swallowed it
                    raw.kill()
                    await raw.aclose()
                if resends:
                    failure.sent = True  # whatever became of the second one, the first one left
                if resends or not _is_stale(flight, failure):
                    # Outside of any `except`: no exception of a library, which may hold the URL or
                    # the headers, stays attached as its context.
                    raise failure  # noqa: TRY301
                resends = 1
                flight.connecting()
        except BaseException:
            flight.finish()
            if flight.kill is not None:
                flight.kill()
            raise

    def _target(self, path: str) -> str:
        """Check a path and put the prefix in front."""
        if not is_target(path):
            # Not shown: a query may hold a key.
            raise InvalidHeader(
                f"the request path for {self.address.host!r} must begin with '/', be ASCII, "
                "percent-encoded, without dot segments"
            )
        target = self.address.prefix + path
        if "?" not in path and len(self._targets) < _REMEMBERED:
            self._targets[path] = target
        return target

    def _response(self, raw: RawResponse, flight: Flight, resends: int) -> WireResponse:
        flight.kill = raw.kill
        first_byte_at = self._wire.deadlines.clock()
        limits = self._wire.limits
        if sum(map(len, chain.from_iterable(raw.raw_headers))) > limits.max_header_bytes:
            raise ResponseTooLarge(
                f"the response head is larger than {limits.max_header_bytes} bytes"
            )
        encoding = raw.content_encoding
        return WireResponse(
            raw.status,
            raw.raw_headers,
            first_byte_at if flight.sent_at is None else flight.sent_at,
            first_byte_at,
            resends,
            raw,
            flight,
            limits.max_body_bytes,
            decoder_for(encoding) if encoding else None,
        )


def _is_stale(flight: Flight, failure: WireError) -> bool:
    return (
        isinstance(failure, ReadFailed | SendFailed)
        and flight.failure is None
        and flight.reused
        and not flight.received
        and flight.since_sent() <= _STALE_WITHIN_S
    )
