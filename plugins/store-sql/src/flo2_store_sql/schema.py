"""Bring the schema up to date, also when several processes open one database at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, inspect, select, text

from flo2.errors import StoreError
from flo2_store_sql.postgres import SCHEMA_LOCK_ID
from flo2_store_sql.usage_check import build_usage
from flo2_store_sql.usage_tables import UsageTables

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flo2_store_sql.database import Database

__all__ = ["HEAD", "MIGRATIONS", "migrate"]

HEAD: Final = "0006"
"""The newest revision; a test holds it against the migrations."""

_SUMS_SINCE: Final = "0005"
"""What an older database holds has no sums yet; they are made with the tables of today."""

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def migrate(database: Database) -> None:
    """Run the migrations that are missing, all or none.

    Raises:
        StoreError: the database fails, or was written by a newer flo2.
    """
    with database.reading() as connection:
        if _revision(connection) == HEAD:
            return  # the usual case, without importing Alembic
    with database.writing() as connection:
        if not database.sqlite:
            connection.execute(select(func.pg_advisory_xact_lock(SCHEMA_LOCK_ID)))
        before = _revision(connection)
        if before != HEAD:  # another process may have been first
            _upgrade(connection, database.name)
            if before is not None and before < _SUMS_SINCE:
                build_usage(connection, UsageTables(database.dialect))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection, name: str) -> None:
    from alembic import command  # noqa: PLC0415  # a quarter of a second, at first start only
    from alembic.config import Config  # noqa: PLC0415  # same
    from alembic.util import CommandError  # noqa: PLC0415  # same

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, HEAD)
    except CommandError as exc:
        raise StoreError(
            f"the schema of database {name!r} cannot be brought up to date ({exc}); "
            "it was written by a newer flo2: install that version, or restore a backup"
        ) from exc
