"""The price sources of this plugin: the curated list, and the operator's own file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from attrs import frozen

from flo2.errors import PricingError
from flo2.prices import Defaults, Layer, PackedRows, PriceRow
from flo2.prices.gaps import gaps
from flo2.prices.match import check_overlaps
from flo2_pricing_list.artefacts import read_artefact
from flo2_pricing_list.lines import read_csv
from flo2_pricing_list.schema import Table, parse

__all__ = ["CURATED", "PriceList", "UserFile"]

CURATED: Final = ("anthropic", "openai", "sandbox")
"""Providers whose prices are all kept in this package; no other source is asked for them."""

_MOST_BYTES: Final = 64 * 1024 * 1024


class PriceList:
    """Rows kept by hand in `data`: each with its source, when it was read, how it is known."""

    kind: ClassVar[str] = "list"
    precedence: ClassVar[int] = 10
    """Lower wins: the operator's file (0), this list (10), other projects' data (20)."""

    @frozen
    class Config:
        """Nothing to set."""

    def __init__(self, config: Config | None = None, services: object = None) -> None:
        self.config = config or self.Config()

    @cached_property
    def _packed(self) -> PackedRows:
        return read_artefact("list")

    def rows(self) -> PackedRows:
        """Give all curated rows."""
        return self._packed

    def defaults(self) -> Defaults:
        """Give the context values at which the rows hold unless they say otherwise."""
        return self._packed.defaults()

    def layer(self) -> Layer:
        """Give both as a layer of a book."""
        return Layer(self.kind, self.rows(), self.defaults())


class UserFile:
    """The operator's own rows, from a TOML or CSV file; they hide every other source's.

    Raises on reading:
        PricingError: the file cannot be read, or with one line per problem in it.
    """

    kind: ClassVar[str] = "file"
    precedence: ClassVar[int] = 0
    suffixes: ClassVar[tuple[str, ...]] = (".toml", ".csv")
    """Files that `flo2 prices diff` reads with it."""

    @frozen
    class Config:
        """Where the file lies: `.toml` (the format of this package's data) or `.csv`."""

        path: str

    def __init__(self, config: Config, services: object = None) -> None:
        self.config = config

    @cached_property
    def _table(self) -> Table:
        path = Path(self.config.path)
        text = _read(path)
        match path.suffix:
            case ".toml":
                try:
                    document = tomllib.loads(text, parse_float=Decimal)
                except (ValueError, RecursionError) as exc:
                    raise PricingError(f"price file {str(path)!r} is no TOML: {exc}") from exc
                table = parse(document, file=path.name, prefix="file:")
            case ".csv":
                documents, places = read_csv(text, path.name)
                document = {"providers": documents}
                table = parse(document, file=path.name, prefix="file:", places=places)
            case other:
                raise PricingError(f"price file {str(path)!r}: {other!r} is not .toml or .csv")
        check_overlaps(table.rows, table.defaults, path.name)
        if holes := list(gaps(table.rows)):
            raise PricingError("\n".join(f"{hole} @ {path.name}" for hole in holes))
        return table

    def rows(self) -> Iterable[PriceRow]:
        """Give the rows of the file."""
        return self._table.rows

    def defaults(self) -> Defaults:
        """Give the context values that the file declares as usual."""
        return self._table.defaults

    def layer(self) -> Layer:
        """Give both as a layer of a book."""
        return Layer(self.kind, self._table.rows, self._table.defaults)


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            raise PricingError(f"price file {str(path)!r} cannot be read: it is no file")
        if path.stat().st_size > _MOST_BYTES:
            raise PricingError(f"price file {str(path)!r} is past {_MOST_BYTES} bytes")
        return path.read_text("utf-8-sig")
    except (OSError, ValueError) as exc:
        raise PricingError(f"price file {str(path)!r} cannot be read: {exc}") from exc
