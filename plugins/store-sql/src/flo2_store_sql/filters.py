"""What an `EntryFilter` selects."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, TextClause, select, text

from flo2.stores import EntryFilter
from flo2_store_sql import tables
from flo2_store_sql.rows import storable

__all__ = ["AWAITED", "entries_found", "found", "found_in"]

_ENTRIES: Final = tables.ledger_entries

AWAITED: Final = text("ledger_entries.status IN ('open', 'pending')")
"""What is awaited, word for word as the index of it says: else SQLite would not use that index."""


def found(where: EntryFilter) -> Select[Any]:
    """Select the entries that a filter names: id and start."""
    return found_in(_ENTRIES, _ENTRIES.c.entry_id, where).where(*_of_entries(where))


def entries_found(where: EntryFilter, *columns: Any) -> Select[Any]:
    """Select columns of the entries that a filter names; in no order."""
    if where.limit is None:  # without a join, which would look each of them up twice
        return select(*columns).where(*_conditions(_ENTRIES, where), *_of_entries(where))
    these = found(where).subquery()
    return select(*columns).join(these, these.c.id == _ENTRIES.c.entry_id)


def found_in(table: Table, key: Any, where: EntryFilter) -> Select[Any]:
    """Select of a table what account, call, key and time name: id and start."""
    query = select(key.label("id"), table.c.started_us).where(*_conditions(table, where))
    if where.limit is not None:
        order = (table.c.started_us, key)
        query = query.order_by(*(each.desc() if where.newest_first else each for each in order))
        query = query.limit(where.limit)
    return query


def _of_entries(where: EntryFilter) -> list[ColumnElement[bool] | TextClause]:
    """Give the conditions that only entries have: status, and the provider's id of the answer."""
    named: list[ColumnElement[bool] | TextClause] = []
    if where.status in {"open", "pending"}:
        named.append(AWAITED)
    if where.status is not None:
        named.append(_ENTRIES.c.status == where.status)
    if where.answer_id is not None:
        named.append(_ENTRIES.c.provider_request_id == storable(where.answer_id))
    return named


def _conditions(table: Table, where: EntryFilter) -> list[ColumnElement[bool]]:
    columns = table.c
    account: ColumnElement[str] = columns.account
    started: ColumnElement[int] = columns.started_us
    if table is _ENTRIES and where.status in {"open", "pending"}:
        # Few are: they are found by their own index, and not among all of the account. SQLite does
        # not know how few, so it is kept from the other index.
        account, started = account.concat(""), started + 0
    named = [account == storable(where.account)]
    if where.exchange_id is not None:
        named.append(columns.exchange_id == storable(where.exchange_id))
    if where.key_id is not None:
        named.append(columns.key_id == storable(where.key_id))
    if where.since_us is not None:
        named.append(started >= where.since_us)
    if where.until_us is not None:
        named.append(started < where.until_us)
    return named
