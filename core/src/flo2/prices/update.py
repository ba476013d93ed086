"""What a newer source of prices changes in a book, and the rows that make it so from a day on.

Nothing that held before the day is changed: a row that is replaced ends on it, and stays.
Pure. Imports: prices.book, prices.diff, prices.match, prices.shelf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from typing import Protocol, runtime_checkable

from attrs import evolve

from flo2.prices.book import PriceBook
from flo2.prices.diff import Change, changes, same_price
from flo2.prices.match import ONLY_ABSENT, overlap
from flo2.prices.rows import PriceRow
from flo2.prices.shelf import Layer

__all__ = ["KeepsAccepted", "accepted_rows", "proposed"]


def proposed(book: PriceBook, source: Layer, day: date) -> Iterator[Change]:
    """Say what a source has otherwise than a book, or besides it, from a day on.

    Only models with an exact name are looked at. What the book has and the source has not is no
    change: the source may know less.

    Args:
        book: What is in force.
        source: What may be newer.
        day: From when on, midnight UTC.

    Yields:
        `added` and `changed` prices; `new` of each holds from the day on, or later.
    """
    start = _midnight(day)
    for provider in source.rows.about:
        for name in sorted(source.rows.names(provider)):
            after = _theirs(book, source, provider, name, start)
            before = [_alone(row, name) for row in _still(book.rows_for(provider, name), start)]
            for change in changes(map(_undated(start), before), map(_undated(start), after)):
                if change.new is None:
                    continue
                begins = max(start, change.new.valid_from or start)
                new = evolve(change.new, valid_from=begins)
                old = change.old
                if old is None and (met := _met(new, before, book)):
                    old = next((row for row in met if not same_price(row, new)), None)
                    if old is None:
                        continue
                yield evolve(change, old=old, new=new)


def accepted_rows(
    book: PriceBook, source: Layer, taken: Iterable[Change], day: date
) -> Iterator[PriceRow]:
    """Give all rows of the models that changes are about, as they are once those are accepted.

    Of a meter with a change, the source's rows hold from the day on; rows of the book that none of
    them meets stay, the others end.

    Args:
        book: What is in force.
        source: What the changes were found in.
        taken: Changes that `proposed` gave.
        day: The same day.
    """
    start = _midnight(day)
    meters: dict[tuple[str, str], set[str]] = {}
    for change in taken:
        meters.setdefault((change.provider, change.model), set()).add(change.meter)
    for (provider, name), changed in meters.items():
        new = [
            evolve(row, valid_from=max(start, row.valid_from or start))
            for row in _theirs(book, source, provider, name, start)
            if row.dimension in changed
        ]
        rows = [_alone(row, name) for row in book.rows_for(provider, name)]
        always = [evolve(row, valid_from=None, valid_until=None) for row in new]
        replaced = {row.id for each in always for row in _met(each, rows, book)}
        for row in rows:
            if row.id not in replaced:
                yield row
            elif row.valid_from is None or row.valid_from < start:
                yield evolve(row, valid_until=min(start, row.valid_until or start))
        yield from new


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _still(rows: Iterable[PriceRow], start: datetime) -> Iterator[PriceRow]:
    """Give the rows that hold at an instant or after it."""
    return (row for row in rows if row.valid_until is None or row.valid_until > start)


def _theirs(
    book: PriceBook, source: Layer, provider: str, name: str, start: datetime
) -> list[PriceRow]:
    """Give the source's rows of a model that hold at an instant or after it."""
    rows = _still(source.rows.find(provider, name), start)
    return [_explicit(row, name, book, source) for row in rows]


def _undated(start: datetime) -> Callable[[PriceRow], PriceRow]:
    """Give a function that leaves out when a row began, where it holds already."""

    def of(row: PriceRow) -> PriceRow:
        begun = row.valid_from is not None and row.valid_from <= start
        return evolve(row, valid_from=None) if begun else row

    return of


def _explicit(row: PriceRow, name: str, book: PriceBook, source: Layer) -> PriceRow:
    """Give a row that holds in the book's company where it holds in its own.

    A usual value of the source that is none of the book's is written into the row.
    """
    usual = book.defaults.get(row.provider, {})
    said = {
        key: frozenset(values)
        for key, values in source.defaults.get(row.provider, {}).items()
        if key not in row.when and usual.get(key, ONLY_ABSENT) != frozenset(values)
    }
    return evolve(_alone(row, name), when={**said, **row.when})


def _alone(row: PriceRow, name: str) -> PriceRow:
    return evolve(row, models=frozenset({name}), pattern=None)


def _met(new: PriceRow, rows: Iterable[PriceRow], book: PriceBook) -> list[PriceRow]:
    """Give the rows that could price what a new row prices."""
    defaults = book.defaults.get(new.provider, {})
    return [row for row in rows if row.dimension == new.dimension and overlap(row, new, defaults)]


@runtime_checkable
class KeepsAccepted(Protocol):
    """A price source that also keeps rows which the operator accepts."""

    def accept(self, rows: Iterable[PriceRow], remarks: Iterable[str], at: datetime) -> str:
        """Keep all rows of some models from now on, in a new file; what was kept before stays.

        Args:
            rows: One exact name each.
            remarks: What they are, for who opens the file.
            at: Now (aware).

        Returns:
            Where they are kept, in words.
        """
        ...
