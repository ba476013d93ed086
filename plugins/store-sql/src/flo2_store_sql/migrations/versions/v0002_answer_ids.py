"""Entries are found by the provider's id of their answer."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index(
        "ix_ledger_entries_provider_request_id", "ledger_entries", ["provider_request_id"]
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_index("ix_ledger_entries_provider_request_id", "ledger_entries")
