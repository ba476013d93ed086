"""Keep the provider credentials of accounts, and give one out for one call.

What is sealed is bound to its account, provider, host and id: a row that was changed, or moved to
another account or host, does not open. A reference credential holds no secret, but is bound by a
seal as well; otherwise who can write to the store could point it at any variable of the process.

`open`, `refresh`, `add`, `rewrap` … read and write the store and are blocking; `reveal` does
neither.
Imports: vault.keks, vault.seal, secrets, stored, errors.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import attrs
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from flo2.errors import SecretError
from flo2.secrets import Secret, check_header_safe, in_one_line, is_reference, resolve
from flo2.stored import DataKey, SealedCredential
from flo2.vault.seal import bind, decrypt, open_sealed, parts_of, seal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flo2.secrets import ReferenceResolver
    from flo2.stores import Store
    from flo2.vault.keks import KekRing

__all__ = ["Vault"]

_CANARY = "vault.canary"
_PEPPER = "vault.pepper"
_CANARY_TEXT = b"flo2 canary"
_REFERENCE_SEAL = "flo2.seal"
_SHOWN = 4
_MIN_SHOWN_LENGTH = 16  # four characters of a shorter secret are too much of it


@attrs.frozen
class _Opened:
    """A data key ready for use, and whose it is."""

    account: str
    cipher: AESGCM = attrs.field(repr=False, eq=False)


@attrs.frozen
class _Prepared:
    """All of opening one row that needs no secret: nothing in it is worth more than the row."""

    credential: SealedCredential = attrs.field(eq=False)
    cipher: AESGCM = attrs.field(repr=False, eq=False)
    nonce: bytes
    sealed: bytes
    bound: bytes
    what: str


class Vault:
    """Credentials of accounts in a store.

    Args:
        store: Where sealed credentials and wrapped data keys are kept.
        keks: Key-encryption keys.
        environ: Where `env:` references look.
        resolver: The plugins' hook for `vault:` references.
    """

    def __init__(
        self,
        store: Store,
        keks: KekRing,
        environ: Mapping[str, str],
        *,
        resolver: ReferenceResolver | None = None,
    ) -> None:
        self._store = store
        self._keks = keks
        self._environ = environ
        self._resolver = resolver
        self._opened: dict[str, _Opened] = {}
        self._prepared: dict[str, _Prepared] = {}

    # Start and refresh --------------------------------------------------------------------------

    def open(self) -> tuple[str, ...]:
        """Check that this is the right key-encryption key, and load the data keys.

        Returns:
            Problems of single data keys, as `refresh`.

        Raises:
            SecretError: The ring does not hold the key this store was sealed under; starting with
                it would make new credentials that the other nodes cannot read.
        """
        if self._setting(_CANARY) is None:
            for row in self._store.data_keys():
                self._keks.get(row.kek_id)  # a store without its canary, but not a new one
            self._put_setting(_CANARY, _CANARY_TEXT)
        return self.refresh()

    def refresh(self) -> tuple[str, ...]:
        """Load the data keys that other nodes have made; call it when the store's revision changes.

        Returns:
            One line for each data key that does not open; only its own account's credentials fail.
        """
        problems = []
        self._prepared.clear()  # the rows are read anew as well
        for row in self._store.data_keys():
            if row.id not in self._opened:
                try:
                    self._opened[row.id] = self._unwrap(row)
                except SecretError as exc:
                    problems.append(str(exc))
        return tuple(problems)

    def pepper(self) -> bytes:
        """Give the secret under which issued keys are hashed; made at first use, kept sealed.

        Raises:
            SecretError: It does not open.
        """
        pepper = self._setting(_PEPPER)
        if pepper is None:
            # Of two processes that start at once on an empty store, the first one's is kept.
            self._store.first_setting(_PEPPER, self._sealed_setting(_PEPPER, os.urandom(32)))
            pepper = self._setting(_PEPPER)
        if pepper is None:
            raise SecretError(f"the store did not keep its setting {_PEPPER!r}; check the store")
        return pepper

    # Credentials --------------------------------------------------------------------------------

    def add(
        self,
        account: str,
        provider: str,
        host: str,
        name: str,
        secret: Secret,
        *,
        now_us: int,
        project: str | None = None,
        data_terms: tuple[str, ...] = (),
        settings: Mapping[str, str] | None = None,
    ) -> SealedCredential:
        """Seal a provider key and store it.

        Args:
            account: Whose it is.
            provider: Configured name of the provider.
            host: The only host it is ever sent to.
            name: What people call it.
            secret: The key; a JSON document is kept in one line.
            now_us: Now, in microseconds.
            project: Organisation or project on the provider's side.
            data_terms: Declared terms.
            settings: The provider's own settings; never secrets.

        Raises:
            SecretError: No header can carry the key, or it is a reference instead of a key.
            StoreError: It cannot be written.
        """
        text = in_one_line(secret.reveal())
        check_header_safe(text, f"the key for provider {provider!r}")
        if is_reference(text):
            raise SecretError(
                f"the key for provider {provider!r} is a reference (env:, file: or vault:); only "
                "the operator adds one, on the machine itself: flo2 providers add"
            )
        return self._put(
            SealedCredential(
                id=_new_id("cred"),
                account=account,
                provider=provider,
                host=_checked_host(host),
                name=name,
                last4=text[-_SHOWN:] if len(text) >= _MIN_SHOWN_LENGTH else "",
                created_us=now_us,
                project=project,
                data_terms=data_terms,
                settings=_checked_settings(settings),
            ),
            text,
        )

    def add_reference(
        self,
        account: str,
        provider: str,
        host: str,
        name: str,
        reference: str,
        *,
        now_us: int,
        project: str | None = None,
        data_terms: tuple[str, ...] = (),
        settings: Mapping[str, str] | None = None,
    ) -> SealedCredential:
        """Store a reference to a provider key. For the operator's own tools only, never for an API.

        What it points to is read at each use, so it may be set or change later.

        Args:
            account: Whose it is.
            provider: Configured name of the provider.
            host: The only host it is ever sent to.
            name: What people call it.
            reference: `env:NAME`, `file:/path` or `vault:name`.
            now_us: Now, in microseconds.
            project: Organisation or project on the provider's side.
            data_terms: Declared terms.
            settings: The provider's own settings; never secrets.

        Raises:
            SecretError: It is not a reference.
            StoreError: It cannot be written.
        """
        if not is_reference(reference):
            raise SecretError(
                f"what was given for provider {provider!r} is not a reference (env:NAME, "
                "file:/path); it is not shown, as it may be a key"
            )
        return self._put(
            SealedCredential(
                id=_new_id("cred"),
                account=account,
                provider=provider,
                host=_checked_host(host),
                name=name,
                last4="",
                created_us=now_us,
                reference=reference,
                project=project,
                data_terms=data_terms,
                settings=_checked_settings(settings),
            ),
            "",
        )

    def reveal(self, credential: SealedCredential, host: str) -> Secret:
        """Open a credential to send it to a host; about 1 µs, and nothing secret is kept.

        Args:
            credential: The row as the store gave it.
            host: Where the call goes, from the provider's own address, never from a request.

        Raises:
            SecretError: It is bound to another host, is switched off, was changed in the store, its
                data key is not loaded (`refresh`), or its reference points nowhere.
        """
        if host.lower() != credential.host:
            raise SecretError(
                f"credential {credential.id!r} of account {credential.account!r} belongs to host "
                f"{credential.host!r} and is not sent to {host!r}; add one for that host"
            )
        if credential.disabled_us is not None:
            raise SecretError(
                f"credential {credential.id!r} of account {credential.account!r} is switched off; "
                "switch it on, or use another"
            )
        ready = self._prepared.get(credential.id)
        if ready is None or ready.credential is not credential:
            ready = self._prepared[credential.id] = self._prepare(credential)
        plain = decrypt(ready.cipher, ready.nonce, ready.sealed, ready.bound, ready.what)
        if credential.reference is None:
            return Secret(plain.decode())
        return resolve(credential.reference, environ=self._environ, resolver=self._resolver)

    def _prepare(self, credential: SealedCredential) -> _Prepared:
        """Do once what opening this very row, an immutable value, needs at each call."""
        cipher = self._cipher(credential)
        reference = credential.reference
        text = credential.sealed if reference is None else credential.settings.get(_REFERENCE_SEAL)
        if (credential.sealed is None) == (reference is None) or text is None:
            raise SecretError(
                f"credential {credential.id!r} of account {credential.account!r} is not one that "
                "this vault made; add it again (Vault.add, Vault.add_reference)"
            )
        what = f"credential {credential.id!r}"
        nonce, sealed = parts_of(text, what)
        return _Prepared(credential, cipher, nonce, sealed, _bound(credential), what)

    def delete(self, account: str, credential_id: str) -> bool:
        """Delete a credential; False when the account had none of this id."""
        return self._store.delete_credential(account, credential_id)

    # Rotation -----------------------------------------------------------------------------------

    def rewrap(self) -> int:
        """Wrap all data keys under the newest key-encryption key, while calls go on.

        Credentials are not touched, as their data keys stay the same. May be stopped and repeated
        at any point. When it is through, the older versions may be removed from the ring: the
        canary is moved last, so until then a ring without them is refused at start.

        Returns:
            How many data keys were wrapped anew.

        Raises:
            SecretError: A data key does not open; those before it are done.
        """
        newest = self._keks.newest
        done = 0
        for row in self._store.data_keys():
            if row.kek_id != newest.id:
                key = self._unwrap_bytes(row)
                moved = attrs.evolve(row, kek_id=newest.id)
                wrapped = seal(newest.cipher, key, _bound_data_key(moved))
                self._store.put_data_key(attrs.evolve(moved, wrapped=wrapped))
                done += 1
        for name in (_PEPPER, _CANARY):
            value = self._setting(name)
            if value is not None and not self._is_newest(name):
                self._put_setting(name, value)
        return done

    # Inside -------------------------------------------------------------------------------------

    def _put(self, credential: SealedCredential, plain: str) -> SealedCredential:
        data_key = self._data_key(credential.account, credential.created_us)
        credential = attrs.evolve(credential, data_key=data_key)
        sealed = seal(self._opened[data_key].cipher, plain.encode(), _bound(credential))
        if credential.reference is None:
            credential = attrs.evolve(credential, sealed=sealed)
        else:
            settings = {**credential.settings, _REFERENCE_SEAL: sealed}
            credential = attrs.evolve(credential, settings=settings)
        self._store.put_credential(credential)
        return credential

    def _data_key(self, account: str, now_us: int) -> str:
        """Give the id of the account's data key, opened; make one if it has none.

        Two nodes may make one each at the same time: both stay good, as a credential names its own.
        """
        rows = sorted(self._store.data_keys(account), key=lambda row: (row.created_us, row.id))
        if rows:
            row = rows[-1]
            if row.id not in self._opened:
                self._opened[row.id] = self._unwrap(row)
            return row.id
        newest = self._keks.newest
        key = AESGCM.generate_key(bit_length=256)
        row = DataKey(_new_id("dk"), account, newest.id, "", now_us)
        wrapped = seal(newest.cipher, key, _bound_data_key(row))
        self._store.put_data_key(attrs.evolve(row, wrapped=wrapped))
        self._opened[row.id] = _Opened(account, AESGCM(key))
        return row.id

    def _cipher(self, credential: SealedCredential) -> AESGCM:
        opened = self._opened.get(credential.data_key or "")
        if opened is None or opened.account != credential.account:
            raise SecretError(
                f"credential {credential.id!r} of account {credential.account!r} has no data key "
                "here; its data key is not loaded yet, does not open (see flo2 doctor), or the "
                "row was changed"
            )
        return opened.cipher

    def _unwrap(self, row: DataKey) -> _Opened:
        return _Opened(row.account, AESGCM(self._unwrap_bytes(row)))

    def _unwrap_bytes(self, row: DataKey) -> bytes:
        what = f"data key {row.id!r} of account {row.account!r}"
        return open_sealed(
            self._keks.get(row.kek_id).cipher, row.wrapped, _bound_data_key(row), what
        )

    def _setting(self, name: str) -> bytes | None:
        value = self._store.setting(name)
        if value is None:
            return None
        kek_id, _, text = value.partition(" ")
        kek = self._keks.get(kek_id)
        return open_sealed(kek.cipher, text, bind("flo2.setting.v1", name, kek_id), repr(name))

    def _put_setting(self, name: str, value: bytes) -> None:
        self._store.put_setting(name, self._sealed_setting(name, value))

    def _sealed_setting(self, name: str, value: bytes) -> str:
        kek = self._keks.newest
        return f"{kek.id} {seal(kek.cipher, value, bind('flo2.setting.v1', name, kek.id))}"

    def _is_newest(self, name: str) -> bool:
        return (self._store.setting(name) or "").startswith(f"{self._keks.newest.id} ")


def _bound(credential: SealedCredential) -> bytes:
    """Say what a credential is bound to; a reference's own text belongs to it."""
    return bind(
        "flo2.credential.v1",
        credential.account,
        credential.provider,
        credential.host,
        credential.id,
        "" if credential.reference is None else credential.reference,
    )


def _bound_data_key(row: DataKey) -> bytes:
    return bind("flo2.data-key.v1", row.account, row.id, row.kek_id)


def _checked_host(host: str) -> str:
    if not host or not host.isascii() or not host.isprintable() or set(host) & set(" /@?#\\"):
        raise SecretError(
            f"{host!r} is not a host to bind a credential to; give the host of the provider's "
            "address alone, such as 'api.example.com'"
        )
    return host.lower()


def _checked_settings(settings: Mapping[str, str] | None) -> dict[str, str]:
    if settings and _REFERENCE_SEAL in settings:
        raise SecretError(f"setting {_REFERENCE_SEAL!r} is the vault's own; leave it out")
    return dict(settings or {})


def _new_id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(10)}"
