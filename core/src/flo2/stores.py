"""What a store must do, and nothing of how.

Every method is plain and blocking: flo2 calls them off the event loop. Several processes may
share one store. Errors are `StoreError`.
Imports: records, stored, spending, sums, errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Protocol, runtime_checkable

from attrs import frozen

from flo2.records import Adjust, Entry, Exchange, Record
from flo2.spending import BudgetStore
from flo2.stored import Account, DataKey, Declaration, IssuedKey, RouteSpec, SealedCredential
from flo2.sums import UsageRow

__all__ = ["ChainLink", "EntryFilter", "PrunableStore", "Store", "WriterHead"]


@frozen
class ChainLink:
    """A record and its place in its writer's chain.

    `hash` = SHA-256 over `prev_hash`, `writer`, `seq`, kind, the attribution digest and `payload`,
    hex (`flo2.ledger.chain`).

    Attributes:
        payload: The record as it was written down, without its attribution. What is hashed is this
            text, so that a later version may add fields to a record.
        attribution_digest: Salted SHA-256 of the record's attribution, hex; "" where the record has
            none. It stays when the attribution is erased, so that the chain still verifies.
        attribution_salt: Salt of that digest, hex; erased together with the attribution.
    """

    writer: str
    seq: int
    prev_hash: str
    hash: str
    record: Record
    payload: bytes
    attribution_digest: str = ""
    attribution_salt: str = ""


@frozen
class WriterHead:
    """How far a writer's chain reaches in the store; seq 0 and an empty hash: nothing yet."""

    writer: str
    seq: int
    hash: str


@frozen
class EntryFilter:
    """Which entries to give; None means any.

    Times are microseconds, `since` inclusive, `until` exclusive, by the entry's start.

    Attributes:
        answer_id: The provider's own id of the answer; for entries only.
    """

    account: str
    exchange_id: str | None = None
    key_id: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    status: str | None = None
    answer_id: str | None = None
    limit: int | None = None
    newest_first: bool = False


