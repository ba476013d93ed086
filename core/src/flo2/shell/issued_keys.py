"""`/api/keys`: issue keys and say what their calls must be for, with the admin token.

Imports: keys, gateway, starlette.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flo2.errors import ConfigError, NotFound
from flo2.gateway.key_json import key_json
from flo2.keys import issue
from flo2.keys.rules import read_rules
from flo2.shell.endpoint import Endpoint, account_of
from flo2.shell.json_body import checked, json_object
from flo2.stored import IssuedKey

if TYPE_CHECKING:
    from flo2.gateway import Gateway
    from flo2.secrets import Secret

__all__ = ["key_routes"]

_FIELDS: Final = ("name", "team", "models", "tags", "attribution")


def key_routes(gateway: Gateway, guarded: Callable[[Endpoint], Endpoint]) -> list[Route]:
    """Make the routes; `guarded` lets only the admin through, and tells refusals."""
    api = _Keys(gateway)
    return [
        Route("/api/keys", guarded(api.listed), methods=["GET"]),
        Route("/api/keys", guarded(api.create), methods=["POST"]),
        Route("/api/keys/{id}", guarded(api.update), methods=["PATCH"]),
    ]


class _Keys:
    """The endpoints; each one gives JSON or raises a `RefusedCall`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def listed(self, request: Request) -> Response:
        """`GET /api/keys`: the records of an account's keys; the keys themselves are not kept."""
        account, store = account_of(request), self._gateway.store
        found = await self._gateway.blocking_call(lambda: store.keys(account))
        return JSONResponse({"object": "list", "data": [key_json(key) for key in found]})

    async def create(self, request: Request) -> Response:
        """`POST /api/keys`: issue a key; the answer holds it, this once."""
        account, gateway = account_of(request), self._gateway
        document = await json_object(request)
        given = checked(lambda: _given(document, _FIELDS))
        name, now_us = given.pop("name", None) or "", gateway.services.now_us()

        def create() -> tuple[IssuedKey, Secret]:
            pepper = gateway.runtime.vault.pepper()
            return issue(gateway.store, account, name, pepper=pepper, now_us=now_us, **given)

        record, secret = await gateway.blocking_call(create)
        await gateway.refresh(force=True)
        return JSONResponse({**key_json(record), "key": secret.reveal()}, 201)

    async def update(self, request: Request) -> Response:
        """`PATCH /api/keys/{id}`: change what its calls must and may say; null: nothing."""
        account, gateway = account_of(request), self._gateway
        wanted, document = request.path_params["id"], await json_object(request)
        given = checked(lambda: _given(document, ("attribution",)))
        record = await gateway.blocking_call(partial(_changed, gateway, account, wanted, given))
        await gateway.refresh(force=True)
        return JSONResponse(key_json(record))


def _changed(gateway: Gateway, account: str, wanted: str, given: dict[str, Any]) -> IssuedKey:
    for key in gateway.store.keys(account):
        if key.id == wanted:
            changed = evolve(key, **given)
            gateway.store.put_key(changed)
            return changed
    raise NotFound(f"account {account!r} has no key {wanted!r}", code="key_not_found", param="id")


def _given(document: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """Read the fields of a key.

    Raises:
        ConfigError: every problem at once.
    """
    problems = [
        f"unknown key {n!r}; known: {', '.join(known)} @ {n}" for n in document.keys() - {*known}
    ]
    given = dict(document)
    problems += [
        f"{given[name]!r} is no text @ {name}"
        for name in ("name", "team")
        if not isinstance(given.get(name), str | None)
    ]
    models, tags = given.get("models", []), given.get("tags", {})
    if not isinstance(models, list) or not all(isinstance(each, str) for each in models):
        problems.append(f"{models!r} is no list of patterns @ models")
    if not isinstance(tags, dict) or not all(isinstance(each, str) for each in tags.values()):
        problems.append(f"{tags!r} is no table of texts @ tags")
    try:
        if "attribution" in given:
            given["attribution"] = read_rules(given["attribution"])
    except ConfigError as exc:
        problems += exc.problems
    if problems:
        raise ConfigError(problems)
    return given
