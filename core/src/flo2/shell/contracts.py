"""`/api/contracts` and `/api/statements`: what `flo2 contracts` does, for the admin token.

Imports: gateway, contracts, starlette.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flo2.contracts.calendar import read_month
from flo2.errors import ContractError, InvalidRequest
from flo2.gateway.agreeing import (
    account_contracts,
    check_contract,
    declared,
    put_contract,
    remove_contract,
)
from flo2.gateway.contract_json import declared_json, statement_json, terms_of
from flo2.gateway.settling import close_month, statement_of
from flo2.shell.endpoint import Endpoint, account_of
from flo2.shell.json_body import json_object

if TYPE_CHECKING:
    from flo2.gateway import Gateway

__all__ = ["contract_routes"]

_LARGEST: Final = 1 << 20
T = TypeVar("T")


def contract_routes(gateway: Gateway, guarded: Callable[[Endpoint], Endpoint]) -> list[Route]:
    """Make the routes; `guarded` lets only the admin through, and tells refusals."""
    api = _Contracts(gateway)
    name, month = "/api/contracts/{name}", "/api/statements/{month}"
    return [
        Route("/api/contracts", guarded(api.list), methods=["GET"]),
        Route(name, guarded(api.put), methods=["PUT"]),
        Route(f"{name}/check", guarded(api.check), methods=["POST"]),
        Route(f"{name}/end", guarded(api.end), methods=["POST"]),
        Route(month, guarded(api.statement), methods=["GET"]),
        Route(f"{month}/close", guarded(api.close), methods=["POST"]),
    ]


class _Contracts:
    """The endpoints; each one gives JSON or raises a `RefusedCall`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def list(self, request: Request) -> Response:
        """`GET /api/contracts`: every version, with the time in which it is in force."""
        account, store = account_of(request), self._gateway.store

        def read() -> list[dict[str, Any]]:
            held = {each.id: each for each in account_contracts(store, account).versions}
            found = declared(store, account)
            return [declared_json(each, held[each.contract.id]) for each in found]

        return JSONResponse({"object": "list", "data": await self._asked(read)})

    async def put(self, request: Request) -> Response:
        """`PUT /api/contracts/{name}`: declare a version."""
        return await self._declare(request, keep=True)

    async def check(self, request: Request) -> Response:
        """`POST /api/contracts/{name}/check`: say what `PUT` would say."""
        return await self._declare(request, keep=False)

    async def _declare(self, request: Request, *, keep: bool) -> Response:
        gateway, account, name = self._gateway, account_of(request), request.path_params["name"]
        document = await json_object(request, most_bytes=_LARGEST, parse_float=Decimal)
        now = gateway.services.now_us()

        def declare() -> dict[str, Any]:
            if account not in {each.id for each in gateway.store.accounts()}:
                msg = f"there is no account {account!r}"
                raise InvalidRequest(msg, param="account")
            store, book = gateway.store, gateway.book
            contract, advice = check_contract(store, book, account, name, document, now)
            new = keep and put_contract(store, account, contract, document, now)
            return {"id": contract.id, "new": new, "advice": advice, "terms": terms_of(contract)}

        said = await self._asked(declare)
        if keep:
            await gateway.refresh()
        return JSONResponse(said)

    async def end(self, request: Request) -> Response:
        """`POST /api/contracts/{name}/end`: end a contract now."""
        gateway, account, name = self._gateway, account_of(request), request.path_params["name"]
        now = gateway.services.now_us()
        end = await self._asked(lambda: remove_contract(gateway.store, account, name, now))
        await gateway.refresh()
        ended = None if end is None else end.validity.since.isoformat()
        return JSONResponse({"account": account, "name": name, "ended": ended})

    async def statement(self, request: Request) -> Response:
        """`GET /api/statements/{month}`: what a month comes to, so far."""
        account, month, now = account_of(request), _month(request), self._gateway.services.now_us()
        store = self._gateway.store
        found = await self._asked(lambda: statement_of(store, account, month, now))
        return JSONResponse(statement_json(found))

    async def close(self, request: Request) -> Response:
        """`POST /api/statements/{month}/close`: book what a month's terms make of it."""
        account, month, now = account_of(request), _month(request), self._gateway.services.now_us()
        store = self._gateway.store
        done = await self._asked(lambda: close_month(store, account, month, now))
        return JSONResponse({"written": done.written, **statement_json(done.statement)})

    async def _asked(self, function: Callable[[], T]) -> T:
        self._gateway.runtime  # noqa: B018  # says that it is not started
        try:
            # Not `blocking_call`: a month takes long to read, and keys are looked up by that.
            return await to_thread.run_sync(function, limiter=self._gateway.blocking)
        except ContractError as exc:
            raise InvalidRequest(str(exc), code="contract_refused") from exc


def _month(request: Request) -> date:
    try:
        return read_month(request.path_params["month"])
    except ValueError as exc:
        raise InvalidRequest(str(exc), param="month") from exc
