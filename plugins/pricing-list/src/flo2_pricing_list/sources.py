"""The price sources of this plugin: the curated list, and the operator's own file."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final

from attrs import frozen

from flo2.errors import PricingError
from flo2.prices import Defaults, Layer, PackedRows, PriceRow
from flo2_pricing_list.artefacts import read_artefact
from flo2_pricing_list.schema import Table, parse

__all__ = ["CURATED", "PriceList", "UserFile"]

CURATED: Final = ("anthropic", "openai", "sandbox")
"""Providers whose prices are all kept in this package; no other source is asked for them."""

_CSV_COLUMNS: Final = (
    "provider", "model", "dimension", "unit_price", "per", "currency", "when", "over", "up_to",
    "valid_from", "valid_until", "source", "read_on", "evidence",
)  # fmt: skip


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
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise PricingError(f"price file {str(path)!r} cannot be read: {exc}") from exc
        match path.suffix:
            case ".toml":
                try:
                    document = tomllib.loads(text, parse_float=Decimal)
                except tomllib.TOMLDecodeError as exc:
                    raise PricingError(f"price file {str(path)!r} is no TOML: {exc}") from exc
                return parse(document, file=path.name, prefix="file:")
            case ".csv":
                return parse(_from_csv(text, path.name), file=path.name, prefix="file:")
            case other:
                raise PricingError(f"price file {str(path)!r}: {other!r} is not .toml or .csv")

    def rows(self) -> Iterable[PriceRow]:
        """Give the rows of the file."""
        return self._table.rows

    def defaults(self) -> Defaults:
        """Give the context values that the file declares as usual."""
        return self._table.defaults

    def layer(self) -> Layer:
        """Give both as a layer of a book."""
        return Layer(self.kind, self._table.rows, self._table.defaults)


def _from_csv(text: str, file: str) -> dict[str, Any]:
    """Make a document of CSV lines; columns as `_CSV_COLUMNS`, `when` as `key=a|b;other=c`.

    Raises:
        PricingError: a column is unknown or missing, or a cell has the wrong form.
    """
    reader = csv.DictReader(text.splitlines())
    columns = reader.fieldnames or ()
    problems = [f"unknown column {c!r} @ {file}: line 1" for c in columns if c not in _CSV_COLUMNS]
    needed = ("provider", "model", "dimension", "unit_price", "source", "read_on")
    problems += [f"missing column {c!r} @ {file}: line 1" for c in needed if c not in columns]
    if problems:
        raise PricingError("\n".join(problems))
    documents = []
    for line in reader:
        try:
            documents.append(_from_line(line))
        except ValueError as exc:
            problems.append(f"{exc} @ {file}: line {reader.line_num}")
    if problems:
        raise PricingError("\n".join(problems))
    return {"providers": documents}


def _from_line(line: Mapping[str | Any, str | Any]) -> dict[str, Any]:
    if None in line:
        raise ValueError("more cells than columns")
    cells = {key: value.strip() for key, value in line.items() if value}
    price: dict[str, Any] = {"rates": {cells.get("dimension", ""): cells.get("unit_price", "")}}
    price |= {key: int(cells[key]) for key in ("per", "over", "up_to") if key in cells}
    price |= {
        key: date.fromisoformat(cells[key]) for key in ("valid_from", "valid_until") if key in cells
    }
    if "when" in cells:
        pairs = (part.partition("=") for part in cells["when"].split(";"))
        price["when"] = {key.strip(): values.split("|") for key, _, values in pairs}
    return {
        "provider": cells.get("provider", ""),
        "currency": cells.get("currency", "USD"),
        "source": cells.get("source", ""),
        "read_on": date.fromisoformat(cells.get("read_on", "")),
        "evidence": cells.get("evidence", "operator"),
        "model": [{"name": cells.get("model", ""), "price": [price]}],
    }
