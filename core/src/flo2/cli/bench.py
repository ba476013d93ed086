"""What commands work on: configuration, plugins, store, vault, prices; each made at first use.

Commands work on the store itself, so no server need run; one that runs notices within 2 s.
Imports: config, plugins, gateway, vault, wire.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from attrs import evolve

from flo2 import builtins
from flo2.config import Config
from flo2.errors import NotFound, StoreError
from flo2.gateway import Gateway, default_data_dir
from flo2.gateway.first_run import (
    DEFAULT_ACCOUNT,
    Prepared,
    make_folder,
    open_keks,
    prepare,
    setup_lock,
)
from flo2.gateway.resolve import Bound
from flo2.gateway.runtime import make_price_layers, make_providers, make_store, needed_settings
from flo2.memory_store import MemoryStore
from flo2.plugins import Plugins
from flo2.prices import Layer, PriceBook, build
from flo2.protocols import Credential
from flo2.services import Services, wall_us
from flo2.stored import SealedCredential
from flo2.stores import Store
from flo2.vault import Vault
from flo2.wire import Wire

if TYPE_CHECKING:
    from flo2.cli.state import State

__all__ = ["Bench"]


class Bench:
    """Used as a context manager; closes the store at the end.

    Args:
        state: The command's options.
        config: The configuration, where it has been read already.
    """

    def __init__(self, state: State, *, config: Config | None = None) -> None:
        self.state = state
        self.environ: dict[str, str] = state.overlaid()
        self._config = config
        self._opened: Store | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store, if it was opened."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()
            vars(self).pop("store", None)

    # What needs no store ------------------------------------------------------------------------

    @cached_property
    def config(self) -> Config:
        """The configuration."""
        return self._config or self.state.config()

    @cached_property
    def data_dir(self) -> Path:
        """The data folder; it need not exist."""
        return self.config.data_dir or default_data_dir(self.environ)

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins that the configuration lets in."""
        chosen = self.config.plugins
        return Plugins.load(disable=chosen.disable, only=chosen.only, extra={"flo2": builtins})

    @cached_property
    def wire(self) -> Wire:
        """The way to the network; opened by who uses it."""
        network = self.config.network
        return Wire(engine=network.engine, allow_private=network.networks, ca_file=network.ca_file)

    @cached_property
    def services(self) -> Services:
        """What plugin classes are given."""
        return Services(wire=self.wire, data_dir=self.data_dir, environ=self.environ)

    @cached_property
    def book(self) -> PriceBook:
        """The price book."""
        return build(self.price_layers)

    @cached_property
    def price_layers(self) -> Sequence[Layer]:
        """The rows of each price source."""
        return make_price_layers(self.config, self.plugins, self.services)

    @cached_property
    def providers(self) -> Mapping[str, Bound]:
        """The configured providers, with the models that the book prices."""
        return make_providers(self.config, self.plugins, self.services, self.book)

    @cached_property
    def bare_providers(self) -> Mapping[str, Bound]:
        """The configured providers, for commands that need no prices: no book is built."""
        return make_providers(self.config, self.plugins, self.services, PriceBook())

    def provider(self, name: str, providers: Mapping[str, Bound]) -> Bound:
        """Find a configured provider.

        Raises:
            NotFound: there is none of this name; says what is, and which is near.
        """
        if name in providers:
            return providers[name]
        have = ", ".join(sorted(providers)) or "none"
        if name in self.plugins.kinds("provider"):
            settings = " and ".join(needed_settings(self.plugins, "provider", name))
            raise NotFound(
                f"provider {name!r} is installed and not configured; give its {settings} in a "
                f"table [providers.{name}] in flo2.toml (flo2 init makes the file)",
                param="name",
            )
        near = _near(name, providers)
        # No package is guessed from a name that may be a slip of the pen.
        table = f"a host of your own needs a table [providers.{name}] in flo2.toml"
        hint = f"did you mean {near!r}?" if near else table
        raise NotFound(f"there is no provider {name!r} (installed: {have}); {hint}", param="name")

    def now_us(self) -> int:
        """Read the clock, in microseconds."""
        return wall_us()

    # The store ----------------------------------------------------------------------------------

    @cached_property
    def store(self) -> Store:
        """The store, open.

        Raises:
            StoreError: it does not open, or it would forget everything with this process.
        """
        store = self.state.store or self.make_store()
        if self.state.store is None and store.kind == MemoryStore.kind:
            raise StoreError(
                "the configured store keeps nothing outside the process that serves; "
                'install one that does: pip install "flo2[serve]", and leave out [store] kind'
            )
        if store.kind != MemoryStore.kind:
            make_folder(self.data_dir)
        store.open()
        self._opened = store
        return store

    def make_store(self) -> Store:
        """Make the configured store; does not open it."""
        return make_store(self.config, self.plugins, self.services)

    @cached_property
    def vault(self) -> Vault:
        """The vault over the store, open."""
        make_folder(self.data_dir)
        vault = Vault(self.store, open_keks(self.config, self.data_dir, self.environ), self.environ)
        vault.open()
        return vault

    def opened(self, bound: Bound, sealed: SealedCredential) -> Credential:
        """Open a credential for its provider.

        Raises:
            SecretError: it does not open, or its reference points nowhere.
        """
        secret = self.vault.reveal(sealed, bound.host)
        return Credential(sealed.id, secret, sealed.project, sealed.settings)

    @cached_property
    def pepper(self) -> bytes:
        """The secret under which issued keys are hashed."""
        return self.vault.pepper()

    def prepare(self, *, secrets: bool) -> Prepared:
        """Make what a first start makes, where it is missing."""
        with setup_lock(self.data_dir):
            return prepare(
                self.store,
                self.vault,
                self.bare_providers,
                self.environ,
                self.now_us(),
                secrets=secrets,
            )

    def gateway(self) -> Gateway:
        """Compose a gateway over this store; it is not started."""
        config = self.config
        if self.store.kind == MemoryStore.kind and not config.secrets.kek:
            # A gateway without a disk makes a key of its own; this store is sealed under ours.
            kek = f"file:{(self.data_dir / 'kek').absolute()}"
            config = evolve(config, secrets=evolve(config.secrets, kek=kek))
        return Gateway.build(config, store=self.store, environ=self.environ, wire=self.wire)

    def account(self, name: str) -> str:
        """Check that an account exists; the default one is made where it is missing.

        Raises:
            NotFound: there is no such account.
        """
        accounts = {account.id for account in self.store.accounts()}
        if name in accounts:
            return name
        if name == DEFAULT_ACCOUNT:
            self.prepare(secrets=False)
            return name
        raise NotFound(
            f"there is no account {name!r}; known: {_names(accounts)}; to make it: "
            f"flo2 accounts create {name}",
            param="account",
        )


def _near(name: str, providers: Mapping[str, Bound]) -> str | None:
    """Find the provider that is likely meant: by its spelling, a part of it, or its variable."""
    if near := difflib.get_close_matches(name, list(providers), 1, 0.7):
        return near[0]
    for known, bound in sorted(providers.items()):
        variable = bound.provider.facts.key_env or ""
        if name in known.split("-") or variable.startswith(f"{name.upper()}_"):
            return known
    return None


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
