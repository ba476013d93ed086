"""What is declared, counted and set, in memory: the part of a `MemoryStore` that is no ledger.

Thread-safe. Imports: stored, errors.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

from flo2.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flo2.stored import Account, DataKey, Declaration, IssuedKey, RouteSpec, SealedCredential

__all__ = ["MemoryDeclared"]


class MemoryDeclared:
    """Accounts, keys, credentials, routes, declarations, counters and settings."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = RLock()
        self._revision = 0
        self._accounts: dict[str, Account] = {}
        self._keys: dict[str, IssuedKey] = {}
        self._data_keys: dict[str, DataKey] = {}
        self._credentials: dict[tuple[str, str], SealedCredential] = {}
        self._routes: dict[tuple[str, str], RouteSpec] = {}
        self._declarations: dict[tuple[str, str, str], Declaration] = {}
        self._counters: dict[tuple[str, str], tuple[str, int]] = {}
        self._settings: dict[str, str] = {}

    def revision(self) -> int:
        """Give a number that changes with whatever is declared."""
        return self._revision

    # Accounts and keys ----------------------------------------------------------------------

    def accounts(self) -> Sequence[Account]:
        """Give all accounts."""
        with self._lock:
            return sorted(self._accounts.values(), key=lambda each: each.id)

    def put_account(self, account: Account) -> None:
        """Create or replace an account."""
        with self._lock:
            self._accounts[account.id] = account
            self._revision += 1

    def keys(self, account: str | None = None) -> Sequence[IssuedKey]:
        """Give issued keys, of one account or of all."""
        with self._lock:
            found = [each for each in self._keys.values() if account in {None, each.account}]
        return sorted(found, key=lambda each: (each.created_us, each.id))

    def key_by_hash(self, digest: str) -> IssuedKey | None:
        """Find an issued key by its keyed hash."""
        with self._lock:
            return next((each for each in self._keys.values() if each.hash == digest), None)

    def put_key(self, key: IssuedKey) -> None:
        """Create or replace an issued key."""
        with self._lock:
            self._require(key.account)
            self._keys[key.id] = key
            self._revision += 1

    def data_keys(self, account: str | None = None) -> Sequence[DataKey]:
        """Give wrapped data keys."""
        with self._lock:
            found = [each for each in self._data_keys.values() if account in {None, each.account}]
        return sorted(found, key=lambda each: (each.created_us, each.id))

    def put_data_key(self, key: DataKey) -> None:
        """Create or replace a wrapped data key."""
        with self._lock:
            self._require(key.account)
            self._data_keys[key.id] = key
            self._revision += 1

    def credentials(self, account: str | None = None) -> Sequence[SealedCredential]:
        """Give sealed credentials."""
        with self._lock:
            found = [each for each in self._credentials.values() if account in {None, each.account}]
        return sorted(found, key=lambda each: (each.created_us, each.id))

    def put_credential(self, credential: SealedCredential) -> None:
        """Create or replace a sealed credential."""
        with self._lock:
            self._require(credential.account)
            self._credentials[credential.account, credential.id] = credential
            self._revision += 1

    def delete_credential(self, account: str, credential_id: str) -> bool:
        """Delete a credential; False when there was none."""
        with self._lock:
            gone = self._credentials.pop((account, credential_id), None)
            self._revision += gone is not None
            return gone is not None

    # Routes, declarations, counters, settings ------------------------------------------------

    def routes(self, account: str | None = None) -> Sequence[RouteSpec]:
        """Give routes."""
        with self._lock:
            found = [each for each in self._routes.values() if account in {None, each.account}]
        return sorted(found, key=lambda each: (each.account, each.name))

    def put_route(self, route: RouteSpec) -> None:
        """Create or replace a route."""
        with self._lock:
            self._require(route.account)
            self._routes[route.account, route.name] = route
            self._revision += 1

    def delete_route(self, account: str, name: str) -> bool:
        """Delete a route; False when there was none."""
        with self._lock:
            gone = self._routes.pop((account, name), None)
            self._revision += gone is not None
            return gone is not None

    def declarations(self, kind: str, account: str | None = None) -> Sequence[Declaration]:
        """Give what is declared of a kind, by one account or by all."""
        with self._lock:
            found = [
                each
                for each in self._declarations.values()
                if each.kind == kind and account in {None, each.account}
            ]
        return sorted(found, key=lambda each: (each.account, each.name))

    def put_declaration(self, declaration: Declaration) -> None:
        """Create or replace a declaration."""
        with self._lock:
            self._require(declaration.account)
            key = (declaration.account, declaration.kind, declaration.name)
            self._declarations[key] = declaration
            self._revision += 1

    def delete_declaration(self, account: str, kind: str, name: str) -> bool:
        """Delete a declaration; False when there was none."""
        with self._lock:
            gone = self._declarations.pop((account, kind, name), None)
            self._revision += gone is not None
            return gone is not None

    def counter(self, account: str, name: str) -> str | None:
        """Read a counter that the workers share."""
        with self._lock:
            found = self._counters.get((account, name))
            return None if found is None else found[0]

    def swap_counter(
        self, account: str, name: str, known: str | None, value: str, changed_us: int
    ) -> bool:
        """Write a counter, if it still is as it is known."""
        with self._lock:
            self._require(account)
            same = self.counter(account, name) == known
            if same:
                self._counters[account, name] = (value, changed_us)
            return same

    def drop_counters(self, before_us: int) -> int:
        """Drop the counters last changed before a time."""
        with self._lock:
            old = [key for key, (_, changed_us) in self._counters.items() if changed_us < before_us]
            for key in old:
                del self._counters[key]
            return len(old)

    def setting(self, name: str) -> str | None:
        """Read a setting."""
        with self._lock:
            return self._settings.get(name)

    def put_setting(self, name: str, value: str) -> None:
        """Write a setting."""
        with self._lock:
            self._settings[name] = value

    def first_setting(self, name: str, value: str) -> str:
        """Write a setting that nobody has written; give what it is now."""
        with self._lock:
            return self._settings.setdefault(name, value)

    def _require(self, account: str) -> None:
        if account not in self._accounts:
            raise StoreError(f"there is no account {account!r}; create it first (put_account)")
