"""A receipt as the ledger gives it, and how it is put together from records.

Pure. Imports: ledger.adjusted, records.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from flo2.ledger.adjusted import Adjusted
from flo2.records import (
    Adjust,
    Entry,
    Exchange,
    Intent,
    Pend,
    Record,
    Settle,
    Void,
    fold_entry,
)

__all__ = ["Receipt", "assemble", "belongs", "is_whole"]


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


def is_whole(records: Sequence[Record]) -> bool:
    """Whether these are all records of an exchange: it has ended, and each attempt's is there."""
    ended = next((each for each in records if isinstance(each, Exchange)), None)
    intents = sum(isinstance(each, Intent) for each in records)
    return ended is not None and intents >= ended.attempts


def assemble(
    account: str, unstored: Sequence[Record], stored: Receipt | None = None
) -> Receipt | None:
    """Put together what a store has of an exchange and what it does not have yet.

    Args:
        account: Whose; another's records are left out.
        unstored: Records of this exchange, in the order written; some may be stored meanwhile.
        stored: What the store has.

    Returns:
        None where there is nothing of it.
    """
    stored = stored or Receipt(None, ())
    exchange = stored.exchange
    records: dict[str, list[Record]] = {
        each.intent.entry_id: [each.intent, *each.ends] for each in stored.entries
    }
    for record in unstored:
        if isinstance(record, Exchange | Intent) and record.account != account:
            continue
        if isinstance(record, Exchange):
            exchange = exchange or record
        elif isinstance(record, Intent):
            records.setdefault(record.entry_id, [record])
        elif isinstance(record, Settle | Pend | Void) and record.entry_id in records:
            known = records[record.entry_id]
            if record not in known:
                known.append(record)
    entries = sorted(map(fold_entry, records.values()), key=_began)
    if exchange is None and not entries:
        return None
    return Receipt(exchange, tuple(entries), stored.adjustments)


def _began(entry: Entry) -> tuple[int, int]:
    return entry.intent.started_us, entry.intent.attempt
