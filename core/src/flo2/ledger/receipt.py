"""A receipt as the ledger gives it, and how its records are told from others.

Pure. Imports: ledger.adjusted, records.
"""

from __future__ import annotations

from attrs import frozen

from flo2.ledger.adjusted import Adjusted
from flo2.records import Adjust, Entry, Exchange, Intent, Record

__all__ = ["Receipt", "began", "belongs"]


@frozen
class Receipt:
    """One exchange with its attempts, in the order they began; None: the call has not ended.

    Attributes:
        adjustments: What was corrected of these entries, in the order written.
    """

    exchange: Exchange | None
    entries: tuple[Entry, ...]
    adjustments: tuple[Adjust, ...] = ()

    @property
    def adjusted(self) -> tuple[Adjusted, ...]:
        """The entries, each with the adjustments that have a part for it."""
        return tuple(
            Adjusted(
                entry,
                tuple(a for a in self.adjustments if entry.intent.entry_id in a.amounts),
            )
            for entry in self.entries
        )


def belongs(record: Record, exchange_id: str) -> bool:
    """Whether a record is one of an exchange's."""
    if isinstance(record, Exchange | Intent):
        return record.exchange_id == exchange_id
    return record.entry_id.rpartition(".")[0] == exchange_id


def began(entry: Entry) -> tuple[int, int]:
    """Order entries as they began."""
    return entry.intent.started_us, entry.intent.attempt
