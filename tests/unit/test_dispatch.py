"""Which app a request reaches."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

from flo2.shell.dispatch import Dispatch
from flo2.testing.asgi import ASGIDriver


def saying(text):
    async def app(scope, receive, send):
        await PlainTextResponse(text)(scope, receive, send)

    return app


APP = Dispatch({("POST", "/v1/messages"): saying("hot")}, saying("fallback"))


@pytest.mark.parametrize(
    ("method", "path", "root_path", "expected"),
    [
        ("POST", "/v1/messages", "", "hot"),
        ("POST", "/v1/messages?beta=true", "", "hot"),
        ("GET", "/v1/messages", "", "fallback"),
        ("POST", "/v1/messages/", "", "fallback"),
        ("POST", "/V1/messages", "", "fallback"),
        ("POST", "/v1/messages/count_tokens", "", "fallback"),
        ("POST", "/v1/messages", "/llm", "hot"),
        ("POST", "/messages", "/v1", "fallback"),
    ],
)
async def test_method_and_path_choose_the_app(method, path, root_path, expected):
    answer = await ASGIDriver(APP, root_path=root_path).request(method, path)
    assert answer.text == expected


async def test_it_works_below_a_starlette_mount():
    outer = Starlette(routes=[Mount("/gateway", app=APP)])
    driver = ASGIDriver(outer)
    assert (await driver.request("POST", "/gateway/v1/messages")).text == "hot"
    assert (await driver.request("POST", "/gateway/other")).text == "fallback"
    assert (await driver.request("POST", "/v1/messages")).status == 404


async def test_a_root_path_that_the_proxy_stripped_is_no_prefix():
    seen = {"type": "http", "method": "POST", "path": "/v1/messages", "root_path": "/v1/me"}
    called = []

    async def hot(scope, receive, send):
        called.append(scope["path"])

    await Dispatch({("POST", "/v1/messages"): hot}, saying("fallback"))(seen, None, None)
    assert called == ["/v1/messages"]


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
async def test_other_scopes_go_to_the_fallback(kind):
    called = []

    async def fallback(scope, receive, send):
        called.append(scope["type"])

    await Dispatch({}, fallback)({"type": kind}, None, None)
    assert called == [kind]


async def test_the_table_is_taken_as_it_was():
    table = {("GET", "/a"): saying("hot")}
    app = Dispatch(table, saying("fallback"))
    table.clear()
    assert (await ASGIDriver(app).request("GET", "/a")).text == "hot"
