"""FOCUS 1.2 Cost and Usage files of any cloud, and of flo2 itself.

https://focus.finops.org/focus-specification/v1-2/ (read 2026-11). Times are UTC by the
specification. Imports: importers.reading, importers.tables, words, times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO, ClassVar, Final

from flo2 import EVERY_METER, BillingError, BillingRow
from flo2.billing import ChargeKind
from flo2.money import multiply
from flo2_reconcile.importers.aws import AwsReport
from flo2_reconcile.importers.reading import columns_of, lines_of, number
from flo2_reconcile.importers.tables import Tabled, units_of
from flo2_reconcile.times import instant_us
from flo2_reconcile.words import tier_and_processing

__all__ = ["FocusFile"]

_NEEDED: Final = (
    *("BilledCost", "BillingCurrency", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd"),
    *("ConsumedQuantity", "ConsumedUnit", "ProviderName", "SkuId", "SkuMeter"),
)
_KINDS: Final[Mapping[str, ChargeKind]] = {
    "Usage": "usage",
    "Purchase": "fee",
    "Tax": "tax",
    "Credit": "credit",
    "Adjustment": "rounding",
}
_PROVIDERS: Final = {
    "aws": "bedrock",
    "amazon web services": "bedrock",
    "microsoft": "azure",
    "microsoft azure": "azure",
    "google cloud": "google-vertex",
    "gcp": "google-vertex",
}
_METERS: Final = {
    "input_uncached": "input_tokens",
    "input_cache_read": "cache_read_tokens",
    "input_cache_write": "cache_write_tokens",
    "input_cache_write_5m": "cache_write_5m_tokens",
    "input_cache_write_1h": "cache_write_1h_tokens",
    "output": "output_tokens",
    "tool_web_search": "web_search_requests",
}


class FocusFile(Tabled):
    """A FOCUS 1.2 file in CSV."""

    kind: ClassVar[str] = "focus"
    rules = AwsReport.rules

    def recognises(self, name: str, head: bytes) -> bool:
        """Know it by its columns."""
        return {"ChargePeriodStart", "SkuMeter", "BilledCost"} <= columns_of(head)

    def rows(self, name: str, file: BinaryIO) -> Iterator[BillingRow]:
        """Read lines, one by one."""
        for where, line in lines_of(name, file, _NEEDED):
            kind = _KINDS.get(line["ChargeCategory"])
            if kind is None:
                raise BillingError(f"{where}: category {line['ChargeCategory']!r} is not known")
            if line.get("ChargeClass") == "Correction":
                kind = "credit"
            start = instant_us(line["ChargePeriodStart"], where, naive=True)
            end = instant_us(line["ChargePeriodEnd"], where, naive=True)
            cost = number(line["BilledCost"], where, "BilledCost")
            vendor = line["ProviderName"].strip().lower()
            provider = _PROVIDERS.get(vendor, vendor)
            report = f"focus.{provider}"
            keys = {"provider": provider}
            if line.get("SubAccountId"):
                keys["project"] = line["SubAccountId"]
            currency, invoice = line["BillingCurrency"], line.get("InvoiceId", "")
            if kind != "usage":
                yield BillingRow(
                    *(report, where, start, end, keys),
                    amount=cost,
                    currency=currency,
                    charge=kind,
                    invoice=invoice,
                )
                continue
            yield BillingRow(report, where, start, end, keys, EVERY_METER)
            meter, more = self._meter(line)
            quantity = None
            if not meter.startswith("item: "):
                units = units_of(line["ConsumedUnit"], where)
                consumed = number(line["ConsumedQuantity"], where, "ConsumedQuantity")
                quantity = multiply(consumed, units)
            yield BillingRow(
                *(report, where, start, end, keys | more, meter, quantity, cost, currency),
                invoice=invoice,
            )

    def _meter(self, line: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        text = line["SkuMeter"]
        if known := self.table.read(line.get("SkuPriceId", ""), text):
            return known.meter, known.keys
        meter = _METERS.get(text) or (text if text.endswith(("_tokens", "_requests")) else "")
        if not meter:
            return f"item: {text}", {}
        model = line["SkuId"].partition("/")[2] or line["SkuId"]
        # flo2's own files name the price: provider/model/meter/tier, its row, and batch.
        named = line.get("SkuPriceId", "").removeprefix(line["SkuId"]).split("/")
        tier, processing = tier_and_processing("".join(named[2:3]), batch=named[-1] == "batch")
        return meter, {
            "model": self.table.models.get(model, model),
            "service_tier": tier,
            "processing": processing,
        }
