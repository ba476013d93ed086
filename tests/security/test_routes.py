"""Every registered route, asked by everybody: the answer is the one that was declared for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from attrs import frozen
from starlette.routing import Mount, Route

from flo2.keys import ADMIN_PREFIX, generate, issue, revoke
from flo2.shell import create_app
from flo2.stored import Account
from flo2.testing.harness import House, running

pytestmark = pytest.mark.anyio

CALL = {"model": "sandbox/sandbox-small", "messages": [{"role": "user", "content": "x"}]}

OPEN, KEY, OWNER, ADMIN, DECLARER = "open", "key", "owner", "admin", "declarer"
"""For everybody · issued keys · the key that made the call, and the admin · the admin · the admin,
who is told that what these tests send is no such thing."""
EITHER = "either"
"""For issued keys, each for what is its own, and the admin, of budgets."""

OK, UNKNOWN, NOT_YOU, NOT_HERE = (frozenset({status}) for status in (200, 401, 403, 404))
# Let through, and then something else was wrong: no such model, no body.
PASSED = frozenset({200, 400, 404})

OF_OPENAI: Mapping[tuple[str, str], str] = {
    ("POST", "/v1/chat/completions"): KEY,
    ("POST", "/v1/embeddings"): KEY,
    ("POST", "/v1/completions"): KEY,
    ("POST", "/v1/responses"): KEY,
    ("POST", "/v1/responses/input_tokens"): KEY,
    ("POST", "/v1/images/generations"): KEY,
    ("POST", "/v1/images/edits"): KEY,
    ("POST", "/v1/audio/speech"): KEY,
    ("POST", "/v1/audio/transcriptions"): KEY,
    ("POST", "/v1/audio/translations"): KEY,
    ("POST", "/v1/moderations"): KEY,
    ("GET", "/v1/models"): KEY,
    ("GET", "/v1/models/{id:path}"): KEY,
}
DECLARED: Mapping[tuple[str, str], str] = {
    **OF_OPENAI,
    **{(method, f"/openai{path}"): who for (method, path), who in OF_OPENAI.items()},
    ("POST", "/v1/messages"): KEY,
    ("POST", "/v1/messages/count_tokens"): KEY,
    ("POST", "/v1/models/{call:path}"): KEY,
    ("POST", "/v1beta/models/{call:path}"): KEY,
    ("GET", "/v1beta/models"): KEY,
    ("GET", "/v1beta/models/{id:path}"): KEY,
    ("GET", "/livez"): OPEN,
    ("GET", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/api/calls/{id}"): OWNER,
    ("GET", "/api/calls"): ADMIN,
    ("GET", "/api/usage"): ADMIN,
    ("GET", "/api/entries"): ADMIN,
    ("GET", "/api/plugins"): ADMIN,
    ("GET", "/api/contracts"): ADMIN,
    ("PUT", "/api/contracts/{name}"): DECLARER,
    ("POST", "/api/contracts/{name}/check"): DECLARER,
    ("POST", "/api/contracts/{name}/end"): DECLARER,
    ("GET", "/api/statements/{month}"): DECLARER,
    ("POST", "/api/statements/{month}/close"): DECLARER,
    ("GET", "/api/budgets"): EITHER,
    ("GET", "/api/budgets/{name}"): EITHER,
    ("PUT", "/api/budgets/{name}"): DECLARER,
    ("DELETE", "/api/budgets/{name}"): DECLARER,
    ("GET", "/api/limits"): ADMIN,
    ("GET", "/api/limits/{name}"): DECLARER,
    ("PUT", "/api/limits/{name}"): DECLARER,
    ("DELETE", "/api/limits/{name}"): DECLARER,
    ("GET", "/api/keys"): ADMIN,
    ("POST", "/api/keys"): DECLARER,
    ("PATCH", "/api/keys/{id}"): DECLARER,
    ("GET", "/api/{rest:path}"): ADMIN,
    # Of plugins.
    ("GET", "/api/fees/plans"): ADMIN,
    ("PUT", "/api/fees/plans/{name}"): DECLARER,
    ("POST", "/api/fees/assignments"): DECLARER,
    ("GET", "/api/fees/preview/{month}"): DECLARER,
    ("POST", "/api/fees/issue/{month}"): DECLARER,
    ("GET", "/api/fees/documents"): ADMIN,
    ("GET", "/api/fees/documents/{number:int}"): DECLARER,
    ("POST", "/api/fees/documents/{number:int}/credits"): DECLARER,
    ("GET", "/fees/documents"): KEY,
    ("GET", "/fees/documents/{number:int}"): KEY,
}
"""A new route belongs in here, or the first test fails."""

CALLERS = (
    "nobody",
    "garbage",
    "mistyped key",
    "unknown key",
    "provider key",
    "expired",
    "revoked",
    "key",
    "other key",
    "other account",
    "unknown admin",
    "admin",
)

_KEYS = ("key", "other key", "other account")
EXPECTED: Mapping[str, Mapping[str, frozenset[int]]] = {
    OPEN: dict.fromkeys(CALLERS, OK),
    KEY: {**dict.fromkeys(CALLERS, UNKNOWN), **dict.fromkeys(_KEYS, PASSED)},
    OWNER: {
        **dict.fromkeys(CALLERS, UNKNOWN),
        **dict.fromkeys(_KEYS, NOT_HERE),
        "key": OK,
        "admin": OK,
    },
    ADMIN: {
        **dict.fromkeys(CALLERS, UNKNOWN),
        **dict.fromkeys(("mistyped key", "unknown key", "expired", "revoked", *_KEYS), NOT_YOU),
        "admin": OK | NOT_HERE,
    },
}
EXPECTED = {**EXPECTED, EITHER: {**EXPECTED[KEY], "admin": PASSED}}  # a budget is for both to see
EXPECTED = {**EXPECTED, DECLARER: {**EXPECTED[ADMIN], "admin": PASSED}}


@frozen
class Everybody:
    """A running house, a call that was made, and all who may ask."""

    house: House
    call_id: str
    tokens: Mapping[str, str | None]

    async def ask(self, method: str, path: str, who: str, *, header: str = "authorization") -> Any:
        token = self.tokens[who]
        value = f"Bearer {token}" if header == "authorization" else token
        headers = {} if value is None or token is None else {header: value}
        shown = path.replace("{id}", self.call_id).replace("{id:path}", "sandbox/sandbox-small")
        shown = shown.replace("{call:path}", "sandbox/sandbox-small:generateContent")
        shown = shown.replace("{rest:path}", "what/ever").replace("{number:int}", "1")
        body = CALL if method == "POST" else None
        return await self.house.driver.request(method, shown, headers=headers, json=body)


@pytest.fixture
async def everybody() -> AsyncIterator[Everybody]:
    async with running() as house:
        gateway = house.gateway
        store, now = gateway.store, gateway.services.now_us()
        pepper = gateway.runtime.vault.pepper()
        store.put_account(Account("other", "other", now))

        def key(account: str, **more: Any) -> tuple[Any, str]:
            record, secret = issue(store, account, "k", pepper=pepper, now_us=now - 10, **more)
            return record, secret.reveal()

        gone, revoked = key("default")
        revoke(store, gone, now_us=now - 1)
        _, expired = key("default", expires_us=now - 1)
        _, other_key = key("default")
        _, other_account = key("other")
        await gateway.refresh(force=True)
        answer = await house.post("/v1/chat/completions", CALL)
        tokens = {
            "nobody": None,
            "garbage": "flo2_sk_' OR 1=1 --",
            "mistyped key": "flo2_sk_" + "a" * 36,
            "unknown key": generate().secret.reveal(),
            "provider key": "sk-proj-0123456789abcdefghij",
            "expired": expired,
            "revoked": revoked,
            "key": house.key,
            "other key": other_key,
            "other account": other_account,
            "unknown admin": generate(prefix=ADMIN_PREFIX).secret.reveal(),
            "admin": house.admin,
        }
        yield Everybody(house, answer.header("x-flo2-request-id") or "", tokens)


def registered(app: Any) -> Iterator[tuple[str, str]]:
    """Take every route out of the app: the data plane's dictionary, and the router behind it."""
    dispatch = app._app
    yield from dispatch._hot
    yield from (("POST", f"{prefix}{{call:path}}") for prefix, _ in dispatch._below)
    for route in dispatch._fallback.routes:
        if isinstance(route, Route):
            methods = (route.methods or {"*"}) - {"HEAD"}
            yield from ((method, route.path) for method in methods)
        else:
            assert isinstance(route, Mount)
            below: Any = getattr(route.app, "_app", route.app)  # behind the admin token, or not
            for each in below.routes:
                methods = each.methods - {"HEAD"}
                yield from ((method, route.path + each.path) for method in methods)


