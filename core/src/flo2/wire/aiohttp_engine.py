"""The aiohttp engine: the fast one (a quarter of httpx2's CPU per call).

Imports: errors, wire.aiohttp_pool, wire.address, wire.destination, wire.flight, wire.types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.payload import BytesPayload, Payload
from multidict import CIMultiDict
from yarl import URL

from flo2.errors import (
    ConnectFailed,
    DestinationRefused,
    ReadFailed,
    ResponseTooLarge,
    SendFailed,
    WireError,
)
from flo2.wire.aiohttp_pool import Connector, Course, Handler

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from flo2.wire.address import Address
    from flo2.wire.destination import DestinationCheck
    from flo2.wire.flight import Flight
    from flo2.wire.types import Limits

__all__ = ["AiohttpEngine"]

_MAX_FIELDS = 256
# Deadlines are the Flight's; aiohttp's own would cost timers of their own.
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)


class _Request(aiohttp.ClientRequest):
    """A request without aiohttp's own headers (`skip_auto_headers` would cost 3 µs a call)."""

    _SKIP: CIMultiDict[None] = CIMultiDict(
        [(name, None) for name in ("accept", "accept-encoding", "content-type", "user-agent")]
    )

    def update_auto_headers(self, skip_auto_headers: Any) -> None:
        self._skip_auto_headers = self._SKIP


class _Body(BytesPayload):
    """Bytes of any size; aiohttp's own class warns above 1 MiB, which requests with images pass."""

    def __init__(self, value: bytes) -> None:
        Payload.__init__(self, value)
        self._size = len(value)


class _RawResponse:
    """An aiohttp response, seen through the seam."""

    __slots__ = ("_handler", "_response", "content_encoding", "raw_headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, handler: Handler | None) -> None:
        self._response = response
        self._handler = handler
        self.status = response.status
        self.raw_headers = response.raw_headers
        self.content_encoding = response.headers.get(aiohttp.hdrs.CONTENT_ENCODING, "")

    @property
    def at_end(self) -> bool:
        content = self._response.content
        return (
            content.at_eof()
            and content.exception() is None
            and not (self._handler is not None and self._handler.was_reset)
        )

    async def next_piece(self) -> bytes:
        content = self._response.content
        failure = ReadFailed("the connection broke before the response body was complete")
        try:
            piece = await content.readany()
        except (aiohttp.ClientError, HttpProcessingError, OSError):
            # What had arrived may hold the usage of the call: it is given out before the failure.
            piece = content._read_nowait(-1)  # noqa: SLF001  # aiohttp has no public way; tested
            if piece:
                return piece
        else:
            if piece or not (self._handler is not None and self._handler.was_reset):
                return piece
        raise failure

    def kill(self) -> None:
        # After its end the body's connection is already in the pool, perhaps in other hands.
        if self._response.connection is not None:
            if self._handler is not None:
                self._handler.abort()
            self._response.close()

    async def aclose(self) -> None:
        self._response.close()


class AiohttpEngine:
    """A `Transport` over aiohttp.

    Args:
        check: Judges every address.
        limits: Pool and header bounds.
        context: TLS.
    """

    def __init__(self, *, check: DestinationCheck, limits: Limits, context: ssl.SSLContext) -> None:
        self._connector = Connector(check, limits, context)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=_Request,
            timeout=_NO_TIMEOUT,
            auto_decompress=False,
            trust_env=False,
            max_line_size=limits.max_header_bytes,
            max_field_size=limits.max_header_bytes,
            max_headers=_MAX_FIELDS,
        )
        # aiohttp repeats GETs by itself, also on new connections; the wire decides about repeats.
        self._session._retry_connection = False  # noqa: SLF001  # no public switch (3.14.5)

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
        course = Course(flight)
        courses = self._connector.courses
        if (task := flight.task) is not None:
            courses[task] = course
        try:
            response = await self._session.request(
                method,
                URL(address.origin + target, encoded=True),
                headers=headers,
                data=_Body(body) if body else None,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError, RuntimeError) as exc:
            failure = _mapped(exc, address, flight)
        else:
            if response.status != 101:
                return _RawResponse(response, course.handler)
            response.close()
            failure = ReadFailed("the upstream switched protocols, which nobody asked for")
        finally:
            if task is not None:
                courses.pop(task, None)
        raise failure

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()


def _mapped(exc: Exception, address: Address, flight: Flight) -> WireError:
    """Say what happened in our words; aiohttp's exceptions hold the URL and the headers."""
    where = f"{address.host}:{address.port}"
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        return ConnectFailed(
            f"the certificate of {where} is not trusted: "
            f"{getattr(exc.certificate_error, 'verify_message', '') or 'no match'}; "
            "a private authority goes into ca_file"
        )
    if isinstance(exc, aiohttp.ClientConnectorSSLError):
        return ConnectFailed(f"no TLS with {where}; is it an https address?")
    if isinstance(exc, aiohttp.ClientConnectorError):
        return ConnectFailed(f"cannot connect to {where}: {exc.strerror or 'no route'}")
    if isinstance(exc, aiohttp.InvalidURL):
        return DestinationRefused(f"{address.host!r} is not a host name or a canonical address")
    if flight.sent_at is None:
        return ConnectFailed(f"the connection to {where} failed while it was made")
    if isinstance(exc, aiohttp.ClientResponseError):
        parsing = exc.__cause__ and exc.__cause__.__cause__  # aiohttp wraps it twice (3.14.5)
        if isinstance(parsing, LineTooLong):
            return ResponseTooLarge(f"a line of the response head from {where} is too long")
        return ReadFailed(f"what {where} sent is not an HTTP response")
    if isinstance(exc, aiohttp.ClientOSError) and "write" in str(exc).lower():
        return SendFailed(f"{where} closed the connection while the request was being sent")
    return ReadFailed(f"{where} closed the connection before a complete response head")
