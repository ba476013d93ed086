"""Google Cloud's billing export: rows of BigQuery as JSON lines, or flattened as CSV.

https://cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/standard-usage (read
2026-11): usage by the hour, UTC; `invoice.month` is a Pacific month, so it says which invoice a row
is on, never when it was used; credits stand inside the rows; `rounding_error` rows make an invoice
whole cents. Imports: importers.reading, importers.tables, times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, BinaryIO, ClassVar, Final

from flo2 import EVERY_METER, BillingError, BillingRow
from flo2.billing import ChargeKind
from flo2.money import multiply
from flo2_reconcile.importers.reading import (
    columns_of,
    json_head,
    lines_of,
    number,
    object_of,
    objects,
    text_of,
)
from flo2_reconcile.importers.tables import Tabled, rule, units_of
from flo2_reconcile.times import instant_us

__all__ = ["GoogleBilling"]

_REPORT: Final = "gcp.billing"
_SERVICES: Final = {
    "Gemini API": "google",
    "Generative Language API": "google",
    "Vertex AI": "google-vertex",
}
_KINDS: Final[Mapping[str, ChargeKind]] = {
    "regular": "usage",
    "tax": "tax",
    "rounding_error": "rounding",
    "adjustment": "credit",
}
_NEEDED: Final = ("usage_start_time", "usage_end_time", "cost", "currency", "cost_type")
_MODEL: Final = r"(?P<model>gemini [\w. -]+?)"
_TEXT: Final = r"(?: text)?(?: (?:short|long))?"
_RULES: Final = tuple(
    rule(f"Generate content {words} token count{way} {_MODEL}{media}", meter, slug=True, **how)
    for words, meter_of in (
        ("input", "input{}_tokens"),
        ("cached input", "cache_read{}_tokens"),
        ("output", "output{}_tokens"),
    )
    for media, kind in ((_TEXT, ""), (" audio", "_audio"), (" image", "_image"))
    for meter in (meter_of.format(kind),)
    for way, how in (
        ("", {}),
        (" batch", {"processing": "batch"}),
        (" flex", {"service_tier": "flex"}),
        (" priority", {"service_tier": "priority"}),
    )
)


class GoogleBilling(Tabled):
    """Rows of the standard or detailed usage cost export."""

    kind: ClassVar[str] = "gcp"
    rules = _RULES

    def recognises(self, name: str, head: bytes) -> bool:
        """Know it by the columns of BigQuery."""
        if json_head(head, b'"usage_start_time"', b'"sku"'):
            return True
        return {"usage_start_time", "sku.description"} <= columns_of(head)

    def rows(self, name: str, file: BinaryIO) -> Iterator[BillingRow]:
        """Read rows, one by one."""
        first = file.peek(1)[:1] if hasattr(file, "peek") else b"{"
        found: Iterator[tuple[str, Mapping[str, Any]]]
        if first == b"{":
            found = objects(name, file)
        else:
            needed = (*_NEEDED, "sku.description")
            found = ((at, _nested(line)) for at, line in lines_of(name, file, needed))
        for where, row in found:
            yield from self._rows(row, where)

    def _rows(self, row: Mapping[str, Any], where: str) -> Iterator[BillingRow]:
        if missing := [field for field in _NEEDED if field not in row]:
            raise BillingError(f"{where}: no row of Google's billing export: no {missing[0]!r}")
        kind = _KINDS.get(text_of(row["cost_type"]))
        if kind is None:
            raise BillingError(f"{where}: cost_type {row['cost_type']!r} is not known")
        service = text_of(object_of(row.get("service") or {}, where).get("description"))
        provider = _SERVICES.get(service)
        if provider is None and kind == "usage":
            return  # another product of Google Cloud
        start = instant_us(text_of(row["usage_start_time"]), f"{where}.usage_start_time")
        end = instant_us(text_of(row["usage_end_time"]), f"{where}.usage_end_time")
        keys = {"provider": provider or "google"}
        project = object_of(row.get("project") or {}, where).get("id")
        if project:
            keys["project"] = text_of(project)
        money: dict[str, Any] = {
            "currency": text_of(row["currency"]) or "USD",
            "rate": _rate(row, where),
            "invoice": text_of(object_of(row.get("invoice") or {}, where).get("month")),
        }
        cost = number(row["cost"], where, "cost")
        if kind == "usage":
            sku = object_of(row.get("sku") or {}, where)
            text = text_of(sku.get("description"))
            line = self.table.read(text_of(sku.get("id")), text)
            meter, quantity = f"item: {text}", None
            if line is not None:
                usage = object_of(row.get("usage") or {}, where)
                unit = units_of(text_of(usage.get("unit")), f"{where}.usage.unit")
                meter = line.meter
                quantity = multiply(number(usage.get("amount"), where, "usage.amount"), unit)
            yield BillingRow(_REPORT, where, start, end, keys, EVERY_METER)
            told = {} if line is None else line.keys
            yield BillingRow(
                _REPORT, where, start, end, keys | told, meter, quantity, cost, **money
            )
        else:
            yield BillingRow(_REPORT, where, start, end, keys, amount=cost, charge=kind, **money)
        for credit in row.get("credits") or ():
            amount = number(object_of(credit, where).get("amount"), where, "credits.amount")
            yield BillingRow(
                _REPORT, where, start, end, keys, amount=amount, charge="credit", **money
            )


def _rate(row: Mapping[str, Any], where: str) -> Decimal | None:
    value = row.get("currency_conversion_rate")
    return None if value in {None, ""} else number(value, where, "currency_conversion_rate")


def _nested(line: Mapping[str, str]) -> Mapping[str, Any]:
    """Undo what flattens `usage.amount` and the like into columns."""
    row: dict[str, Any] = {}
    for column, cell in line.items():
        head, dot, tail = column.partition(".")
        if dot:
            row.setdefault(head, {})[tail] = cell
        elif column not in {"credits", "labels", "system_labels"}:
            row[column] = cell
    return row
