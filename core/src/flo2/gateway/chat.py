"""A call without HTTP: `Gateway.chat` as a context manager.

Imports: exchange, caller, canonical, dialects.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from flo2.canonical import Request
from flo2.dialects.base import Peek
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_chat.peek import labels_of
from flo2.gateway.answer import Answer
from flo2.gateway.caller import caller_of, without_keys
from flo2.gateway.exchange import OpenExchange
from flo2.protocols import Inbound
from flo2.stored import IssuedKey

if TYPE_CHECKING:
    from flo2.gateway.gateway import Gateway

__all__ = ["Chat"]


class Chat:
    """One call; entering it opens the exchange, leaving it settles whatever was not read."""

    def __init__(
        self,
        gateway: Gateway,
        request: Request | Mapping[str, Any],
        key: str | IssuedKey,
        headers: Mapping[str, str],
    ) -> None:
        """Keep the call; nothing happens before it is entered."""
        self._gateway = gateway
        self._request = request
        self._key = key
        self._headers = without_keys({name.lower(): value for name, value in headers.items()})
        self._open: OpenExchange | None = None

    async def __aenter__(self) -> Answer:
        """Authenticate, plan and run; see `Gateway.chat`."""
        gateway, key, headers = self._gateway, self._key, self._headers
        if isinstance(key, str):
            key = await gateway.authenticate(key)
        inbound = _inbound(self._request, headers)
        caller = caller_of(key, headers, inbound.peek.end_user, inbound.peek.metadata)
        runtime = gateway.runtime
        now = runtime.services.now_us()
        self._open = OpenExchange(
            runtime, caller, inbound, now, runtime.ids.make(now), canonical=True
        )
        return await self._open.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the exchange."""
        if self._open is not None:
            await self._open.__aexit__(kind, exc, traceback)


def _inbound(request: Request | Mapping[str, Any], headers: Mapping[str, str]) -> Inbound:
    dialect = OpenAIChat()
    if not isinstance(request, Request):
        body = msgspec.json.encode(request)
        return Inbound(dialect, body, dialect.peek(body), headers=headers)
    sampling = request.sampling
    peek = Peek(
        request.model,
        stream=bool(request.stream),
        max_output_tokens=sampling.max_output_tokens,
        n=sampling.n or 1,
        end_user=request.end_user,
        metadata=labels_of(request.metadata),
    )
    return Inbound(dialect, b"", peek, headers=headers, request=request)
