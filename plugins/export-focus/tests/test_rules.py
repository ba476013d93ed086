"""The rules of FOCUS 1.2 that bind each row, over a ledger with everything in it.

Written from the specification's requirements; focus-validator itself needs Python 3.12 and an older
pyarrow, so its output is recorded in docs/focus.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from flo2 import Account, EntryFilter, Store
from flo2.ledger import overall
from flo2.money import multiply, total
from flo2_export_focus.columns import COLUMNS
from flo2_export_focus.exporting import FocusExport
from flo2_export_focus.rows import Row

from .focus_ledger import rich_ledger  # noqa: TID252  # tests have no package

ALLOWED = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {None, "Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {None, "Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {"AI and Machine Learning"},
    "ServiceSubcategory": {"Generative AI"},
    "x_ReconciliationStatus": {"reconciled", "adjusted", "pending", "unreconciled"},
}
NEVER_NULL = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency"),
    *("BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeDescription"),
    *("ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost"),
    *("EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingCurrency", "ProviderName"),
    *("PricingCurrencyEffectiveCost", "PublisherName", "ServiceCategory", "ServiceName"),
)
ALWAYS_NULL = (
    *("CommitmentDiscountId", "CommitmentDiscountStatus", "CommitmentDiscountQuantity"),
    *("CapacityReservationId", "CapacityReservationStatus", "InvoiceId", "ResourceId"),
)
PRICED = (
    *("ContractedUnitPrice", "ListUnitPrice", "PricingCategory", "PricingQuantity"),
    *("PricingUnit", "SkuId", "SkuMeter", "SkuPriceId"),
)
WITH_ANOTHER = (
    *(("ConsumedUnit", "ConsumedQuantity"), ("PricingUnit", "PricingQuantity")),
    *(("RegionName", "RegionId"), ("SubAccountName", "SubAccountId")),
    *(("SubAccountType", "SubAccountId"), ("SkuMeter", "SkuId")),
    ("SkuPriceDetails", "SkuPriceId"),
)
TYPES = {"text": str, "decimal": Decimal, "instant": datetime}


@pytest.fixture(scope="module")
def store() -> Store:
    return rich_ledger()


@pytest.fixture(scope="module")
def rows(store: Store) -> list[Row]:
    return list(FocusExport(store, Account("default", "d", 0), EntryFilter("default")).rows())


def priced(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["ChargeCategory"] in {"Usage", "Purchase"}]


def test_every_value_is_of_its_columns_type(rows: list[Row]):
    wrong = [
        (name, value)
        for row in rows
        for name, value in row.items()
        if value is not None and not isinstance(value, TYPES[COLUMNS[name]])
    ]
    assert wrong == []


def test_values_are_allowed_ones(rows: list[Row]):
    for name, allowed in ALLOWED.items():
        assert {row.get(name) for row in rows} <= allowed
    assert {row["ChargeCategory"] for row in rows} == ALLOWED["ChargeCategory"] - {"Tax"}
    assert {row["x_ReconciliationStatus"] for row in rows} == {
        *("reconciled", "adjusted", "unreconciled")
    }


def test_what_may_not_be_null_is_not(rows: list[Row]):
    assert [name for name in NEVER_NULL for row in rows if row.get(name) in {None, ""}] == []
    assert [name for name in PRICED for row in priced(rows) if row.get(name) is None] == []
    assert [name for row in rows for name in ALWAYS_NULL if row.get(name) is not None] == []


def test_what_goes_with_another_is_null_with_it(rows: list[Row]):
    for name, other in WITH_ANOTHER:
        assert [row for row in rows if (row.get(name) is None) != (row.get(other) is None)] == []


def test_only_usage_consumes(rows: list[Row]):
    for row in rows:
        assert (row.get("ConsumedQuantity") is not None) == (row["ChargeCategory"] == "Usage")


def test_price_times_quantity_is_the_cost(rows: list[Row]):
    for row in priced(rows):
        quantity = row["PricingQuantity"]
        assert isinstance(quantity, Decimal)
        for price, cost in (("Contracted", "ContractedCost"), ("List", "ListCost")):
            unit, money = row[f"{price}UnitPrice"], row[cost]
            assert isinstance(unit, Decimal)
            assert isinstance(money, Decimal)
            assert unit >= 0
            # Hours and the like do not divide in decimals: both sides are cut at 1e-12 then.
            slack = Decimal("1e-12") if "3600" in str(row["PricingUnit"]) else Decimal(0)
            assert abs(multiply(unit, quantity) - money) <= slack


def test_periods_hold_what_they_should(rows: list[Row]):
    for row in rows:
        start, end = row["ChargePeriodStart"], row["ChargePeriodEnd"]
        since, until = row["BillingPeriodStart"], row["BillingPeriodEnd"]
        assert isinstance(start, datetime)
        assert isinstance(end, datetime)
        assert isinstance(since, datetime)
        assert isinstance(until, datetime)
        assert end - start == timedelta(hours=1)
        assert (since.day, until.day) == (1, 1)
        assert timedelta(days=28) <= until - since <= timedelta(days=31)
        assert (row.get("ChargeClass") == "Correction") == (since > start)


def test_a_price_has_one_sku_and_units_are_in_the_format(rows: list[Row]):
    parents: dict[object, set[object]] = {}
    for row in priced(rows):
        parents.setdefault(row["SkuPriceId"], set()).add(row["SkuId"])
        assert re.fullmatch(r"(?:[1-9]\d* )?[A-Z][a-z]+", str(row["PricingUnit"]))
    assert {len(skus) for skus in parents.values()} == {1}


def test_tags_are_a_flat_object(rows: list[Row]):
    for row in rows:
        if (tags := row["Tags"]) is not None:
            assert all(isinstance(value, str) for value in json.loads(str(tags)).values())


def test_costs_add_up_to_the_ledger(rows: list[Row], store: Store):
    booked = overall(store.usage(EntryFilter("default"), ["model"]))
    billed = total(row["BilledCost"] for row in rows if isinstance(row["BilledCost"], Decimal))
    assert {each.total for each in booked} == {billed}
