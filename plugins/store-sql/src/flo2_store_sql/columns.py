"""Entries as rows of the folded table, for who reads millions of them.

A fold of records costs some 50 µs an entry, a row 3: SQLAlchemy's own rows would cost as much
again, so the driver's tuples are handed on. Read in pages by start and id: while the caller thinks,
no transaction is open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sqlalchemy import or_, select, tuple_

from flo2.billing import EntryColumns
from flo2_store_sql import tables
from flo2_store_sql.rows import storable

if TYPE_CHECKING:
    from flo2_store_sql.database import Database

__all__ = ["read_columns"]

_PAGE: Final = 50_000
_ENTRIES: Final = tables.ledger_entries.c
_COLUMNS: Final = tuple(_ENTRIES[name] for name in EntryColumns._fields)


def read_columns(
    database: Database, account: str, provider: str, since_us: int, until_us: int
) -> Iterator[EntryColumns]:
    """Give the entries of a provider, by its name or kind, begun in a span."""
    place = tuple_(_ENTRIES.started_us, _ENTRIES.entry_id)
    named = storable(provider)
    query = (
        select(*_COLUMNS)
        .where(
            _ENTRIES.account == storable(account),
            or_(_ENTRIES.provider == named, _ENTRIES.provider_kind == named),
            _ENTRIES.started_us < until_us,
        )
        .order_by(_ENTRIES.started_us, _ENTRIES.entry_id)
        .limit(_PAGE)
    )
    last: tuple[int, str] = (since_us, "")
    while True:
        with database.reading() as connection:
            page = query.where(_ENTRIES.started_us >= last[0], place > last)
            # The driver's own tuples: wrapping each costs more than reading it.
            cursor = connection.execute(page).cursor
            rows = [] if cursor is None else cursor.fetchall()
        yield from map(EntryColumns._make, rows)
        if len(rows) < _PAGE:
            return
        last = (rows[-1][1], rows[-1][0])