async def test_every_route_is_declared(everybody: Everybody) -> None:
    app = create_app(everybody.house.gateway, lifespan=False)
    assert set(registered(app)) == set(DECLARED)


@pytest.mark.parametrize("who", CALLERS)
async def test_every_route_answers_everybody_as_declared(everybody: Everybody, who: str) -> None:
    found = {}
    for (method, path), role in DECLARED.items():
        for header in ("authorization", "x-api-key", "x-goog-api-key"):
            answer = await everybody.ask(method, path, who, header=header)
            found[method, path, header] = (answer.status, EXPECTED[role][who])
    assert {where: got for where, got in found.items() if got[0] not in got[1]} == {}


@pytest.mark.parametrize("who", ["nobody", "key", "admin"])
async def test_no_route_knows_another_method(everybody: Everybody, who: str) -> None:
    found = {}
    for path in {path for _, path in DECLARED}:
        own = {method for method, same in DECLARED if same == path}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - own:
            answer = await everybody.ask(method, path, who)
            found[method, path] = answer.status
    # What a plugin has below /api is asked for its admin token before it is looked up.
    plugins = {(method, path) for method, path in found if path.startswith("/api/fees/")}
    assert {found.pop(each) for each in plugins} <= {401, 403, 405}
    # Below a list of models, and below /api, each path may be one: what is not there is not found.
    models = {
        (method, path)
        for method, path in found
        if (method == "POST" and path in {"/v1/models/{id:path}", "/v1beta/models/{id:path}"})
        or (method == "GET" and path.endswith("/models/{call:path}"))
        or (method == "GET" and path.startswith("/api/"))
    }
    assert {found[each] for each in found.keys() - models} == {405}
    assert {found[each] for each in models} <= {401, 403, 404}


