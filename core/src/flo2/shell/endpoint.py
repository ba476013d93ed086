"""What the endpoints of `/api` are, and whom they ask about. Imports: starlette."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["Endpoint", "account_of"]

Endpoint = Callable[[Request], Awaitable[Response]]


def account_of(request: Request) -> str:
    """Say which account a request of the admin is about."""
    return request.query_params.get("account", "default")
