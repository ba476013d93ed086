"""The rows of one source, found by model; and the layers that a book is made of.

A `Shelf` is what the book asks; `IndexedRows` is the plain one, over rows in memory. Rows that are
made only when a model is asked for are in `prices.packed`.
Pure. Imports: prices.rows, prices.names.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import combinations
from typing import Protocol, runtime_checkable

from attrs import field, frozen

from flo2.errors import CurrencyMismatch, PricingError
from flo2.prices.names import NameIndex
from flo2.prices.rows import PriceRow

__all__ = ["About", "IndexedRows", "Layer", "RowsById", "Shelf", "digest_of"]


@frozen
class About:
    """A source's rows for one provider, in numbers.

    Attributes:
        currency: Of all of them.
        rows: How many.
        models: How many exact names.
        newest: When the last one was read.
    """

    currency: str
    rows: int
    models: int
    newest: date


@runtime_checkable
class Shelf(Protocol):
    """Rows of one source, by model."""

    @property
    def digest(self) -> str:
        """The hash of its rows, in any order; see `digest_of`."""
        ...

    @property
    def about(self) -> Mapping[str, About]:
        """Provider → its rows in numbers."""
        ...

    @property
    def checked(self) -> Mapping[str, Mapping[str, frozenset[str]]]:
        """Provider → the default values at which its rows were found not to overlap.

        Without an entry nobody has looked.
        """
        ...

    @property
    def prefixes(self) -> frozenset[str] | None:
        """What its ids begin with, before `provider/`; None: they may be anything."""
        ...

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[PriceRow]: ...

    def names(self, provider: str) -> Iterable[str]:
        """Give the provider's models that have rows by exact name."""
        ...

    def find(self, provider: str, model: str) -> tuple[PriceRow, ...]:
        """Give the rows of a model: those by exact name, or those whose pattern matches."""
        ...

    def of(self, provider: str) -> Iterable[PriceRow]:
        """Give all rows of a provider."""
        ...

    def get(self, row: str) -> PriceRow | None:
        """Give a row by its id."""
        ...


def digest_of(rows: Iterable[PriceRow]) -> str:
    """Hash rows: their order, and how numbers are spelled, change nothing."""
    return hashlib.sha256("\n".join(sorted(row.canonical() for row in rows)).encode()).hexdigest()


class IndexedRows:
    """Rows in memory, indexed."""

    __slots__ = ("_by_id", "_index", "_of", "_rows", "about", "checked", "digest", "prefixes")

    def __init__(self, rows: Iterable[PriceRow]) -> None:
        """Index rows.

        Raises:
            CurrencyMismatch: a provider's rows are in two currencies.
            PricingError: two rows have one id.
        """
        self._rows = tuple(rows)
        self.digest: str = digest_of(self._rows)
        self.checked: Mapping[str, Mapping[str, frozenset[str]]] = {}
        self.prefixes: frozenset[str] | None = None
        self._by_id: dict[str, PriceRow] = {}
        self._of: defaultdict[str, list[PriceRow]] = defaultdict(list)
        for row in self._rows:
            if row.id in self._by_id:
                raise PricingError(f"two price rows have the id {row.id!r}; rename one")
            self._by_id[row.id] = row
            self._of[row.provider].append(row)
        self.about: Mapping[str, About] = {
            provider: _about(of_it) for provider, of_it in self._of.items()
        }
        self._index: dict[str, NameIndex[PriceRow]] = {
            provider: NameIndex((row.models, row.pattern, row) for row in of_it)
            for provider, of_it in self._of.items()
        }

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[PriceRow]:
        return iter(self._rows)

    def names(self, provider: str) -> Iterable[str]:
        """Give the provider's models that have rows by exact name."""
        index = self._index.get(provider)
        return () if index is None else index.names()

    def find(self, provider: str, model: str) -> tuple[PriceRow, ...]:
        """Give the rows of a model: those by exact name, or those whose pattern matches."""
        index = self._index.get(provider)
        return () if index is None else index.find(model)

    def of(self, provider: str) -> Iterable[PriceRow]:
        """Give all rows of a provider."""
        return self._of.get(provider, ())

    def get(self, row: str) -> PriceRow | None:
        """Give a row by its id."""
        return self._by_id.get(row)


def _about(rows: list[PriceRow]) -> About:
    first = rows[0]
    for row in rows:
        if row.currency != first.currency:
            raise CurrencyMismatch(
                f"row {row.id!r} is in {row.currency!r}, other rows of provider "
                f"{row.provider!r} in {first.currency!r}; keep one currency per provider"
            )
    names = {name for row in rows for name in row.models}
    return About(first.currency, len(rows), len(names), max(row.read_on for row in rows))


def _shelf(rows: Iterable[PriceRow] | Shelf) -> Shelf:
    return rows if isinstance(rows, Shelf) else IndexedRows(rows)


def _no_defaults() -> Mapping[str, Mapping[str, Iterable[str]]]:
    return {}


@frozen
class Layer:
    """The rows of one source.

    Attributes:
        name: Of the source, for errors.
        rows: Its rows; any iterable of them, or a shelf as it is.
        defaults: Provider → context key → values at which its rows without that key hold.
    """

    name: str
    rows: Shelf = field(converter=_shelf)
    defaults: Mapping[str, Mapping[str, Iterable[str]]] = field(factory=_no_defaults)


class RowsById(Mapping[str, PriceRow]):
    """The rows of several shelves by their ids."""

    __slots__ = ("_shelves",)

    def __init__(self, shelves: Sequence[Shelf]) -> None:
        """Look into shelves.

        Raises:
            PricingError: a row of one has the id of a row of another.
        """
        self._shelves = tuple(shelves)
        for one, other in combinations(self._shelves, 2):
            _check_ids(one, other)

    def __getitem__(self, key: str) -> PriceRow:
        for shelf in self._shelves:
            found = shelf.get(key)
            if found is not None:
                return found
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (row.id for shelf in self._shelves for row in shelf)

    def __len__(self) -> int:
        return sum(map(len, self._shelves))


def _check_ids(one: Shelf, other: Shelf) -> None:
    if one.prefixes is not None and other.prefixes is not None:
        if one.prefixes.isdisjoint(other.prefixes):
            return
    elif one.prefixes is None:
        one, other = other, one
    for row in other:
        if one.get(row.id) is not None:
            raise PricingError(f"two price rows have the id {row.id!r}; rename one")
