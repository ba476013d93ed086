"""The columns of a FOCUS 1.2 Cost and Usage data set, in the order written, and their types.

https://focus.finops.org/focus-specification/v1-2/ (rules as bundled with focus-validator 2.2.1,
model 1.2.0.1, read 2026-11-25). Columns that begin with `x_` are flo2's own. Imports: nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

__all__ = ["COLUMNS", "ColumnType"]

ColumnType = Literal["text", "decimal", "instant"]


def _columns() -> Mapping[str, ColumnType]:
    costs = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
    prices = ("ContractedUnitPrice", "ListUnitPrice")
    decimals = {
        *costs,
        *prices,
        *(f"PricingCurrency{name}" for name in (*prices, "EffectiveCost")),
        *("ConsumedQuantity", "PricingQuantity", "CommitmentDiscountQuantity"),
    }
    instants = {
        f"{period}{edge}"
        for period in ("BillingPeriod", "ChargePeriod")
        for edge in ("Start", "End")
    }
    return {
        name: "decimal" if name in decimals else "instant" if name in instants else "text"
        for name in _NAMES
    }


_NAMES: Final = (
    *("AvailabilityZone", "BilledCost"),
    *("BillingAccountId", "BillingAccountName", "BillingAccountType"),
    *("BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart"),
    *("CapacityReservationId", "CapacityReservationStatus"),
    *("ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency"),
    *("ChargePeriodEnd", "ChargePeriodStart"),
    *("CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName"),
    *("CommitmentDiscountQuantity", "CommitmentDiscountStatus", "CommitmentDiscountType"),
    *("CommitmentDiscountUnit", "ConsumedQuantity", "ConsumedUnit"),
    *("ContractedCost", "ContractedUnitPrice", "EffectiveCost"),
    *("InvoiceId", "InvoiceIssuerName", "ListCost", "ListUnitPrice"),
    *("PricingCategory", "PricingCurrency", "PricingCurrencyContractedUnitPrice"),
    *("PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice"),
    *("PricingQuantity", "PricingUnit", "ProviderName", "PublisherName"),
    *("RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType"),
    *("ServiceCategory", "ServiceName", "ServiceSubcategory"),
    *("SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId"),
    *("SubAccountId", "SubAccountName", "SubAccountType", "Tags"),
    *("x_AdjustmentCause", "x_AdjustmentId", "x_AdjustmentSource", "x_BookVersion", "x_Contract"),
    *("x_EntryId", "x_ExchangeId", "x_KeyId", "x_Model", "x_ModelRequested", "x_PriceRow"),
    *("x_Provider", "x_ReconciliationStatus", "x_Role", "x_Route", "x_StartedAt", "x_Status"),
)

COLUMNS: Final[Mapping[str, ColumnType]] = _columns()
"""Column → its type, in the order written."""
