"""Statements that run for many rows: compiled once, then handed straight to the driver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.sql.dml import Insert, UpdateBase

__all__ = ["Many", "insert_new"]


def insert_new(table: Table, dialect: Dialect) -> Insert:
    """Make an insert that leaves a row alone which is there already."""
    if dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


class Many:
    """A statement for many rows.

    Args:
        statement: An insert, or an update whose parameters are named `new_<column>` or otherwise.
        dialect: The database's.
        columns: The columns an insert gives.
    """

    def __init__(
        self, statement: UpdateBase, dialect: Dialect, columns: Iterable[str] | None = None
    ) -> None:
        compiled = statement.compile(
            dialect=dialect, column_keys=None if columns is None else sorted(columns)
        )
        self._sql = str(compiled)
        names = compiled.positiontup if compiled.positional else list(compiled.params)
        self._names = [(name, name.removeprefix("new_")) for name in names or ()]
        self._positional = compiled.positional

    def __call__(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it for each row; each has a value for every parameter."""
        if not rows:
            return
        if self._positional:
            keys = [key for _, key in self._names]
            connection.exec_driver_sql(self._sql, [tuple(row[key] for key in keys) for row in rows])
        else:
            connection.exec_driver_sql(
                self._sql, [{name: row[key] for name, key in self._names} for row in rows]
            )
