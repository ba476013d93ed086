"""What is spent under budgets, and which budgets an entry's money counts in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables and the column."""
    op.add_column("ledger_entries", sa.Column("budgets", _TEXT))
    op.create_table(
        "budget_counters",
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("counter", _TEXT, nullable=False),
        sa.Column("label", _TEXT),
        sa.Column("spent", _TEXT, nullable=False),
        sa.Column("pending", _TEXT, nullable=False),
        sa.Column("alerted", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account", "counter", name="pk_budget_counters"),
    )
    op.create_table(
        "budget_leases",
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("counter", _TEXT, nullable=False),
        sa.Column("writer", _TEXT, nullable=False),
        sa.Column("amount", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("account", "counter", "writer", name="pk_budget_leases"),
    )
    op.create_index("ix_budget_leases_writer", "budget_leases", ["writer"])
    op.create_table(
        "budget_pending",
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("counter", _TEXT, nullable=False),
        sa.Column("entry_id", _TEXT, nullable=False),
        sa.Column("upper", _TEXT, nullable=False),
        sa.Column("counted", _TEXT, nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "counter", "entry_id", name="pk_budget_pending"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("budget_pending")
    op.drop_table("budget_leases")
    op.drop_table("budget_counters")
    op.drop_column("ledger_entries", "budgets")
