"""The first schema: accounts, keys, vault, routes, and the ledger with its chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# PostgreSQL orders by code point too, as SQLite does.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create every table."""
    _create_objects()
    _create_ledger()


def _create_objects() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
    )
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revision"),
    )
    op.create_table(
        "settings",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("value", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_settings"),
    )
    op.create_table(
        "credentials",
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("provider", _TEXT, nullable=False),
        sa.Column("host", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("last4", _TEXT, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("sealed", _TEXT, nullable=True),
        sa.Column("reference", _TEXT, nullable=True),
        sa.Column("data_key", _TEXT, nullable=True),
        sa.Column("project", _TEXT, nullable=True),
        sa.Column("disabled_us", sa.BigInteger(), nullable=True),
        sa.Column("data_terms", _TEXT, nullable=False),
        sa.Column("settings", _TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name="fk_credentials_account_accounts"
        ),
        sa.PrimaryKeyConstraint("account", "id", name="pk_credentials"),
    )
    op.create_table(
        "data_keys",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("kek_id", _TEXT, nullable=False),
        sa.Column("wrapped", _TEXT, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_data_keys_account_accounts"),
        sa.PrimaryKeyConstraint("id", name="pk_data_keys"),
    )
    op.create_index("ix_data_keys_account", "data_keys", ["account"], unique=False)
    op.create_table(
        "issued_keys",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("hash", _TEXT, nullable=False),
        sa.Column("prefix", _TEXT, nullable=False),
        sa.Column("last4", _TEXT, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("team", _TEXT, nullable=True),
        sa.Column("models", _TEXT, nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.Column("replaced_by", _TEXT, nullable=True),
        sa.Column("tags", _TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name="fk_issued_keys_account_accounts"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_issued_keys"),
        sa.UniqueConstraint("hash", name="uq_issued_keys_hash"),
    )
    op.create_index("ix_issued_keys_account", "issued_keys", ["account"], unique=False)
    op.create_table(
        "routes",
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("strategy", _TEXT, nullable=False),
        sa.Column("targets", _TEXT, nullable=False),
        sa.Column("options", _TEXT, nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_routes_account_accounts"),
        sa.PrimaryKeyConstraint("account", "name", name="pk_routes"),
    )
    op.bulk_insert(
        sa.table("revision", sa.column("id", sa.Integer), sa.column("value", sa.BigInteger)),
        [{"id": 1, "value": 1}],
    )


def _create_ledger() -> None:
    op.create_table(
        "exchanges",
        sa.Column("exchange_id", _TEXT, nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("key_id", _TEXT, nullable=False),
        sa.Column("surface", _TEXT, nullable=False),
        sa.Column("model_requested", _TEXT, nullable=False),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=False),
        sa.Column("overhead_us", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("client", _TEXT, nullable=False),
        sa.Column("route", _TEXT, nullable=True),
        sa.Column("strategy", _TEXT, nullable=True),
        sa.Column("error", _TEXT, nullable=True),
        sa.Column("team", _TEXT, nullable=True),
        sa.Column("feature", _TEXT, nullable=True),
        sa.Column("customer", _TEXT, nullable=True),
        sa.Column("end_user", _TEXT, nullable=True),
        sa.Column("tags", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("exchange_id", name="pk_exchanges"),
    )
    op.create_index(
        "ix_exchanges_account_started_us", "exchanges", ["account", "started_us"], unique=False
    )
    op.create_table(
        "ledger_entries",
        sa.Column("entry_id", _TEXT, nullable=False),
        sa.Column("exchange_id", _TEXT, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("role", _TEXT, nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("key_id", _TEXT, nullable=False),
        sa.Column("credential_id", _TEXT, nullable=True),
        sa.Column("provider", _TEXT, nullable=False),
        sa.Column("provider_kind", _TEXT, nullable=False),
        sa.Column("project", _TEXT, nullable=True),
        sa.Column("api", _TEXT, nullable=False),
        sa.Column("model_requested", _TEXT, nullable=False),
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("route", _TEXT, nullable=True),
        sa.Column("parent", _TEXT, nullable=True),
        sa.Column("experiment", _TEXT, nullable=True),
        sa.Column("arm", _TEXT, nullable=True),
        sa.Column("team", _TEXT, nullable=True),
        sa.Column("feature", _TEXT, nullable=True),
        sa.Column("customer", _TEXT, nullable=True),
        sa.Column("end_user", _TEXT, nullable=True),
        sa.Column("tags", _TEXT, nullable=True),
        sa.Column("hold", _TEXT, nullable=True),
        sa.Column("low", _TEXT, nullable=True),
        sa.Column("high", _TEXT, nullable=True),
        sa.Column("why", _TEXT, nullable=False),
        sa.Column("losses", _TEXT, nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("writer", _TEXT, nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("outcome", _TEXT, nullable=True),
        sa.Column("model_billed", _TEXT, nullable=True),
        sa.Column("provider_request_id", _TEXT, nullable=True),
        sa.Column("finish", _TEXT, nullable=True),
        sa.Column("reason", _TEXT, nullable=True),
        sa.Column("source", _TEXT, nullable=True),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.Column("first_byte_us", sa.BigInteger(), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("total", _TEXT, nullable=True),
        sa.Column("list_total", _TEXT, nullable=True),
        sa.Column("reported_total", _TEXT, nullable=True),
        sa.Column("pending_low", _TEXT, nullable=True),
        sa.Column("pending_high", _TEXT, nullable=True),
        sa.Column("currency", _TEXT, nullable=True),
        sa.Column("book", _TEXT, nullable=True),
        sa.Column("meters", _TEXT, nullable=True),
        sa.Column("lines", _TEXT, nullable=True),
        sa.Column("context", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("entry_id", name="pk_ledger_entries"),
    )
    op.create_index(
        "ix_ledger_entries_account_started_us",
        "ledger_entries",
        ["account", "started_us"],
        unique=False,
    )
    op.create_index(
        "ix_ledger_entries_exchange_id", "ledger_entries", ["exchange_id"], unique=False
    )
    op.create_index(
        "ix_ledger_entries_unsettled",
        "ledger_entries",
        ["status", "writer"],
        unique=False,
        sqlite_where=sa.text("status IN ('open', 'pending')"),
        postgresql_where=sa.text("status IN ('open', 'pending')"),
    )
    op.create_table(
        "ledger_records",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("writer", _TEXT, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("prev_hash", _TEXT, nullable=False),
        sa.Column("hash", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("subject", _TEXT, nullable=False),
        sa.Column("account", _TEXT, nullable=True),
        sa.Column("payload", _TEXT, nullable=False),
        sa.Column("attribution", _TEXT, nullable=True),
        sa.Column("attribution_salt", _TEXT, nullable=True),
        sa.Column("attribution_digest", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_records"),
        sa.UniqueConstraint("writer", "seq", name="uq_ledger_records_writer_seq"),
    )
    op.create_index("ix_ledger_records_subject", "ledger_records", ["subject"], unique=False)
