"""The store: accounts, keys, vault, routes and the ledger in one SQL database."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen
from sqlalchemy import URL, select

from flo2.errors import ConfigError
from flo2.secrets import Secret, is_reference, resolve
from flo2.stored import Account, DataKey, Declaration, IssuedKey, RouteSpec, SealedCredential
from flo2_store_sql import tables
from flo2_store_sql.budget_tables import BudgetTables
from flo2_store_sql.columns import read_columns
from flo2_store_sql.counter_table import CounterTable
from flo2_store_sql.database import Database
from flo2_store_sql.ledger_tables import LedgerTables
from flo2_store_sql.object_tables import ObjectTables, take_turns, upsert
from flo2_store_sql.retention import prunable, prune
from flo2_store_sql.schema import migrate
from flo2_store_sql.usage_check import check_usage, rebuild_usage
from flo2_store_sql.usage_query import usage
from flo2_store_sql.usage_tables import UsageTables

if TYPE_CHECKING:
    from decimal import Decimal

    from flo2.billing import EntryColumns
    from flo2.records import Adjust, Entry, Exchange
    from flo2.services import Services
    from flo2.spending import Lease, LeaseAsk, Place, Standing
    from flo2.stores import ChainLink, EntryFilter, WriterHead
    from flo2.sums import UsageRow

__all__ = ["SqlStore"]


class SqlStore:
    """A store in SQLite or PostgreSQL.

    Args:
        config: Where the database is.
        services: Gives the data folder in which `flo2.db` lies when `config` names nothing.

    Raises:
        ConfigError: `config` names two places, or none and there is no data folder; its URL or
            its password's reference cannot be used.
    """

    kind: ClassVar[str] = "sql"

    @frozen
    class Config:
        """Where the database is.

        Attributes:
            path: File of a SQLite database; default: `flo2.db` in the data folder.
            url: Address of a PostgreSQL database, instead of `path`.
            password: Reference to that database's password (`env:NAME`, `file:/path`), read anew
                for each connection.
            pool_size: How many connections to PostgreSQL each process keeps at most.
            busy_timeout_s: How long to wait for another process's transaction, in seconds.
        """

        path: str | None = None
        url: str | None = field(default=None, repr=False)  # it may hold a password
        password: str | None = field(default=None, repr=False)  # somebody may put it here itself
        pool_size: int = 5
        busy_timeout_s: float = 5.0

    def __init__(self, config: Config | None = None, services: Services | None = None) -> None:
        config = config or self.Config()
        self._database = Database(
            _url(config, services),
            busy_timeout_s=config.busy_timeout_s,
            pool_size=config.pool_size,
            password=_password(config, services),
        )
        self._ledger = LedgerTables(self._database)
        self._objects = ObjectTables(self._database)
        self._counters = CounterTable(self._database)
        self._budgets = BudgetTables(self._database)

    def open(self) -> None:
        """Open, and bring the schema up to date; safe from several processes at once.

        Raises:
            StoreError: the database cannot be opened or brought up to date.
        """
        self._database.open()
        migrate(self._database)

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def revision(self) -> int:
        """Give a number that changes with whatever is declared."""
        with self._database.reading() as connection:
            return int(connection.execute(select(tables.revision.c.value)).scalar_one())

    # The ledger -----------------------------------------------------------------------------

    def writer_head(self, writer: str) -> WriterHead:
        """Say how far a writer's chain reaches."""
        return self._ledger.writer_head(writer)

    def append(self, links: Sequence[ChainLink]) -> None:
        """Store records in one transaction; one that is there already is skipped.

        Raises:
            StoreError: the database fails, or another record is stored in a place.
        """
        self._ledger.append(links)

    def entries(self, where: EntryFilter) -> Sequence[Entry]:
        """Give folded entries, in the order they began."""
        return self._ledger.entries(where)

    def scan(self, where: EntryFilter) -> Iterable[Entry]:
        """Give the same entries, a thousand at a time."""
        return self._ledger.scan(where)

    def adjustments(self, where: EntryFilter) -> Iterable[Adjust]:
        """Give the adjustments of the entries that `where` finds, in the order stored."""
        return self._ledger.adjustments(where)

    def usage(self, where: EntryFilter, by: Sequence[str]) -> Sequence[UsageRow]:
        """Add up entries and their adjustments, from the sums that are kept beside them.

        Raises:
            ValueError: an unknown dimension.
            StoreError: it takes records that were pruned.
        """
        return usage(self._database, where, by)

    def check_usage(self) -> Iterable[str]:
        """Hold the sums against the records, a day at a time."""
        return check_usage(self._database)

    def rebuild_usage(self) -> int:
        """Make the sums anew from the records; gives the number of entries counted."""
        return rebuild_usage(self._database, UsageTables(self._database.dialect))

    def columns(
        self, account: str, provider: str, since_us: int, until_us: int, *, lines: bool
    ) -> Iterator[EntryColumns]:
        """Give the entries of a provider as rows, with their cost lines where these are wanted."""
        return read_columns(self._database, account, provider, since_us, until_us, lines=lines)

    def prunable(self, before_us: int) -> Iterable[ChainLink]:
        """Give what `prune` would remove, a thousand records at a time.

        Raises:
            StoreError: an entry begun before is open or pending.
        """
        return prunable(self._database, self.writers(), before_us)

    def prune(self, before_us: int, anchors: Sequence[WriterHead]) -> int:
        """Remove entries and exchanges begun before, and the records up to these anchors.

        Raises:
            StoreError: as in `prunable`; or an anchor is not in its chain. Nothing is removed.
        """
        return prune(self._database, before_us, anchors)

    def exchanges(self, where: EntryFilter) -> Sequence[Exchange]:
        """Give exchanges, in the order they began."""
        return self._ledger.exchanges(where)

    def open_entries(self, writer: str) -> Sequence[Entry]:
        """Give the entries whose intent this writer wrote and nobody has ended."""
        return self._ledger.open_entries(writer)

    def chain(self, writer: str) -> Iterable[ChainLink]:
        """Give a writer's chain in order, from its anchor on, a thousand records at a time."""
        return self._ledger.chain(writer)

    def anchor(self, writer: str) -> WriterHead:
        """Say after which record the chain that is kept begins; seq 0 where nothing was pruned."""
        return self._ledger.anchor(writer)

    def writers(self) -> Sequence[str]:
        """Name every writer."""
        return self._ledger.writers()

    def erase_attribution(
        self, account: str, *, customer: str | None = None, end_user: str | None = None
    ) -> int:
        """Erase the attributions of an account that name this customer or this end user."""
        if customer is not None:
            self._budgets.erase_label(account, f"customer={customer}")
        return self._ledger.erase_attribution(account, customer=customer, end_user=end_user)

    # Budgets --------------------------------------------------------------------------------

    def lease(self, writer: str, asks: Sequence[LeaseAsk]) -> Sequence[Lease]:
        """Lease money of budgets to a worker."""
        return self._budgets.lease(writer, asks)

    def give_back(self, writer: str, amounts: Mapping[Place, Decimal]) -> None:
        """Make a worker's leases smaller."""
        self._budgets.give_back(writer, amounts)

    def end_leases(self, writer: str) -> None:
        """Free what a worker had leased."""
        self._budgets.end_leases(writer)

    def standings(self, account: str, counters: Sequence[str] | None = None) -> Sequence[Standing]:
        """Say where the counters of an account's budgets stand."""
        return self._budgets.standings(account, counters)

    def age_pending(self, account: str, counter: str, before_us: int, share: Decimal) -> None:
        """Count what has been pending for long at a share of its upper bound."""
        self._budgets.age_pending(account, counter, before_us, share)

    def claim_alert(self, account: str, counter: str, percent: int) -> bool:
        """Note that a threshold is told; True for the first who says so."""
        return self._budgets.claim_alert(account, counter, percent)

    # Accounts and keys ----------------------------------------------------------------------

    def accounts(self) -> Sequence[Account]:
        """Give all accounts."""
        return self._objects.all(Account, tables.accounts, "id")

    def put_account(self, account: Account) -> None:
        """Create or replace an account."""
        self._objects.put(tables.accounts, account)

    def keys(self, account: str | None = None) -> Sequence[IssuedKey]:
        """Give issued keys, of one account or of all."""
        return self._objects.all(IssuedKey, tables.issued_keys, "created_us", "id", account=account)

    def key_by_hash(self, digest: str) -> IssuedKey | None:
        """Find an issued key by its keyed hash."""
        table = tables.issued_keys
        return self._objects.one(IssuedKey, table, table.c.hash == digest)

    def put_key(self, key: IssuedKey) -> None:
        """Create or replace an issued key."""
        self._objects.put(tables.issued_keys, key)

    def data_keys(self, account: str | None = None) -> Sequence[DataKey]:
        """Give wrapped data keys."""
        return self._objects.all(DataKey, tables.data_keys, "created_us", "id", account=account)

    def put_data_key(self, key: DataKey) -> None:
        """Create or replace a wrapped data key."""
        self._objects.put(tables.data_keys, key)

    def credentials(self, account: str | None = None) -> Sequence[SealedCredential]:
        """Give sealed credentials."""
        return self._objects.all(
            SealedCredential, tables.credentials, "created_us", "id", account=account
        )

    def put_credential(self, credential: SealedCredential) -> None:
        """Create or replace a sealed credential."""
        self._objects.put(tables.credentials, credential)

    def delete_credential(self, account: str, credential_id: str) -> bool:
        """Delete a credential; False when there was none."""
        table = tables.credentials
        return self._objects.delete(table, table.c.account == account, table.c.id == credential_id)

    # Routes, declarations, counters, settings ------------------------------------------------

    def routes(self, account: str | None = None) -> Sequence[RouteSpec]:
        """Give routes."""
        return self._objects.all(RouteSpec, tables.routes, "account", "name", account=account)

    def put_route(self, route: RouteSpec) -> None:
        """Create or replace a route."""
        self._objects.put(tables.routes, route)

    def delete_route(self, account: str, name: str) -> bool:
        """Delete a route; False when there was none."""
        table = tables.routes
        return self._objects.delete(table, table.c.account == account, table.c.name == name)

    def declarations(self, kind: str, account: str | None = None) -> Sequence[Declaration]:
        """Give what is declared of a kind, by one account or by all."""
        table = tables.declarations
        return self._objects.all(
            Declaration, table, "account", "name", account=account, where=(table.c.kind == kind,)
        )

    def put_declaration(self, declaration: Declaration) -> None:
        """Create or replace a declaration."""
        self._objects.put(tables.declarations, declaration)

    def delete_declaration(self, account: str, kind: str, name: str) -> bool:
        """Delete a declaration; False when there was none."""
        c = tables.declarations.c
        return self._objects.delete(
            tables.declarations, c.account == account, c.kind == kind, c.name == name
        )

    def counter(self, account: str, name: str) -> str | None:
        """Read a counter that the workers share."""
        return self._counters.read(account, name)

    def swap_counter(
        self, account: str, name: str, known: str | None, value: str, changed_us: int
    ) -> bool:
        """Write a counter, if it still is as it is known."""
        return self._counters.swap(account, name, known, value, changed_us)

    def drop_counters(self, before_us: int) -> int:
        """Drop the counters last changed before a time."""
        return self._counters.drop(before_us)

    def setting(self, name: str) -> str | None:
        """Read a setting."""
        table = tables.settings
        with self._database.reading() as connection:
            query = select(table.c.value).where(table.c.name == name)
            value: str | None = connection.execute(query).scalar()
            return value

    def put_setting(self, name: str, value: str) -> None:
        """Write a setting."""
        with self._database.writing() as connection:
            take_turns(connection)
            upsert(connection, tables.settings, {"name": name, "value": value})

    def first_setting(self, name: str, value: str) -> str:
        """Write a setting that nobody has written; give what it is now."""
        table = tables.settings
        with self._database.writing() as connection:
            take_turns(connection)
            query = select(table.c.value).where(table.c.name == name)
            known: str | None = connection.execute(query).scalar()
            if known is None:
                upsert(connection, table, {"name": name, "value": value})
        return value if known is None else known


def _url(config: SqlStore.Config, services: Services | None) -> URL | str:
    if config.url is not None:
        if config.path is not None:
            raise ConfigError(["the SQL store has both a path and a url; remove one of them"])
        return config.url
    if config.path is not None:
        return URL.create("sqlite", database=config.path)
    if services is None or services.data_dir is None:
        raise ConfigError(
            ["the SQL store has no place: set its path or url, or give the gateway a data folder"]
        )
    return URL.create("sqlite", database=str(services.data_dir / "flo2.db"))


def _password(config: SqlStore.Config, services: Services | None) -> Callable[[], Secret] | None:
    if config.password is None:
        return None
    if config.url is None:
        raise ConfigError(["the SQL store has a password but no url; a SQLite file needs none"])
    if not is_reference(config.password):
        problem = (
            "the SQL store's 'password' is no reference (not shown, it may be the password); "
            "write env:NAME or file:/path"
        )
        raise ConfigError([problem])
    environ = os.environ if services is None else services.environ
    return partial(resolve, config.password, environ=environ, multiline=True)
