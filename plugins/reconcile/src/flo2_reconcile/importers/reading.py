"""What importers share: JSON pages, CSV lines, numbers; each error names the place.

Imports: nothing of flo2_reconcile.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, BinaryIO, Final
from urllib.parse import quote

from attrs import frozen

from flo2 import BillingError, BillQuery, Services
from flo2.money import exact

__all__ = [
    "Plain",
    "columns_of",
    "json_head",
    "lines_of",
    "next_query",
    "number",
    "object_of",
    "objects",
    "page_of",
    "pages",
    "text_of",
    "whole",
]

_PAGE_LIMIT: Final = 64 * 1024 * 1024
"""The largest JSON document that is read at once; providers' pages are a hundredth of it."""


class Plain:
    """An importer with nothing to configure."""

    @frozen
    class Config:
        """Nothing to configure."""

    def __init__(self, config: Config | None = None, services: Services | None = None) -> None:
        """Keep nothing."""


def pages(name: str, file: BinaryIO) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the JSON objects of a file: one document, an array of them, or one a line.

    Numbers with a fraction are read as decimals, digit by digit.

    Raises:
        BillingError: it is no JSON, or one document is too large to be a page.
    """
    first = file.read(_PAGE_LIMIT + 1)
    line, newline, _ = first.partition(b"\n")
    if newline and _is_object(line):
        yield from objects(name, _chained(first, file))
        return
    if len(first) > _PAGE_LIMIT:
        raise BillingError(
            f"{name}: one JSON document of more than {_PAGE_LIMIT // 2**20} MiB is no page of a "
            "report; export it in pages, or one object a line"
        )
    document = _parsed(first, name)
    if isinstance(document, list):
        for number_, each in enumerate(document):
            yield f"{name}[{number_}]", object_of(each, f"{name}[{number_}]")
    else:
        yield name, object_of(document, name)


def objects(name: str, lines: Iterable[bytes]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give one JSON object a line, in bounded memory."""
    for number_, line in enumerate(lines, 1):
        if line.strip():
            where = f"{name}:{number_}"
            yield where, object_of(_parsed(line, where), where)


def page_of(query: BillQuery, body: bytes, field: str) -> Mapping[str, Any]:
    """Read a page that was asked for; its rows are the list under `field`.

    Raises:
        BillingError: it is no such page.
    """
    where = f"page {query.page} of {query.report}"
    page = object_of(_parsed(body, where), where)
    if not isinstance(page.get(field), list):
        raise BillingError(f"{where}: it holds no `{field}`")
    return page


def next_query(query: BillQuery, page: Mapping[str, Any]) -> BillQuery | None:
    """Ask for what `next_page` says; None: it was the last page."""
    token = page.get("next_page")
    if not page.get("has_more") or not token:
        return None
    first = query.path.partition("&page=")[0]
    return BillQuery(query.report, f"{first}&page={quote(str(token), safe='')}", query.page + 1)


def _chained(first: bytes, file: BinaryIO) -> Iterator[bytes]:
    *lines, rest = first.split(b"\n")
    yield from lines
    yield rest + file.readline()
    yield from file


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _parsed(data: bytes, where: str) -> Any:
    try:
        return json.loads(data, parse_float=Decimal)
    except ValueError as exc:
        raise BillingError(f"{where}: no JSON: {exc}; was the download cut off?") from exc
    except RecursionError:
        raise BillingError(f"{where}: nested too deeply to be a report") from None


def json_head(head: bytes, *needles: bytes) -> bool:
    """Whether a file begins like JSON and its beginning holds all of these."""
    return head.lstrip()[:1] in {b"{", b"["} and all(needle in head for needle in needles)


def lines_of(
    name: str, file: BinaryIO, needed: Sequence[str], *, delimiter: str = ","
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Give the lines of a CSV file by its heading, in bounded memory.

    Raises:
        BillingError: a needed column is missing (says which one is near), a line has too few or too
            many cells, or it is no UTF-8.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        heading = [cell.strip() for cell in next(reader, [])]
        missing = [column for column in needed if column not in heading]
        if missing:
            near = difflib.get_close_matches(missing[0], heading, 1, 0.6)
            hint = f"; is it {near[0]!r} now? A mapping file can say so" if near else ""
            raise BillingError(
                f"{name}: there is no column {missing[0]!r} (columns: {', '.join(heading[:12])}"
                f"{', …' if len(heading) > 12 else ''}){hint}"
            )
        for cells in reader:
            if not cells:
                continue
            where = f"{name}:{reader.line_num}"
            if len(cells) != len(heading):
                raise BillingError(
                    f"{where}: {len(cells)} cells under {len(heading)} columns; was it cut off?"
                )
            yield where, dict(zip(heading, cells, strict=True))
    except UnicodeDecodeError as exc:
        raise BillingError(f"{name}: no UTF-8 text ({exc.reason}); export it as UTF-8") from exc
    except csv.Error as exc:
        raise BillingError(f"{name}:{reader.line_num}: no CSV: {exc}") from exc
    finally:
        text.detach()


def columns_of(head: bytes, delimiter: str = ",") -> set[str]:
    """Give the columns that the first line of a file names."""
    line = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0].decode("utf-8", "replace")
    try:
        return {cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])}
    except csv.Error:
        return set()


def number(value: Any, where: str, field: str) -> Decimal:
    """Read a number as it was written; a float gives its shortest text."""
    if isinstance(value, float):
        value = repr(value)
    if isinstance(value, str):
        value = value.strip().replace(",", "") if "," in value else value.strip()
    try:
        return exact(value)
    except (TypeError, ValueError) as exc:
        raise BillingError(f"{where}: {field} {value!r} is no number") from exc


def whole(value: Any, where: str, field: str) -> int:
    """Read a count; missing or null is zero.

    Raises:
        BillingError: it is negative or no whole number.
    """
    if value is None or value == "":
        return 0
    found = number(value, where, field)
    if found < 0 or found != int(found):
        raise BillingError(f"{where}: {field} {value!r} is no count")
    return int(found)


def object_of(value: Any, where: str) -> Mapping[str, Any]:
    """Take a JSON object.

    Raises:
        BillingError: it is something else.
    """
    if not isinstance(value, dict):
        raise BillingError(f"{where}: expected an object, found {type(value).__name__}")
    return value


def text_of(value: Any) -> str:
    """Give a text; null is none."""
    return "" if value is None else str(value)
