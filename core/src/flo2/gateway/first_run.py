"""The first start over an empty store: an account, an admin token, an issued key, credentials.

Says what it did as data; whoever calls it talks to the person. Blocking. Everything here may be
done again at any start: what is there already is left alone.
Imports: keys, vault, config, resolve; stores, stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from flo2.canonical import Usage
from flo2.config import Config
from flo2.errors import SecretError, StoreError
from flo2.gateway.resolve import Bound
from flo2.keys import ADMIN_SETTING, issue, issue_admin
from flo2.ledger.locks import FileLock
from flo2.prices import PriceBook, PricingContext
from flo2.secrets import Secret
from flo2.stored import Account, IssuedKey, SealedCredential
from flo2.vault import KekRing, Vault, generate_kek_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flo2.secrets import ReferenceResolver
    from flo2.stores import Store

__all__ = [
    "CHAT_KEY",
    "DEFAULT_ACCOUNT",
    "Prepared",
    "credential_name",
    "default_data_dir",
    "has_admin",
    "make_folder",
    "open_keks",
    "prepare",
    "setup_lock",
    "suggest_model",
    "unused_variables",
]

DEFAULT_ACCOUNT: Final = "default"
CHAT_KEY: Final = "key_flo2_chat"
"""Id of the key that `flo2 chat` makes anew at each use; it is nobody's first key."""
_LOCK: Final = "setup.lock"
_LOCK_WAIT_S: Final = 20.0
_SAMPLE: Final = Usage({"input_tokens": 1000, "output_tokens": 1000})


@frozen
class Prepared:
    """What a start found and made.

    Attributes:
        account: The account it speaks of.
        admin: The admin token, if it was made just now.
        key: The issued key and its record, if it was made just now.
        added: Credentials that were made just now, one for each environment variable found.
    """

    account: str
    admin: Secret | None = None
    key: tuple[IssuedKey, Secret] | None = None
    added: tuple[SealedCredential, ...] = ()

    @property
    def is_first(self) -> bool:
        """Whether there is a secret that must be shown now, or never."""
        return self.admin is not None or self.key is not None


def prepare(
    store: Store,
    vault: Vault,
    providers: Mapping[str, Bound],
    environ: Mapping[str, str],
    now_us: int,
    *,
    secrets: bool = True,
) -> Prepared:
    """Make what is missing.

    Keys found in the environment are taken up once, together with the account `default`, by
    reference; a credential that somebody removes later does not come back by itself.

    Args:
        store: Open.
        vault: Open.
        providers: The configured ones, by name.
        environ: Where providers' usual variables are looked for.
        now_us: Now, in microseconds.
        secrets: Also make the admin token and the first key; only who will show them says True.
    """
    added: list[SealedCredential] = []
    if DEFAULT_ACCOUNT not in {account.id for account in store.accounts()}:
        store.put_account(Account(DEFAULT_ACCOUNT, DEFAULT_ACCOUNT, now_us))
        for name, variable in _found(providers, environ).items():
            reference = f"env:{variable}"
            host = providers[name].host
            made = vault.add_reference(DEFAULT_ACCOUNT, name, host, name, reference, now_us=now_us)
            added.append(made)
    if not secrets:
        return Prepared(DEFAULT_ACCOUNT, added=tuple(added))
    pepper = vault.pepper()
    admin = None if has_admin(store) else issue_admin(store, pepper=pepper)
    key = None
    if not any(each.id != CHAT_KEY for each in store.keys(None)):
        key = issue(store, DEFAULT_ACCOUNT, "first", pepper=pepper, now_us=now_us)
    return Prepared(DEFAULT_ACCOUNT, admin, key, tuple(added))


def has_admin(store: Store) -> bool:
    """Whether an admin token was ever made."""
    return store.setting(ADMIN_SETTING) is not None


def unused_variables(
    store: Store, providers: Mapping[str, Bound], environ: Mapping[str, str]
) -> Mapping[str, str]:
    """Name the providers whose variable is set although the account has no credential for them."""
    have = {credential.provider for credential in store.credentials(DEFAULT_ACCOUNT)}
    return {
        name: variable for name, variable in _found(providers, environ).items() if name not in have
    }


def credential_name(wanted: str, taken: Sequence[str]) -> str:
    """Give a name that no credential of the provider has: `wanted`, then `wanted-2` and so on."""
    if wanted not in taken:
        return wanted
    number = 2
    while f"{wanted}-{number}" in taken:
        number += 1
    return f"{wanted}-{number}"


def suggest_model(bound: Bound, book: PriceBook, at_us: int) -> str | None:
    """Choose a model to try a provider with: its own suggestion, else the cheapest priced one.

    Returns:
        `provider/model`; None when nothing is known of its models.
    """
    own = getattr(bound.provider, "example_model", "")
    if own:
        return f"{bound.name}/{own}"
    at = datetime.fromtimestamp(at_us / 1e6, UTC)
    priced: list[tuple[Decimal, str]] = []
    for model in bound.listed:
        cost = book.price(_SAMPLE, PricingContext(bound.priced_as, "chat", model, model, at))
        if cost.total is not None:
            priced.append((cost.total, model))
    return f"{bound.name}/{min(priced)[1]}" if priced else None


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """Say where a user's flo2 keeps its data: `$FLO2_DATA_DIR`, else the XDG data folder."""
    if given := environ.get("FLO2_DATA_DIR"):
        return Path(given).expanduser()
    base = environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "flo2"


def open_keks(
    config: Config,
    folder: Path,
    environ: Mapping[str, str],
    resolver: ReferenceResolver | None = None,
) -> KekRing:
    """Read the key-encryption keys; make the file in the data folder where none is configured.

    Raises:
        SecretError: they cannot be read, or hold something else than keys.
    """
    reference = config.secrets.kek
    if not reference:
        path = folder / "kek"
        if not path.exists():
            try:
                generate_kek_file(path)
            except SecretError:
                if not path.exists():  # else another process that started with us was quicker
                    raise
        reference = f"file:{path.absolute()}"
    return KekRing.from_reference(reference, environ=environ, resolver=resolver)


def make_folder(folder: Path) -> None:
    """Make the data folder, which only its owner may enter; one that exists is left as it is.

    Raises:
        StoreError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreError(_unwritable(folder, exc)) from exc


@contextmanager
def setup_lock(folder: Path, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Let one process at a time prepare a data folder; two first starts make one key, not two.

    Raises:
        StoreError: the folder cannot be written, or another process holds the lock too long.
    """
    make_folder(folder)
    path = folder / _LOCK
    waited = 0.0
    try:
        while (lock := FileLock.create(path) or FileLock.take(path)) is None:
            if waited >= _LOCK_WAIT_S:
                raise StoreError(
                    f"another process has been preparing {str(folder)!r} for {waited:.0f} s; "
                    "see why it does not finish"
                )
            sleep(0.05)
            waited += 0.05
    except OSError as exc:
        raise StoreError(_unwritable(folder, exc)) from exc
    try:
        yield
    finally:
        lock.release(remove=True)


def _unwritable(folder: Path, exc: OSError) -> str:
    return (
        f"the data folder {str(folder)!r} cannot be written ({exc.strerror}); choose another with "
        "--data-dir, or let this user write there"
    )


def _found(providers: Mapping[str, Bound], environ: Mapping[str, str]) -> Mapping[str, str]:
    """Name the providers whose usual variable is set, and the variable."""
    found: dict[str, str] = {}
    for name, bound in sorted(providers.items()):
        variable = bound.provider.facts.key_env
        if variable and environ.get(variable, "").strip() and bound.host:
            found[name] = variable
    return found
