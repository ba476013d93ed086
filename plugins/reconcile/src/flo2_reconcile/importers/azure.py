"""Azure Cost Management's export of usage details, the lines of Azure OpenAI.

https://learn.microsoft.com/azure/cost-management-billing/automate/understand-usage-details-fields
(read 2026-11): by day, dates as MM/DD/YYYY or ISO; quantities in units of 1K or 1M; the deployment
type is part of the meter's name. Imports: importers.reading, importers.tables, times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO, ClassVar, Final

from flo2 import EVERY_METER, BillingError, BillingRow
from flo2.billing import ChargeKind
from flo2.money import multiply
from flo2_reconcile.importers.reading import columns_of, lines_of, number
from flo2_reconcile.importers.tables import Tabled, rule, units_of
from flo2_reconcile.times import DAY_US, instant_us

__all__ = ["AzureExport"]

_REPORT: Final = "azure.export"
_NAMES: Final = {
    "date": ("date", "usagedate", "usagedatetime"),
    "meter": ("metername",),
    "category": ("metercategory",),
    "sub": ("metersubcategory",),
    "quantity": ("quantity", "usagequantity"),
    "unit": ("unitofmeasure",),
    "cost": ("costinbillingcurrency", "pretaxcost", "cost"),
    "currency": ("billingcurrencycode", "billingcurrency", "currency"),
    "rate": ("exchangeratepricingtobilling",),
    "type": ("chargetype",),
    "project": ("resourcename", "resourceid", "instanceid"),
    "invoice": ("invoiceid",),
}
"""What is read → its columns in exports of different ages and agreements, in lower case."""

_NEEDED: Final = ("date", "meter", "quantity", "unit", "cost", "currency")
_KINDS: Final[Mapping[str, ChargeKind]] = {
    "usage": "usage",
    "": "usage",
    "purchase": "fee",
    "refund": "credit",
    "adjustment": "credit",
    "tax": "tax",
    "roundingadjustment": "rounding",
}
_AMERICAN: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: 00:00:00)?")
_PLACE: Final = r"(?:[ -](?:glbl|global|regnl|regional|dzone|dz|data zone))?"
_RULES: Final = tuple(
    rule(rf"(?P<model>.+?)[ -]{words}{way}{_PLACE}(?: tokens)?", meter, slug=True, **how)
    for words, meter in (
        ("(?:cached|cchd)[ -](?:inp|input)", "cache_read_tokens"),
        ("(?:inp|input)", "input_tokens"),
        ("(?:outp|opt|output)", "output_tokens"),
    )
    for way, how in (
        ("", {}),
        ("[ -](?:batch|btch)", {"processing": "batch"}),
        ("[ -](?:pp|priority)", {"service_tier": "priority"}),
    )
)


class AzureExport(Tabled):
    """Usage details of Cost Management, by day."""

    kind: ClassVar[str] = "azure"
    rules = _RULES

    def recognises(self, name: str, head: bytes) -> bool:
        """Know it by its columns."""
        columns = {column.lower() for column in columns_of(head)}
        return {"metername", "metercategory", "unitofmeasure"} <= columns

    def rows(self, name: str, file: BinaryIO) -> Iterator[BillingRow]:
        """Read lines, one by one."""
        columns: dict[str, str] = {}
        for where, line in lines_of(name, file, ()):
            if not columns:
                columns = _columns(line, name)
            cell = {what: line[column].strip() for what, column in columns.items()}
            about = f"{cell.get('category', '')} {cell.get('sub', '')}".lower()
            if cell.get("category") and "openai" not in about and "cognitive" not in about:
                continue
            yield from self._rows(cell, where)

    def _rows(self, cell: Mapping[str, str], where: str) -> Iterator[BillingRow]:
        kind = _KINDS.get(cell.get("type", "").lower())
        if kind is None:
            raise BillingError(f"{where}: charge type {cell['type']!r} is not known")
        start = _day(cell["date"], where)
        end = start + DAY_US
        cost = number(cell["cost"], where, "cost")
        keys = {"provider": "azure"}
        if cell.get("project"):
            keys["project"] = cell["project"].rsplit("/", 1)[-1]
        currency = cell["currency"]
        rate = number(cell["rate"], where, "exchange rate") if cell.get("rate") else None
        invoice = cell.get("invoice", "")
        if kind != "usage":
            yield BillingRow(
                *(_REPORT, where, start, end, keys),
                amount=cost,
                currency=currency,
                rate=rate,
                charge=kind,
                invoice=invoice,
            )
            return
        yield BillingRow(_REPORT, where, start, end, keys, EVERY_METER)
        known = self.table.read(cell["meter"])
        quantity = None
        meter = f"item: {cell['meter']}"
        if known is not None:
            meter = known.meter
            units = units_of(cell["unit"], where)
            quantity = multiply(number(cell["quantity"], where, "quantity"), units)
            keys |= known.keys
        yield BillingRow(
            *(_REPORT, where, start, end, keys, meter, quantity, cost, currency, rate),
            invoice=invoice,
        )


def _columns(line: Mapping[str, str], name: str) -> dict[str, str]:
    lower = {column.lower().replace(" ", ""): column for column in line}
    found = {
        what: lower[each]
        for what, names in _NAMES.items()
        for each in [next((each for each in names if each in lower), "")]
        if each
    }
    if missing := [what for what in _NEEDED if what not in found]:
        raise BillingError(
            f"{name}: there is no column for the {missing[0]} (one of "
            f"{', '.join(_NAMES[missing[0]])}); is it an export of usage details?"
        )
    return found


def _day(text: str, where: str) -> int:
    if american := _AMERICAN.fullmatch(text):
        month, day, year = american.groups()
        text = f"{year}-{int(month):02}-{int(day):02}"
    return instant_us(text, where, naive=True)
