"""What a row says of a line, a correction, a fee, and of what no bill has confirmed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from flo2 import Account, Adjust, CostLine, EntryFilter
from flo2.ledger import adjusted_entries
from flo2.money import add
from flo2.records import Attribution, Record
from flo2.testing.records import an_intent, pend_of, settle_of, unpriced_of, void_of
from flo2_export_focus.columns import COLUMNS
from flo2_export_focus.rows import Row, rows_of

from .focus_ledger import (  # noqa: TID252  # tests have no package
    HOUR_US,
    START_US,
    line_of,
    settled,
    store_of,
)

ACCOUNT = Account("default", "The default account", 0)
NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
MONTH_US = 30 * 24 * HOUR_US


def rows(*records: Record) -> list[Row]:
    store = store_of(list(records))
    found = adjusted_entries(store, EntryFilter("default"))
    return [row for adjusted in found for row in rows_of(adjusted, ACCOUNT)]


def intent_of(**changes: Any) -> Any:
    return an_intent(1, started_us=START_US + 90 * 60_000_000, **changes)


def an_adjust(name: str, cause: str, amount: str, at_us: int) -> Adjust:
    amounts = {"x1.1": Decimal(amount)}
    return Adjust(name, "default", at_us, cause, "bill", amounts, book="b2")


def late_of(amount: str) -> tuple[Any, ...]:
    return "Correction", Decimal(amount), DECEMBER


def test_a_cost_line_is_a_row_with_every_figure_exact():
    label = Attribution("core", "search", "c1", None, {"env": "prod"})
    intent = intent_of(project="proj_1", attribution=label)
    end = settled(
        *(intent, line_of("input_tokens", 1001, Decimal("0.85"))),
        context={"service_tier": "priority", "inference_geo": "us", "processing": "batch"},
        model_billed="acme-small-1-2026",
    )
    (row,) = rows(intent, end)
    sku = "sandbox/acme-small-1-2026"
    assert row == {
        "BilledCost": Decimal("0.0010635625"),
        "BillingAccountId": "default",
        "BillingAccountName": "The default account",
        "BillingAccountType": "Account",
        "BillingCurrency": "USD",
        "BillingPeriodEnd": DECEMBER,
        "BillingPeriodStart": NOVEMBER,
        "ChargeCategory": "Usage",
        "ChargeDescription": "input_tokens of acme-small-1-2026",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": NOVEMBER.replace(hour=2),
        "ChargePeriodStart": NOVEMBER.replace(hour=1),
        "ConsumedQuantity": Decimal(1001),
        "ConsumedUnit": "Tokens",
        "ContractedCost": Decimal("0.0010635625"),
        "ContractedUnitPrice": Decimal("1.0625"),
        "EffectiveCost": Decimal("0.0010635625"),
        "InvoiceIssuerName": "sandbox",
        "ListCost": Decimal("0.00125125"),
        "ListUnitPrice": Decimal("1.25"),
        "PricingCategory": "Standard",
        "PricingCurrency": "USD",
        "PricingCurrencyContractedUnitPrice": Decimal("1.0625"),
        "PricingCurrencyEffectiveCost": Decimal("0.0010635625"),
        "PricingCurrencyListUnitPrice": Decimal("1.25"),
        "PricingQuantity": Decimal("0.001001"),
        "PricingUnit": "1000000 Tokens",
        "ProviderName": "sandbox",
        "PublisherName": "sandbox",
        "RegionId": "us",
        "RegionName": "us",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "sandbox chat",
        "ServiceSubcategory": "Generative AI",
        "SkuId": sku,
        "SkuMeter": "input_tokens",
        "SkuPriceDetails": '{"x_Processing": "batch", "x_ServiceTier": "priority"}',
        "SkuPriceId": f"{sku}/input_tokens/priority/acme/m/input_tokens/batch",
        "SubAccountId": "proj_1",
        "SubAccountName": "proj_1",
        "SubAccountType": "Project",
        "Tags": '{"env": "prod", "flo2:customer": "c1", "flo2:feature": "search", '
        '"flo2:team": "core"}',
        "x_BookVersion": "b1",
        "x_Contract": "deal@1",
        "x_EntryId": "x1.1",
        "x_ExchangeId": "x1",
        "x_KeyId": "key_1",
        "x_Model": "acme-small-1-2026",
        "x_ModelRequested": "small",
        "x_PriceRow": "acme/m/input_tokens",
        "x_Provider": "acme",
        "x_ReconciliationStatus": "unreconciled",
        "x_Role": "primary",
        "x_Route": None,
        "x_StartedAt": "2026-11-01T01:30:00+00:00",
        "x_Status": "settled",
    }
    assert row.keys() <= COLUMNS.keys()


def test_a_correction_of_its_own_month_is_an_adjustment_and_a_later_one_a_correction():
    intent = intent_of()
    early = an_adjust("adj-1", "tier_served", "0.5", START_US + 2 * HOUR_US)
    late = an_adjust("rec-2", "price_differs", "-0.25", START_US + MONTH_US)
    credit = an_adjust("adj-3", "credit", "-1", START_US + MONTH_US)
    names = (
        *("ChargeCategory", "ChargeClass", "BilledCost", "BillingPeriodStart", "ChargePeriodStart"),
        *("SkuId", "PricingQuantity", "x_AdjustmentId", "x_BookVersion", "x_ReconciliationStatus"),
    )
    found = rows(intent, settled(intent, line_of("input_tokens", 8)), early, late, credit)
    same = (NOVEMBER.replace(hour=1), None, None)
    assert [tuple(row.get(name) for name in names) for row in found[1:]] == [
        ("Adjustment", None, Decimal("0.5"), NOVEMBER, *same, "adj-1", "b2", "adjusted"),
        ("Adjustment", *late_of("-0.25"), *same, "rec-2", "b2", "adjusted"),
        ("Credit", *late_of("-1"), *same, "adj-3", "b2", "adjusted"),
    ]


def test_what_is_not_known_or_free_has_no_row():
    first, second, third, fourth = (an_intent(n, started_us=START_US) for n in range(1, 5))
    found = rows(
        *(first, pend_of(first), second, unpriced_of(second), third, void_of(third), fourth)
    )
    assert found == []


def test_a_correction_of_an_unknown_cost_is_money_all_the_same():
    intent = intent_of()
    (row,) = rows(intent, pend_of(intent), an_adjust("adj-1", "fee", "0.5", START_US))
    assert (row["BilledCost"], row["x_ReconciliationStatus"]) == (Decimal("0.5"), "pending")


def test_a_call_that_a_bill_closed_is_reconciled():
    intent = intent_of()
    line = CostLine(
        *("output_tokens", 10, Decimal("1.5"), 1_000_000, Decimal("0.000015")),
        *(Decimal("0.000015"), "USD", "", "focus.acme"),
    )
    closed = settled(intent, line, status="reported", reason="closed by focus.acme a/b")
    (row,) = rows(intent, pend_of(intent), closed)
    assert row["x_ReconciliationStatus"] == "reconciled"
    assert row["SkuPriceId"] == "sandbox/acme-small-1/output_tokens/standard"
    assert row["ConsumedQuantity"] == Decimal(10)


def test_a_figure_that_is_no_quantity_at_a_price_is_an_adjustment():
    intent = intent_of()
    off = Decimal("-0.00000001")
    difference = CostLine("provider_difference", 1, off, 1, off, off, "USD", "", "b1")
    end = settled(intent, line_of("input_tokens", 8), difference)
    whole = settle_of(intent, lines=end.lines, total=add(end.total or 0, Decimal("0.5")))
    usage, first, second = rows(intent, whole)
    assert usage["ChargeCategory"] == "Usage"
    assert (first["ChargeCategory"], first["BilledCost"]) == ("Adjustment", off)
    assert (second["ChargeCategory"], second["BilledCost"]) == ("Adjustment", Decimal("0.5"))


def test_a_fee_of_a_contract_is_a_purchase():
    intent = intent_of(role="fee", api="contract", model="capacity/small", key_id="")
    (row,) = rows(intent, settled(intent, line_of("input_seconds", 3600)))
    assert (row["ChargeCategory"], row["ChargeFrequency"]) == ("Purchase", "Recurring")
    assert (row["ConsumedQuantity"], row["PricingQuantity"]) == (None, Decimal(1))
    assert row["PricingUnit"] == "3600 Seconds"
