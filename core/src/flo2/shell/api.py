"""`/api`: receipts for the key that made the call, all else for the admin token; and `/v1/models`.

Imports: gateway, starlette.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flo2.errors import (
    AuthenticationFailed,
    InvalidRequest,
    NotFound,
    PermissionRefused,
    RefusedCall,
    StoreError,
    Unavailable,
)
from flo2.gateway import entry_json, receipt_json
from flo2.gateway.elsewhere import elsewhere
from flo2.gateway.usage import usage_json
from flo2.instants import timestamp
from flo2.keys import ADMIN_PREFIX, check_admin, checksum_ok, presented
from flo2.keys.issuing import ADMIN_SETTING
from flo2.shell.body import ClientDisconnected
from flo2.shell.budgets import budget_routes
from flo2.shell.contracts import contract_routes
from flo2.shell.endpoint import Endpoint, account_of
from flo2.shell.issued_keys import key_routes
from flo2.shell.rate_limits import limit_routes
from flo2.stores import EntryFilter

if TYPE_CHECKING:
    from flo2.gateway import Gateway

__all__ = ["api_routes", "check_admin_token", "page_size", "refusal", "told"]

_MAX_PAGE = 1000
_CLIENT_LEFT = 499
"""What nginx logs for a client that left; nobody sees it as an answer."""


def api_routes(gateway: Gateway) -> list[Route]:
    """Make the routes of `/api`; each one says who may use it."""
    api = _Api(gateway)
    return [
        Route("/api/calls/{id}", told(api.call), methods=["GET"]),
        Route("/api/calls", told(api.admin(api.calls)), methods=["GET"]),
        Route("/api/usage", told(api.admin(api.usage)), methods=["GET"]),
        Route("/api/entries", told(api.admin(api.entries)), methods=["GET"]),
        Route("/api/plugins", told(api.admin(api.plugins)), methods=["GET"]),
        *contract_routes(gateway, lambda endpoint: told(api.admin(endpoint))),
        *budget_routes(gateway, told, api.admin),
        *limit_routes(gateway, lambda endpoint: told(api.admin(endpoint))),
        *key_routes(gateway, lambda endpoint: told(api.admin(endpoint))),
        Route("/api/{rest:path}", told(api.admin(api.nothing))),
    ]


async def check_admin_token(gateway: Gateway, token: str) -> None:
    """Check a presented admin token.

    Raises:
        AuthenticationFailed, PermissionRefused: it is none, or not this gateway's.
        Unavailable: the store cannot be read.
    """
    vault = gateway.runtime.vault
    if not checksum_ok(token):
        # No such token can exist: said without asking the store, which anybody could make busy.
        check_admin(token, None, pepper=b"")
    try:
        pepper = await gateway.blocking_call(vault.pepper)
        expected = await gateway.blocking_call(lambda: gateway.store.setting(ADMIN_SETTING))
    except StoreError as exc:
        raise _store_is_down() from exc
    check_admin(token, expected, pepper=pepper)


def refusal(exc: RefusedCall) -> Response:
    """Tell a refusal as JSON."""
    kind = {
        AuthenticationFailed: "authentication_error",
        PermissionRefused: "permission_error",
        Unavailable: "server_error",
    }.get(type(exc), "invalid_request_error")
    error = {"message": exc.message, "type": kind, "param": exc.param, "code": exc.code}
    return JSONResponse({"error": error}, exc.status)


class _Api:
    """The endpoints; each one gives JSON or raises a `RefusedCall`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def admin(self, endpoint: Endpoint) -> Endpoint:
        """Let only the admin token through."""

        async def guarded(request: Request) -> Response:
            await check_admin_token(self._gateway, presented(request.scope["headers"]))
            return await endpoint(request)

        return guarded

    async def call(self, request: Request) -> Response:
        """`GET /api/calls/{id}`: a receipt, for the key that made the call or the admin."""
        token = presented(request.scope["headers"])
        exchange_id = request.path_params["id"]
        if token.startswith(ADMIN_PREFIX):
            await check_admin_token(self._gateway, token)
            account = account_of(request)
            receipt = await self._gateway.receipt(exchange_id, account=account, key_id=None)
        else:
            key = await self._gateway.authenticate(token)
            receipt = await self._gateway.receipt(exchange_id, account=key.account, key_id=key.id)
        return JSONResponse(receipt_json(receipt, elsewhere(self._gateway.runtime, receipt)))

    async def calls(self, request: Request) -> Response:
        """`GET /api/calls`: exchanges, newest first."""
        where = _filter(request)
        found = await self._gateway.runtime.ledger.exchanges(where)
        data = [
            {
                "id": exchange.exchange_id,
                "started_at": timestamp(exchange.started_us),
                "model_requested": exchange.model_requested,
                "surface": exchange.surface,
                "status": exchange.status,
                "client": exchange.client,
                "attempts": exchange.attempts,
                "key": exchange.key_id,
                "error": exchange.error,
            }
            for exchange in found
        ]
        return JSONResponse({"object": "list", "data": data})

    async def entries(self, request: Request) -> Response:
        """`GET /api/entries`: ledger entries, newest first."""
        found = await self._gateway.runtime.ledger.entries(_filter(request))
        return JSONResponse({"object": "list", "data": [entry_json(entry) for entry in found]})

    async def usage(self, request: Request) -> Response:
        """`GET /api/usage?by=model,feature`: what was used and what it cost."""
        by = [each for each in request.query_params.get("by", "model").split(",") if each]
        where = _filter(request, paged=False)
        try:
            rows = await self._gateway.runtime.ledger.usage(where, by)
        except ValueError as exc:
            raise InvalidRequest(str(exc), param="by") from exc
        return JSONResponse({"object": "list", "by": by, "data": usage_json(by, rows)})

    async def plugins(self, request: Request) -> Response:
        """`GET /api/plugins`: what is installed, and what is wrong with it."""
        data = [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "hooks": list(plugin.hooks),
                "error": plugin.error,
            }
            for plugin in self._gateway.plugins.loaded
        ]
        return JSONResponse({"object": "list", "data": data})

    async def nothing(self, request: Request) -> Response:
        """Say that there is nothing here."""
        msg = f"there is nothing at {request.method} {request.scope['path'][:200]!r}"
        raise NotFound(msg, code="not_found")


