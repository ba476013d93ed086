"""Entries beside what was corrected of them, in bounded memory.

Imports: records, stores, money.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Final

from attrs import evolve, frozen

from flo2.money import ZERO, add, total
from flo2.records import REPRICE, Adjust, Entry
from flo2.stores import EntryFilter, Store

__all__ = ["PRICE_CAUSES", "Adjusted", "adjusted_entries"]

PRICE_CAUSES: Final = frozenset({REPRICE, "price_differs"})
"""Causes that say that the price was wrong. A repricing takes the place of such a correction; any
other (a tier that was not told, a call that came late) is about what was used, and stays."""

_PAGE: Final = 1000


@frozen
class Adjusted:
    """An entry and its adjustments, each holding this entry's part alone or others' as well.

    Amounts are in the entry's currency; a correction in another one is in none of the sums.
    """

    entry: Entry
    adjustments: tuple[Adjust, ...] = ()

    @property
    def total(self) -> Decimal | None:
        """What the entry costs as corrected; None when that is not known."""
        booked = self.entry.total
        return None if booked is None else add(booked, self._parts(self.adjustments))

    @property
    def priced(self) -> Decimal | None:
        """What it costs by price books alone: without corrections of what was used."""
        booked = self.entry.total
        return None if booked is None else add(booked, self.price_corrections)

    @property
    def price_corrections(self) -> Decimal:
        """What is added because the price was wrong."""
        return self._parts(each for each in self.adjustments if each.cause in PRICE_CAUSES)

    def _parts(self, adjustments: Iterable[Adjust]) -> Decimal:
        entry_id, currency = self.entry.intent.entry_id, self.entry.currency
        return total(
            each.amounts.get(entry_id, ZERO) for each in adjustments if each.currency == currency
        )


def adjusted_entries(store: Store, where: EntryFilter) -> Iterator[Adjusted]:
    """Give the entries that a filter finds, each with its adjustments, in the order they began."""
    entries = iter(store.scan(where))
    while page := list(islice(entries, _PAGE)):
        yield from _beside(store, where, page)


def _beside(store: Store, where: EntryFilter, page: Sequence[Entry]) -> Iterator[Adjusted]:
    began = [entry.intent.started_us for entry in page]
    span = evolve(
        where, since_us=min(began), until_us=max(began) + 1, limit=None, newest_first=False
    )
    found: dict[str, list[Adjust]] = {}
    for adjust in store.adjustments(span):
        for entry_id in adjust.amounts:
            found.setdefault(entry_id, []).append(adjust)
    for entry in page:
        yield Adjusted(entry, tuple(found.get(entry.intent.entry_id, ())))
