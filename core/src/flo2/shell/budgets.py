"""`/api/budgets`: declare and see them with the admin token; a key sees those it is under.

Imports: budgets, gateway, starlette.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flo2.budgets import BudgetReport, budget_json, report_json
from flo2.budgets.declaring import budget_reports, declared_budget, put_budget, remove_budget
from flo2.errors import ConfigError, InvalidRequest, NotFound, StoreError
from flo2.keys import ADMIN_PREFIX, presented
from flo2.shell.endpoint import Endpoint, account_of
from flo2.shell.json_body import json_object

if TYPE_CHECKING:
    from flo2.gateway import Gateway

__all__ = ["budget_routes"]

_NOT_FOR_KEYS: Final = frozenset({"webhook", "alerts"})


def budget_routes(
    gateway: Gateway, told: Callable[[Endpoint], Endpoint], admin: Callable[[Endpoint], Endpoint]
) -> list[Route]:
    """Make the routes.

    Args:
        gateway: The running gateway.
        told: Turns refusals into JSON.
        admin: Lets only the admin token through.
    """
    api = _Budgets(gateway, admin)
    return [
        Route("/api/budgets", told(api.listed), methods=["GET"]),
        Route("/api/budgets/{name}", told(api.show), methods=["GET"]),
        Route("/api/budgets/{name}", told(admin(api.put)), methods=["PUT"]),
        Route("/api/budgets/{name}", told(admin(api.remove)), methods=["DELETE"]),
    ]


class _Budgets:
    def __init__(self, gateway: Gateway, admin: Callable[[Endpoint], Endpoint]) -> None:
        self._gateway = gateway
        self._as_admin = admin(self._all)

    async def listed(self, request: Request) -> Response:
        """`GET /api/budgets`: all of an account; for a key, those that it is under."""
        if presented(request.scope["headers"]).startswith(ADMIN_PREFIX):
            return await self._as_admin(request)
        reports = await self._of_key(request)
        return JSONResponse({"object": "list", "data": [_for_key(each) for each in reports]})

    async def show(self, request: Request) -> Response:
        """`GET /api/budgets/{name}`: one of them."""
        name = request.path_params["name"]
        if presented(request.scope["headers"]).startswith(ADMIN_PREFIX):
            return await self._as_admin(request)
        for report in await self._of_key(request):
            if report.budget.name == name:
                return JSONResponse(_for_key(report))
        raise NotFound(f"this key is under no budget {name!r}", code="budget_not_found")

    async def _all(self, request: Request) -> Response:
        account = account_of(request)
        name = request.path_params.get("name")
        names = None if name is None else [name]
        reports = await self._reports(account, names)
        if name is None:
            return JSONResponse({"object": "list", "data": [report_json(each) for each in reports]})
        if not reports:
            msg = f"account {account!r} has no budget {name!r}"
            raise NotFound(msg, code="budget_not_found")
        return JSONResponse(report_json(reports[0]))

    async def put(self, request: Request) -> Response:
        """`PUT /api/budgets/{name}`: declare it; the same once more changes nothing."""
        account = account_of(request)
        name, document = request.path_params["name"], await json_object(request)
        gateway = self._gateway

        def put() -> tuple[Any, bool]:
            _keep_secrets(gateway, account, name, document)
            return put_budget(gateway.store, account, name, document, gateway.services.now_us())

        budget, changed = await gateway.blocking_call(put)
        await gateway.refresh(force=True)
        told = {"account": account, "name": name, "changed": changed, **budget_json(budget)}
        return JSONResponse(told)

    async def remove(self, request: Request) -> Response:
        """`DELETE /api/budgets/{name}`."""
        account = account_of(request)
        name, gateway = request.path_params["name"], self._gateway
        await gateway.blocking_call(lambda: remove_budget(gateway.store, account, name))
        await gateway.refresh(force=True)
        return JSONResponse({"account": account, "name": name, "removed": True})

    async def _reports(self, account: str, names: list[str] | None = None) -> list[BudgetReport]:
        gateway = self._gateway
        now_us = gateway.services.now_us()
        try:
            return await gateway.blocking_call(
                lambda: budget_reports(gateway.store, now_us, account, names)
            )
        except ConfigError as exc:
            raise StoreError(str(exc)) from exc

    async def _of_key(self, request: Request) -> list[BudgetReport]:
        """Give the budgets that calls of the key fall under, whatever they say of themselves.

        Of one that each customer has for itself, the key sees no customer: whose is whose is not
        its business.
        """
        key = await self._gateway.authenticate(presented(request.scope["headers"]))
        found = []
        for report in await self._reports(key.account):
            budget = report.budget
            if not budget.covers(key) or budget.labels:
                continue
            standings = report.standings
            if budget.each is not None:
                own = {"team": key.team, "key": key.first_id}[budget.each]
                standings = tuple(s for s in standings if s.label == f"{budget.each}={own}")
                if own is None:
                    continue
            found.append(BudgetReport(budget, report.period, standings))
        return found


def _for_key(report: BudgetReport) -> dict[str, Any]:
    """Write a report for whoever calls: what is left, and nothing of who is told."""
    told = {name: v for name, v in report_json(report).items() if name not in _NOT_FOR_KEYS}
    told["counters"] = [{**each, "workers": {}} for each in told["counters"]]
    return told


def _keep_secrets(gateway: Gateway, account: str, name: str, document: dict[str, Any]) -> None:
    """Refuse a secret's reference that is not the one declared: only the operator writes those.

    Raises:
        InvalidRequest: it is another one, or new.
    """
    told = document.get("webhook")
    if told is None:
        return
    try:
        known = declared_budget(gateway.store, account, name).webhook
    except (NotFound, ConfigError):
        known = None
    given = told.get("secret") if isinstance(told, dict) else None
    if known is None or given != known.secret:
        raise InvalidRequest(
            "what a webhook is signed with is set by the operator only: "
            f"flo2 budgets set {name} --webhook URL --secret env:NAME",
            code="operator_only",
            param="webhook.secret",
        )
