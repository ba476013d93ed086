"""Rows into a file, one after the other: CSV, and Parquet where pyarrow is installed.

A decimal is written to its last digit, or refused. Imports: columns, rows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from flo2 import ConfigError, StoreError
from flo2.money import text
from flo2_export_focus.columns import COLUMNS
from flo2_export_focus.rows import Row

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["load_pyarrow", "write_csv", "write_parquet"]

_GROUP: Final = 10_000
"""Rows of a Parquet row group: what is held in memory at once."""

_PRECISION: Final = 38
_SCALE: Final = 18


def write_csv(rows: Iterable[Row], file: TextIO) -> None:
    """Write CSV with a heading; null is an empty field."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_text(row.get(name)) for name in COLUMNS])


def _text(value: str | Decimal | datetime | None) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            return text(value)
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            return value


def load_pyarrow() -> tuple[ModuleType, ModuleType]:
    """Give pyarrow and its Parquet part.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  # an extra
        from pyarrow import parquet  # noqa: PLC0415  # same
    except ImportError as exc:
        missing = (
            "Parquet needs pyarrow, which is not installed; run: "
            'pip install "flo2-export-focus[parquet]", or write --format csv'
        )
        raise ConfigError([missing]) from exc
    return pa, parquet


def write_parquet(rows: Iterable[Row], path: Path) -> None:
    """Write Parquet: decimals as decimal128(38, 18), instants in UTC to the second.

    Raises:
        ConfigError: pyarrow is not installed.
        StoreError: a number has more digits than that type holds.
    """
    arrow, parquet = load_pyarrow()
    types: dict[str, Any] = {
        "text": arrow.string(),
        "decimal": arrow.decimal128(_PRECISION, _SCALE),
        "instant": arrow.timestamp("ms", tz="UTC"),
    }
    schema = arrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    left = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while group := list(islice(left, _GROUP)):
            try:
                table = arrow.table(
                    {name: [row.get(name) for row in group] for name in COLUMNS}, schema=schema
                )
            except arrow.ArrowInvalid as exc:
                raise StoreError(
                    f"a number does not fit into decimal128({_PRECISION}, {_SCALE}) and is not "
                    f"rounded ({exc}); write --format csv"
                ) from exc
            writer.write_table(table)
