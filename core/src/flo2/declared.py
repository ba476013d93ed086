"""Put declarations into a store, and find them there, whatever they declare.

Blocking. Imports: stores, stored, errors.
"""

from __future__ import annotations

from flo2.errors import NotFound
from flo2.stored import Declaration
from flo2.stores import Store

__all__ = ["check_account", "declare", "find_declaration"]


def check_account(store: Store, account: str) -> None:
    """Refuse what is meant for an account that does not exist.

    Raises:
        NotFound: there is no such account.
    """
    if account not in {each.id for each in store.accounts()}:
        raise NotFound(
            f"there is no account {account!r}; flo2 accounts create makes it", param="account"
        )


def find_declaration(store: Store, kind: str, account: str, name: str) -> Declaration | None:
    """Give what an account has declared by a name, or None."""
    found = store.declarations(kind, account)
    return next((each for each in found if each.name == name), None)


def declare(store: Store, declaration: Declaration) -> bool:
    """Declare something, unless it is declared already just so; say whether anything changed."""
    told = declaration
    known = find_declaration(store, told.kind, told.account, told.name)
    if known is not None and known.document == told.document:
        return False
    store.put_declaration(told)
    return True
