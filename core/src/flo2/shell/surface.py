"""A surface: one inbound API as an ASGI callable, from the client's bytes to the last byte back.

Everything a client can do wrong, and everything that can go wrong behind it, ends in the
surface's own envelope. Imports: gateway, dialects, starlette's types.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import aclosing
from itertools import chain
from typing import TYPE_CHECKING

from anyio import CancelScope, create_task_group

from flo2.dialects.base import Dialect
from flo2.errors import Flo2Error, ProviderError, RefusedCall
from flo2.gateway.caller import ClientHeaders
from flo2.keys import bearer, presented
from flo2.shell.body import CLIENT_LEFT, ClientDisconnected, read_body
from flo2.shell.guard import FIELDS

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from flo2.gateway import Gateway, OpenExchange

__all__ = ["Surface"]

# An answer's framing and the server's own; and what would make a browser act on a provider's word.
_NOT_PASSED = frozenset(
    {
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "location",
        "server",
        "set-cookie",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "www-authenticate",
    }
)
_log = logging.getLogger("flo2.shell")


class Surface:
    """Serve POSTs of one dialect."""

    __slots__ = ("_dialect", "_error_type", "_gateway", "_limit")

    def __init__(self, gateway: Gateway, dialect: Dialect) -> None:
        """Keep what every request needs."""
        self._gateway = gateway
        self._dialect = dialect
        # Errors are JSON also where the answer is a file of the provider's choice.
        self._error_type = dialect.content_type or "application/json"
        self._limit = gateway.config.server.max_body_bytes

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        query: str | None = None,
        model: str | None = None,
        stream: bool = False,
    ) -> None:
        """Answer one request.

        `query` is what of the query string goes on to a provider of the same dialect; None: all.
        `model` and `stream` are given where the dialect has them in the URL (see `Gateway.call`).
        """
        dialect, gateway = self._dialect, self._gateway
        try:
            raw_headers = scope["headers"]
            fields = scope.get(FIELDS)
            token = (fields and bearer(fields)) or presented(raw_headers)
            key = gateway.recognise(token) or await gateway.authenticate(token)
            body = await read_body(scope, receive, self._limit)
            headers = ClientHeaders(fields or dict(raw_headers))
            if query is None:
                query = scope["query_string"].decode("latin-1")
            call = gateway.call(
                key, dialect, body, headers=headers, query=query, model=model, stream=stream
            )
            if call.inbound.peek.stream:
                await self._stream(call, scope, receive, send)
            else:
                async with call as answer:
                    start, rest = _messages(
                        answer.status, answer.content_type, answer.headers, answer.body
                    )
                    await send(start)
                    await send(rest)
        except ClientDisconnected:
            return
        except (RefusedCall, ProviderError) as exc:
            await self.refuse(exc, scope, send)
        except Flo2Error as exc:
            _log.error("call failed: %s", exc)
            await self.refuse(_internal(str(exc)), scope, send)
        except Exception:  # noqa: BLE001  # border: the top of the ASGI app
            _log.exception("call failed by a bug")
            await self.refuse(_internal("internal error; see the server's log"), scope, send)

    async def _stream(self, call: OpenExchange, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a stream; stop when the client leaves, also before the first byte.

        A plain answer is not stopped: it is nearly always billed to its end, so it is read to its
        end and settled.
        """
        notify = (scope.get("extensions") or {}).get(CLIENT_LEFT)
        if notify is not None:
            with CancelScope() as until_left:
                forget = notify(until_left.cancel)
                try:
                    await _send_stream(call, send)
                finally:
                    forget()
            return
        failure: BaseException | None = None
        async with create_task_group() as group:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(watch)
            try:
                await _send_stream(call, send)
            except Exception as exc:  # noqa: BLE001  # raised again outside of the group
                failure = exc
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def refuse(self, error: RefusedCall | ProviderError, scope: Scope, send: Send) -> None:
        """Say no in the surface's own envelope."""
        told = self._dialect.encode_error(error, request_id=error.request_id)
        headers = {**error.headers, **told.headers, "x-should-retry": _should_retry(error)}
        if error.request_id:
            headers["x-flo2-request-id"] = error.request_id
        if error.retry_after_s is not None:
            headers.setdefault("retry-after", f"{error.retry_after_s:g}")
        if told.status == 413:  # the rest of the body was not read
            headers["connection"] = "close"
        for message in _messages(told.status, self._error_type, headers, told.body):
            await send(message)


def _should_retry(error: RefusedCall | ProviderError) -> str:
    """Tell the SDKs: what flo2 has already tried again, they need not multiply.

    The official OpenAI and Anthropic SDKs obey `x-should-retry` (openai-python 3.57.0 and
    anthropic-sdk-python 2.13.0, `_base_client._should_retry`, read 2026-11-25).
    """
    return "true" if isinstance(error, RefusedCall) and error.status in {429, 503} else "false"


def _internal(message: str) -> ProviderError:
    return ProviderError(message, status=500, kind="internal", code="internal_error")


async def _send_stream(call: OpenExchange, send: Send) -> None:
    async with call as answer:
        pairs = _fields(answer.headers, answer.content_type)
        # nginx and its like hold streams back unless told (X-Accel-Buffering, nginx documentation
        # of ngx_http_proxy_module, read 2026-11-25).
        pairs += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        async with aclosing(answer.stream()) as stream:
            async for data in stream:
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _messages(
    status: int, content_type: str, headers: Mapping[str, str], body: bytes
) -> tuple[Message, Message]:
    """Make the two ASGI messages of an answer that is whole."""
    pairs = _fields(headers, content_type)
    pairs.append((b"content-length", b"%d" % len(body)))
    return (
        {"type": "http.response.start", "status": status, "headers": pairs},
        {"type": "http.response.body", "body": body, "more_body": False},
    )


def _fields(headers: Mapping[str, str], content_type: str) -> list[tuple[bytes, bytes]]:
    if not _NOT_PASSED.isdisjoint(headers):
        headers = {name: value for name, value in headers.items() if name not in _NOT_PASSED}
    # All of them are looked at together: nearly always there is nothing to mend.
    line = "".join(chain(headers, headers.values()))
    if line.isascii() and line.isprintable():
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    else:
        pairs = [(_field(name), _field(value)) for name, value in headers.items()]
    pairs.append((b"content-type", content_type.encode()))
    return pairs


def _field(text: str) -> bytes:
    """Make a header's name or value that stays one.

    A provider's answer names its model and a client names its own: a line end in one would begin a
    header of their choice, as uvicorn writes what it is given.
    """
    if text.isascii() and text.isprintable():
        return text.encode()
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text).encode()
