"""Counters that workers share: each is read, and written only if nobody else has meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from flo2_store_sql.tables import counters

if TYPE_CHECKING:
    from flo2_store_sql.database import Database

__all__ = ["CounterTable"]


class CounterTable:
    """Compare and swap, one row a counter; the database decides who was first."""

    def __init__(self, database: Database) -> None:
        """Keep the database."""
        self._database = database

    def read(self, account: str, name: str) -> str | None:
        """Give a counter's value, or None."""
        c = counters.c
        query = select(c.value).where(c.account == account, c.name == name)
        with self._database.reading() as connection:
            value: str | None = connection.execute(query).scalar()
            return value

    def swap(self, account: str, name: str, known: str | None, value: str, changed_us: int) -> bool:
        """Write a counter that still is as known; say whether it was."""
        c = counters.c
        told = {"value": value, "changed_us": changed_us}
        with self._database.writing() as connection:
            if known is None:
                insert = sqlite.insert if self._database.sqlite else postgresql.insert
                new = insert(counters).values(account=account, name=name, **told)
                # Its `rowcount` is -1 with psycopg 3.3 (seen 2026-11-25): the row itself is asked.
                written = new.on_conflict_do_nothing().returning(c.name)
                return connection.execute(written).first() is not None
            same = (c.account == account, c.name == name, c.value == known)
            return connection.execute(update(counters).where(*same).values(**told)).rowcount > 0

    def drop(self, before_us: int) -> int:
        """Delete the counters that were last changed before a time; say how many."""
        with self._database.writing() as connection:
            old = delete(counters).where(counters.c.changed_us < before_us)
            return connection.execute(old).rowcount
