"""An answer whose head has arrived: its body decoded, bounded, and never silently cut off.

Imports: errors, wire.decoding, wire.flight, wire.types.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from flo2.errors import ReadFailed, ResponseTooLarge, WireError
from flo2.wire.types import Headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from flo2.wire.decoding import Decoder
    from flo2.wire.flight import Flight
    from flo2.wire.types import RawResponse

__all__ = ["WireResponse"]


class WireResponse(Struct, eq=False):
    """What `Endpoint.send` gives back; the caller closes it, by `aclose` or as a context manager.

    One task at a time reads; another may take over between pieces, and any may `abort`. A task that
    is cancelled while it reads closes the connection: whoever wants an answer to run to its end
    reads it in a task that nobody cancels.

    Attributes:
        status: The final HTTP status; redirects are answers like any other.
        raw_headers: The header fields as bytes, names in the upstream's case.
        sent_at: When the request began to be written, in clock seconds.
        first_byte_at: When the head was complete, in clock seconds.
        finished: The whole body came.
        resends: 1 when a kept-alive connection had died and the request went out once more.
    """

    status: int
    raw_headers: Sequence[tuple[bytes, bytes]]
    sent_at: float
    first_byte_at: float
    resends: int
    _raw: RawResponse
    _flight: Flight
    _max_body_bytes: int
    _decoder: Decoder | None
    finished: bool = False
    _closed: bool = False
    _size: int = 0
    _headers: Headers | None = None

    @property
    def headers(self) -> Headers:
        """The header fields as received; see `Headers` about those that describe the body."""
        if self._headers is None:
            self._headers = Headers(self.raw_headers)
        return self._headers

    def __repr__(self) -> str:
        state = "finished" if self.finished else "closed" if self._closed else "open"
        return f"<WireResponse {self.status}, {state}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def read(self, limit: int | None = None) -> bytes:
        """Read the whole (rest of the) decoded body.

        Args:
            limit: The most bytes to take, below the wire's own bound; a larger body is an error.

        Raises:
            ReadFailed: the connection broke, or the body is not whole.
            ResponseTooLarge: there is more than `limit`.
            WireTimeout: `idle` or `total`.
        """
        if limit is not None:
            self._max_body_bytes = min(self._max_body_bytes, self._size + limit)
        if self._decoder is not None:
            pieces = [piece async for piece in self.chunks()]
        else:
            pieces = []
            while not self.finished:
                pieces.append(await self._next_piece())
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the decoded body as it comes, in non-empty pieces, without waiting to fill any.

        Raises:
            ReadFailed: the connection broke or was aborted, or the body is not whole.
            ResponseTooLarge: past the wire's bound.
            WireTimeout: `idle` or `total`.
        """
        decoder = self._decoder
        while not self.finished:
            piece = await self._next_piece()
            try:
                if decoder is None:
                    if piece:
                        yield piece
                    continue
                for part in decoder.feed(piece):
                    failure = self._overflow(part)
                    if failure is not None:
                        raise failure
                    yield part
                if self.finished:
                    decoder.finish()
            except (ReadFailed, ResponseTooLarge) as error:
                self._fail(error)
                raise

    async def aclose(self) -> None:
        """Give the connection back to the pool if the body is finished, close it otherwise."""
        if self.finished:
            return  # the engine took the connection back with the last byte
        self._flight.finish()
        if not self._closed:
            self._closed = True
            self._flight.failure = ReadFailed("the response is closed")
        await self._raw.aclose()

    def abort(self) -> None:
        """Close the upstream connection now; a task waiting in `chunks` gets `ReadFailed`."""
        if not (self.finished or self._closed):
            self._closed = True
            self._flight.interrupt(ReadFailed("the response was aborted"))

    async def _next_piece(self) -> bytes:
        """Wait for one piece, with the idle deadline running; `b""` is the end."""
        flight = self._flight
        if flight.failure is not None:
            raise flight.failure
        flight.wait_for_piece()
        failure: WireError | None = None
        piece = b""
        try:
            piece = await self._raw.next_piece()
        except asyncio.CancelledError:
            if not flight.resume():
                self._fail(ReadFailed("the task that read the response was cancelled"))
                raise
        except WireError as error:
            flight.resume()
            failure = error
        else:
            flight.resume()
        failure = flight.failure or failure
        if failure is None and piece and self._decoder is None:
            self._size += len(piece)
            if self._size > self._max_body_bytes:
                failure = self._too_large()
        if failure is not None:
            # Raised out here so that no library exception, which may hold a URL, stays attached.
            self._fail(failure)
            raise failure
        if not piece or self._raw.at_end:
            self.finished = True
            flight.finish()
        return piece

    def _overflow(self, piece: bytes) -> ResponseTooLarge | None:
        self._size += len(piece)
        return None if self._size <= self._max_body_bytes else self._too_large()

    def _too_large(self) -> ResponseTooLarge:
        return ResponseTooLarge(f"the response body is larger than {self._max_body_bytes} bytes")

    def _fail(self, failure: WireError) -> None:
        self._closed, self.finished = True, False
        self._flight.finish()
        if self._flight.failure is None:
            self._flight.failure = failure
        self._raw.kill()
