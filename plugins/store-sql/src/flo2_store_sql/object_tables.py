"""Accounts, keys, credentials, routes, declarations: one attrs object a row, structures as JSON.

Each change also changes the `revision`, in the same transaction, so that other processes see that
there is something new to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from attrs import AttrsInstance, fields
from sqlalchemy import Table, delete, insert, select, update

from flo2.errors import StoreError
from flo2.ledger.codec import encode_json
from flo2_store_sql import tables

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Row

    from flo2_store_sql.database import Database

__all__ = ["ObjectTables", "take_turns", "upsert"]

_Object = TypeVar("_Object", bound=AttrsInstance)
_JSON: Final = frozenset(
    {
        "attribution",
        "data_terms",
        "document",
        "models",
        "options",
        "settings",
        "tags",
        "targets",
    }
)


class ObjectTables:
    """Read and write objects."""

    def __init__(self, database: Database) -> None:
        """Keep the database."""
        self._database = database

    def all(
        self,
        kind: type[_Object],
        table: Table,
        *order: str,
        account: str | None = None,
        where: Sequence[ColumnElement[bool]] = (),
    ) -> Sequence[_Object]:
        """Give the objects of a table that meet `where`, of one account or of all, in order."""
        query = select(table).where(*where).order_by(*(table.c[name] for name in order))
        if account is not None:
            query = query.where(table.c.account == account)
        with self._database.reading() as connection:
            return [_object(kind, row) for row in connection.execute(query)]

    def one(
        self, kind: type[_Object], table: Table, condition: ColumnElement[bool]
    ) -> _Object | None:
        """Give the one object that meets the condition, or None."""
        with self._database.reading() as connection:
            row = connection.execute(select(table).where(condition)).one_or_none()
        return None if row is None else _object(kind, row)

    def put(self, table: Table, item: AttrsInstance) -> None:
        """Create or replace an object, by its table's primary key."""
        values = {each.name: getattr(item, each.name) for each in fields(type(item))}
        for name in _JSON & values.keys():
            values[name] = encode_json(values[name]).decode()
        with self._database.writing() as connection:
            take_turns(connection)
            upsert(connection, table, values)
            _touch(connection)

    def delete(self, table: Table, *conditions: ColumnElement[bool]) -> bool:
        """Delete what meets all conditions; False when nothing does."""
        with self._database.writing() as connection:
            take_turns(connection)
            gone = connection.execute(delete(table).where(*conditions)).rowcount > 0
            if gone:
                _touch(connection)
        return gone


def take_turns(connection: Connection) -> None:
    """Wait until nobody else changes objects.

    Otherwise two could look for a row, find none, and both insert it. SQLite's writers take turns
    anyway; there is no FOR UPDATE, and SQLAlchemy leaves it out.
    """
    connection.execute(select(tables.revision.c.value).with_for_update())


def upsert(connection: Connection, table: Table, values: dict[str, Any]) -> None:
    """Replace the row with the same primary key, or insert one."""
    same = [column == values[column.name] for column in table.primary_key]
    rest = {name: value for name, value in values.items() if name not in table.primary_key}
    if connection.execute(update(table).where(*same).values(**rest)).rowcount == 0:
        connection.execute(insert(table).values(**values))


def _touch(connection: Connection) -> None:
    value = tables.revision.c.value
    connection.execute(update(tables.revision).values(value=value + 1))


def _object(kind: type[_Object], row: Row[Any]) -> _Object:
    values = {str(name): value for name, value in row._asdict().items()}
    try:
        for name in _JSON & values.keys():
            values[name] = msgspec.json.decode(values[name])
        return msgspec.convert(values, kind)
    except ValueError as exc:
        raise StoreError(
            f"a {kind.__name__} of account {values.get('account')!r} cannot be read back ({exc}); "
            "restore a backup, or write it anew"
        ) from exc
