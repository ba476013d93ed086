"""A whole month of calls, with everything that goes wrong in one, reconciled to nothing.

In short 6000 calls; in the deep form a million, in SQLite.
"""

from __future__ import annotations

import faulthandler
import io
import json
import time
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from msgspec.structs import replace

from flo2 import (
    Account,
    Cost,
    EntryFilter,
    Importer,
    Intent,
    MemoryStore,
    Pend,
    Record,
    Settle,
    Store,
    Usage,
    Void,
)
from flo2.ledger import Corrections, chain_links
from flo2.money import ZERO, add, multiply, total
from flo2.prices import PricingContext
from flo2.stores import WriterHead
from flo2_reconcile.applying import apply, plan
from flo2_reconcile.bill import Bill
from flo2_reconcile.catalogue import EXPLAINERS
from flo2_reconcile.importers.openai import OpenAIReports
from flo2_reconcile.reconciler import Outcome, Reconciler

from .traffic import DAY, HOUR, NAMES, START, Call, price, records_of  # noqa: TID252  # no package

DAYS: Final = 30
END: Final = START + DAYS * DAY
CHEAPER: Final = START + 12 * DAY
"""From here on `small` costs a fifth less, at the provider and in the book."""
DEARER: Final = START + 20 * DAY
"""From here on `big` costs a tenth more to read from the cache, and the book does not know it."""
LATE: Final = END - 20 * HOUR
"""What came after this was not on the first bill."""


def scaled(cost: Cost, factor: Decimal, meters: Iterable[str] | None = None) -> Cost:
    lines = tuple(
        replace(line, amount=multiply(line.amount, factor), list_amount=line.list_amount)
        if meters is None or line.dimension in meters
        else line
        for line in cost.lines
    )
    return Cost(lines, cost.status, total(e.amount for e in lines), "USD", "book")


def by_book(usage: Usage, context: PricingContext) -> Cost:
    """Price as the book says."""
    cost = price(usage, context)
    at = int(context.at.timestamp()) * 1_000_000
    if context.model_billed == "small" and at >= CHEAPER and cost.status == "settled":
        return scaled(cost, Decimal("0.8"))
    return cost


