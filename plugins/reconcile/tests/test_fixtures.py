"""The shared billing fixtures: nothing differs, and of the drifted ones every drift is named."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from flo2 import Adjust, EntryFilter, Importer, MemoryStore
from flo2.ledger import Corrections
from flo2_reconcile.applying import apply, plan
from flo2_reconcile.bill import Bill
from flo2_reconcile.booked import Names
from flo2_reconcile.catalogue import EXPLAINERS
from flo2_reconcile.importers.anthropic import AnthropicReports
from flo2_reconcile.importers.openai import OpenAIReports
from flo2_reconcile.reconciler import Outcome, Reconciler

from .billing_fixtures import (  # noqa: TID252  # tests are no package that has a name
    CANCELLED,
    file,
    ledger_of_the_log,
    price_of_the_log,
)

NOW = 1_797_000_000_000_000
OPENAI = (
    "openai_usage_completions.json",
    "openai_usage_web_search_calls.json",
    "openai_costs.json",
)
DRIFTED = ("drift_openai_usage_completions.json", "drift_openai_costs.json", OPENAI[1])
ANTHROPIC = ("anthropic_usage_report_messages.json", "anthropic_cost_report.json")


def reconciled(
    store: MemoryStore, names: Names, importer: Importer, files: tuple[str, ...]
) -> Outcome:
    bill = Bill()
    for name in files:
        with file(name).open("rb") as opened:
            bill.take(importer.rows(name, opened))
    explainers = [each(each.Config(), None) for each in EXPLAINERS]
    reconciler = Reconciler(store, explainers, price_of_the_log(), names)
    return reconciler.run(bill, "default", importer.kind, NOW)


@pytest.mark.parametrize(
    ("importer", "files", "usd"),
    [(OpenAIReports(), OPENAI, "0.03964"), (AnthropicReports(), ANTHROPIC, "0.1182982")],
    ids=["openai", "anthropic"],
)
def test_the_log_and_the_plain_bill_agree_to_the_token(
    importer: Any, files: tuple[str, ...], usd: str
):
    store, names = ledger_of_the_log()
    outcome = reconciled(store, names, importer, files)

    assert (list(outcome.findings), list(outcome.unexplained)) == ([], [])
    costs = [one for one in outcome.compared if one.sheet.report.endswith("costs")]
    billed = sum(Decimal(n) for one in costs for name, n in one.billed.items() if "$" in name)
    assert billed == Decimal(usd)
    assert outcome.notices == {}


def test_each_planted_drift_is_found_and_named():
    store, names = ledger_of_the_log(cancelled=True)
    outcome = reconciled(store, names, OpenAIReports(), DRIFTED)

    expected = json.loads(file("drift_expected.json").read_text())["findings"]
    found = {
        each.cause: (
            each.keys["model"],
            each.quantities.get("requests", 0),
            each.quantities.get("input_tokens", 0),
            each.quantities.get("output_tokens", 0),
            each.amount,
        )
        for each in outcome.findings
    }
    assert list(outcome.unexplained) == []
    assert set(found) == {each["cause"] for each in expected}
    for each in expected:
        model, requests, given, made, amount = found[each["cause"]]
        assert (model, amount) == (each["model"], Decimal(each["delta_usd"]))
        if each["cause"] in {"cancelled_stream_billed", "retry_counted_twice"}:
            assert (requests, given, made) == (
                each["delta_requests"],
                each["delta_input_tokens"],
                each["delta_output_tokens"],
            )
    # What moved between two cells stands in one finding, with what moved.
    assert found["bucket_boundary"][1:4] == (-1, -86, -300)
    assert found["served_tier_differs"][1:4] == (1, 4000, 800)


def test_applying_makes_the_ledger_say_what_the_bill_says_and_a_second_run_writes_nothing():
    store, names = ledger_of_the_log(cancelled=True)
    before = list(store.entries(EntryFilter("default")))
    corrections = Corrections(store)
    planned = plan(reconciled(store, names, OpenAIReports(), DRIFTED), store)
    assert apply(planned, store, corrections) == 3

    after = reconciled(store, names, OpenAIReports(), DRIFTED)
    assert plan(after, store).nothing
    assert list(after.unexplained) == []
    (row,) = store.usage(EntryFilter("default"), ())
    assert row.total == Decimal("0.05139") + Decimal("0.1182982")
    assert row.statuses == {"settled": 12}
    closed = next(
        e for e in store.entries(EntryFilter("default")) if e.intent.entry_id == CANCELLED
    )
    assert closed.total == Decimal("0.00295")
    same = [e for e in store.entries(EntryFilter("default")) if e.intent.entry_id != CANCELLED]
    assert same == [entry for entry in before if entry.intent.entry_id != CANCELLED]


def test_what_a_later_bill_does_not_bear_out_is_taken_back():
    store, names = ledger_of_the_log(cancelled=True)
    corrections = Corrections(store)
    apply(plan(reconciled(store, names, OpenAIReports(), DRIFTED), store), store, corrections)

    plain = reconciled(store, names, OpenAIReports(), (DRIFTED[0], DRIFTED[2]))
    assert plan(plain, store).nothing  # the same usage, without the costs, says the same

    anew = plan(reconciled(store, names, OpenAIReports(), OPENAI), store)
    assert {
        record.cause: record.amounts for record in anew.records if isinstance(record, Adjust)
    } == {
        "retry_counted_twice": {"x0004.1": Decimal("-0.0075")},
        "served_tier_differs": {"x0002.1": Decimal("-0.0013")},
    }
