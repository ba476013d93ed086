"""Read a request's body, within a bound.

The common case, one `http.request` message, costs one pass over the headers and no copy.
A declared length over the limit is refused before a byte is read; a body that grows past it is
dropped at once; a gzip body is bounded by what it unpacks to: a bomb costs the limit, no more.
Imports: errors, anyio, starlette's types.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, ClassVar

from anyio import to_thread

from flo2.errors import InvalidRequest, RequestTooLarge
from flo2.shell.guard import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Receive, Scope

__all__ = ["CLIENT_LEFT", "ClientDisconnected", "UnsupportedEncoding", "read_body"]

CLIENT_LEFT = "flo2.disconnect"
"""Key in `scope["extensions"]`: a function that takes a callback without arguments, calls it once
from the event loop when the client's connection is lost, and returns a function that forgets it.

`forget = scope["extensions"][CLIENT_LEFT](cancel_scope.cancel)` replaces a task that waits in
`receive()`. A callback registered after the client left is called at once."""

_GZIP = 16 + zlib.MAX_WBITS
# This much unpacks to 4 MB at most (zlib packs 1000:1 at best), about 10 ms; more goes to a thread.
_INLINE_BYTES = 4096


class ClientDisconnected(Exception):
    """The client left before its request was complete; there is nobody to answer."""


class UnsupportedEncoding(InvalidRequest):
    """The body has a content-encoding that is not read here."""

    status: ClassVar[int] = 415


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Return the whole body, unpacked.

    Args:
        scope: The request's ASGI scope; its headers say length and encoding.
        receive: The request's ASGI receive.
        limit: Most bytes, both as sent and as unpacked.

    Raises:
        RequestTooLarge: The body is, or unpacks to, more than `limit` bytes (413).
        UnsupportedEncoding: content-encoding is neither `gzip` nor `identity` (415).
        InvalidRequest: content-length is no number, or the gzip data is broken (400).
        ClientDisconnected: The client left first.
    """
    headers = scope["headers"]
    fields = scope.get(FIELDS) or dict(headers)
    declared = fields.get(b"content-length", b"0")
    if not (declared.isdigit() and len(declared) < 10 and int(declared) <= limit):
        _check_declared(declared, limit)
    is_gzip = b"content-encoding" in fields and _is_gzip(_coding(headers))
    message = await receive()
    if message["type"] != "http.request":
        raise ClientDisconnected
    body: bytes = message.get("body", b"")
    if len(body) > limit:
        raise _too_large(limit)
    if message.get("more_body", False):
        body = await _read_on(body, receive, limit)
    if is_gzip:
        if len(body) > _INLINE_BYTES:
            return await to_thread.run_sync(_unzip, body, limit)
        return _unzip(body, limit)
    return body


def _check_declared(value: bytes, limit: int) -> None:
    if not value.isdigit() or len(value) > 18:
        shown = value[:60].decode("latin-1")
        raise InvalidRequest(
            f"content-length is {shown!r}; send decimal digits only", code="invalid_content_length"
        )
    if int(value) > limit:
        raise _too_large(limit, f"{int(value)} bytes")


def _coding(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b",".join(value for name, value in headers if name == b"content-encoding" and value)


def _is_gzip(encoding: bytes) -> bool:
    name = encoding.strip().lower()
    if not name:
        return False
    if name in {b"gzip", b"x-gzip"}:
        return True
    if name == b"identity":
        return False
    shown = encoding[:60].decode("latin-1")
    raise UnsupportedEncoding(
        f"content-encoding {shown!r} is not supported; send the body plain or as gzip",
        code="unsupported_content_encoding",
    )


async def _read_on(first: bytes, receive: Receive, limit: int) -> bytes:
    parts = [first]
    size = len(first)
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnected
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _unzip(data: bytes, limit: int) -> bytes:
    """Unpack one or more gzip members (RFC 1952 §2.2) to at most `limit` bytes."""
    out = bytearray()
    while data:
        member = zlib.decompressobj(_GZIP)
        try:
            # One byte of room more than allowed tells "exactly the limit" from "over it".
            out += member.decompress(data, limit + 1 - len(out))
        except zlib.error as exc:
            raise _broken(str(exc)) from exc
        if len(out) > limit:
            raise _too_large(limit, "more when unpacked")
        if not member.eof:
            raise _broken("it ends too early")
        data = member.unused_data
    return bytes(out)


def _too_large(limit: int, found: str = "more") -> RequestTooLarge:
    return RequestTooLarge(
        f"the body may have {limit} bytes and has {found}; send less, or raise the limit",
        code="request_too_large",
    )


def _broken(reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"the body is declared gzip and cannot be unpacked: {reason}", code="invalid_gzip"
    )