def told(endpoint: Endpoint) -> Endpoint:
    """Turn refusals, and a store that cannot be asked, into JSON."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RefusedCall as exc:
            return refusal(exc)
        except StoreError:
            return refusal(_store_is_down())
        except ClientDisconnected:
            return Response(status_code=_CLIENT_LEFT)

    return answered


def _store_is_down() -> Unavailable:
    # Why names files of the server; the gateway, which asks every second, has logged it once.
    msg = "the store cannot be asked now; calls go on, the server's log says why"
    return Unavailable(msg, code="store_unavailable", retry_after_s=1)


def page_size(text: str, most: int, name: str = "limit") -> int:
    """Read a page's size, asked for as `name`.

    Raises:
        InvalidRequest: it is no number from 1 to `most`.
    """
    # `isdigit` alone takes "²", and int() refuses more than 4300 digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
        msg = f"{name} must be a number from 1 to {most}, not {text[:60]!r}"
        raise InvalidRequest(msg, param=name)
    return int(text)


def _filter(request: Request, *, paged: bool = True) -> EntryFilter:
    query = request.query_params
    limit: int | None = None
    if paged:
        limit = page_size(query.get("limit", "100"), _MAX_PAGE)
    return EntryFilter(
        account=query.get("account", "default"),
        key_id=query.get("key"),
        since_us=_instant(query, "since"),
        until_us=_instant(query, "until"),
        status=query.get("status"),
        limit=limit,
        newest_first=paged,
    )


def _instant(query: Any, name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{name} must be an RFC 3339 instant like 2026-11-25T00:00:00Z, not {text!r}"
        raise InvalidRequest(msg, param=name) from None
    if moment.tzinfo is None:
        msg = f"{name} needs a time zone: {text}Z"
        raise InvalidRequest(msg, param=name)
    return round(moment.timestamp() * 1_000_000)
