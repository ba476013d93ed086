"""P35 to P38: what holds of any traffic, any format and any width of bucket."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flo2 import Account, EntryFilter, Importer, MemoryStore, Settle
from flo2.billing import plus
from flo2.ledger import Corrections, chain_links
from flo2.stores import WriterHead
from flo2_reconcile.applying import apply, plan
from flo2_reconcile.bill import Bill
from flo2_reconcile.catalogue import EXPLAINERS, IMPORTERS
from flo2_reconcile.importers.mapped import MappedFile, mapping_of
from flo2_reconcile.reconciler import Outcome, Reconciler

from .traffic import (  # noqa: TID252  # tests have no package
    DAY,
    FINAL,
    HOUR,
    NAMES,
    START,
    Call,
    calls,
    ledger_of,
    price,
    records_of,
)
from .writers import CONSOLE_MAPPING, FORMATS, openai_both, openai_usage  # noqa: TID252

SPAN = (START, START + 2 * DAY)
EACH = [(kind, width) for kind, (_, _, widths) in FORMATS.items() for width in widths]


def importer_of(kind: str) -> Importer:
    if kind == "mapped":
        made = MappedFile()
        made.mapping = mapping_of(tomllib.loads(CONSOLE_MAPPING), "mapping.toml")
        return made
    kind = kind.removesuffix("-csv") if kind == "gcp-csv" else kind
    found: Any = next(each for each in IMPORTERS if each.kind == kind)
    return found()


def outcome_of(
    store: MemoryStore, kind: str, files: Mapping[str, bytes], now: int = FINAL
) -> Outcome:
    importer = importer_of(kind)
    bill = Bill(span_us=SPAN)
    for name, body in files.items():
        assert importer.recognises(name, body[:65536]) or not body
        bill.take(importer.rows(name, io.BufferedReader(io.BytesIO(body))))  # type: ignore[arg-type]
    explainers = [each(each.Config(), None) for each in EXPLAINERS]
    provider = FORMATS[kind][0]
    return Reconciler(store, explainers, price, NAMES).run(bill, "default", provider, now)


@pytest.mark.deep
@pytest.mark.parametrize(("kind", "width"), EACH, ids=lambda each: each)
@given(data=st.data())
def test_p35_for_each_format_and_width(kind: str, width: str, data: st.DataObject):
    _leaves_nothing(kind, width, data)


@given(data=st.data())
def test_p35_a_bill_of_the_ledger_leaves_nothing(data: st.DataObject):
    _leaves_nothing(*data.draw(st.sampled_from(EACH)), data)


@pytest.mark.parametrize(("kind", "width"), EACH, ids=lambda each: each)
def test_a_plain_bill_of_each_format_leaves_nothing(kind: str, width: str):
    made = [
        Call(1, START + HOUR + 10**9, provider=FORMATS[kind][0]),
        Call(2, START + 30 * HOUR + 10**9, "small", "proj_2", provider=FORMATS[kind][0]),
    ]
    _agrees(kind, width, made)


def _leaves_nothing(kind: str, width: str, data: st.DataObject) -> None:
    _agrees(kind, width, data.draw(calls(provider=FORMATS[kind][0])))


def _agrees(kind: str, width: str, made: Sequence[Call]) -> None:
    _, write, _ = FORMATS[kind]
    outcome = outcome_of(_renamed(made, kind), kind, write(made, width))

    assert list(outcome.unexplained) == []
    assert list(outcome.findings) == []
    assert outcome.entries == len(made)
    assert outcome.compared


def _renamed(made: Sequence[Call], kind: str) -> MemoryStore:
    """Give the ledger the models' own names, at the prices of the plain ones."""
    if not kind.startswith("gcp"):
        return ledger_of(made)
    records = [
        replace(record, model_billed=f"gemini-{record.model_billed}")
        if isinstance(record, Settle)
        else record
        for call in made
        for record in records_of(call)
    ]
    store = MemoryStore()
    store.put_account(Account("default", "default", 0))
    store.append(chain_links(WriterHead("w", 0, ""), enumerate(records, 1), b"salt"))
    return store


