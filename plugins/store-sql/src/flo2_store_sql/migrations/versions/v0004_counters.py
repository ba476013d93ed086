"""Counters that workers share, what a key's calls may be attributed to, its line of rotations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table, add the columns."""
    op.create_table(
        "counters",
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("value", _TEXT, nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_counters_account_accounts"),
        sa.PrimaryKeyConstraint("account", "name", name="pk_counters"),
    )
    op.create_index("ix_counters_changed_us", "counters", ["changed_us"])
    op.add_column("issued_keys", sa.Column("lineage", _TEXT, nullable=True))
    rules = sa.Column("attribution", _TEXT, nullable=False, server_default="null")
    op.add_column("issued_keys", rules)


def downgrade() -> None:
    """Remove them."""
    op.drop_column("issued_keys", "attribution")
    op.drop_column("issued_keys", "lineage")
    op.drop_index("ix_counters_changed_us", "counters")
    op.drop_table("counters")
