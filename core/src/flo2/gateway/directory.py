"""What the store says of accounts, kept in memory so that a request never asks the store.

A snapshot is replaced whole when the store's revision changes.
Imports: budgets, contracts, limits, stored, stores, errors.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import anyio
from attrs import field, frozen

from flo2.budgets import KIND as BUDGET
from flo2.contracts import AccountContracts
from flo2.errors import StoreError
from flo2.gateway.agreeing import read_contracts
from flo2.limits import KIND as LIMIT
from flo2.stored import Declaration, IssuedKey, RouteSpec, SealedCredential
from flo2.stores import Store

if TYPE_CHECKING:
    from flo2.gateway.gateway import Gateway

__all__ = ["Snapshot", "Tenant", "keep_fresh", "read_snapshot"]

_REFRESH_S: Final = 1.0
_log = logging.getLogger("flo2.gateway")


@frozen
class Tenant:
    """One account as the request path sees it.

    Attributes:
        credentials: Configured provider → the account's usable credentials for it.
        routes: Route name → route.
        memo: Resolved targets by model name; dies with the snapshot.
    """

    account: str
    credentials: Mapping[str, tuple[SealedCredential, ...]] = field(factory=dict)
    routes: Mapping[str, RouteSpec] = field(factory=dict)
    memo: dict[str, object] = field(factory=dict, repr=False, eq=False)


@frozen
class Snapshot:
    """All accounts at one revision of the store.

    Attributes:
        contracts: Account → its contracts, of those that have any.
        budgets, limits: Account → what it has declared of them, of those that have.
    """

    revision: int = -1
    tenants: Mapping[str, Tenant] = field(factory=dict)
    keys: tuple[IssuedKey, ...] = ()
    contracts: Mapping[str, AccountContracts] = field(factory=dict)
    budgets: Mapping[str, Sequence[Declaration]] = field(factory=dict)
    limits: Mapping[str, Sequence[Declaration]] = field(factory=dict)

    def tenant(self, account: str) -> Tenant:
        """Give an account; one that has nothing yet is empty."""
        found = self.tenants.get(account)
        return Tenant(account) if found is None else found


def read_snapshot(store: Store) -> Snapshot:
    """Read everything the request path needs; blocking."""
    revision = store.revision()
    credentials: dict[str, dict[str, list[SealedCredential]]] = {}
    for credential in store.credentials():
        if credential.disabled_us is None:
            of_account = credentials.setdefault(credential.account, {})
            of_account.setdefault(credential.provider, []).append(credential)
    routes: dict[str, dict[str, RouteSpec]] = {}
    for route in store.routes():
        routes.setdefault(route.account, {})[route.name] = route
    names = {account.id for account in store.accounts()} | credentials.keys() | routes.keys()
    tenants = {
        name: Tenant(
            name,
            {
                provider: tuple(sorted(found, key=lambda c: (c.created_us, c.id)))
                for provider, found in credentials.get(name, {}).items()
            },
            routes.get(name, {}),
        )
        for name in names
    }
    keys = tuple(store.keys())
    budgets, limits = _declared(store, BUDGET), _declared(store, LIMIT)
    return Snapshot(revision, tenants, keys, read_contracts(store), budgets, limits)


def _declared(store: Store, kind: str) -> Mapping[str, Sequence[Declaration]]:
    found: dict[str, list[Declaration]] = {}
    for each in store.declarations(kind):
        found.setdefault(each.account, []).append(each)
    return found


async def keep_fresh(gateway: Gateway) -> None:
    """Take over changes of keys, credentials and routes within a second, while it runs."""
    told = False
    while True:
        await anyio.sleep(_REFRESH_S)
        if not gateway.started:
            return
        try:
            await gateway.refresh()
        except StoreError as exc:
            if not told:  # once, not every second
                _log.error("going on with the keys and routes that are known: %s", exc)
            told = True
        else:
            if told:
                _log.warning("keys and routes can be read again")
            told = False