def drifted(kind: str, made: list[Call]) -> tuple[list[Call], list[Call], str]:
    """Plant one drift; gives the ledger's calls, the bill's, and the cause."""
    call = Call(
        99,
        START + 26 * HOUR + 30 * 60_000_000,
        meters={"input_tokens": 777_777, "output_tokens": 33_333},
    )
    edge = evolve(call, at_us=START + DAY - 1_000_000)
    uncached = evolve(call, meters={"input_tokens": 777_777, "cache_read_tokens": 10})
    cached = evolve(call, meters={"input_tokens": 777_000, "cache_read_tokens": 787})
    only = evolve(call, outcome="broken", project="proj_9")
    ours, theirs, cause = {
        "boundary": ([edge], [evolve(edge, at_us=START + DAY + 1)], "bucket_boundary"),
        "twice": ([call], [call, call], "retry_counted_twice"),
        "cancelled": ([evolve(call, outcome="disconnected")], [call], "cancelled_stream_billed"),
        "lost": ([evolve(call, outcome="lost")], [call], "race_loser_billed"),
        "not_billed": ([only], [], "not_billed"),
        "tier": ([evolve(call, tier="flex")], [call], "served_tier_differs"),
        "alias": ([evolve(call, model="small")], [call], "alias_resolved"),
        "project": ([call], [evolve(call, project="proj_2")], "project_differs"),
        "cache": ([uncached], [cached], "cache_class_moved"),
        "outside": ([], [evolve(call, project="elsewhere")], "outside_gateway"),
    }[kind]
    return [*made, *ours], [*made, *theirs], cause


DRIFTS = (
    *("boundary", "twice", "cancelled", "lost", "not_billed", "tier", "alias", "project"),
    *("cache", "outside"),
)


@pytest.mark.deep
@pytest.mark.parametrize("width", ["1m", "1h", "1d"])
@pytest.mark.parametrize("kind", DRIFTS)
@given(data=st.data())
def test_p36_for_each_drift_and_width(kind: str, width: str, data: st.DataObject):
    _is_named(kind, width, data.draw(calls(low=2, high=6)))


@given(data=st.data())
def test_p36_a_planted_drift_is_found_and_named(data: st.DataObject):
    kind, width = data.draw(st.sampled_from(DRIFTS)), data.draw(st.sampled_from(["1h", "1d"]))
    _is_named(kind, width, data.draw(calls(low=2, high=6)))


@pytest.mark.parametrize("kind", DRIFTS)
def test_each_drift_is_named_in_the_narrowest_buckets(kind: str):
    _is_named(kind, "1m", [Call(1, START + 5 * HOUR + 10**9)])


def _is_named(kind: str, width: str, made: list[Call]) -> None:
    # Both projects and both keys are known, whatever was drawn.
    made += [Call(50, START + HOUR + 10**9, project="proj_1"), Call(51, START + 10**9)]
    made.append(Call(52, START + 3 * HOUR + 10**9, project="proj_2", credential="cred_b"))
    ours, theirs, cause = drifted(kind, made)
    store = ledger_of(ours)
    outcome = outcome_of(store, "openai", openai_both(theirs, width))

    assert {found.cause for found in outcome.findings} == {cause}
    assert len(outcome.findings) == 1 or cause == "outside_gateway"  # in each report
    assert list(outcome.unexplained) == []
    assert _difference(outcome) == _classified(outcome)
    corrections = Corrections(store)
    if cause != "outside_gateway":
        apply(plan(outcome, store), store, corrections)
        (row,) = store.usage(EntryFilter("default"), ())
        billed = outcome_of(ledger_of(theirs), "openai", openai_both(theirs, width))
        assert row.total == _booked(billed)


def _booked(outcome: Outcome) -> Decimal:
    costs = next(one for one in outcome.compared if one.sheet.report == "openai.costs")
    return sum(
        (Decimal(n) for name, n in costs.booked.items() if name.startswith("$ ")), Decimal(0)
    )


