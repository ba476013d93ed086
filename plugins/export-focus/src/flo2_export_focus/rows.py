"""An entry with its corrections as rows of FOCUS 1.2.

Every row is money that the ledger holds: an entry whose cost is not known gives no row of its own.
Imports: columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from flo2 import Account, Adjust, CostLine, Entry, Settle
from flo2.instants import instant
from flo2.ledger import Adjusted
from flo2.money import ZERO, divide, multiply, subtract, total
from flo2.prices.cost import DIFFERENCE

__all__ = ["Row", "reconciliation_status", "rows_of"]

Value = str | Decimal | datetime | None
Row = dict[str, Value]
"""Column → value; what is not in it is null."""

_HOUR: Final = timedelta(hours=1)
_STANDARD: Final = "standard"
_CREDITS: Final = frozenset({"credit", "credits"})


def rows_of(adjusted: Adjusted, account: Account) -> Iterator[Row]:
    """Give the rows of an entry: its cost lines, what these leave over, and its corrections."""
    entry = adjusted.entry
    base = _base(adjusted, account)
    if isinstance(entry.end, Settle) and entry.end.total is not None:
        yield from _cost_rows(entry, entry.end, base)
    for adjust in adjusted.adjustments:
        if amount := adjust.amounts.get(entry.intent.entry_id):
            yield _correction(entry, adjust, amount, base)


def reconciliation_status(adjusted: Adjusted) -> str:
    """Say what a provider's own bill has done to an entry.

    `adjusted`: a bill corrected it · `reconciled`: a bill closed it · `pending`: its cost is not
    known · `unreconciled`: no record says that a bill was compared. A bill that agrees writes no
    record, so the last is no sign of a difference.

    The marks are those that `flo2 reconcile` leaves in the ledger: ids that begin with `rec-`, and
    reasons that begin with `closed by`.
    """
    end = adjusted.entry.end
    if any(adjust.entry_id.startswith("rec-") for adjust in adjusted.adjustments):
        return "adjusted"
    if isinstance(end, Settle) and (end.reason or "").startswith("closed by "):
        return "reconciled"
    return "pending" if adjusted.entry.total is None else "unreconciled"


def _cost_rows(entry: Entry, end: Settle, base: Row) -> Iterator[Row]:
    whole, lines = end.total or ZERO, end.lines
    for line in lines:
        if _is_usage(line):
            yield base | _usage(entry, end, line)
        elif line.amount:
            yield (
                base
                | _other(line.amount, line.currency, "Adjustment", line.dimension)
                | {
                    "x_BookVersion": line.book or None,
                    "x_PriceRow": line.row or None,
                }
            )
    left = subtract(whole, total(line.amount for line in lines))
    if left:
        yield base | _other(left, end.currency, "Adjustment", "stated by the provider as a whole")


def _is_usage(line: CostLine) -> bool:
    """Whether a line is a quantity at a price; FOCUS knows no price below zero."""
    is_priced = line.dimension != DIFFERENCE and line.amount >= 0 and line.list_amount >= 0
    return is_priced and (line.quantity > 0 or not (line.amount or line.list_amount))


def _usage(entry: Entry, end: Settle, line: CostLine) -> Row:
    intent = entry.intent
    model = line.model or end.model_billed or intent.model
    is_fee = intent.role == "fee"
    tier, processing = _tier(entry, end)
    sku = f"{intent.provider_kind}/{model}"
    # One parent SKU each: a price row holds for several names of a model, so it comes after them.
    price_id = [sku, line.dimension, tier, *([line.row] if line.row else [])]
    if processing == "batch":
        price_id.append(processing)
    quantity = Decimal(line.quantity)
    contracted = _unit_price(line.amount, line)
    listed = _unit_price(line.list_amount, line)
    unit = _unit(line.dimension)
    return _money(line.amount, line.list_amount, line.currency) | {
        "ChargeCategory": "Purchase" if is_fee else "Usage",
        "ChargeDescription": f"{line.dimension} of {model}",
        "ChargeFrequency": "Recurring" if is_fee else "Usage-Based",
        "ConsumedQuantity": None if is_fee else quantity,
        "ConsumedUnit": None if is_fee else unit,
        "ContractedUnitPrice": contracted,
        "ListUnitPrice": listed,
        "PricingCategory": "Standard",
        "PricingCurrencyContractedUnitPrice": contracted,
        "PricingCurrencyListUnitPrice": listed,
        "PricingQuantity": divide(quantity, line.per)[0],
        "PricingUnit": unit if line.per == 1 else f"{line.per} {unit}",
        "SkuId": sku,
        "SkuMeter": line.dimension,
        "SkuPriceDetails": _json({"x_ServiceTier": tier, "x_Processing": processing}),
        "SkuPriceId": "/".join(price_id),
        "x_BookVersion": line.book or None,
        "x_Contract": line.contract or None,
        "x_Model": model,
        "x_PriceRow": line.row or None,
    }


def _correction(entry: Entry, adjust: Adjust, amount: Decimal, base: Row) -> Row:
    """Give a correction: in the hour of the call, on the invoice of the day it was made.

    FOCUS calls it a Correction only when the period it corrects had been invoiced already.
    """
    category = "Credit" if adjust.cause in _CREDITS else "Adjustment"
    began, made = _month(entry.intent.started_us), _month(adjust.at_us)
    is_late = made > began
    since = made if is_late else began
    return (
        base
        | _other(amount, adjust.currency, category, f"{adjust.cause}: {adjust.source}")
        | {
            "BillingPeriodEnd": _next_month(since),
            "BillingPeriodStart": since,
            "ChargeClass": "Correction" if is_late else None,
            "x_AdjustmentCause": adjust.cause,
            "x_AdjustmentId": adjust.entry_id,
            "x_AdjustmentSource": adjust.source,
            "x_BookVersion": adjust.book,
        }
    )


def _base(adjusted: Adjusted, account: Account) -> Row:
    """Give what every row of an entry says."""
    entry, intent = adjusted.entry, adjusted.entry.intent
    began, month = _hour(intent.started_us), _month(intent.started_us)
    context = entry.end.context if isinstance(entry.end, Settle) else {}
    region = context.get("region") or context.get("inference_geo")
    return {
        "BillingAccountId": account.id,
        "BillingAccountName": account.name,
        "BillingAccountType": "Account",
        "BillingPeriodEnd": _next_month(month),
        "BillingPeriodStart": month,
        "ChargePeriodEnd": began + _HOUR,
        "ChargePeriodStart": began,
        "InvoiceIssuerName": intent.provider_kind,
        "ProviderName": intent.provider_kind,
        "PublisherName": intent.provider_kind,
        "RegionId": region,
        "RegionName": region,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": f"{intent.provider_kind} {intent.api}",
        "ServiceSubcategory": "Generative AI",
        "SubAccountId": intent.project,
        "SubAccountName": intent.project,
        "SubAccountType": "Project" if intent.project else None,
        "Tags": _tags(entry),
        "x_EntryId": intent.entry_id,
        "x_ExchangeId": intent.exchange_id,
        "x_KeyId": intent.key_id or None,
        "x_Model": intent.model,
        "x_ModelRequested": intent.model_requested,
        "x_Provider": intent.provider,
        "x_ReconciliationStatus": reconciliation_status(adjusted),
        "x_Role": intent.role,
        "x_Route": intent.route,
        "x_StartedAt": instant(intent.started_us).isoformat(),
        "x_Status": entry.status,
    }


def _other(amount: Decimal, currency: str, category: str, description: str) -> Row:
    """Give money that is no quantity at a price: it stands in every cost column alike."""
    return _money(amount, amount, currency) | {
        "ChargeCategory": category,
        "ChargeDescription": description,
        "ChargeFrequency": "One-Time",
    }


def _money(amount: Decimal, listed: Decimal, currency: str) -> Row:
    return {
        "BilledCost": amount,
        "BillingCurrency": currency,
        "ContractedCost": amount,
        "EffectiveCost": amount,
        "ListCost": listed,
        "PricingCurrency": currency,
        "PricingCurrencyEffectiveCost": amount,
    }


def _unit_price(amount: Decimal, line: CostLine) -> Decimal:
    """Give the price of `per` units that an amount comes to; the published one where it is that."""
    if not line.quantity or multiply(line.quantity, line.unit_price) == multiply(amount, line.per):
        return line.unit_price
    return divide(multiply(amount, line.per), line.quantity)[0]


def _tier(entry: Entry, end: Settle) -> tuple[str, str]:
    tier = end.context.get("service_tier") or _STANDARD
    batch = "batch" in {tier, end.context.get("processing")} or entry.intent.role == "batch_item"
    return (_STANDARD if tier == "batch" else tier), ("batch" if batch else "online")


def _unit(meter: str) -> str:
    """Name a meter's unit: the last word of `cache_read_tokens`."""
    return meter.rpartition("_")[2].capitalize()


def _tags(entry: Entry) -> str | None:
    """Write the attribution; what flo2 itself defines is prefixed, as FOCUS asks."""
    label = entry.intent.attribution
    own = {name: getattr(label, name) for name in ("team", "feature", "customer", "end_user")}
    named = {f"flo2:{name}": value for name, value in own.items() if value is not None}
    return _json({**label.tags, **named})


def _json(words: Mapping[str, str]) -> str | None:
    return json.dumps(words, ensure_ascii=False, sort_keys=True) if words else None


def _hour(us: int) -> datetime:
    return instant(us).replace(minute=0, second=0, microsecond=0)


def _month(us: int) -> datetime:
    return _hour(us).replace(day=1, hour=0)


def _next_month(month: datetime) -> datetime:
    return (month + timedelta(days=32)).replace(day=1)
