"""What an `EntryFilter` selects."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, select

from flo2.stores import EntryFilter
from flo2_store_sql import tables
from flo2_store_sql.rows import storable

__all__ = ["conditions", "found", "found_in"]

_ENTRIES: Final = tables.ledger_entries


def found(where: EntryFilter) -> Select[Any]:
    """Select the entries that a filter names: id and start."""
    query = found_in(_ENTRIES, _ENTRIES.c.entry_id, where)
    if where.status is not None:
        query = query.where(_ENTRIES.c.status == where.status)
    if where.answer_id is not None:
        query = query.where(_ENTRIES.c.provider_request_id == storable(where.answer_id))
    return query


def found_in(table: Table, key: Any, where: EntryFilter) -> Select[Any]:
    """Select of a table what account, call, key and time name: id and start."""
    query = select(key.label("id"), table.c.started_us).where(*conditions(table, where))
    if where.limit is not None:
        order = (table.c.started_us, key)
        query = query.order_by(*(each.desc() if where.newest_first else each for each in order))
        query = query.limit(where.limit)
    return query


def conditions(table: Table, where: EntryFilter) -> list[ColumnElement[bool]]:
    """Give the conditions of account, call, key and time."""
    columns = table.c
    named = [columns.account == storable(where.account)]
    if where.exchange_id is not None:
        named.append(columns.exchange_id == storable(where.exchange_id))
    if where.key_id is not None:
        named.append(columns.key_id == storable(where.key_id))
    if where.since_us is not None:
        named.append(columns.started_us >= where.since_us)
    if where.until_us is not None:
        named.append(columns.started_us < where.until_us)
    return named
