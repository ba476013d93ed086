"""Sums of usage beside the ledger, and where pruned chains go on.

The sums of what is there already are made by `flo2_store_sql.schema`, in the same transaction.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KEY = ("grain", "account", "bucket", "group_id")
_LIMBS = ("whole", "nano", "atto")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "usage_groups",
        sa.Column("id", _ID, nullable=False),
        sa.Column("identity", _TEXT, nullable=False),
        sa.Column("cube", sa.Integer(), nullable=False),
        *(sa.Column(name, _TEXT, nullable=False) for name in ("account", "status", "currency")),
        *(sa.Column(name, _TEXT) for name in ("provider", "model", "key_id", "team", "feature")),
        *(sa.Column(name, _TEXT) for name in ("route", "experiment", "arm", "role")),
        *(sa.Column(name, _TEXT) for name in ("customer", "end_user")),
        sa.PrimaryKeyConstraint("id", name="pk_usage_groups"),
        sa.UniqueConstraint("identity", name="uq_usage_groups_identity"),
    )
    op.create_table(
        "usage_rollups",
        *_bucket(),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        *_sums(*_LIMBS),
        *_sums("input_tokens", "cache_read_tokens", "cache_write_tokens"),
        *_sums("cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens"),
        sa.PrimaryKeyConstraint(*_KEY, name="pk_usage_rollups"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage_sums",
        *_bucket(),
        sa.Column("name", _TEXT, nullable=False),
        *_sums(*_LIMBS),
        sa.PrimaryKeyConstraint(*_KEY, "name", name="pk_usage_sums"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage_odd",
        sa.Column("id", _ID, nullable=False),
        *_bucket(),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("amount", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_usage_odd"),
    )
    op.create_index("ix_usage_odd_grain_account_bucket", "usage_odd", list(_KEY[:3]))
    op.create_table(
        "ledger_anchors",
        sa.Column("writer", _TEXT, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", _TEXT, nullable=False),
        sa.Column("before_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("writer", "seq", name="pk_ledger_anchors"),
    )


def downgrade() -> None:
    """Remove them."""
    for table in ("ledger_anchors", "usage_odd", "usage_sums", "usage_rollups", "usage_groups"):
        op.drop_table(table)


def _bucket() -> list[sa.Column[object]]:
    return [
        sa.Column("grain", sa.Integer(), nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("bucket", sa.BigInteger(), nullable=False),
        sa.Column("group_id", sa.BigInteger(), nullable=False),
    ]


def _sums(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]
