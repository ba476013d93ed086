"""A whole gateway for a test: in memory, with a key, a credential, and prices of your choosing.

    async with running({"providers": {"acme": {"kind": "openai-compatible", "base_url": url}}},
                       credentials=["acme"]) as house:
        answer = await house.post("/v1/chat/completions", {"model": "acme/m1", "messages": [...]})
        receipt = await house.receipt(answer)

Imports: gateway, shell, keys.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from typing import Any

from attrs import frozen

from flo2.gateway import Gateway
from flo2.keys import issue, issue_admin
from flo2.memory_store import MemoryStore
from flo2.records import Entry
from flo2.secrets import Secret
from flo2.shell import create_app
from flo2.stored import Account, IssuedKey, RouteSpec, TargetSpec
from flo2.stores import EntryFilter, Store
from flo2.testing.asgi import Answer, ASGIDriver
from flo2.wire import Wire

__all__ = ["CANARY", "House", "running"]

CANARY = "sk-canary-4f1c7d2e9b8a6053"
"""The provider key of every credential here; it must never be seen anywhere."""


@frozen
class House:
    """A running gateway and what a test needs of it.

    Attributes:
        key: The issued key, as a client would send it; `issued` is its record.
        admin: The admin token.
    """

    gateway: Gateway
    driver: ASGIDriver
    key: str
    issued: IssuedKey
    admin: str

    def headers(self, **more: str) -> dict[str, str]:
        """Give request headers; `x_flo2_feature="a"` becomes `x-flo2-feature: a`."""
        return {
            "authorization": f"Bearer {self.key}",
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }

    async def post(self, path: str, body: object, **headers: str) -> Answer:
        """Send a request and take the whole answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.driver.request("POST", path, headers=self.headers(**headers), body=data)

    async def get(self, path: str, *, admin: bool = False, **headers: str) -> Answer:
        """Ask for something, as the key or as the admin."""
        given = self.headers(**headers)
        if admin:
            given["authorization"] = f"Bearer {self.admin}"
        return await self.driver.request("GET", path, headers=given)

    async def receipt(self, answer: Answer) -> dict[str, Any]:
        """Give the receipt of an answer."""
        request_id = dict(answer.headers)["x-flo2-request-id"]
        found: dict[str, Any] = json.loads((await self.get(f"/api/calls/{request_id}")).body)
        return found

    async def entries(self) -> Sequence[Entry]:
        """Give every ledger entry of the account, in order."""
        return await self.gateway.runtime.ledger.entries(EntryFilter(self.issued.account))

    async def route(self, name: str, strategy: str, *targets: str, **options: object) -> None:
        """Make a route of `provider/model` targets."""
        pairs = (target.partition("/") for target in targets)
        specs = tuple(TargetSpec(provider, model) for provider, _, model in pairs)
        spec = RouteSpec(self.issued.account, name, strategy, specs, options)
        await self.gateway.blocking_call(lambda: self.gateway.store.put_route(spec))
        await self.gateway.refresh(force=True)


@asynccontextmanager
async def running(
    config: Mapping[str, Any] | None = None,
    *,
    credentials: Sequence[str] = (),
    plugins: Mapping[str, object] | None = None,
    store: Store | None = None,
    wire: Wire | None = None,
    account: str = "default",
) -> AsyncIterator[House]:
    """Run a gateway.

    Args:
        config: As in `flo2.toml`. Unless it says otherwise: every installed plugin, curated prices,
            loopback addresses allowed.
        credentials: Providers that the account has a credential for.
        plugins: Plugins in Python, by name.
        store: The store; None: one in memory.
        wire: The way to the network; None: a real one.
        account: The tenant.
    """
    given: dict[str, Any] = {"network": {"allow_private": ["127.0.0.0/8", "::1/128"]}}
    if any(point.name == "pricing-list" for point in entry_points(group="flo2")):
        given["pricing"] = {"list": {}}
    given.update(config or {})
    kept = MemoryStore() if store is None else store
    gateway = Gateway.build(given, plugins=plugins, store=kept, environ={}, wire=wire)
    async with gateway:
        now = gateway.services.now_us()
        vault = gateway.runtime.vault
        pepper = vault.pepper()
        kept.put_account(Account(account, account, now))
        issued, secret = issue(kept, account, "test", pepper=pepper, now_us=now)
        admin = issue_admin(kept, pepper=pepper)
        for name in credentials:
            host = gateway.providers[name].host
            vault.add(account, name, host, "test", Secret(CANARY), now_us=now)
        await gateway.refresh(force=True)
        driver = ASGIDriver(create_app(gateway, lifespan=False))
        yield House(gateway, driver, secret.reveal(), issued, admin.reveal())
