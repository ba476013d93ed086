"""Price files as commands are given them, and the configured book with one laid over it.

Imports: prices, contracts, cli.bench.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from flo2.cli.bench import Bench
from flo2.errors import PricingError
from flo2.gateway.agreeing import account_contracts
from flo2.prices import Layer, PriceBook, build
from flo2.repricing import Pricer

__all__ = ["CONFIGURED", "book_of", "laid_over", "pricer", "read_layer"]

CONFIGURED: Final = "book"
"""In place of a file: the configured price book."""


def read_layer(bench: Bench, name: str) -> Layer:
    """Read a price file of any kind that an installed source reads.

    Raises:
        PricingError: it cannot be read.
    """
    readers = {
        suffix: source
        for kind in bench.plugins.kinds("pricing")
        for source in (bench.plugins.get("pricing", kind),)
        for suffix in getattr(source, "suffixes", ())
    }
    reader = readers.get(Path(name).suffix)
    if reader is None:
        raise PricingError(f"{name!r} is no price file; it ends in {', '.join(sorted(readers))}")
    source = reader(reader.Config(path=name), bench.services)
    return Layer(name, source.rows(), source.defaults())


def laid_over(bench: Bench, over: Layer) -> PriceBook:
    """Make the book that there would be if a file were the first price source.

    A model that it prices is priced by it alone, as for every first source; a configured row whose
    id it has as well is another state of the same row, and gives way.
    """
    below = []
    for layer in bench.price_layers:
        ids = {row.id for row in over.rows if layer.rows.get(row.id) is not None}
        rows = (row for row in layer.rows if row.id not in ids)
        below.append(Layer(layer.name, tuple(rows), layer.defaults) if ids else layer)
    return build([over, *below])


def book_of(bench: Bench, name: str) -> PriceBook:
    """Give the configured book for `book`, else that with the named file laid over it.

    Raises:
        PricingError: the file cannot be read.
    """
    return bench.book if name == CONFIGURED else laid_over(bench, read_layer(bench, name))


def pricer(bench: Bench, book: PriceBook, account: str) -> Pricer:
    """Give what prices an account's calls by a book and its contracts, as the ledger would."""
    return partial(account_contracts(bench.store, account).price, book)
