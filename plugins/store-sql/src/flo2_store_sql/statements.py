"""Statements that run for many rows: compiled once, then handed straight to the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import ColumnElement, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.sql.base import ReadOnlyColumnCollection
    from sqlalchemy.sql.dml import Insert, UpdateBase

__all__ = ["Many", "insert_new", "insert_or_add", "insert_or_update", "slices"]

_Value = TypeVar("_Value")

_AT_ONCE: Final = 500


def slices(values: Sequence[_Value], size: int = _AT_ONCE) -> Iterator[Sequence[_Value]]:
    """Give values slice by slice, for statements that name each; they can name only so many."""
    return (values[begin : begin + size] for begin in range(0, len(values), size))


def insert_new(table: Table, dialect: Dialect) -> Insert:
    """Make an insert that leaves a row alone which is there already."""
    if dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def insert_or_update(
    table: Table,
    dialect: Dialect,
    columns: Sequence[str],
    *,
    where: Callable[[ReadOnlyColumnCollection[str, Any]], ColumnElement[bool]],
) -> Insert:
    """Make an insert that, where the row is there already and meets `where`, changes `columns`.

    Args:
        table: Into which.
        dialect: The database's.
        columns: What is changed.
        where: Makes the condition, out of the columns of the row that was to be inserted.
    """
    insert = postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: insert.excluded[name] for name in columns},
        where=where(insert.excluded),
    )


def insert_or_add(table: Table, dialect: Dialect) -> Insert:
    """Make an insert that, where the row is there already, adds to all that is not its key."""
    insert = postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)
    key = list(table.primary_key.columns)
    return insert.on_conflict_do_update(
        index_elements=key,
        set_={
            each.name: each + insert.excluded[each.name] for each in table.c if each not in set(key)
        },
    )


class Many:
    """A statement for many rows, each a sequence of values in the order of `columns`.

    Args:
        statement: An insert, or an update with a parameter `new_<column>` for each column.
        dialect: The database's.
        columns: What each value of a row is.
    """

    def __init__(self, statement: UpdateBase, dialect: Dialect, columns: Sequence[str]) -> None:
        keys = sorted(columns) if statement.is_insert else None
        compiled = statement.compile(dialect=dialect, column_keys=keys)
        self._sql = str(compiled)
        self._positional = compiled.positional
        self._names = list(compiled.positiontup or compiled.params)
        order = [columns.index(name.removeprefix("new_")) for name in self._names]
        self._pick = None if order == list(range(len(columns))) else itemgetter(*order)

    def __call__(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Run it for each row."""
        if not rows:
            return
        values: list[Any] = list(map(self._pick, rows) if self._pick else rows)
        if not self._positional:
            values = [dict(zip(self._names, each, strict=True)) for each in values]
        connection.exec_driver_sql(self._sql, values)
