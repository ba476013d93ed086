"""The tables of sums, as the newest migration leaves them; and what is left of pruned chains."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from flo2_store_sql.tables import metadata

__all__ = ["ledger_anchors", "usage_groups", "usage_odd", "usage_rollups", "usage_sums"]

_TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")


def _must(name: str, kind: Any = _TEXT, **options: Any) -> Column[Any]:
    return Column(name, kind, nullable=False, **options)


def _may(*names: str) -> list[Column[Any]]:
    return [Column(name, _TEXT) for name in names]


# Sums of what has ended, kept in the same transaction. A group is one value for each dimension of a
# cube; `identity` is all of it in one text. A grain is a cube and a length of bucket.
usage_groups = Table(
    "usage_groups",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    _must("identity", unique=True),
    _must("cube", Integer),
    _must("account"),
    _must("status"),
    _must("currency"),
    *_may("provider", "model", "key_id", "team", "feature", "route", "experiment", "arm", "role"),
    *_may("customer", "end_user"),
)


def _bucket_key() -> list[Column[Any]]:
    return [
        _must("grain", Integer, primary_key=True, autoincrement=False),
        _must("account", primary_key=True),
        _must("bucket", BigInteger, primary_key=True, autoincrement=False),
        _must("group_id", BigInteger, primary_key=True, autoincrement=False),
    ]


def _limbs() -> list[Column[Any]]:
    """An exact sum: ones, 1e-9 and 1e-18 (see `flo2_store_sql.standing`)."""
    return [_must(name, BigInteger) for name in ("whole", "nano", "atto")]


# What every entry has: how many, what they cost, and the meters of nearly all calls.
usage_rollups = Table(
    "usage_rollups",
    metadata,
    *_bucket_key(),
    _must("entries", BigInteger),
    *_limbs(),
    _must("input_tokens", BigInteger),
    _must("cache_read_tokens", BigInteger),
    _must("cache_write_tokens", BigInteger),
    _must("cache_write_5m_tokens", BigInteger),
    _must("cache_write_1h_tokens", BigInteger),
    _must("output_tokens", BigInteger),
    sqlite_with_rowid=False,
)

# Whatever else is added up: bounds of what is pending, adjustments, other meters.
usage_sums = Table(
    "usage_sums",
    metadata,
    *_bucket_key(),
    _must("name", primary_key=True),
    *_limbs(),
    sqlite_with_rowid=False,
)

# Parts of sums that limbs cannot hold; they are added by who reads.
usage_odd = Table(
    "usage_odd",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    _must("grain", Integer),
    _must("account"),
    _must("bucket", BigInteger),
    _must("group_id", BigInteger),
    _must("name"),
    _must("amount"),
    Index("ix_usage_odd_grain_account_bucket", "grain", "account", "bucket"),
)

# The last record that was pruned of a writer's chain: the chain goes on after it.
ledger_anchors = Table(
    "ledger_anchors",
    metadata,
    _must("writer", primary_key=True),
    _must("seq", BigInteger, primary_key=True, autoincrement=False),
    _must("hash"),
    _must("before_us", BigInteger),
)
