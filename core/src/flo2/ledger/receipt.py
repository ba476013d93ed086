"""A receipt as the ledger gives it, and how its records are told from others.

Pure. Imports: records.
"""

from __future__ import annotations

from attrs import frozen

from flo2.records import Entry, Exchange, Intent, Record

__all__ = ["Receipt", "began", "belongs"]


@frozen
class Receipt:
    """One exchange with its attempts, in the order they began; None: the call has not ended."""

    exchange: Exchange | None
    entries: tuple[Entry, ...]


def belongs(record: Record, exchange_id: str) -> bool:
    """Whether a record is one of an exchange's."""
    if isinstance(record, Exchange | Intent):
        return record.exchange_id == exchange_id
    return record.entry_id.rpartition(".")[0] == exchange_id


def began(entry: Entry) -> tuple[int, int]:
    """Order entries as they began."""
    return entry.intent.started_us, entry.intent.attempt
