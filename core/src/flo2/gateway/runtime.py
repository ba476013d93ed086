"""What a gateway is made of while it runs: every part, composed once.

Imports: everything below the gateway.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs import define, field

from flo2.admission import Admission
from flo2.canonical import LossPolicy
from flo2.config import Config, structure
from flo2.dialects.base import Dialect
from flo2.errors import ConfigError, PluginError, SecretError
from flo2.executor import Booking, DrainGroup, Executor, HealthModel, Tools, View
from flo2.gateway.directory import Snapshot
from flo2.gateway.gates import Gates
from flo2.gateway.resolve import Bound, Target
from flo2.ids import IdSource
from flo2.memory_store import MemoryStore
from flo2.meter import Meter
from flo2.prices import Bounds, Layer, PriceBook, build
from flo2.protocols import Credential, Inbound, Observer, PriceSource, Provider, Strategy
from flo2.services import Services
from flo2.stored import SealedCredential
from flo2.stores import Store

if TYPE_CHECKING:
    from flo2.ledger import Ledger
    from flo2.plugins import Plugins
    from flo2.records import Exchange
    from flo2.vault import Vault

__all__ = [
    "Runtime",
    "make_book",
    "make_observers",
    "make_price_layers",
    "make_providers",
    "make_store",
    "make_strategies",
    "needed_settings",
]


@define
class Runtime:
    """The parts of a running gateway.

    Attributes:
        snapshot: Replaced whole when the store changes.
        admission: What asks limits and budgets; None while no account has declared any.
        gates: Makes `admission` out of a snapshot.
    """

    config: Config
    services: Services
    plugins: Plugins
    providers: Mapping[str, Bound]
    strategies: Callable[[str, Mapping[str, Any]], Strategy]
    meter: Meter
    health: HealthModel
    ledger: Ledger
    vault: Vault
    executor: Executor
    drains: DrainGroup
    loss_policy: LossPolicy
    rng: Random
    observe: Callable[[Exchange], None]
    ids: IdSource = field(factory=IdSource)
    snapshot: Snapshot = field(factory=Snapshot)
    admission: Admission | None = None
    gates: Gates | None = None
    log: logging.Logger = field(factory=lambda: logging.getLogger("flo2.gateway"))
    tools: Tools = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Bundle what attempts need."""
        self.tools = Tools(
            ledger=self.ledger,
            booking=Booking(self.meter),
            health=self.health,
            clock=self.services.clock,
            now_us=self.services.now_us,
        )

    def take(self, snapshot: Snapshot) -> None:
        """Go on with what the store says now."""
        self.snapshot = snapshot
        self.meter.contracts = snapshot.contracts
        for account, agreed in snapshot.contracts.items():
            if agreed.unreadable is not None:
                self.log.error("calls of %r are not priced: %s", account, agreed.unreadable)
        if self.gates is not None:
            self.admission = self.gates.admission(snapshot)

    def strategy(self, kind: str, options: Mapping[str, Any]) -> Strategy:
        """Give a strategy by its kind or configured name.

        Raises:
            PluginError, ConfigError: there is none, or its options are wrong.
        """
        return self.strategies(kind, options)

    def view(self) -> View:
        """Give what a strategy may know, as of now."""
        return View(self.health, self.services.clock(), self.rng)

    def bounds(self, target: Target, inbound: Inbound) -> Bounds:
        """Bound what a call to a target may cost."""
        now = self.services.now_us()
        return self.tools.booking.bounds(
            target.bound.priced_as, target.model, now, inbound, target.account
        )

    def expected(self, target: Target, dialect: Dialect, inbound: Inbound) -> Decimal | None:
        """Say what a call of this size usually costs at a target; None when it is unpriced."""
        now = self.services.now_us()
        return self.tools.booking.expected(
            target.bound.priced_as, dialect, target.model, now, inbound, target.account
        )

    def credential(self, target: Target) -> Credential:
        """Open the credential of a target, for one call.

        Raises:
            SecretError: it does not open, or its reference points nowhere.
        """
        if target.credential is None:
            return Credential(None)
        return self.opened(target.bound, target.credential)

    def opened(self, bound: Bound, sealed: SealedCredential) -> Credential:
        """Open a credential for its provider.

        Raises:
            SecretError: it does not open, or its reference points nowhere.
        """
        try:
            secret = self.vault.reveal(sealed, bound.host)
        except SecretError as exc:
            # It names variables, files and hosts of the operator, which are no client's business.
            self.log.error("call refused: %s", exc)  # noqa: TRY400  # the reason is all there is
            msg = (
                f"the key of this account for provider {bound.name!r} cannot be used; the "
                "server's log says why, and so does: flo2 doctor"
            )
            raise SecretError(msg) from None
        return Credential(sealed.id, secret, sealed.project, sealed.settings)


