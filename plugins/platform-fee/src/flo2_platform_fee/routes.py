"""`/api/fees` for the operator, with the admin token; `/fees` for an account, with its own key.

Imports: assigning, documents, months, page.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from flo2 import Gateway, InvalidRequest, NotFound, Unavailable
from flo2.contracts.calendar import read_month
from flo2.errors import StoreError
from flo2.keys import presented
from flo2.money import exact
from flo2.shell.api import told
from flo2.shell.endpoint import account_of
from flo2.shell.json_body import checked, json_object
from flo2_platform_fee.assigning import assign, assignment_json, plans, put_plan
from flo2_platform_fee.documents import Document, credit, document, documents, issue
from flo2_platform_fee.fees import Assignment
from flo2_platform_fee.months import month_body
from flo2_platform_fee.page import as_html

__all__ = ["account_app", "operator_app"]

T = TypeVar("T")


def operator_app(gateway: Gateway) -> Starlette:
    """Make the app of `/api/fees`; flo2 lets only the admin token reach it."""
    api = _Operator(gateway)
    return Starlette(
        routes=[
            Route("/plans", told(api.plans), methods=["GET"]),
            Route("/plans/{name}", told(api.put_plan), methods=["PUT"]),
            Route("/assignments", told(api.assign), methods=["POST"]),
            Route("/preview/{month}", told(api.preview), methods=["GET"]),
            Route("/issue/{month}", told(api.issue), methods=["POST"]),
            Route("/documents", told(api.listed), methods=["GET"]),
            Route("/documents/{number:int}", told(api.show), methods=["GET"]),
            Route("/documents/{number:int}/credits", told(api.credit), methods=["POST"]),
        ]
    )


def account_app(gateway: Gateway) -> Starlette:
    """Make the app of `/fees`: what was issued to the account of the presented key."""
    api = _Account(gateway)
    return Starlette(
        routes=[
            Route("/documents", told(api.listed), methods=["GET"]),
            Route("/documents/{number:int}", told(api.show), methods=["GET"]),
        ]
    )


class _Operator:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def plans(self, _: Request) -> Response:
        found = await self._do(lambda: plans(self._gateway.store))
        data = [{"name": name, **plan.document} for name, plan in sorted(found.items())]
        return _list(data)

    async def put_plan(self, request: Request) -> Response:
        name, given = request.path_params["name"], await json_object(request)
        store = self._gateway.store
        changed = await self._do(lambda: checked(lambda: put_plan(store, name, given)))
        return JSONResponse({"name": name, "changed": changed})

    async def assign(self, request: Request) -> Response:
        given, store = await json_object(request), self._gateway.store
        account, new = account_of(request), _assignment(given)

        def put() -> list[Assignment]:
            if account not in {each.id for each in store.accounts()}:
                raise NotFound(f"there is no account {account!r}", param="account")
            return assign(store, account, new, self._now())

        held = await self._do(put)
        told = [assignment_json(each) for each in held]
        return JSONResponse({"account": account, "assignments": told})

    async def preview(self, request: Request) -> Response:
        account, month, now = account_of(request), _month(request), self._now()
        store = self._gateway.store
        return JSONResponse(await self._do(lambda: month_body(store, account, month, now)))

    async def issue(self, request: Request) -> Response:
        account, month, now = account_of(request), _month(request), self._now()
        found = await self._do(lambda: issue(self._gateway.store, account, month, now))
        return JSONResponse(found.as_json())

    async def listed(self, request: Request) -> Response:
        account, store = request.query_params.get("account"), self._gateway.store
        return _list(await self._do(lambda: [each.as_json() for each in documents(store, account)]))

    async def show(self, request: Request) -> Response:
        number = request.path_params["number"]
        return _shown(request, await self._do(lambda: document(self._gateway.store, number)))

    async def credit(self, request: Request) -> Response:
        number, given = request.path_params["number"], await json_object(request)
        words = [given.get(key) for key in ("amount", "reason", "reference")]
        if not all(isinstance(each, str) for each in words) or len(given) != len(words):
            raise InvalidRequest("give amount, reason and reference, each as text")
        amount, reason, reference = (str(each) for each in words)
        number_of, now = _read(amount, exact, "amount"), self._now()
        store = self._gateway.store
        note = await self._do(lambda: credit(store, number, number_of, reason, reference, now))
        return JSONResponse(note.as_json())

    def _now(self) -> int:
        return self._gateway.services.now_us()

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await self._gateway.blocking_call(work)
        except StoreError as exc:  # the operator may know why, such as records that were pruned
            raise Unavailable(f"the store does not answer this: {exc}") from exc


class _Account:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def listed(self, request: Request) -> Response:
        account, store = await self._whose(request), self._gateway.store
        return _list(
            await self._gateway.blocking_call(
                lambda: [each.as_json() for each in documents(store, account)]
            )
        )

    async def show(self, request: Request) -> Response:
        account, number = await self._whose(request), request.path_params["number"]
        missing = NotFound(f"this account has no document {number}", code="document_not_found")

        def read() -> Document:
            try:
                found = document(self._gateway.store, number)
            except NotFound:
                raise missing from None
            if found.body["account"] != account:
                raise missing  # the same words: that it exists is the other account's business
            return found

        return _shown(request, await self._gateway.blocking_call(read))

    async def _whose(self, request: Request) -> str:
        key = await self._gateway.authenticate(presented(request.scope["headers"]))
        return key.account


def _list(data: list[dict[str, Any]]) -> Response:
    return JSONResponse({"object": "list", "data": data})


def _shown(request: Request, found: Document) -> Response:
    if request.query_params.get("format") == "html":
        return HTMLResponse(as_html(found.as_json()), headers={"content-security-policy": _POLICY})
    return JSONResponse(found.as_json())


_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def _month(request: Request) -> date:
    return _read(request.path_params["month"], read_month, "month")


def _assignment(given: dict[str, Any]) -> Assignment:
    known = {"plan", "since", "until", "seats"}
    plan, since, until = (given.get(key) for key in ("plan", "since", "until"))
    seats = given.get("seats", 0)
    right = isinstance(plan, str) and isinstance(since, str) and isinstance(until, str | None)
    if not right or type(seats) is not int or not given.keys() <= known:
        raise InvalidRequest("give plan and since, and perhaps until (dates) and seats (a number)")
    end = None if until is None else _read(str(until), date.fromisoformat, "until")
    return Assignment(str(plan), _read(str(since), date.fromisoformat, "since"), end, seats)


def _read(written: str, read: Callable[[str], T], param: str) -> T:
    try:
        return read(written)
    except ValueError as exc:
        raise InvalidRequest(str(exc), param=param) from exc
