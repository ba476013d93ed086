"""What an owner does in Python that others do at the command line: issue keys, keep credentials.

Blocking. Imports: keys, vault, stores, errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flo2.errors import NotFound
from flo2.keys import issue
from flo2.secrets import Secret
from flo2.stored import Account, IssuedKey, SealedCredential

if TYPE_CHECKING:
    from flo2.gateway.resolve import Bound
    from flo2.stores import Store
    from flo2.vault import Vault

__all__ = ["issue_key", "keep_credential"]


def issue_key(
    store: Store,
    vault: Vault,
    name: str,
    *,
    account: str,
    now_us: int,
    team: str | None = None,
    models: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
) -> tuple[IssuedKey, Secret]:
    """Issue a key; see `Gateway.issue_key`."""
    _ensure(store, account, now_us)
    return issue(
        store,
        account,
        name,
        pepper=vault.pepper(),
        now_us=now_us,
        team=team,
        models=models,
        tags=tags,
    )


def keep_credential(
    store: Store,
    vault: Vault,
    providers: Mapping[str, Bound],
    provider: str,
    secret: Secret | str,
    *,
    account: str,
    name: str,
    now_us: int,
) -> SealedCredential:
    """Keep a credential; see `Gateway.add_credential`."""
    bound = providers.get(provider)
    if bound is None:
        have = ", ".join(sorted(providers)) or "none"
        raise NotFound(f"there is no provider {provider!r}; configured: {have}", param="provider")
    _ensure(store, account, now_us)
    if isinstance(secret, Secret):
        return vault.add(account, provider, bound.host, name, secret, now_us=now_us)
    return vault.add_reference(account, provider, bound.host, name, secret, now_us=now_us)


def _ensure(store: Store, account: str, now_us: int) -> None:
    if account not in {each.id for each in store.accounts()}:
        store.put_account(Account(account, account, now_us))