@runtime_checkable
class Store(BudgetStore, Protocol):
    """Where everything durable lives; the budgets' part of it is `flo2.spending.BudgetStore`."""

    kind: ClassVar[str]

    def open(self) -> None:
        """Open, and bring the schema up to date; safe to call from several processes at once."""
        ...

    def close(self) -> None:
        """Close."""
        ...

    def revision(self) -> int:
        """Give a number that changes whenever something declared changes.

        That is: accounts, keys, credentials, routes and declarations.
        """
        ...

    # The ledger -----------------------------------------------------------------------------

    def writer_head(self, writer: str) -> WriterHead:
        """Say how far a writer's chain reaches."""
        ...

    def append(self, links: Sequence[ChainLink]) -> None:
        """Store records in one transaction; a (writer, seq) that is there already is skipped.

        What they change in the counters of budgets changes in the same transaction.
        """
        ...

    def entries(self, where: EntryFilter) -> Sequence[Entry]:
        """Give folded entries, in the order they began."""
        ...

    def scan(self, where: EntryFilter) -> Iterable[Entry]:
        """Give the same entries in bounded memory, however many they are."""
        ...

    def adjustments(self, where: EntryFilter) -> Iterable[Adjust]:
        """Give the adjustments of the entries that `where` finds, in the order stored.

        One that corrects several entries holds the parts of those that were found.
        """
        ...

    def usage(self, where: EntryFilter, by: Sequence[str]) -> Sequence[UsageRow]:
        """Add up the entries that `where` finds, and their adjustments, as `flo2.sums.summarise`.

        Raises:
            ValueError: an unknown dimension.
            StoreError: it takes records that were pruned.
        """
        ...

    def check_usage(self) -> Iterable[str]:
        """Hold the sums that are kept beside the records against these, in bounded memory.

        Returns:
            One line for each difference; nothing where no sums are kept.
        """
        ...

    def rebuild_usage(self) -> int:
        """Make those sums anew from the records; gives the number of entries counted."""
        ...

    def exchanges(self, where: EntryFilter) -> Sequence[Exchange]:
        """Give exchanges, in the order they began (`status` is not used)."""
        ...

    def open_entries(self, writer: str) -> Sequence[Entry]:
        """Give the entries whose intent this writer wrote and nobody has ended."""
        ...

    def chain(self, writer: str) -> Iterable[ChainLink]:
        """Give a writer's chain in order, from its anchor on, in bounded memory.

        Raises:
            StoreError: a record cannot be read back as it was stored.
        """
        ...

    def anchor(self, writer: str) -> WriterHead:
        """Say after which record the chain that is kept begins; seq 0 where nothing was pruned."""
        ...

    def writers(self) -> Sequence[str]:
        """Name every writer."""
        ...

    def erase_attribution(
        self, account: str, *, customer: str | None = None, end_user: str | None = None
    ) -> int:
        """Erase the attributions of an account that name this customer or this end user.

        Amounts stay, and so does the digest: the chain still verifies.

        Returns:
            How many records lost theirs.
        """
        ...

    # Accounts and keys ----------------------------------------------------------------------

    def accounts(self) -> Sequence[Account]:
        """Give all accounts."""
        ...

    def put_account(self, account: Account) -> None:
        """Create or replace an account."""
        ...

    def keys(self, account: str | None = None) -> Sequence[IssuedKey]:
        """Give issued keys, of one account or of all."""
        ...

    def key_by_hash(self, digest: str) -> IssuedKey | None:
        """Find an issued key by its keyed hash."""
        ...

    def put_key(self, key: IssuedKey) -> None:
        """Create or replace an issued key."""
        ...

    def data_keys(self, account: str | None = None) -> Sequence[DataKey]:
        """Give wrapped data keys."""
        ...

    def put_data_key(self, key: DataKey) -> None:
        """Create or replace a wrapped data key."""
        ...

    def credentials(self, account: str | None = None) -> Sequence[SealedCredential]:
        """Give sealed credentials."""
        ...

    def put_credential(self, credential: SealedCredential) -> None:
        """Create or replace a sealed credential."""
        ...

    def delete_credential(self, account: str, credential_id: str) -> bool:
        """Delete a credential; False when there was none."""
        ...

    # Routes ---------------------------------------------------------------------------------

    def routes(self, account: str | None = None) -> Sequence[RouteSpec]:
        """Give routes."""
        ...

    def put_route(self, route: RouteSpec) -> None:
        """Create or replace a route."""
        ...

    def delete_route(self, account: str, name: str) -> bool:
        """Delete a route; False when there was none."""
        ...

    # Declarations ---------------------------------------------------------------------------

    def declarations(self, kind: str, account: str | None = None) -> Sequence[Declaration]:
        """Give what is declared of a kind, by one account or by all, in order of name."""
        ...

    def put_declaration(self, declaration: Declaration) -> None:
        """Create or replace a declaration."""
        ...

    def delete_declaration(self, account: str, kind: str, name: str) -> bool:
        """Delete a declaration; False when there was none."""
        ...

    # Counters -------------------------------------------------------------------------------

    def counter(self, account: str, name: str) -> str | None:
        """Read a counter that the workers share; what it says is known to those who count."""
        ...

    def swap_counter(
        self, account: str, name: str, known: str | None, value: str, changed_us: int
    ) -> bool:
        """Write a counter, if it still is as it is known; None: if it is not there.

        Returns:
            Whether it was written. Of several that swap at once, one succeeds.
        """
        ...

    def drop_counters(self, before_us: int) -> int:
        """Drop the counters last changed before a time; say how many."""
        ...

    # Settings -------------------------------------------------------------------------------

    def setting(self, name: str) -> str | None:
        """Read a setting (pepper version, KEK canary …)."""
        ...

    def put_setting(self, name: str, value: str) -> None:
        """Write a setting."""
        ...

    def first_setting(self, name: str, value: str) -> str:
        """Write a setting that nobody has written; give what it is now, of whoever was first."""
        ...


@runtime_checkable
class PrunableStore(Store, Protocol):
    """A store that can let go of old records, and keeps their sums and where each chain goes on."""

    def prunable(self, before_us: int) -> Iterable[ChainLink]:
        """Give what `prune` would remove: of each writer, the beginning of its chain, in order.

        That is all up to the first record that speaks of an entry or an exchange begun since.

        Raises:
            StoreError: an entry begun before is open or pending: what it costs is not known yet.
        """
        ...

    def prune(self, before_us: int, anchors: Sequence[WriterHead]) -> int:
        """Remove entries and exchanges begun before, and the records up to these anchors.

        What is left undone when it is interrupted is done by the next call.

        Args:
            before_us: The beginning of a month, UTC; entries begun before it are removed.
            anchors: The last record of each writer that `prunable` gave.

        Returns:
            How many records are gone.

        Raises:
            StoreError: as in `prunable`; or an anchor is not in its chain. Nothing is removed.
        """
        ...