class Month:
    """Makes calls one by one; keeps what the provider bills of them, summed."""

    def __init__(self, seed: int, count: int) -> None:
        self.rng = Random(seed)
        self.count = count
        self.usage: dict[tuple[int, Any], dict[str, int]] = {}
        self.late: dict[tuple[int, Any], dict[str, int]] = {}
        self.costs: dict[tuple[int, Any], dict[str, Decimal]] = {}
        self.tokens: dict[tuple[int, Any], dict[str, int]] = {}
        self.waiting: set[tuple[int, Any]] = set()
        self.billed = ZERO
        self.kinds: dict[str, int] = {}

    def records(self) -> Iterator[Record]:
        """Give the ledger's records, and count what the provider bills."""
        for number in range(self.count):
            yield from self._call(number)

    def _call(self, number: int) -> Iterable[Record]:
        rng = self.rng
        batch = rng.random() < 0.1
        call = Call(
            number,
            START + rng.randrange(DAYS * 24) * HOUR + rng.randrange(6 * 60, 54 * 60) * 1_000_000,
            rng.choice(("big", "small")),
            rng.choice(("proj_1", "proj_2")),
            rng.choice(("cred_a", "cred_b")),
            "flex" if not batch and rng.random() < 0.1 else "standard",
            batch,
            {
                "input_tokens": rng.randrange(1, 20_000),
                "cache_read_tokens": rng.randrange(0, 5_000) or 1,
                "output_tokens": rng.randrange(1, 4_000),
            },
        )
        place = (call.at_us - call.at_us % HOUR, _keys(call))
        luck = rng.random()
        kind, records = "plain", self._settled(call)
        if luck < 0.02:
            kind, records = "retry", [*self._refused(call, number), *records]
        elif luck < 0.03 and place not in self.waiting and call.tier == "standard" and not batch:
            # What a lost race or a cancelled stream used, only the bill tells.
            kind = rng.choice(("lost", "disconnected"))
            records = [records[0], _pend(records[0], kind)]
            self.waiting.add(place)
        elif luck < 0.04:
            kind, at = "edge", call.at_us - call.at_us % HOUR + HOUR - 1_000_000
            after = (at + 1_000_000, _keys(call))
            if {place, after} & self.waiting or at + 1_000_000 >= END:
                kind = "plain"
            else:
                call = Call(**{**_fields(call), "at_us": at})
                records = self._settled(call)
                self._bill(call, at + 1_000_000)
                self.waiting |= {place, after}  # one surprise a cell
        if kind != "edge":
            self._bill(call, call.at_us)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        return records

    def _settled(self, call: Call) -> list[Record]:
        intent, end = records_of(call)
        assert isinstance(intent, Intent)
        assert isinstance(end, Settle)
        if call.batch:
            intent = replace(intent, role="batch_item")
        cost = self._cost(call)
        return [intent, replace(end, lines=cost.lines, total=cost.total, list_total=cost.total)]

    def _refused(self, call: Call, number: int) -> list[Record]:
        again = Call(**{**_fields(call), "number": number + 10**9})
        intent = records_of(again)[0]
        assert isinstance(intent, Intent)
        return [intent, Void(intent.entry_id, call.at_us, "refused", "429", "not billed", 429)]

    def _cost(self, call: Call) -> Cost:
        end = records_of(call)[1]
        assert isinstance(end, Settle)
        cost = Cost(end.lines, "settled", end.total, "USD", "book")
        if call.model == "small" and call.at_us >= CHEAPER:
            return scaled(cost, Decimal("0.8"))
        return cost

    def _bill(self, call: Call, at: int) -> None:
        cost = self._cost(call)
        if call.model == "big" and at >= DEARER:
            cost = scaled(cost, Decimal("1.1"), {"cache_read_tokens"})
        keys = _keys(call)
        cells = [self.usage]
        if at >= LATE and self.rng.random() < 0.2:
            cells = [self.late]
        for into in cells:
            cell = into.setdefault((at - at % HOUR, keys), {"requests": 0})
            cell["requests"] += 1
            for meter, count in call.meters.items():
                cell[meter] = cell.get(meter, 0) + count
        day = at - (at - START) % DAY
        kept = self.costs.setdefault((day, (keys[0], *keys[2:])), {})
        used = self.tokens.setdefault((day, (keys[0], *keys[2:])), {})
        for line in cost.lines:
            kept[line.dimension] = add(kept.get(line.dimension, ZERO), line.amount)
            used[line.dimension] = used.get(line.dimension, 0) + int(line.quantity)
        self.billed = add(self.billed, cost.total or ZERO)

    def bill(self, *, late: bool) -> Iterator[bytes]:
        """Write the pages; without `late` those calls are not on it yet."""
        cells = {place: dict(cell) for place, cell in self.usage.items()}
        for place, cell in self.late.items() if late else ():
            into = cells.setdefault(place, {})
            for name, count in cell.items():
                into[name] = into.get(name, 0) + count
        by_hour: dict[int, list[Any]] = {}
        for (start, (project, key, model, batch, tier)), cell in cells.items():
            by_hour.setdefault(start, []).append(
                {
                    "object": "organization.usage.completions.result",
                    "input_tokens": cell["input_tokens"] + cell["cache_read_tokens"],
                    "input_cached_tokens": cell["cache_read_tokens"],
                    "output_tokens": cell["output_tokens"],
                    "num_model_requests": cell["requests"],
                    "project_id": project,
                    "api_key_id": key,
                    "model": model,
                    "batch": batch,
                    "service_tier": tier.replace("standard", "default"),
                }
            )
        yield from _pages(by_hour, HOUR)
        if not late:
            return
        words = {"input_tokens": "input", "cache_read_tokens": "cached input"}
        by_day: dict[int, list[Any]] = {}
        for (start, (project, model, batch, tier)), amounts in self.costs.items():
            way = " (batch)" if batch else "" if tier == "standard" else f" ({tier})"
            for meter, amount in amounts.items():
                by_day.setdefault(start, []).append(
                    {
                        "object": "organization.costs.result",
                        "amount": {"value": float(amount), "currency": "usd"},
                        "line_item": f"{model}, {words.get(meter, 'output')}{way}",
                        "project_id": project,
                        "quantity": float(self.tokens[start, (project, model, batch, tier)][meter]),
                    }
                )
        yield from _pages(by_day, DAY)


