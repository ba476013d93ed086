"""Ledger, issued keys and vault in SQLite or PostgreSQL, through SQLAlchemy and Alembic."""

from __future__ import annotations

from flo2.hookspecs import Register, hookimpl
from flo2_store_sql.store import SqlStore

__all__ = ["SqlStore", "flo2_register_stores"]


@hookimpl
def flo2_register_stores(register: Register) -> None:
    """Register the store `sql`."""
    register(SqlStore)
