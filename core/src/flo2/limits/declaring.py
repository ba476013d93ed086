"""Declare limits in a store, and read what is declared; blocking.

Imports: declared, stores, stored, spec, errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flo2.declared import check_account, declare
from flo2.errors import NotFound
from flo2.limits.spec import KIND, Limit, limit_json, read_limit
from flo2.stored import Declaration
from flo2.stores import Store

__all__ = ["declared_limits", "put_limit", "remove_limit"]


def declared_limits(
    store: Store, account: str | None = None, name: str | None = None
) -> Sequence[Limit]:
    """Give the limits of an account or of all, or the one of a name.

    Raises:
        NotFound: there is none of this name.
        ConfigError: one cannot be read.
    """
    found = [
        read_limit(each)
        for each in store.declarations(KIND, account)
        if name is None or each.name == name
    ]
    if name is not None and not found:
        raise NotFound(
            f"account {account!r} has no limit {name!r}; see: flo2 limits list",
            code="limit_not_found",
            param="name",
        )
    return found


def put_limit(
    store: Store, account: str, name: str, document: Mapping[str, Any], now_us: int
) -> tuple[Limit, bool]:
    """Declare a limit, or declare it anew: what was counted goes on counting.

    Args:
        store: Where it is kept.
        account: Id of an account that exists.
        name: What it is called.
        document: What it is; a key may be given by its name.
        now_us: Now, in microseconds.

    Returns:
        The limit, and whether anything has changed.

    Raises:
        NotFound: there is no such account.
        ConfigError: every problem of the document at once.
    """
    check_account(store, account)
    given = Declaration(account, KIND, name, document, now_us)
    limit = read_limit(given, store.keys(account))
    kept = Declaration(account, KIND, name, limit_json(limit), now_us)
    return limit, declare(store, kept)


def remove_limit(store: Store, account: str, name: str) -> None:
    """Remove a limit.

    Raises:
        NotFound: there is none of this name.
    """
    if not store.delete_declaration(account, KIND, name):
        declared_limits(store, account, name)
