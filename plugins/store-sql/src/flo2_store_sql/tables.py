"""The tables, as the newest migration leaves them.

Money is text (a `Decimal` survives text, never a float), times are microseconds UTC, structures are
JSON text. `ledger_records` is append-only and what the chain covers; `ledger_entries` and
`exchanges` are folded from it for queries, in the same transaction.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

__all__ = [
    "accounts",
    "counters",
    "credentials",
    "data_keys",
    "declarations",
    "exchanges",
    "issued_keys",
    "ledger_adjustments",
    "ledger_entries",
    "ledger_records",
    "metadata",
    "revision",
    "routes",
    "settings",
]

# Texts are ordered by code point, as SQLite orders them: a language's rules would give another
# order, which changes with the server's operating system under the indexes made before.
_TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _must(name: str, kind: Any = _TEXT, **options: Any) -> Column[Any]:
    return Column(name, kind, nullable=False, **options)


def _may(*names: str, kind: Any = _TEXT) -> list[Column[Any]]:
    return [Column(name, kind) for name in names]


def _account(**options: Any) -> Column[Any]:
    return Column("account", _TEXT, ForeignKey("accounts.id"), nullable=False, **options)


accounts = Table(
    "accounts",
    metadata,
    _must("id", primary_key=True),
    _must("name"),
    _must("created_us", BigInteger),
)

issued_keys = Table(
    "issued_keys",
    metadata,
    _must("id", primary_key=True),
    _account(index=True),
    _must("name"),
    _must("hash", unique=True),
    _must("prefix"),
    _must("last4"),
    _must("created_us", BigInteger),
    *_may("team"),
    _must("models"),
    *_may("expires_us", "revoked_us", kind=BigInteger),
    *_may("replaced_by"),
    _must("tags"),
    *_may("lineage"),
    _must("attribution", server_default="null"),
)

data_keys = Table(
    "data_keys",
    metadata,
    _must("id", primary_key=True),
    _account(index=True),
    _must("kek_id"),
    _must("wrapped"),
    _must("created_us", BigInteger),
)

credentials = Table(
    "credentials",
    metadata,
    _account(primary_key=True),
    _must("id", primary_key=True),
    _must("provider"),
    _must("host"),
    _must("name"),
    _must("last4"),
    _must("created_us", BigInteger),
    *_may("sealed", "reference", "data_key", "project"),
    *_may("disabled_us", kind=BigInteger),
    _must("data_terms"),
    _must("settings"),
)

routes = Table(
    "routes",
    metadata,
    _account(primary_key=True),
    _must("name", primary_key=True),
    _must("strategy"),
    _must("targets"),
    _must("options"),
)

declarations = Table(
    "declarations",
    metadata,
    _account(primary_key=True),
    _must("kind", primary_key=True),
    _must("name", primary_key=True),
    _must("document"),
    _must("changed_us", BigInteger),
)

counters = Table(
    "counters",
    metadata,
    _account(primary_key=True),
    _must("name", primary_key=True),
    _must("value"),
    _must("changed_us", BigInteger, index=True),
)

settings = Table("settings", metadata, _must("name", primary_key=True), _must("value"))

revision = Table(
    "revision",
    metadata,
    _must("id", Integer, primary_key=True, autoincrement=False),
    _must("value", BigInteger),
)

# `id` orders records of all writers as they were stored: a fold goes in that order. SQLite gives
# row ids to INTEGER keys only.
ledger_records = Table(
    "ledger_records",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    _must("writer"),
    _must("seq", BigInteger),
    _must("prev_hash"),
    _must("hash"),
    _must("kind"),
    _must("subject", index=True),
    *_may("account"),
    _must("payload"),
    *_may("attribution", "attribution_salt"),
    _must("attribution_digest"),
    UniqueConstraint("writer", "seq"),
)

_ATTRIBUTION = ("team", "feature", "customer", "end_user", "tags")

ledger_entries = Table(
    "ledger_entries",
    metadata,
    _must("entry_id", primary_key=True),
    _must("exchange_id", index=True),
    _must("attempt", Integer),
    _must("role"),
    _must("account"),
    _must("key_id"),
    *_may("credential_id"),
    _must("provider"),
    _must("provider_kind"),
    *_may("project"),
    _must("api"),
    _must("model_requested"),
    _must("model"),
    *_may("route", "parent", "experiment", "arm", *_ATTRIBUTION, "hold", "low", "high"),
    _must("why"),
    _must("losses"),
    *_may("budgets"),
    _must("started_us", BigInteger),
    _must("writer"),
    # How it ended; all of one record, the one that decided the status.
    _must("status"),
    *_may("outcome", "model_billed", "provider_request_id", "finish", "reason", "source"),
    *_may("ended_us", "first_byte_us", kind=BigInteger),
    *_may("http_status", kind=Integer),
    *_may("total", "list_total", "reported_total", "pending_low", "pending_high"),
    *_may("currency", "book", "meters", "lines", "context"),
    Index("ix_ledger_entries_account_started_us", "account", "started_us"),
    Index("ix_ledger_entries_provider_request_id", "provider_request_id"),
    # Few entries are open or pending, and they are what recovery and reconciliation look for.
    Index(
        "ix_ledger_entries_unsettled",
        "status",
        "writer",
        sqlite_where=text("status IN ('open', 'pending')"),
        postgresql_where=text("status IN ('open', 'pending')"),
    ),
)

# Which adjustment speaks of which entry: one row for each part.
ledger_adjustments = Table(
    "ledger_adjustments",
    metadata,
    _must("adjust_id", primary_key=True),
    _must("entry_id", primary_key=True),
    _must("account"),
    _must("amount"),
    _must("currency"),
    Index("ix_ledger_adjustments_entry_id", "entry_id"),
)

# What is spent and pending under each budget, in step with the ledger; and what workers hold of it.
budget_counters = Table(
    "budget_counters",
    metadata,
    _must("account", primary_key=True),
    _must("counter", primary_key=True),
    *_may("label"),
    _must("spent"),
    _must("pending"),
    _must("alerted", Integer),
)

budget_leases = Table(
    "budget_leases",
    metadata,
    _must("account", primary_key=True),
    _must("counter", primary_key=True),
    _must("writer", primary_key=True),
    _must("amount"),
    Index("ix_budget_leases_writer", "writer"),
)

budget_pending = Table(
    "budget_pending",
    metadata,
    _must("account", primary_key=True),
    _must("counter", primary_key=True),
    _must("entry_id", primary_key=True),
    _must("upper"),
    _must("counted"),
    _must("since_us", BigInteger),
)

exchanges = Table(
    "exchanges",
    metadata,
    _must("exchange_id", primary_key=True),
    _must("account"),
    _must("key_id"),
    _must("surface"),
    _must("model_requested"),
    _must("stream", Boolean),
    _must("status", Integer),
    _must("started_us", BigInteger),
    _must("ended_us", BigInteger),
    _must("overhead_us", BigInteger),
    _must("attempts", Integer),
    _must("client"),
    *_may("route", "strategy", "error", *_ATTRIBUTION),
    Index("ix_exchanges_account_started_us", "account", "started_us"),
)
