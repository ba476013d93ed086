"""What an account declares, and which adjustment speaks of which entry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "declarations",
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("document", _TEXT, nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name="fk_declarations_account_accounts"
        ),
        sa.PrimaryKeyConstraint("account", "kind", "name", name="pk_declarations"),
    )
    op.create_table(
        "ledger_adjustments",
        sa.Column("adjust_id", _TEXT, nullable=False),
        sa.Column("entry_id", _TEXT, nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("amount", _TEXT, nullable=False),
        sa.Column("currency", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("adjust_id", "entry_id", name="pk_ledger_adjustments"),
    )
    op.create_index("ix_ledger_adjustments_entry_id", "ledger_adjustments", ["entry_id"])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("ledger_adjustments")
    op.drop_table("declarations")