def _difference(outcome: Outcome) -> dict[str, int]:
    """Sum what the usage report and the ledger differ by."""
    usage = outcome.compared[0]
    names = usage.billed.keys() | usage.booked.keys()
    found = {name: plus(usage.billed.get(name, 0), usage.booked.get(name, 0), -1) for name in names}
    return {name: int(count) for name, count in found.items() if count}


def _classified(outcome: Outcome) -> dict[str, int]:
    """Sum what was classified: a move stands in a cell and takes from another one."""
    found: dict[str, int] = {}
    still = {
        "bucket_boundary",
        "served_tier_differs",
        "alias_resolved",
        "project_differs",
    }
    for each in outcome.findings:
        if each.cause not in still and each.report != "openai.costs":
            for name, count in each.quantities.items():
                found[name] = found.get(name, 0) + int(count)
    for gap in outcome.unexplained:
        for name, count in gap.left.items():
            found[name] = found.get(name, 0) + int(count)
    return {name: count for name, count in found.items() if count}


@given(data=st.data())
def test_p36_what_nobody_can_explain_stays(data: st.DataObject):
    made = data.draw(calls(low=1, high=5))
    ghost = Call(99, START + 26 * HOUR + 10**9, meters={"input_tokens": 77, "output_tokens": 3})
    known = Call(98, START + HOUR + 10**9)
    outcome = outcome_of(
        ledger_of([*made, known]), "openai", openai_usage([*made, known, ghost], "1h")
    )

    assert list(outcome.findings) == []
    left: dict[str, int] = {}
    for gap in outcome.unexplained:
        for name, count in gap.left.items():
            left[name] = left.get(name, 0) + int(count)
    assert left == {"requests": 1, "input_tokens": 77, "output_tokens": 3}
    assert _difference(outcome) == left


@given(data=st.data())
def test_p37_the_order_of_rows_and_pages_changes_nothing(data: st.DataObject):
    made = data.draw(calls(low=2))
    ours, theirs, _ = drifted(data.draw(st.sampled_from(DRIFTS)), made)
    whole = openai_both(theirs, "1d", 31)
    cut = openai_both(data.draw(st.permutations(theirs)), "1d", 1)
    shuffled = dict(data.draw(st.permutations(sorted(cut.items()))))
    some = next(iter(cut))
    twice = shuffled | {f"again-{some}": cut[some]}

    expected = outcome_of(ledger_of(ours), "openai", whole)
    for files in (shuffled, twice):
        outcome = outcome_of(ledger_of(ours), "openai", files)
        assert _told(outcome) == _told(expected)


@given(data=st.data())
def test_p37_narrower_buckets_change_no_sum(data: st.DataObject):
    made = data.draw(calls(low=2))
    store = ledger_of(made)
    sums = [
        outcome_of(store, "openai", openai_usage(made, width)).compared[0].billed
        for width in ("1h", "1d")
    ]
    assert sums[0] == sums[1]


def _told(outcome: Outcome) -> tuple[Any, ...]:
    findings = sorted(
        (each.cause, each.start_us, sorted(each.keys.items()), sorted(each.quantities.items()))
        for each in outcome.findings
    )
    left = sorted(
        (gap.report, gap.start_us, sorted(gap.keys.items()), sorted(gap.left.items()))
        for gap in outcome.unexplained
    )
    return findings, left


@given(data=st.data())
def test_p38_a_second_run_after_applying_writes_nothing(data: st.DataObject):
    made = data.draw(calls(low=2))
    ours, theirs, _ = drifted(data.draw(st.sampled_from(DRIFTS)), made)
    store, bill = ledger_of(ours), openai_both(theirs, "1h")
    corrections = Corrections(store)
    first = outcome_of(store, "openai", bill)
    apply(plan(first, store), store, corrections)
    before = list(store.chain("corrections"))

    second = outcome_of(store, "openai", bill)
    assert plan(second, store).nothing
    assert apply(plan(second, store), store, Corrections(store)) == 0
    assert list(store.chain("corrections")) == before
    assert len(second.unexplained) == len(first.unexplained)
