"""Adjustments: which records of them count, and what these say of which entries.

Of several records with one id only the first counts, whole: two who find the same correction due
name it the same, and each writes it down in a chain of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from sqlalchemy import ColumnElement, select

from flo2.records import Adjust
from flo2_store_sql.rows import record_of, storable
from flo2_store_sql.statements import slices
from flo2_store_sql.tables import ledger_adjustments, ledger_records

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flo2.stores import ChainLink

__all__ = ["ADJUSTS", "Told", "amounts_of", "first_told", "repeated"]

_RECORDS: Final = ledger_records.c
_PARTS: Final = ledger_adjustments.c

ADJUSTS: Final = 50
"""How many to read at once: each may hold the lines of a price, or speak of many entries."""

Told = tuple[int, Sequence[str]]
"""The number of an adjustment's record, and entries that it may speak of."""


def repeated(connection: Connection, links: Sequence[ChainLink]) -> set[int]:
    """Say which of new links, by their place, tell an adjustment that is told already.

    To be called before they are stored. On PostgreSQL, whoever stores adjustments is alone.
    """
    adjusts = {
        at: link.record.entry_id for at, link in enumerate(links) if isinstance(link.record, Adjust)
    }
    if not adjusts:
        return set()
    known: set[str] = set()
    for some in slices(sorted(set(adjusts.values()))):
        query = select(_RECORDS.subject).where(
            _RECORDS.subject.in_(some), _RECORDS.kind == "adjust"
        )
        known.update(connection.execute(query).scalars())
    again: set[int] = set()
    for at, adjust_id in adjusts.items():
        if adjust_id in known:
            again.add(at)
        known.add(adjust_id)
    return again


def first_told(connection: Connection, which: ColumnElement[bool]) -> list[Told]:
    """Find the records that count, in the order stored.

    Args:
        connection: Where to read.
        which: Of which rows of `ledger_adjustments`.
    """
    query = (
        select(_RECORDS.id, _PARTS.adjust_id, _PARTS.entry_id)
        .join_from(ledger_adjustments, ledger_records, _RECORDS.subject == _PARTS.adjust_id)
        .where(_RECORDS.kind == "adjust", which)
        .order_by(_RECORDS.id, _PARTS.entry_id)
    )
    # Not by GROUP BY: SQLite would then read the whole table in the order of its key.
    first: dict[str, int] = {}
    told: dict[int, list[str]] = {}
    for number, adjust_id, entry_id in connection.execute(query):
        if first.setdefault(adjust_id, number) == number:
            told.setdefault(number, []).append(entry_id)
    return list(told.items())


def amounts_of(
    connection: Connection, told: Sequence[Told]
) -> Iterator[tuple[Adjust, Mapping[str, Decimal]]]:
    """Read some of these records, each with what it adds to its entries of `told`."""
    query = select(ledger_records).where(_RECORDS.id.in_([number for number, _ in told]))
    records = {row.id: record_of(row) for row in connection.execute(query)}
    for number, entries in told:
        record = records.get(number)  # none: it was pruned meanwhile
        if isinstance(record, Adjust):
            said = {storable(entry_id): amount for entry_id, amount in record.amounts.items()}
            yield record, {entry_id: said[entry_id] for entry_id in entries if entry_id in said}
