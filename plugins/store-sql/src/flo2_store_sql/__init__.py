"""Ledger, issued keys and vault in SQLite, through SQLAlchemy and Alembic."""
