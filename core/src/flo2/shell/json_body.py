"""A small JSON object that the admin sent. Imports: errors, starlette."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from starlette.requests import Request

from flo2.errors import ConfigError, InvalidRequest, RequestTooLarge

__all__ = ["checked", "json_object"]

T = TypeVar("T")
_MOST_BYTES: Final = 65_536


async def json_object(request: Request) -> dict[str, Any]:
    """Read a request's body.

    Raises:
        InvalidRequest, RequestTooLarge: it is no JSON object, or a large one.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BYTES:
            raise RequestTooLarge(f"the body has more than {_MOST_BYTES} bytes")
    try:
        document = json.loads(bytes(body))
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest("the body is no JSON object") from exc
    if not isinstance(document, dict):
        raise InvalidRequest("the body is no JSON object")
    return document


def checked(read: Callable[[], T]) -> T:
    """Do what may find a declaration wrong, and tell the client what is wrong with it.

    Raises:
        InvalidRequest: with every problem, each with its path.
    """
    try:
        return read()
    except ConfigError as exc:
        raise InvalidRequest("; ".join(exc.problems), code="invalid_declaration") from exc