def make_book(config: Config, plugins: Plugins, services: Services) -> PriceBook:
    """Build the price book out of the configured sources, or of every installed one.

    Raises:
        ConfigError, PluginError, PricingError: a source is wrong.
    """
    return build(make_price_layers(config, plugins, services))


def make_price_layers(config: Config, plugins: Plugins, services: Services) -> Sequence[Layer]:
    """Read the configured price sources, or every installed one; earlier ones win.

    Raises:
        ConfigError, PluginError, PricingError: a source is wrong.
    """
    tables: Mapping[str, Mapping[str, Any]] = config.pricing or {
        kind: {}
        for kind in plugins.kinds("pricing")
        if not needed_settings(plugins, "pricing", kind)
    }
    sources: list[tuple[str, PriceSource]] = [
        (name, _instance(plugins, "pricing", name, table, f"config.pricing.{name}", services))
        for name, table in tables.items()
    ]
    if not config.pricing:
        sources.sort(key=lambda pair: pair[1].precedence)
    return [Layer(name, each.rows(), each.defaults()) for name, each in sources]


def make_providers(
    config: Config, plugins: Plugins, services: Services, book: PriceBook
) -> Mapping[str, Bound]:
    """Make every configured provider, and every installed one that needs no settings.

    Raises:
        ConfigError, PluginError: a table is wrong; every problem at once.
    """
    tables: dict[str, Mapping[str, Any]] = {
        kind: {}
        for kind in plugins.kinds("provider")
        if not needed_settings(plugins, "provider", kind)
    }
    tables.update(config.providers)
    bound: dict[str, Bound] = {}
    problems: list[str] = []
    for name, table in tables.items():
        try:
            provider: Provider = _instance(
                plugins, "provider", name, table, f"config.providers.{name}", services
            )
        except ConfigError as exc:
            problems += exc.problems
            continue
        except (PluginError, ValueError) as exc:
            problems.append(f"{exc} @ config.providers.{name}")
            continue
        priced_as = name if provider.facts.priced_by_name else provider.kind
        listed = frozenset(book.models(priced_as))
        bound[name] = Bound(name, provider, getattr(provider, "host", ""), listed)
    if problems:
        raise ConfigError(problems)
    return bound


def make_strategies(
    config: Config, plugins: Plugins, services: Services
) -> Callable[[str, Mapping[str, Any]], Strategy]:
    """Give a function that finds strategies; each (name, options) is made once and kept."""
    made: dict[tuple[str, str], Strategy] = {}

    def find(name: str, options: Mapping[str, Any]) -> Strategy:
        key = (name, repr(sorted(options.items())))
        if key not in made:
            table = {**config.strategies.get(name, {}), **options}
            made[key] = _instance(plugins, "strategy", name, table, f"strategy {name!r}", services)
        return made[key]

    return find


def make_store(config: Config, plugins: Plugins, services: Services) -> Store:
    """Make the configured store; unconfigured, the one for SQL where it is installed.

    Raises:
        ConfigError, PluginError: there is none of that kind, or its settings are wrong.
    """
    kind = config.store.get("kind", "sql" if "sql" in plugins.kinds("store") else MemoryStore.kind)
    if kind == MemoryStore.kind:
        return MemoryStore()
    table = {**config.store, "kind": kind}
    store: Store = _instance(plugins, "store", kind, table, "config.store", services)
    return store


def make_observers(config: Config, plugins: Plugins, services: Services) -> tuple[Observer, ...]:
    """Make every configured observer, and every installed one that needs no settings.

    Raises:
        ConfigError, PluginError: a configured one is wrong. One that nobody named is left out, and
            its plugin carries the error.
    """
    made: list[Observer] = [
        _instance(plugins, "observer", name, table, f"config.observers.{name}", services)
        for name, table in config.observers.items()
    ]
    named = {table.get("kind", name) for name, table in config.observers.items()}
    for kind in plugins.kinds("observer"):
        if kind in named or needed_settings(plugins, "observer", kind):
            continue
        try:
            made.append(_instance(plugins, "observer", kind, {}, f"observer {kind!r}", services))
        except Exception as exc:  # noqa: BLE001  # border: a plugin's own code
            plugin = plugins.origin("observer", kind)
            plugins.reject(plugin, f"observer {kind!r} raised {type(exc).__name__}: {exc}", exc)
    return tuple(made)


def _instance(
    plugins: Plugins,
    slot: str,
    name: str,
    table: Mapping[str, Any],
    where: str,
    services: Services,
) -> Any:
    kind = table.get("kind", name)
    item = plugins.get(slot, kind)
    given = {key: value for key, value in table.items() if key != "kind"}
    return item(structure(given, item.Config, where), services)


def needed_settings(plugins: Plugins, slot: str, kind: str) -> tuple[str, ...]:
    """Name the settings without which an installed plugin class is not made."""
    fields = attrs.fields(plugins.get(slot, kind).Config)
    return tuple(each.name for each in fields if each.default is attrs.NOTHING)
