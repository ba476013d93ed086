"""`flo2_routes`: the ASGI apps of plugins, under prefixes of their own, guarded below `/api`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flo2 import Gateway, create_app, hookimpl
from flo2.testing.asgi import ASGIDriver
from flo2.testing.harness import House, running

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def house(*plugins: object) -> AsyncIterator[House]:
    """Run a gateway with nothing but these plugins."""
    named = {f"test-{number}": plugin for number, plugin in enumerate(plugins)}
    config = {"plugins": {"only": []}, "pricing": {}}
    async with running(config, plugins=named) as made:
        yield made


def errors(gateway: Gateway) -> dict[str, str]:
    return {each.name: each.error for each in gateway.plugins.loaded if each.error}


async def hello(scope: Any, receive: Any, send: Any) -> None:
    body = f"{scope['root_path']} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


class Routing:
    def __init__(self, apps: object) -> None:
        self._apps = apps

    @hookimpl
    def flo2_routes(self, gateway: Gateway) -> Any:
        return self._apps


async def test_flo2_routes():
    async with house(Routing({"/ui": hello, "/api/admin": hello})) as h:
        page = await h.get("/ui/index.html")
        as_nobody = await h.driver.request("GET", "/api/admin/teams")
        as_key = await h.get("/api/admin/teams")
        as_admin = await h.get("/api/admin/teams", admin=True)
        receipts = await h.get("/api/calls", admin=True)
        assert errors(h.gateway) == {}

    assert (page.status, page.body) == (200, b"/ui /ui/index.html")
    assert [each.status for each in (as_nobody, as_key)] == [401, 403]
    assert json.loads(as_key.body)["error"]["type"] == "permission_error"
    assert (as_admin.status, as_admin.body) == (200, b"/api/admin /api/admin/teams")
    assert receipts.status == 200


@pytest.mark.parametrize(
    ("apps", "error"),
    [
        ({"ui": hello}, "flo2_routes: 'ui' is no prefix"),
        ({"/": hello}, "flo2_routes: '/' is no prefix"),
        ({"/ui/": hello}, "flo2_routes: '/ui/' is no prefix"),
        ({"/v1/mine": hello}, "flo2_routes: '/v1/mine' belongs to flo2"),
        ({"/api": hello}, "flo2_routes: '/api' belongs to flo2"),
        ({"/api/calls": hello}, "flo2_routes: '/api/calls' belongs to flo2"),
        ({"/ui": "x"}, "flo2_routes: what it gave for '/ui' is no ASGI app: str"),
        ([hello], "flo2_routes gave list, expected a mapping"),
    ],
)
async def test_a_route_that_is_not_possible_is_the_plugins_error(apps: object, error: str):
    async with house(Routing(apps)) as h:
        assert (await h.get("/v1/models")).status == 200
        assert errors(h.gateway)["test-0"].startswith(error)


async def test_of_two_plugins_with_one_prefix_the_second_carries_the_error():
    async with house(Routing({"/ui": hello}), Routing({"/ui": hello})) as h:
        assert errors(h.gateway) == {"test-1": "flo2_routes: '/ui' is taken by plugin 'test-0'"}


async def test_a_plugins_websocket_below_api_needs_the_admin_token_too():
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async with house(Routing({"/api/live": hello})) as h:
        scope = {"type": "websocket", "path": "/api/live/", "root_path": "", "headers": []}
        await create_app(h.gateway, lifespan=False)(
            {**scope, "raw_path": b"/api/live/", "query_string": b""}, receive, send
        )

    assert [(each["type"], each["code"]) for each in sent] == [("websocket.close", 1008)]


async def test_a_plugins_app_is_reached_below_the_hosts_prefix():
    async with house(Routing({"/ui": hello})) as h:
        driver = ASGIDriver(create_app(h.gateway, lifespan=False), root_path="/llm")
        assert (await driver.request("GET", "/ui/x")).body == b"/llm/ui /llm/ui/x"
