"""Write corrections into the ledger, from outside a gateway: a chain of their own.

One chain for all who correct: reading what is booked, working out what is wrong and writing it down
is a transaction over the whole ledger, and the chain's next number is its lock. Whoever finds it
taken has worked with figures that somebody else corrected meanwhile, and writes nothing more.
There is no journal: what a crash leaves unwritten is worked out again the next time.
Imports: ledger.chain, records, stores, errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flo2.errors import StoreError
from flo2.ledger.chain import chain_links
from flo2.records import Adjust, Intent, Settle, Void
from flo2.stores import Store, WriterHead

__all__ = ["CORRECTIONS", "Corrections"]

CORRECTIONS: Final = "corrections"
"""The writer of what corrects entries later."""

_BATCH: Final = 500
_NO_SALT: Final = b""  # nothing that is written here says whom it is for


class Corrections:
    """Make it before the first entry is read; used as a collector of records.

    Attributes:
        written: How many records are in the store.
    """

    def __init__(self, store: Store) -> None:
        """Read how far the chain reaches."""
        self.written: int = 0
        self._store = store
        self._head = store.writer_head(CORRECTIONS)
        self._waiting: list[Adjust | Settle | Void | Intent] = []

    def add(self, record: Adjust | Settle | Void | Intent) -> None:
        """Write a record, together with the next ones.

        Raises:
            StoreError: somebody else has corrected entries meanwhile, or the store fails.
        """
        self._waiting.append(record)
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what waits.

        Raises:
            StoreError: as `add`; what was written before stands.
        """
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._append(waiting)

    def _append(self, records: Sequence[Adjust | Settle | Void | Intent]) -> None:
        links = chain_links(self._head, enumerate(records, self._head.seq + 1), _NO_SALT)
        try:
            self._store.append(links)
        except StoreError as exc:
            if self._store.writer_head(CORRECTIONS) == self._head:
                raise
            raise StoreError(
                "somebody else has corrected entries at the same time; "
                f"{self.written} records are written, and stand; run the command again"
            ) from exc
        self._head = WriterHead(CORRECTIONS, links[-1].seq, links[-1].hash)
        self.written += len(records)