async def test_a_refusal_says_nothing_of_what_was_asked_for(everybody: Everybody) -> None:
    """Who may not read receipts learns nothing about which calls there are."""
    path = "/api/calls/{id}"
    for who in ("other key", "other account"):
        real = await everybody.ask("GET", path, who)
        made_up = f"{int(everybody.call_id, 16) ^ 1:032x}"
        headers = {"authorization": f"Bearer {everybody.tokens[who]}"}
        none = await everybody.house.driver.request("GET", f"/api/calls/{made_up}", headers=headers)
        assert real.status == none.status == 404
        assert real.text.replace(everybody.call_id, made_up) == none.text
        assert {name for name, _ in real.headers} == {name for name, _ in none.headers}


async def test_an_admin_token_that_cannot_exist_is_refused_without_asking_the_store(
    everybody: Everybody, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    store = everybody.house.gateway.store
    monkeypatch.setattr(store, "setting", asked.append)
    for token in ("", "x", "flo2_admin_" + "a" * 36, "' OR 1=1 --", "flo2_sk_" + "b" * 36):
        headers = {"authorization": f"Bearer {token}"}
        answer = await everybody.house.driver.request("GET", "/api/usage", headers=headers)
        assert answer.status in {401, 403}
    assert asked == []


@pytest.mark.parametrize("limit", ["²", "0", "-1", "1001", "1e3", "9" * 5000, "1\n", "٣"])
async def test_an_odd_page_size_is_refused(everybody: Everybody, limit: str) -> None:
    from urllib.parse import quote  # noqa: PLC0415  # for this test only

    admin = {"authorization": f"Bearer {everybody.house.admin}"}
    key = {"authorization": f"Bearer {everybody.house.key}", "anthropic-version": "2023-06-01"}
    for path, headers in (("/api/calls", admin), ("/v1/models", key)):
        url = f"{path}?limit={quote(limit)}"
        answer = await everybody.house.driver.request("GET", url, headers=headers)
        assert answer.status == 400
