"""Read a price file in CSV: one row a line, with everything that a row can have.

Lists have bars between them (`eu|us`), conditions semicolons (`service_tier=flex|fast;speed=`).
Pure. Imports: nothing of this package.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from flo2.errors import PricingError

__all__ = ["read_csv"]

_NEEDED: Final = ("provider", "model", "dimension", "unit_price", "source", "read_on")


def _whole(cell: str) -> int:
    # Not `int`: it takes blanks, underscores and every script's digits.
    if not (cell.isascii() and cell.isdecimal()) or len(cell) > 15:  # below 2^53
        raise ValueError(f"{cell!r} is no whole number")
    return int(cell)


def _when(cell: str) -> date | datetime:
    """Read a date, or an instant with its zone."""
    return datetime.fromisoformat(cell) if "T" in cell else date.fromisoformat(cell)


def _yes(cell: str) -> bool:
    if cell not in {"true", "false"}:
        raise ValueError(f"{cell!r} is neither true nor false")
    return cell == "true"


def _list(cell: str) -> list[str]:
    return cell.split("|")


def _days(cell: str) -> list[date]:
    return [date.fromisoformat(each) for each in cell.split("|")]


def _conditions(cell: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in cell.split(";"):
        key, equals, values = part.partition("=")
        if not equals or not key.strip() or key.strip() in found:
            raise ValueError(f"{cell!r} is not KEY=VALUE|VALUE;KEY=VALUE, each key once")
        found[key.strip()] = values.split("|")
    return found


_PRICE: Final[Mapping[str, Callable[[str], Any]]] = {
    "per": _whole,
    "when": _conditions,
    "over": _whole,
    "at_least": _whole,
    "up_to": _whole,
    "below": _whole,
    "graduated": _yes,
    "valid_from": _when,
    "valid_until": _when,
    "minimum": str,
    "step": str,
}
_SCHEDULE: Final[Mapping[str, Callable[[str], Any]]] = {
    "days": _list,
    "hours": _list,
    "windows": _list,
    "zone": str,
    "holidays": _days,
    "outside": _yes,
}
_MODEL: Final[Mapping[str, Callable[[str], Any]]] = {"aliases": _list, "pattern": str}
_REST: Final = (*_NEEDED, "currency", "evidence")
_KNOWN: Final = frozenset({*_PRICE, *_SCHEDULE, *_MODEL, *_REST})


def read_csv(text: str, file: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Make documents of lines, as `schema.parse` takes them.

    Returns:
        A document for each line, and where it was read.

    Raises:
        PricingError: a column is unknown or missing, or a cell has the wrong form; all at once.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    documents: list[dict[str, Any]] = []
    places: list[str] = []
    problems: list[str] = []
    try:
        columns = reader.fieldnames or ()
        problems += [f"unknown column {c!r} @ {file}: line 1" for c in columns if c not in _KNOWN]
        problems += [f"missing column {c!r} @ {file}: line 1" for c in _NEEDED if c not in columns]
        if len(set(columns)) < len(columns):
            problems.append(f"a column is there twice @ {file}: line 1")
        for line in () if problems else reader:
            try:
                documents.append(_document(line))
                places.append(f"line {reader.line_num} ")
            except ValueError as exc:
                problems.append(f"{exc} @ {file}: line {reader.line_num}")
    except csv.Error as exc:
        problems.append(f"{exc} @ {file}: line {reader.reader.line_num}")
    if problems:
        raise PricingError("\n".join(problems))
    return documents, places


def _document(line: Mapping[str | Any, str | Any]) -> dict[str, Any]:
    if None in line:
        raise ValueError("more cells than columns")
    if None in line.values():
        raise ValueError("fewer cells than columns; is the file cut short?")
    cells = {key: value.strip() for key, value in line.items() if value.strip()}
    price = {key: read(cells[key]) for key, read in _PRICE.items() if key in cells}
    price["rates"] = {cells.get("dimension", ""): cells.get("unit_price", "")}
    schedule = {key: read(cells[key]) for key, read in _SCHEDULE.items() if key in cells}
    if schedule:
        price["schedule"] = schedule
    model = {key: read(cells[key]) for key, read in _MODEL.items() if key in cells}
    return {
        "provider": cells.get("provider", ""),
        "currency": cells.get("currency", "USD"),
        "source": cells.get("source", ""),
        "read_on": date.fromisoformat(cells.get("read_on", "")),
        "evidence": cells.get("evidence", "operator"),
        "model": [{"name": cells.get("model", ""), **model, "price": [price]}],
    }