def _fields(call: Call) -> dict[str, Any]:
    names = ("number", "at_us", "model", "project", "credential", "tier", "batch", "meters")
    return {name: getattr(call, name) for name in names}


def _keys(call: Call) -> tuple[Any, ...]:
    return call.project, call.key, call.model, call.batch, call.tier


def _pend(intent: Record, outcome: Any) -> Pend:
    assert isinstance(intent, Intent)
    return Pend(intent.entry_id, intent.started_us + 9, outcome, "", ZERO, Decimal(10))


def _pages(buckets: dict[int, list[Any]], width: int) -> Iterator[bytes]:
    starts = range(START, END, width)
    for first in range(0, len(starts), 168):
        data = [
            {
                "object": "bucket",
                "start_time": start // 1_000_000,
                "end_time": (start + width) // 1_000_000,
                "results": buckets.get(start, []),
            }
            for start in starts[first : first + 168]
        ]
        yield json.dumps({"object": "page", "data": data, "has_more": False}).encode()


def reconciled(store: Store, month: Month, now: int, *, late: bool) -> Outcome:
    importer: Importer = OpenAIReports()
    bill = Bill()
    for number, body in enumerate(month.bill(late=late)):
        bill.take(importer.rows(f"{number}.json", io.BytesIO(body)))
    explainers = [each(each.Config(), None) for each in EXPLAINERS]
    return Reconciler(store, explainers, by_book, NAMES).run(bill, "default", "openai", now)


def written(store: Store, records: Iterable[Record]) -> None:
    head = WriterHead("w", 0, "")
    batch: list[Record] = []

    def flush() -> None:
        nonlocal head
        links = chain_links(head, enumerate(batch, head.seq + 1), b"salt")
        store.append(links)
        head = WriterHead("w", links[-1].seq, links[-1].hash)
        batch.clear()

    for record in records:
        batch.append(record)
        if len(batch) >= 5000:
            flush()
    if batch:
        flush()


def whole_month(store: Store, count: int) -> None:
    store.put_account(Account("default", "default", 0))
    month = Month(7, count)
    written(store, month.records())

    first = reconciled(store, month, END, late=False)
    assert {each.cause for each in first.findings} >= {"late_data", "cancelled_stream_billed"}
    assert all(each.waits for each in first.findings if each.cause == "late_data")

    corrections = Corrections(store)
    began = time.perf_counter()
    final = reconciled(store, month, END + 5 * DAY, late=True)
    took = time.perf_counter() - began
    print(f"{final.entries} entries in {took:.1f} s, {len(final.findings)} findings")  # noqa: T201
    assert list(final.unexplained) == []
    assert {each.cause for each in final.findings} == {
        *("bucket_boundary", "cancelled_stream_billed", "race_loser_billed", "price_differs"),
    }
    apply(plan(final, store), store, corrections)
    again = reconciled(store, month, END + 6 * DAY, late=True)
    assert list(again.unexplained) == []
    assert plan(again, store).nothing

    (row,) = store.usage(EntryFilter("default"), ())
    assert row.statuses.get("pending", 0) == 0
    # The costs report tells money in binary floats: as exact as these are.
    assert abs(row.total - month.billed) <= Decimal("1e-9") * month.billed
    assert set(month.kinds) == {"plain", "retry", "lost", "disconnected", "edge"}


def test_a_month_of_calls_is_reconciled_to_nothing():
    whole_month(MemoryStore(), 3000)


@pytest.mark.deep
def test_a_month_of_a_million_calls_is_reconciled_to_nothing(tmp_path: Path):
    from flo2_store_sql import SqlStore  # noqa: PLC0415  # for this form alone

    faulthandler.cancel_dump_traceback_later()  # it takes longer than a test that hangs may
    store = SqlStore(SqlStore.Config(path=str(tmp_path / "month.db")))
    store.open()
    try:
        whole_month(store, 1_000_000)
    finally:
        store.close()
