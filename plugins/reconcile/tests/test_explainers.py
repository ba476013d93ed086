"""Each explainer takes what is its own, and leaves what it cannot be sure of."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve, frozen
from msgspec.structs import replace

from flo2 import (
    Account,
    BooksView,
    EntryFilter,
    Finding,
    Gap,
    Intent,
    MemoryStore,
    PluginError,
    Settle,
    Void,
)
from flo2.ledger import Corrections, chain_links
from flo2.stores import WriterHead
from flo2_reconcile.applying import DISPUTE, apply, plan
from flo2_reconcile.bill import Bill
from flo2_reconcile.catalogue import EXPLAINERS
from flo2_reconcile.explainers.common import spread
from flo2_reconcile.importers.openai import OpenAIReports
from flo2_reconcile.reconciler import Outcome, Reconciler

from .test_laws import outcome_of  # noqa: TID252  # tests have no package
from .traffic import (  # noqa: TID252  # same
    DAY,
    FINAL,
    HOUR,
    NAMES,
    START,
    Call,
    ledger_of,
    price,
    records_of,
)
from .writers import openai_both, openai_costs, openai_usage  # noqa: TID252  # same

CALL = Call(1, START + HOUR + 10**9)


def usage(store: MemoryStore, billed: Sequence[Call], now: int = FINAL) -> Outcome:
    return outcome_of(store, "openai", openai_usage(billed, "1h"), now)


def ledger(*records: Any) -> MemoryStore:
    store = MemoryStore()
    store.put_account(Account("default", "default", 0))
    store.append(chain_links(WriterHead("w", 0, ""), enumerate(records, 1), b"s"))
    return store


def causes(outcome: Outcome) -> list[str]:
    return [found.cause for found in outcome.findings]


def test_several_pending_calls_of_a_cell_share_one_adjustment():
    lost = [evolve(CALL, number=n, outcome="lost") for n in (2, 3)]
    store = ledger_of([CALL, *lost])
    billed = [CALL, *(evolve(each, outcome="answered") for each in lost)]
    outcome = usage(store, billed)

    (found,) = outcome.findings
    assert (found.cause, set(found.parts), found.ends) == ("pending_billed", {"x2.1", "x3.1"}, ())
    assert found.amount == Decimal("0.0007")
    apply(plan(outcome, store), store, Corrections(store))
    assert plan(usage(store, billed), store).nothing


def test_a_pending_call_beyond_its_bounds_is_not_closed():
    intent, pend = records_of(evolve(CALL, outcome="disconnected"))
    store = ledger(intent, replace(pend, high=Decimal("0.0000001")))
    outcome = usage(store, [CALL])
    assert (causes(outcome), len(outcome.unexplained)) == ([], 1)


def test_a_second_copy_beside_a_pending_call_is_taken_only_if_no_other_fits():
    pending = evolve(CALL, number=9, outcome="disconnected")
    billed = evolve(CALL, number=9, meters={"input_tokens": 7, "output_tokens": 3})
    one = usage(ledger_of([CALL, pending]), [CALL, CALL, billed])
    assert sorted(causes(one)) == ["cancelled_stream_billed", "retry_counted_twice"]

    other = evolve(CALL, number=2, meters={"input_tokens": 50, "output_tokens": 5})
    two = usage(ledger_of([CALL, other, pending]), [CALL, other, CALL, billed])
    assert (causes(two), len(two.unexplained)) == ([], 1)

    again = evolve(CALL, number=3, meters=CALL.meters, retry_of=1)  # it was tried twice
    told = usage(ledger_of([CALL, again, pending]), [CALL, again, CALL, billed])
    assert sorted(causes(told)) == ["cancelled_stream_billed", "retry_counted_twice"]


def test_an_error_that_is_billed_after_all_is_booked_beside_its_void():
    intent, _ = records_of(CALL)
    assert isinstance(intent, Intent)
    store = ledger(intent, Void("x1.1", intent.started_us, "refused", "it said 400", "a page"))
    outcome = usage(store, [CALL])
    assert causes(outcome) == ["error_billed"]
    assert outcome.findings[0].parts == {"x1.1": Decimal("0.00035")}
    assert "it said 400" in outcome.findings[0].note


def test_a_bill_that_is_not_complete_is_waited_for():
    early = START + 2 * DAY
    other = evolve(CALL, number=7, at_us=START + 20 * HOUR)
    late = usage(ledger_of([CALL, other]), [other], early)
    assert (causes(late), late.findings[0].waits) == (["late_data"], True)
    batch = usage(ledger_of([evolve(CALL, batch=True), other]), [other], early)
    assert causes(batch) == ["batch_not_ingested"]
    never = usage(ledger_of([CALL, other]), [other])
    assert (causes(never), len(never.unexplained)) == ([], 1)
    intent, pend = records_of(evolve(CALL, batch=True, outcome="broken"))
    assert isinstance(intent, Intent)
    store = ledger(replace(intent, role="batch_item"), pend)
    assert causes(usage(store, [evolve(CALL, batch=True)], early)) == ["batch_not_ingested"]
    assert plan(late, store).nothing


def test_a_search_that_no_answer_told_is_a_fee_of_its_cell():
    page = {
        "object": "organization.usage.web_searches.result",
        "num_requests": 2,
        "project_id": "proj_1",
        "api_key_id": "key_A",
        "model": "big",
    }
    files = openai_usage([CALL], "1d")
    body = {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": START // 10**6,
                "end_time": (START + DAY) // 10**6,
                "results": [page],
            }
        ],
    }
    costs = json.loads(openai_costs([CALL])["0.json"])
    costs["data"][0]["results"].append(
        {
            "object": "organization.costs.result",
            "amount": {"value": 0.02, "currency": "usd"},
            "line_item": "web search tool calls",
            "project_id": "proj_1",
            "quantity": 2.0,
        }
    )
    searches = {"s.json": json.dumps(body).encode(), "c.json": json.dumps(costs).encode()}
    outcome = outcome_of(ledger_of([CALL]), "openai", {**files, **searches})
    assert outcome.unexplained == []
    assert causes(outcome) == ["tool_fee", "tool_fee"]
    assert [found.parts for found in outcome.findings] == [{}, {"x1.1": Decimal("0.02")}]


def test_a_price_that_the_bill_contradicts_opens_one_dispute():
    store = ledger_of([CALL, evolve(CALL, number=2, at_us=START + 30 * HOUR)])
    dearer = openai_both([CALL, evolve(CALL, number=2, at_us=START + 30 * HOUR)], "1d")
    files = {
        name: body.replace(b'"value": 0.00025', b'"value": 0.0005') for name, body in dearer.items()
    }
    outcome = outcome_of(store, "openai", files)
    assert causes(outcome) == ["price_differs", "price_differs"]
    assert outcome.findings[0].dispute == {"input_tokens": Decimal(5)}
    planned = plan(outcome, store)
    assert apply(planned, store, Corrections(store)) == 3
    (dispute,) = store.declarations(DISPUTE, "default")
    assert dispute.document["implied_per_million"] == "5"
    assert plan(outcome_of(store, "openai", files), store).nothing


def test_unpriced_calls_take_the_price_of_the_bill():
    intent, end = records_of(CALL)
    assert isinstance(end, Settle)
    bare = replace(end, status="unpriced", lines=(), total=None, list_total=None)
    store = ledger(intent, bare)
    outcome = outcome_of(store, "openai", openai_both([CALL], "1d"))
    # Two classes of tokens, and a total for neither alone: nothing is guessed.
    assert causes(outcome) == []
    assert {name for gap in outcome.unexplained for name in gap.left} == {
        "$ input_tokens",
        "$ output_tokens",
    }


class Greedy:
    """Takes more than there is."""

    kind = "greedy"
    order = 1

    @frozen
    class Config: ...

    def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
        for gap in gaps:
            gap.take({name: 2 * count for name, count in gap.left.items()})
        return ()


def test_an_explainer_that_takes_too_much_is_named_and_nothing_is_written():
    bill = Bill()
    for name, body in openai_usage([CALL, CALL], "1d").items():
        bill.take(OpenAIReports().rows(name, io.BytesIO(body)))
    store = ledger_of([CALL])
    with pytest.raises(PluginError, match="explainer 'greedy' took more"):
        Reconciler(store, [Greedy()], price, NAMES).run(bill, "default", "openai", FINAL)
    assert list(store.writers()) == ["w"]


def test_amounts_are_laid_out_exactly():
    assert spread(Decimal(1), {"a": 1, "b": 1, "c": 1}) == {
        "a": Decimal("0.333333333333"),
        "b": Decimal("0.333333333333"),
        "c": Decimal("0.333333333334"),
    }
    assert spread(Decimal("0.5"), {"a": 0, "b": 0}) == {"b": Decimal("0.5")}
    assert spread(Decimal(1), {}) == {}


def test_every_explainer_has_an_order_and_a_name_of_its_own():
    assert len({each.kind for each in EXPLAINERS}) == len(EXPLAINERS) == 17
    assert [each.order for each in EXPLAINERS] == sorted(each.order for each in EXPLAINERS)


def test_the_ledger_of_another_account_is_not_looked_at():
    store = ledger_of([CALL])
    store.put_account(Account("other", "other", 0))
    bill = Bill()
    for name, body in openai_usage([CALL], "1d").items():
        bill.take(OpenAIReports().rows(name, io.BytesIO(body)))
    explainers = [each(each.Config(), None) for each in EXPLAINERS]
    outcome = Reconciler(store, explainers, price, NAMES).run(bill, "other", "openai", FINAL)
    assert (outcome.entries, len(outcome.unexplained)) == (0, 1)
    assert store.entries(EntryFilter("other")) == []
