"""`/api/limits`: declare and see limits with the admin token.

Imports: limits, gateway, starlette.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flo2.limits import Limit, limit_json
from flo2.limits.declaring import declared_limits, put_limit, remove_limit
from flo2.shell.endpoint import Endpoint, account_of
from flo2.shell.json_body import checked, json_object

if TYPE_CHECKING:
    from flo2.gateway import Gateway

__all__ = ["limit_routes"]


def limit_routes(gateway: Gateway, guarded: Callable[[Endpoint], Endpoint]) -> list[Route]:
    """Make the routes; `guarded` lets only the admin through, and tells refusals."""
    api = _Limits(gateway)
    name = "/api/limits/{name}"
    return [
        Route("/api/limits", guarded(api.listed), methods=["GET"]),
        Route(name, guarded(api.show), methods=["GET"]),
        Route(name, guarded(api.put), methods=["PUT"]),
        Route(name, guarded(api.remove), methods=["DELETE"]),
    ]


class _Limits:
    """The endpoints; each one gives JSON or raises a `RefusedCall`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def listed(self, request: Request) -> Response:
        """`GET /api/limits`: all of an account."""
        account, store = account_of(request), self._gateway.store
        found = await self._gateway.blocking_call(
            lambda: checked(lambda: declared_limits(store, account))
        )
        return JSONResponse({"object": "list", "data": [_as_json(limit) for limit in found]})

    async def show(self, request: Request) -> Response:
        """`GET /api/limits/{name}`: one of them."""
        account, name, store = account_of(request), request.path_params["name"], self._gateway.store
        (limit,) = await self._gateway.blocking_call(
            lambda: checked(lambda: declared_limits(store, account, name))
        )
        return JSONResponse(_as_json(limit))

    async def put(self, request: Request) -> Response:
        """`PUT /api/limits/{name}`: declare it; what was counted goes on counting."""
        account, name = account_of(request), request.path_params["name"]
        document, gateway = await json_object(request), self._gateway
        now_us = gateway.services.now_us()

        def put() -> tuple[Limit, bool]:
            return checked(lambda: put_limit(gateway.store, account, name, document, now_us))

        limit, changed = await gateway.blocking_call(put)
        await gateway.refresh(force=True)
        return JSONResponse({**_as_json(limit), "changed": changed})

    async def remove(self, request: Request) -> Response:
        """`DELETE /api/limits/{name}`."""
        account, name, gateway = account_of(request), request.path_params["name"], self._gateway
        await gateway.blocking_call(lambda: remove_limit(gateway.store, account, name))
        await gateway.refresh(force=True)
        return JSONResponse({"account": account, "name": name, "removed": True})


def _as_json(limit: Limit) -> dict[str, Any]:
    return {"account": limit.account, "name": limit.name, **limit_json(limit)}
