"""A store that keeps everything in memory: for embedding without a disk, and for tests.

What it holds is gone with the process. Thread-safe.
Imports: memory_declared, stores, records, spending, sums, errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, frozen
from msgspec.structs import replace

from flo2.errors import StoreError
from flo2.memory_declared import MemoryDeclared
from flo2.records import (
    Adjust,
    Attribution,
    Entry,
    Exchange,
    Intent,
    Pend,
    Record,
    Settle,
    fold_entry,
)
from flo2.spending import Held, MemoryCounters, Moves
from flo2.stores import ChainLink, EntryFilter, WriterHead
from flo2.sums import UsageRow, summarise

if TYPE_CHECKING:
    from decimal import Decimal

    from flo2.services import Services
    from flo2.spending import Lease, LeaseAsk, Place, Standing

__all__ = ["MemoryStore"]


class MemoryStore(MemoryDeclared):
    """Everything in dictionaries; the reference of what a store does."""

    kind: ClassVar[str] = "memory"

    @frozen
    class Config:
        """Nothing to configure."""

    def __init__(self, config: Config | None = None, services: Services | None = None) -> None:
        """Begin empty."""
        super().__init__()
        self._chains: dict[str, list[ChainLink]] = {}
        self._hashes: dict[tuple[str, int], str] = {}
        self._heads: dict[str, WriterHead] = {}
        # Per entry: the (writer, position) of its records, in the order they came.
        self._entries: dict[str, list[tuple[str, int]]] = {}
        self._exchanges: dict[str, tuple[str, int]] = {}
        self._budgets = MemoryCounters()

    def open(self) -> None:
        """Do nothing: there is nothing to open."""

    def close(self) -> None:
        """Keep everything, so that a store may be looked into after its gateway has closed."""

    # The ledger -----------------------------------------------------------------------------

    def writer_head(self, writer: str) -> WriterHead:
        """Say how far a writer's chain reaches."""
        with self._lock:
            return self._heads.get(writer) or WriterHead(writer, 0, "")

    def append(self, links: Sequence[ChainLink]) -> None:
        """Store records; one that is there already is skipped.

        Raises:
            StoreError: another record is stored in a place; then nothing of `links` is.
        """
        with self._lock:
            for link in links:
                if self._hashes.get((link.writer, link.seq), link.hash) != link.hash:
                    raise StoreError(
                        f"record {link.seq} of writer {link.writer!r} is stored already with "
                        "another hash; two workers must not share a writer id"
                    )
            for link in links:
                if (link.writer, link.seq) not in self._hashes:
                    if not self._is_repeated(link.record):
                        moves = Moves(self._held(link.record))
                        moves.note(link.writer, link.record)
                        self._budgets.count(moves)
                    self._add(link)

    def _add(self, link: ChainLink) -> None:
        chain = self._chains.setdefault(link.writer, [])
        chain.append(link)
        self._hashes[link.writer, link.seq] = link.hash
        if link.seq > self.writer_head(link.writer).seq:
            self._heads[link.writer] = WriterHead(link.writer, link.seq, link.hash)
        place = (link.writer, len(chain) - 1)
        if isinstance(link.record, Exchange):
            self._exchanges.setdefault(link.record.exchange_id, place)
        else:
            self._entries.setdefault(link.record.entry_id, []).append(place)

    def entries(self, where: EntryFilter) -> Sequence[Entry]:
        """Give folded entries, in the order they began."""
        with self._lock:
            found = [entry for entry, _ in self._folded() if _entry_matches(entry, where)]
        found.sort(key=_entry_order, reverse=where.newest_first)
        return found[: where.limit]

    def scan(self, where: EntryFilter) -> Iterable[Entry]:
        """Give the same entries; they are in memory anyway."""
        return iter(self.entries(where))

    def adjustments(self, where: EntryFilter) -> Iterable[Adjust]:
        """Give the adjustments of the entries that `where` finds, in the order stored."""
        with self._lock:
            found = {entry.intent.entry_id for entry in self.entries(where)}
            every = [self._adjustment(entry_id) for entry_id in self._entries]
        return [
            replace(each, amounts=amounts)
            for each in every
            if each is not None and each.account == where.account
            for amounts in [
                {entry: each.amounts[entry] for entry in each.amounts if entry in found}
            ]
            if amounts
        ]

    def usage(self, where: EntryFilter, by: Sequence[str]) -> Sequence[UsageRow]:
        """Add entries and their adjustments up, one by one."""
        with self._lock:
            return summarise(self.entries(where), by, self.adjustments(where))

    def check_usage(self) -> Iterable[str]:
        """Find nothing: no sums are kept."""
        return ()

    def rebuild_usage(self) -> int:
        """Do nothing: no sums are kept."""
        return 0

    def exchanges(self, where: EntryFilter) -> Sequence[Exchange]:
        """Give exchanges, in the order they began."""
        with self._lock:
            every = [self._record(place) for place in self._exchanges.values()]
        found = [
            each for each in every if isinstance(each, Exchange) and _exchange_matches(each, where)
        ]
        found.sort(key=lambda each: (each.started_us, each.exchange_id), reverse=where.newest_first)
        return found[: where.limit]

    def open_entries(self, writer: str) -> Sequence[Entry]:
        """Give the entries whose intent this writer wrote and nobody has ended."""
        with self._lock:
            found = [
                entry
                for entry, begun_by in self._folded()
                if begun_by == writer and entry.status == "open"
            ]
        return sorted(found, key=_entry_order)

    def chain(self, writer: str) -> Iterable[ChainLink]:
        """Give a writer's whole chain in order."""
        with self._lock:
            return iter(sorted(self._chains.get(writer, ()), key=lambda link: link.seq))

    def anchor(self, writer: str) -> WriterHead:
        """Say that the chain begins at its beginning."""
        return WriterHead(writer, 0, "")

    def writers(self) -> Sequence[str]:
        """Name every writer."""
        with self._lock:
            return sorted(self._chains)

    def erase_attribution(
        self, account: str, *, customer: str | None = None, end_user: str | None = None
    ) -> int:
        """Erase the attributions of an account that name this customer or this end user."""
        erased = 0
        with self._lock:
            for chain in self._chains.values():
                for place, link in enumerate(chain):
                    record = link.record
                    if not isinstance(record, Intent | Exchange) or record.account != account:
                        continue
                    who = record.attribution
                    if (customer is not None and who.customer == customer) or (
                        end_user is not None and who.end_user == end_user
                    ):
                        bare = replace(record, attribution=Attribution())
                        chain[place] = evolve(link, record=bare, attribution_salt="")
                        erased += 1
            if customer is not None:
                self._budgets.erase_label(account, f"customer={customer}")
        return erased

    def _record(self, place: tuple[str, int]) -> Record:
        writer, position = place
        return self._chains[writer][position].record

    def _adjustment(self, entry_id: str) -> Adjust | None:
        """Find an adjustment: of several records with one id the first counts."""
        told = map(self._record, self._entries.get(entry_id, ()))
        return next((record for record in told if isinstance(record, Adjust)), None)

    def _is_repeated(self, record: Record) -> bool:
        return isinstance(record, Adjust) and self._adjustment(record.entry_id) is not None

    def _held(self, record: Record) -> dict[str, Held]:
        """Find the attempts a record speaks of that are held under budgets."""
        if isinstance(record, Exchange):
            return {}
        held = {}
        for entry_id in record.amounts if isinstance(record, Adjust) else (record.entry_id,):
            places = self._entries.get(entry_id, ())
            begun = [place for place in places if isinstance(self._record(place), Intent)]
            if begun and (entry := fold_entry(map(self._record, places))).intent.budgets:
                intent = entry.intent
                held[entry_id] = Held(
                    intent.account, begun[0][0], intent.budgets, intent.hold, entry.status
                )
        return held

    def _folded(self) -> Iterable[tuple[Entry, str]]:
        for places in self._entries.values():
            for writer, position in places:
                if isinstance(self._chains[writer][position].record, Intent):
                    yield fold_entry(map(self._record, places)), writer
                    break

    # Budgets --------------------------------------------------------------------------------

    def lease(self, writer: str, asks: Sequence[LeaseAsk]) -> Sequence[Lease]:
        """Lease money of budgets to a worker."""
        with self._lock:
            return self._budgets.lease(writer, asks)

    def give_back(self, writer: str, amounts: Mapping[Place, Decimal]) -> None:
        """Make a worker's leases smaller."""
        with self._lock:
            self._budgets.give_back(writer, amounts)

    def end_leases(self, writer: str) -> None:
        """Free what a worker had leased."""
        with self._lock:
            self._budgets.end_leases(writer)

    def standings(self, account: str, counters: Sequence[str] | None = None) -> Sequence[Standing]:
        """Say where the counters of an account's budgets stand."""
        with self._lock:
            return self._budgets.standings(account, counters)

    def age_pending(self, account: str, counter: str, before_us: int, share: Decimal) -> None:
        """Count what has been pending for long at a share of its upper bound."""
        with self._lock:
            self._budgets.age_pending(account, counter, before_us, share)

    def claim_alert(self, account: str, counter: str, percent: int) -> bool:
        """Note that a threshold is told; True for the first who says so."""
        with self._lock:
            return self._budgets.claim_alert(account, counter, percent)


def _entry_order(entry: Entry) -> tuple[int, str]:
    return entry.intent.started_us, entry.intent.entry_id


def _entry_matches(entry: Entry, where: EntryFilter) -> bool:
    intent = entry.intent
    return (
        intent.account == where.account
        and where.exchange_id in {None, intent.exchange_id}
        and where.key_id in {None, intent.key_id}
        and where.status in {None, entry.status}
        and where.answer_id in {None, _answer_id(entry)}
        and (where.since_us is None or intent.started_us >= where.since_us)
        and (where.until_us is None or intent.started_us < where.until_us)
    )


def _answer_id(entry: Entry) -> str | None:
    end = entry.end
    return end.provider_request_id if isinstance(end, Settle | Pend) else None


def _exchange_matches(exchange: Exchange, where: EntryFilter) -> bool:
    return (
        exchange.account == where.account
        and where.exchange_id in {None, exchange.exchange_id}
        and where.key_id in {None, exchange.key_id}
        and (where.since_us is None or exchange.started_us >= where.since_us)
        and (where.until_us is None or exchange.started_us < where.until_us)
    )
