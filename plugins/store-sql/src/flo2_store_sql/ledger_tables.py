"""The ledger in SQL: append links, keep the folded tables in step, give entries back.

Appending is what costs at a high rate, so its statements are compiled once and handed to the
driver as one `executemany` each (SQLAlchemy's own parameter handling took two thirds of the time).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve
from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from flo2.errors import StoreError
from flo2.records import Adjust, Entry, Exchange, Intent, Pend, Settle, Void, fold_entry
from flo2.stores import ChainLink, EntryFilter, WriterHead
from flo2_store_sql import tables
from flo2_store_sql.adjustments import ADJUSTS, amounts_of, first_told, repeated
from flo2_store_sql.budget_tables import BudgetTables
from flo2_store_sql.filters import AWAITED, found, found_in
from flo2_store_sql.postgres import APPEND_LOCK_ID
from flo2_store_sql.retention import anchor, anchors
from flo2_store_sql.rows import (
    ADJUSTMENT_COLUMNS,
    END_COLUMNS,
    ENTRY_COLUMNS,
    EXCHANGE_COLUMNS,
    INTENT_COLUMNS,
    RECORD_COLUMNS,
    adjustment_rows,
    end_row,
    exchange_row,
    intent_row,
    is_clean,
    link_of,
    record_of,
    record_row,
    storable,
)
from flo2_store_sql.statements import Many, insert_new, insert_or_update, slices
from flo2_store_sql.usage_tables import UsageTables

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flo2_store_sql.database import Database

__all__ = ["LedgerTables"]

_PAGE: Final = 1000
_RECORDS: Final = tables.ledger_records
_ENTRIES: Final = tables.ledger_entries
_EXCHANGES: Final = tables.exchanges
_SPAN: Final = select(_RECORDS.c.seq, _RECORDS.c.hash).where(
    _RECORDS.c.writer == bindparam("of"),
    _RECORDS.c.seq.between(bindparam("first"), bindparam("last")),
)
_LOCK_ENTRIES: Final = (
    select(_ENTRIES.c.entry_id)
    .where(_ENTRIES.c.entry_id == any_(bindparam("ended", type_=ARRAY(Text))))
    .order_by(_ENTRIES.c.entry_id)
    .with_for_update()
)
_ENDS: Final = (Settle, Pend, Void)
_ENTRY_KINDS: Final = ("intent", "settle", "pend", "void")


class LedgerTables:
    """The ledger tables of one database."""

    def __init__(self, database: Database) -> None:
        """Compile the statements that append."""
        self._database = database
        self._budgets = BudgetTables(database)
        dialect = database.dialect
        self._usage = UsageTables(dialect)
        self._insert_records = Many(insert(_RECORDS), dialect, RECORD_COLUMNS)
        self._insert_entries = Many(insert_new(_ENTRIES, dialect), dialect, INTENT_COLUMNS)
        self._insert_adjustments = Many(
            insert_new(tables.ledger_adjustments, dialect), dialect, ADJUSTMENT_COLUMNS
        )
        self._insert_exchanges = Many(insert_new(_EXCHANGES, dialect), dialect, EXCHANGE_COLUMNS)
        whole = insert_or_update(
            _ENTRIES,
            dialect,
            END_COLUMNS[1:],
            where=lambda told: _is_awaited(told["status"]),
        )
        self._insert_whole_entries = Many(whole, dialect, ENTRY_COLUMNS)
        self._update_entries = Many(
            update(_ENTRIES)
            .where(
                _ENTRIES.c.entry_id == bindparam("new_entry_id"),
                _is_awaited(bindparam("new_status", type_=Text)),
            )
            .values({name: bindparam(f"new_{name}") for name in END_COLUMNS[1:]}),
            dialect,
            END_COLUMNS,
        )

    def writer_head(self, writer: str) -> WriterHead:
        """Say how far a writer's chain reaches."""
        query = (
            select(_RECORDS.c.seq, _RECORDS.c.hash)
            .where(_RECORDS.c.writer == writer)
            .order_by(_RECORDS.c.seq.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return anchor(connection, writer)
        return WriterHead(writer, row.seq, row.hash)

    def anchor(self, writer: str) -> WriterHead:
        """Say after which record the chain that is kept begins."""
        with self._database.reading() as connection:
            return anchor(connection, writer)

    def append(self, links: Sequence[ChainLink]) -> None:
        """Store links in one transaction; those that are there already are skipped."""
        with self._database.writing() as connection:
            if not self._database.sqlite:
                _take_turns(connection, links)
            new = _missing(connection, links)
            rows = list(map(record_row, new))
            again = repeated(connection, new)
            self._insert_records(connection, rows)
            if again:  # kept in the chain, but they count no second time
                new = [link for at, link in enumerate(new) if at not in again]
                rows = [row for at, row in enumerate(rows) if at not in again]
            self._budgets.count(connection, new)
            changes = self._usage.changes(connection, new)
            # Most attempts begin and end within one batch: those take one write instead of two.
            begun: dict[str, Sequence[Any]] = {}
            whole: dict[str, Sequence[Any]] = {}
            ended, exchanges, adjustments = [], [], []
            for link, row in zip(new, rows, strict=True):
                record = link.record
                clean = is_clean(row)
                if isinstance(record, Intent):
                    begun.setdefault(record.entry_id, intent_row(link.writer, record, clean=clean))
                elif isinstance(record, Exchange):
                    exchanges.append(exchange_row(record, clean=clean))
                elif isinstance(record, Adjust):
                    adjustments += adjustment_rows(record)
                elif isinstance(record, _ENDS) and changes.known(record.entry_id):
                    end = end_row(record, clean=clean)
                    intent = begun.get(record.entry_id)
                    if intent is None or record.entry_id in whole:
                        ended.append(end)
                    else:
                        whole[record.entry_id] = (*intent[:-1], *end[1:])
                changes.follow(record, clean=clean)
            self._insert_entries(
                connection, [row for entry_id, row in begun.items() if entry_id not in whole]
            )
            self._insert_whole_entries(connection, list(whole.values()))
            self._update_entries(connection, ended)
            self._insert_exchanges(connection, exchanges)
            self._insert_adjustments(connection, adjustments)
            self._usage.add(connection, changes.tally())

    def entries(self, where: EntryFilter) -> Sequence[Entry]:
        """Give folded entries, in the order they began."""
        return self._folded(found(where).subquery(), newest_first=where.newest_first)

    def scan(self, where: EntryFilter) -> Iterator[Entry]:
        """Give the same, a page at a time; by key and not by a cursor, as in `chain`."""
        place = tuple_(_ENTRIES.c.started_us, _ENTRIES.c.entry_id)
        last: tuple[int, str] | None = None
        left = where.limit
        while left is None or left > 0:
            page = evolve(where, limit=_PAGE if left is None else min(left, _PAGE))
            query = found(page)
            if last is not None:
                query = query.where(place < last if where.newest_first else place > last)
            entries = self._folded(query.subquery(), newest_first=where.newest_first)
            yield from entries
            if len(entries) < _PAGE:
                return
            intent = entries[-1].intent
            last = (intent.started_us, intent.entry_id)
            left = None if left is None else left - len(entries)

    def adjustments(self, where: EntryFilter) -> Iterator[Adjust]:
        """Give the adjustments of the entries that `where` finds, in the order stored."""
        these = found(where).subquery()
        which = tables.ledger_adjustments.c.entry_id.in_(select(these.c.id))
        with self._database.reading() as connection:
            told = first_told(connection, which)
        for some in slices(told, ADJUSTS):
            with self._database.reading() as connection:
                page = list(amounts_of(connection, some))
            for record, amounts in page:
                if amounts and record.account == where.account:
                    yield replace(record, amounts=amounts)

    def open_entries(self, writer: str) -> Sequence[Entry]:
        """Give the entries whose intent this writer wrote and nobody has ended."""
        begun = _ENTRIES.c
        query = select(begun.entry_id.label("id"), begun.started_us).where(
            begun.writer == writer, begun.status == "open", AWAITED
        )
        return self._folded(query.subquery(), newest_first=False)

    def exchanges(self, where: EntryFilter) -> Sequence[Exchange]:
        """Give exchanges, in the order they began."""
        these = found_in(_EXCHANGES, _EXCHANGES.c.exchange_id, where).subquery()
        kept: dict[str, Exchange] = {}
        with self._database.reading() as connection:
            for row in connection.execute(
                _records_of(these, ("exchange",), newest_first=where.newest_first)
            ):
                record = record_of(row)
                if isinstance(record, Exchange):
                    kept.setdefault(row.subject, record)
        return list(kept.values())

    def chain(self, writer: str) -> Iterator[ChainLink]:
        """Give a writer's chain in order, from its anchor on, a page at a time.

        By key and not by a cursor: memory is bounded too, and while the caller thinks no
        transaction is open that would keep SQLite's log or PostgreSQL's dead rows from going.
        """
        seq = self.anchor(writer).seq
        while True:
            query = (
                select(_RECORDS)
                .where(_RECORDS.c.writer == writer, _RECORDS.c.seq > seq)
                .order_by(_RECORDS.c.seq)
                .limit(_PAGE)
            )
            with self._database.reading() as connection:
                rows = connection.execute(query).all()
            if not rows:
                return
            yield from map(link_of, rows)
            seq = rows[-1].seq

    def writers(self) -> Sequence[str]:
        """Name every writer."""
        kept = select(_RECORDS.c.writer).distinct()
        with self._database.reading() as connection:
            known = {*connection.execute(kept).scalars(), *anchors(connection)}
        return sorted(known)

    def erase_attribution(self, account: str, *, customer: str | None, end_user: str | None) -> int:
        """Erase attributions; the digests stay."""
        names = {
            name: storable(value)
            for name, value in (("customer", customer), ("end_user", end_user))
            if value is not None
        }
        if not names:
            return 0
        erased = 0
        bare = dict.fromkeys(("team", "feature", "customer", "end_user", "tags"))
        with self._database.writing() as connection:
            if not self._database.sqlite:
                # What is appended between the two statements would keep its name in the record.
                connection.execute(select(func.pg_advisory_xact_lock(APPEND_LOCK_ID)))
            self._usage.erase(connection, account, names)
            for table, key in ((_ENTRIES, "entry_id"), (_EXCHANGES, "exchange_id")):
                named = or_(*(table.c[name] == value for name, value in names.items()))
                these = (table.c.account == account, named)
                subjects = select(table.c[key]).where(*these)
                changed = connection.execute(
                    update(_RECORDS)
                    .where(
                        _RECORDS.c.subject.in_(subjects),
                        _RECORDS.c.kind.in_(("intent", "exchange")),
                    )
                    .values(attribution=None, attribution_salt=None)
                )
                erased += changed.rowcount
                connection.execute(update(table).where(*these).values(**bare))
        return erased

    def _folded(self, these: Any, *, newest_first: bool) -> Sequence[Entry]:
        query = _records_of(these, _ENTRY_KINDS, newest_first=newest_first)
        with self._database.reading() as connection:
            rows = connection.execute(query)
            return [
                fold_entry(map(record_of, group))
                for _, group in groupby(rows, key=lambda row: row.subject)
            ]


def _is_awaited(told: ColumnElement[Any]) -> ColumnElement[bool]:
    """Say whether an entry waits for an end of this status; the rule of `records.fold_entry`."""
    status = _ENTRIES.c.status
    return or_(
        status == literal_column("'open'"),
        status == literal_column("'pending'"),
        and_(
            status == literal_column("'unpriced'"),
            or_(told == literal_column("'settled'"), told == literal_column("'reported'")),
        ),
    )


def _records_of(these: Any, kinds: Sequence[str], *, newest_first: bool) -> Select[Any]:
    """Select the records of these subjects, subject by subject, each in the order stored."""
    began = (these.c.started_us, these.c.id)
    return (
        select(_RECORDS)
        .join(these, these.c.id == _RECORDS.c.subject)
        .where(_RECORDS.c.kind.in_(kinds))
        .order_by(*(each.desc() if newest_first else each for each in began), _RECORDS.c.id)
    )


def _take_turns(connection: Connection, links: Sequence[ChainLink]) -> None:
    """On PostgreSQL, wait for whoever ends the same entries, in an order that all keep.

    SQLite has one writer at a time. Here many append at once, and two may end one entry: the first
    to come must be the first by `id` too, or the folded table and the fold of the records would
    differ. And two that end the same entries in different order would wait for each other for ever.
    """
    if any(isinstance(link.record, Adjust) for link in links):
        # A correction may come together with what it corrects, and each would miss the other.
        connection.execute(select(func.pg_advisory_xact_lock(APPEND_LOCK_ID)))
        return
    connection.execute(select(func.pg_advisory_xact_lock_shared(APPEND_LOCK_ID)))
    ended = {link.record.entry_id for link in links if isinstance(link.record, _ENDS)}
    begun = {link.record.entry_id for link in links if isinstance(link.record, Intent)}
    if elsewhere := list(ended - begun):
        connection.execute(_LOCK_ENTRIES, {"ended": elsewhere})


def _missing(connection: Connection, links: Sequence[ChainLink]) -> list[ChainLink]:
    """Leave out the links that are stored already, or were, and are pruned.

    Raises:
        StoreError: another record is stored in a place.
    """
    stored: dict[tuple[str, int], str] = {}
    pruned = anchors(connection, {link.writer for link in links})
    links = [link for link in links if link.seq > pruned.get(link.writer, 0)]
    for writer in {link.writer for link in links}:
        seqs = [link.seq for link in links if link.writer == writer]
        span = {"of": writer, "first": min(seqs), "last": max(seqs)}
        rows: Iterable[Row[Any]] = connection.execute(_SPAN, span)
        stored.update({(writer, row.seq): row.hash for row in rows})
    new = []
    for link in links:
        place = (link.writer, link.seq)
        known = stored.get(place)
        if known is None:
            stored[place] = link.hash
            new.append(link)
        elif known != link.hash:
            raise StoreError(
                f"record {link.seq} of writer {link.writer!r} is stored already with another "
                "hash; two workers must not share a writer id"
            )
    return new
