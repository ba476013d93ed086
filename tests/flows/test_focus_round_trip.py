"""FOCUS out and in: what one plugin exports, another one imports to the last digit."""

from __future__ import annotations

import io
from decimal import Decimal

from flo2 import EVERY_METER, Account, Adjust, BillingRow, EntryFilter, MemoryStore, PriceBook
from flo2.ledger import chain_links, overall
from flo2.money import add, total
from flo2.prices.cost import CostLine
from flo2.records import Record
from flo2.stores import WriterHead
from flo2.testing.records import an_intent, settle_of
from flo2_export_focus.exporting import FocusExport
from flo2_export_focus.writing import write_csv
from flo2_reconcile.bill import Bill
from flo2_reconcile.importers.focus import FocusFile
from flo2_reconcile.reconciler import Reconciler

HOUR_US = 3_600_000_000
START_US = 1_793_491_200_000_000
RATES = {"input_tokens": "1.25", "cache_read_tokens": "0.125", "output_tokens": "10"}


def _calls() -> list[Record]:
    records: list[Record] = []
    for number in range(1, 41):
        model = f"maker/small-{number % 3}"
        intent = an_intent(
            number,
            provider="acme",
            provider_kind="acme",
            started_us=START_US + number * HOUR_US // 3,
            model=model,
            project=f"proj_{number % 2}",
        )
        meters = {meter: number * (97 + len(meter)) for meter in RATES}
        context = {"service_tier": "priority"} if number % 4 == 0 else {}
        if number % 5 == 0:
            context["processing"] = "batch"
        lines = tuple(_line(model, meter, count) for meter, count in meters.items())
        cost = total(line.amount for line in lines)
        settle = settle_of(
            intent, meters=meters, lines=lines, total=cost, list_total=cost, context=context
        )
        records += [intent, settle]
    return records


def _correction() -> Adjust:
    off = {"x3.1": Decimal("0.0123456789012345"), "x4.1": Decimal("-0.00000000001")}
    return Adjust("adj-1", "default", START_US, "late_data", "bill", off)


def _line(model: str, meter: str, count: int) -> CostLine:
    amount = Decimal(RATES[meter]) * count / 1_000_000
    price, row = Decimal(RATES[meter]), f"acme/{model}/{meter}"
    return CostLine(meter, count, price, 1_000_000, amount, amount, "USD", row, "b1")


def _exported(records: list[Record]) -> tuple[MemoryStore, bytes]:
    store = MemoryStore()
    account = Account("default", "default", 0)
    store.put_account(account)
    store.append(chain_links(WriterHead("w", 0, ""), enumerate(records, 1), b""))
    file = io.StringIO()
    write_csv(FocusExport(store, account, EntryFilter("default")).rows(), file)
    return store, file.getvalue().encode()


def _imported(data: bytes) -> list[BillingRow]:
    return list(FocusFile().rows("flo2.csv", io.BytesIO(data)))


def test_money_and_tokens_come_back_to_the_digit():
    store, data = _exported([*_calls(), _correction()])
    rows = _imported(data)
    billed = total(row.amount for row in rows if row.amount is not None)
    assert {each.total for each in overall(store.usage(EntryFilter("default"), ["model"]))} == {
        billed
    }
    counted: dict[str, Decimal] = {}
    for row in rows:
        if row.quantity is not None and row.meter != EVERY_METER:
            counted[row.meter] = add(counted.get(row.meter, Decimal(0)), row.quantity)
    booked: dict[str, Decimal] = {}
    for entry in store.entries(EntryFilter("default")):
        for meter, count in getattr(entry.end, "meters", {}).items():
            booked[meter] = add(booked.get(meter, Decimal(0)), count)
    assert counted == booked


def test_the_ledger_agrees_with_its_own_export():
    store, data = _exported(_calls())
    bill = Bill()
    bill.take(_imported(data))
    reconciler = Reconciler(store, [], PriceBook().price)
    outcome = reconciler.run(bill, "default", "acme", now_us=START_US + 40 * 24 * HOUR_US)
    assert [one.sheet.report for one in outcome.compared] == ["focus.acme"]
    assert (outcome.unexplained, outcome.is_proven) == ([], True)
