"""A JSON object that the admin sent. Imports: errors, shell.body, starlette."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from starlette.requests import Request

from flo2.errors import ConfigError, InvalidRequest
from flo2.shell.body import read_body

__all__ = ["checked", "json_object"]

T = TypeVar("T")
_MOST_BYTES: Final = 65_536


async def json_object(
    request: Request,
    *,
    most_bytes: int = _MOST_BYTES,
    parse_float: Callable[[str], object] = float,
) -> dict[str, Any]:
    """Read a request's body.

    Args:
        request: Its body is read here, once.
        most_bytes: Of the body.
        parse_float: Reads numbers with a fraction.

    Raises:
        InvalidRequest, RequestTooLarge: it is no JSON object, or a large one.
        ClientDisconnected: the client left first.
    """
    body = await read_body(request.scope, request.receive, most_bytes)
    try:
        document = json.loads(body, parse_float=parse_float)
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest(f"the body is no JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise InvalidRequest(f"the body is no JSON object: {type(document).__name__}")
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
