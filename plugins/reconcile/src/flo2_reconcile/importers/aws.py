"""AWS Cost and Usage Report 2.0 (Data Exports), the lines of Amazon Bedrock.

https://docs.aws.amazon.com/cur/latest/userguide/table-dictionary-cur2.html (read 2026-11). Usage
types differ by model and region: the part between the region's code and the meter is the bill's
own name of the model; a table gives the ledger's. Imports: importers.reading, importers.tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO, ClassVar, Final

from flo2 import EVERY_METER, BillingError, BillingRow
from flo2.billing import ChargeKind
from flo2.money import multiply
from flo2_reconcile.importers.reading import columns_of, lines_of, number
from flo2_reconcile.importers.tables import Tabled, rule, units_of
from flo2_reconcile.times import instant_us

__all__ = ["AwsReport"]

_REPORT: Final = "aws.cur2"
_NEEDED: Final = (
    *("line_item_usage_start_date", "line_item_usage_end_date", "line_item_line_item_type"),
    *("line_item_product_code", "line_item_usage_type", "line_item_usage_amount"),
    *("pricing_unit", "line_item_unblended_cost", "line_item_currency_code"),
    "line_item_usage_account_id",
)
_KINDS: Final[Mapping[str, ChargeKind]] = {
    "Usage": "usage",
    "DiscountedUsage": "usage",
    "Tax": "tax",
    "Credit": "credit",
    "Refund": "credit",
    "EdpDiscount": "credit",
    "BundledDiscount": "credit",
    "Fee": "fee",
    "RIFee": "fee",
}
_REGION: Final = r"(?:[A-Z]{2,4}\d?-)?"
_RULES: Final = tuple(
    rule(rf"{_REGION}(?P<model>.+?)-{words}{ending}", meter, **how)
    for words, meter in (
        ("cache-read-input-token-count", "cache_read_tokens"),
        ("cache-write-input-token-count", "cache_write_5m_tokens"),
        ("cache-write-1h-input-token-count", "cache_write_1h_tokens"),
        ("input-tokens?", "input_tokens"),
        ("output-tokens?", "output_tokens"),
    )
    for ending, how in (
        ("", {}),
        ("-batch", {"processing": "batch"}),
        ("-flex", {"service_tier": "flex"}),
        ("-priority", {"service_tier": "priority"}),
    )
)


class AwsReport(Tabled):
    """A CUR 2.0 file."""

    kind: ClassVar[str] = "aws-cur2"
    rules = _RULES

    def recognises(self, name: str, head: bytes) -> bool:
        """Know it by its columns."""
        return {"line_item_usage_type", "line_item_unblended_cost"} <= columns_of(head)

    def rows(self, name: str, file: BinaryIO) -> Iterator[BillingRow]:
        """Read lines, one by one."""
        for where, line in lines_of(name, file, _NEEDED):
            if not line["line_item_product_code"].startswith("AmazonBedrock"):
                continue
            kind = _KINDS.get(line["line_item_line_item_type"])
            if kind is None:
                raise BillingError(
                    f"{where}: line type {line['line_item_line_item_type']!r} is not known"
                )
            start = instant_us(line["line_item_usage_start_date"], where)
            end = instant_us(line["line_item_usage_end_date"], where)
            cost = number(line["line_item_unblended_cost"], where, "line_item_unblended_cost")
            keys = {"provider": "bedrock", "project": line["line_item_usage_account_id"]}
            currency = line["line_item_currency_code"]
            month = line.get("bill_billing_period_start_date", "")[:7]
            if kind != "usage":
                yield BillingRow(
                    *(_REPORT, where, start, end, keys),
                    amount=cost,
                    currency=currency,
                    charge=kind,
                    invoice=month,
                )
                continue
            yield BillingRow(_REPORT, where, start, end, keys, EVERY_METER)
            text = line["line_item_usage_type"]
            known = self.table.read(text)
            if known is None:
                yield BillingRow(
                    *(_REPORT, where, start, end, keys, f"item: {text}", None, cost, currency),
                    invoice=month,
                )
                continue
            amount = number(line["line_item_usage_amount"], where, "line_item_usage_amount")
            keys |= known.keys
            quantity = multiply(amount, units_of(line["pricing_unit"], where))
            yield BillingRow(
                *(_REPORT, where, start, end, keys, known.meter, quantity, cost, currency),
                invoice=month,
            )
