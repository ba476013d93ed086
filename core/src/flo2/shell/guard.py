"""Refuse ambiguous requests before anything else of flo2 sees them.

No HTTP parser is clean alone: httptools accepts two Host headers, `Host: x/?#@y`, 2,000 headers
and `Transfer-Encoding: identity` beside `chunked`. A request that two servers in a row may read
differently is how one client's bytes become another client's request, so it is answered 400, or
431 when it is too big, and its connection is closed.

`Guard` is the outermost ASGI layer and costs each ordinary request one pass over its headers.
It does not read bodies (`flo2.shell.body` does) and knows no route.
Imports: starlette's types.
"""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["FIELDS", "Guard", "Refusal", "error_body"]

# A name, an IPv4 address or a bracketed IPv6 address, then perhaps a port. Underscores are no
# hostname by RFC 1123, but container networks use them.
_HOST = re.compile(
    rb"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
# In a decoded path: what a proxy in front may fold into another path than the one we match.
_UNSAFE_PATH = re.compile(r"//|\\|[\x00-\x1f\x7f]|(?:^|/)\.\.?(?:/|$)")
_ENCODED_SLASH = re.compile(rb"%(?:2f|5c)", re.IGNORECASE)
FIELDS = "flo2.fields"
"""Key of a scope: its headers as a mapping, set by the guard where none of them is there twice."""

_WATCHED = frozenset((b"host", b"content-length", b"transfer-encoding"))
_REMEMBERED = 64


@attrs.frozen
class Refusal:
    """Why a request is not served: HTTP status, a short stable code, a sentence for people."""

    status: int
    code: str
    message: str


class Guard:
    """Serve `app`, unless the request is ambiguous or oversized.

    Args:
        app: The ASGI application behind the guard.
        max_headers: Most header fields of one request.
        max_header_bytes: Most bytes of request target, header names and values together.
        max_body_bytes: Largest `content-length` let through. A backstop: each surface has a lower
            limit of its own and answers 413 in its own envelope (`flo2.shell.body.read_body`).
        strict_prefixes: Below these paths (seen from the app's own root), `//`, `.` and `..`
            segments, backslashes, control characters and encoded slashes are refused.

    The Host rule answers the class of CVE-2026-48710 ("BadHost"): a forged Host changes what
    `request.url` says. `tests/loopback/test_server.py` holds the list of hostile requests.
    """

    __slots__ = (
        "_app",
        "_digits",
        "_hosts",
        "_max_body_bytes",
        "_max_header_bytes",
        "_max_headers",
        "_strict",
    )

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_headers: int = 100,
        max_header_bytes: int = 32_768,
        max_body_bytes: int = 64 * 1024 * 1024,
        strict_prefixes: Sequence[str] = ("/api", "/ui"),
    ) -> None:
        self._app = app
        self._max_headers = max_headers
        self._max_header_bytes = max_header_bytes
        self._max_body_bytes = max_body_bytes
        self._digits = len(str(max_body_bytes))
        self._hosts: set[bytes] = set()  # that have passed; bounded
        # A path that begins with `//` is below every prefix in the eyes of a proxy that folds it.
        self._strict = (*strict_prefixes, "//")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer the refusal and close the connection."""
        if scope["type"] != "lifespan":
            refusal = self.inspect(scope)
            if refusal is not None:
                await _answer(refusal, scope, send)
                return
        await self._app(scope, receive, send)

    def inspect(self, scope: Scope) -> Refusal | None:
        """Return why this request is refused, or None when it may pass."""
        headers = scope["headers"]
        raw_path = scope.get("raw_path") or b""
        size = len(raw_path) + len(scope.get("query_string", b""))
        size += sum(map(len, chain.from_iterable(headers)))
        if len(headers) > self._max_headers:
            return Refusal(
                431,
                "too_many_headers",
                f"the request has {len(headers)} headers; send at most {self._max_headers}",
            )
        if size > self._max_header_bytes:
            return Refusal(
                431,
                "headers_too_large",
                f"request target and headers have {size} bytes; send at most "
                f"{self._max_header_bytes}",
            )
        fields = dict(headers)
        length = fields.get(b"content-length", b"0")
        if (  # framing is beyond doubt: a host seen before, no header twice, no big body
            len(fields) != len(headers)
            or fields.get(b"host") not in self._hosts
            or b"transfer-encoding" in fields
            or len(length) >= self._digits
            or not length.isdigit()
        ):
            refusal = self._framing([pair for pair in headers if pair[0] in _WATCHED])
            if refusal is not None:
                return refusal
        if len(fields) == len(headers):
            scope[FIELDS] = fields
        path = scope["path"]
        root = scope.get("root_path")
        if root and path.startswith(root):
            path = path[len(root) :]
        if path.startswith(self._strict):
            return _strict_path(path, raw_path)
        return None

    def _framing(self, watched: Sequence[tuple[bytes, bytes]]) -> Refusal | None:
        """Judge Host, Content-Length and Transfer-Encoding: one meaning, or a refusal."""
        fields = dict(watched)
        if len(fields) != len(watched):
            names = [name for name, _ in watched]
            twice = next(name for name in names if names.count(name) > 1).decode()
            return _bad(
                f"duplicate_{twice.replace('-', '_')}",
                f"the request has {names.count(twice.encode())} {twice} headers; send exactly one",
            )
        host = fields.get(b"host")
        if host is None:
            return _bad("missing_host", "the request has no host header; send exactly one")
        if _HOST.fullmatch(host) is None:
            return _bad("invalid_host", f"host is {_shown(host)}; send a name or address, :port")
        if len(self._hosts) < _REMEMBERED:
            self._hosts.add(host)
        length = fields.get(b"content-length")
        coding = fields.get(b"transfer-encoding")
        if coding is not None:
            return _judge_coding(coding, length)
        if length is not None:
            return self._judge_length(length)
        return None

    def _judge_length(self, length: bytes) -> Refusal | None:
        # isdigit on bytes is ASCII only; 18 digits stay far below int's own parsing limit.
        if not length.isdigit() or len(length) > 18:
            return _bad(
                "invalid_content_length",
                f"content-length is {_shown(length)}; send decimal digits only",
            )
        if int(length) > self._max_body_bytes:
            return Refusal(
                413,
                "request_too_large",
                f"the body has {int(length)} bytes; send at most {self._max_body_bytes}",
            )
        return None


def error_body(message: str, code: str, kind: str = "invalid_request_error") -> bytes:
    """Return the JSON error body that is sent where no surface has spoken yet."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return json.dumps({"error": error}).encode()


def _bad(code: str, message: str) -> Refusal:
    return Refusal(400, code, message)


def _judge_coding(coding: bytes, length: bytes | None) -> Refusal | None:
    if length is not None:
        return _bad("ambiguous_length", "send content-length or transfer-encoding, never both")
    if coding.lower() != b"chunked":
        return _bad(
            "invalid_transfer_encoding",
            f"transfer-encoding is {_shown(coding)}; only chunked is understood",
        )
    return None


def _shown(value: bytes) -> str:
    # Enough to recognise, never a whole hostile header.
    return repr(value[:60].decode("latin-1"))


def _strict_path(path: str, raw_path: bytes) -> Refusal | None:
    if _UNSAFE_PATH.search(path) is None and _ENCODED_SLASH.search(raw_path) is None:
        return None
    return _bad(
        "ambiguous_path",
        "the path holds '//', '.', '..', a backslash, an encoded slash or a control character; "
        "send the plain path",
    )


async def _answer(refusal: Refusal, scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        # Closing before accepting is a 403 on the wire (ASGI specification, WebSocket close).
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.code})
        return
    body = error_body(refusal.message, refusal.code)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
