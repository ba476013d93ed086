"""Let go of old records: what a month came to stays, and each chain goes on from an anchor.

The beginning of each chain goes, up to the first record that speaks of something begun since; what
was begun before and is written after it goes with the next month. Rows go in small transactions, so
that appending never waits long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Table, delete, func, insert, select

from flo2.errors import StoreError
from flo2.instants import instant
from flo2.stores import ChainLink, WriterHead
from flo2_store_sql import tables
from flo2_store_sql import usage_schema as schema
from flo2_store_sql.cubes import HOUR_US, MONTH, bucket_of
from flo2_store_sql.filters import AWAITED
from flo2_store_sql.postgres import APPEND_LOCK_ID
from flo2_store_sql.rows import link_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flo2_store_sql.database import Database

__all__ = ["anchor", "anchors", "prunable", "prune", "pruned_before"]

_ANCHORS: Final = schema.ledger_anchors
_RECORDS: Final = tables.ledger_records
_ENTRIES: Final = tables.ledger_entries
_EXCHANGES: Final = tables.exchanges
_PARTS: Final = tables.ledger_adjustments
_SETTINGS: Final = tables.settings
_PRUNED_BEFORE: Final = "ledger_pruned_before_us"
_PAGE: Final = 1000


def anchor(connection: Connection, writer: str) -> WriterHead:
    """Give the last record that was pruned of a writer's chain; seq 0: none."""
    query = select(_ANCHORS).where(_ANCHORS.c.writer == writer).order_by(_ANCHORS.c.seq.desc())
    row = connection.execute(query.limit(1)).one_or_none()
    return WriterHead(writer, 0, "") if row is None else WriterHead(writer, row.seq, row.hash)


def anchors(connection: Connection, writers: Collection[str] | None = None) -> dict[str, int]:
    """Say how far the chains of these writers, or of all, were pruned."""
    query = select(_ANCHORS.c.writer, func.max(_ANCHORS.c.seq)).group_by(_ANCHORS.c.writer)
    if writers is not None:
        query = query.where(_ANCHORS.c.writer.in_(writers))
    return {writer: int(seq) for writer, seq in connection.execute(query)}


def pruned_before(connection: Connection) -> int | None:
    """Say before which instant entries were pruned, in microseconds; None: none were."""
    query = select(_SETTINGS.c.value).where(_SETTINGS.c.name == _PRUNED_BEFORE)
    value: str | None = connection.execute(query).scalar()
    return None if value is None else int(value)


def prunable(database: Database, writers: Sequence[str], before_us: int) -> Iterator[ChainLink]:
    """Give what `prune` would remove, writer by writer, a page at a time."""
    with database.reading() as connection:
        _refuse(connection, before_us)
    for writer in writers:
        with database.reading() as connection:
            seq = anchor(connection, writer).seq
        while True:
            with database.reading() as connection:
                rows = connection.execute(_page(writer, seq)).all()
            old = 0
            for row in rows:
                if row.began is not None and row.began >= before_us:
                    break
                old += 1
                seq = row.seq
                yield link_of(row)
            if old < _PAGE:
                break


def prune(database: Database, before_us: int, heads: Sequence[WriterHead]) -> int:
    """Remove what began before, and the records up to these; as `PrunableStore.prune`."""
    with database.writing() as connection:
        if not database.sqlite:
            connection.execute(select(func.pg_advisory_xact_lock(APPEND_LOCK_ID)))
        _refuse(connection, before_us)
        for head in heads:
            _put_anchor(connection, head, before_us)
        kept = pruned_before(connection)
        if kept is None:
            row = {"name": _PRUNED_BEFORE, "value": str(before_us)}
            connection.execute(insert(_SETTINGS).values(row))
        elif kept < before_us:
            connection.execute(
                _SETTINGS.update()
                .where(_SETTINGS.c.name == _PRUNED_BEFORE)
                .values(value=str(before_us))
            )
        begun = (_ENTRIES.c.started_us < before_us, _ENTRIES.c.status.not_in(("open", "pending")))
        ends = anchors(connection)
    _remove(database, _ENTRIES, _ENTRIES.c.entry_id, *begun)
    _remove(database, _EXCHANGES, _EXCHANGES.c.exchange_id, _EXCHANGES.c.started_us < before_us)
    return sum(
        _remove(
            database, _RECORDS, _RECORDS.c.id, _RECORDS.c.writer == writer, _RECORDS.c.seq <= seq
        )
        for writer, seq in sorted(ends.items())
    )


def _page(writer: str, seq: int) -> Any:
    """Select a page of a chain, each record with the start of what it speaks of."""
    corrected = (
        select(func.max(_ENTRIES.c.started_us))
        .join(_PARTS, _PARTS.c.entry_id == _ENTRIES.c.entry_id)
        .where(_PARTS.c.adjust_id == _RECORDS.c.subject)
        .correlate(_RECORDS)
        .scalar_subquery()
    )
    attempted = (
        select(_ENTRIES.c.started_us)
        .where(_ENTRIES.c.entry_id == _RECORDS.c.subject)
        .correlate(_RECORDS)
        .scalar_subquery()
    )
    asked = (
        select(_EXCHANGES.c.started_us)
        .where(_EXCHANGES.c.exchange_id == _RECORDS.c.subject)
        .correlate(_RECORDS)
        .scalar_subquery()
    )
    return (
        select(_RECORDS, func.coalesce(attempted, asked, corrected).label("began"))
        .where(_RECORDS.c.writer == writer, _RECORDS.c.seq > seq)
        .order_by(_RECORDS.c.seq)
        .limit(_PAGE)
    )


def _refuse(connection: Connection, before_us: int) -> None:
    """Refuse what is no month, or holds what is not known yet.

    Raises:
        StoreError: so it is.
    """
    month = bucket_of(MONTH, before_us // HOUR_US)
    if month * HOUR_US != before_us:
        raise StoreError(
            "the ledger is pruned by whole months (UTC); name the first instant of one"
        )
    query = select(func.count()).where(AWAITED, _ENTRIES.c.started_us < before_us)
    if awaited := connection.execute(query).scalar():
        day = instant(before_us).date()
        raise StoreError(
            f"{awaited} entries begun before {day} are open or pending, so what they cost is not "
            "known yet; close them first, `flo2 ledger pending` lists them"
        )


def _put_anchor(connection: Connection, head: WriterHead, before_us: int) -> None:
    known = anchor(connection, head.writer)
    if known == head:
        return
    query = select(_RECORDS.c.hash).where(
        _RECORDS.c.writer == head.writer, _RECORDS.c.seq == head.seq
    )
    if head.seq < known.seq or connection.execute(query).scalar() != head.hash:
        raise StoreError(
            f"writer {head.writer!r}: record {head.seq} with hash {head.hash!r} is not in its "
            "chain; nothing was removed"
        )
    row = {"writer": head.writer, "seq": head.seq, "hash": head.hash, "before_us": before_us}
    connection.execute(insert(_ANCHORS).values(row))


def _remove(database: Database, table: Table, key: Any, *conditions: Any) -> int:
    """Delete what meets the conditions, a page in each transaction; gives how many."""
    removed = 0
    while True:
        with database.writing() as connection:
            keys = connection.execute(select(key).where(*conditions).limit(_PAGE)).scalars().all()
            if not keys:
                return removed
            if table is _ENTRIES:
                connection.execute(delete(_PARTS).where(_PARTS.c.entry_id.in_(keys)))
            removed += connection.execute(delete(table).where(key.in_(keys))).rowcount
