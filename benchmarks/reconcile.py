"""Measure reconciliation: a month of one-hour buckets against a ledger of many entries.

    python benchmarks/reconcile.py                    # a million entries
    python benchmarks/reconcile.py --entries 10000000 --folder DIR

The ledger is made by writing the folded table of a SQLite store directly (to append that many
records takes an hour, and reconciliation does not read them); the bill agrees with it, so what is
timed is reading both sides and comparing each cell. A folder that holds such a ledger is used
again. With --costs, each meter's money is compared too.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

from flo2 import Account, Cost, Usage
from flo2.prices import PricingContext
from flo2_reconcile.bill import Bill
from flo2_reconcile.catalogue import EXPLAINERS
from flo2_reconcile.importers.openai import OpenAIReports
from flo2_reconcile.reconciler import Reconciler
from flo2_store_sql import SqlStore

START: Final = 1_793_491_200_000_000  # 2026-11-01
HOUR: Final = 3_600_000_000
HOURS: Final = 30 * 24
RATES: Final = {"input_tokens": 25, "cache_read_tokens": 5, "output_tokens": 100}
"""Tenths of a millionth of a dollar."""
SHAPES: Final = 1000
"""So many different calls are drawn, and repeated."""


COLUMNS: Final = (
    *("entry_id", "exchange_id", "attempt", "role", "account", "key_id", "credential_id"),
    *("provider", "provider_kind", "project", "api", "model_requested", "model", "why", "losses"),
    *("started_us", "writer", "status", "outcome", "model_billed", "ended_us", "total"),
    *("list_total", "currency", "book", "meters", "lines", "context"),
)


def main() -> None:
    """Make a ledger, or take one, and reconcile it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--costs", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        folder = given.folder or Path(aside)
        measure(folder, given.entries, costs=given.costs)


def measure(folder: Path, entries: int, *, costs: bool) -> None:
    """Reconcile and tell time and memory."""
    path = folder / f"ledger-{entries}.db"
    store = SqlStore(SqlStore.Config(path=str(path)))
    store.open()
    if not store.accounts():
        store.put_account(Account("default", "default", 0))
        began = time.perf_counter()
        bill = fill(path, entries)
        (folder / f"bill-{entries}.json").write_text(json.dumps(bill))
        print(f"made {entries} entries in {time.perf_counter() - began:.0f} s")
    pages = json.loads((folder / f"bill-{entries}.json").read_text())
    before, cpu = time.perf_counter(), time.process_time()
    rows = Bill()
    importer = OpenAIReports()
    for number, page in enumerate(pages if costs else pages[:-1]):
        rows.take(importer.rows(f"{number}.json", io.BytesIO(json.dumps(page).encode())))
    explainers = [each(each.Config(), None) for each in EXPLAINERS]
    outcome = Reconciler(store, explainers, _no_price).run(
        rows, "default", "openai", START + 60 * 24 * HOUR
    )
    took, cpu = time.perf_counter() - before, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cells = sum(one.cells for one in outcome.compared)
    print(
        f"{outcome.entries} entries, {cells} cells: {took:.1f} s ({cpu:.1f} s of CPU), "
        f"peak memory {memory:.0f} MiB, {len(outcome.unexplained)} unexplained"
    )
    store.close()
    sys.exit(0 if outcome.is_proven and outcome.entries == entries else 1)


def fill(path: Path, entries: int) -> list[Any]:
    """Write entries, and give the bill's pages."""
    rng = Random(1)  # noqa: S311  # the same calls every time
    shapes = [_shape(rng, number) for number in range(SHAPES)]
    cells: dict[tuple[int, Any], list[int]] = {}
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    marks = ",".join("?" * len(COLUMNS))

    def rows() -> Iterator[tuple[Any, ...]]:
        for number in range(entries):
            at = START + (number * HOURS * HOUR) // entries
            keys, meters, total, lines, context = shapes[rng.randrange(SHAPES)]
            cell = cells.setdefault((at - at % HOUR, keys), [0, 0, 0, 0])
            cell[0] += 1
            for place, count in enumerate(meters.values(), 1):
                cell[place] += count
            project, credential, model, _ = keys
            yield (
                *(f"x{number:012}.1", f"x{number:012}", 1, "primary", "default", "key_1"),
                *(credential, "openai", "openai", project, "chat", model, model, "only", "[]"),
                *(at, "w", "settled", "answered", model, at + 900_000, total, total, "USD"),
                *("sha256:book", json.dumps(meters), lines, context),
            )

    with connection:
        connection.executemany(
            f"INSERT INTO ledger_entries ({','.join(COLUMNS)}) VALUES ({marks})",  # noqa: S608
            rows(),
        )
    connection.close()
    return list(_pages(cells))


def _shape(rng: Random, number: int) -> tuple[Any, dict[str, int], str, str, str]:
    tier = rng.choice(["default", "default", "flex"])
    keys = (f"proj_{number % 3}", f"cred_{number % 2}", rng.choice(["big", "small"]), tier)
    meters = {meter: rng.randrange(1, 5000) for meter in RATES}
    lines = [
        {
            "dimension": meter,
            "quantity": count,
            "unit_price": f"{RATES[meter] / 10}",
            "per": 1_000_000,
            "amount": f"{count * RATES[meter] / 1e7:.7f}",
            "list_amount": f"{count * RATES[meter] / 1e7:.7f}",
            "currency": "USD",
            "row": f"openai/{keys[2]}/{meter}",
            "book": "sha256:0123456789abcdef0123456789abcdef",
        }
        for meter, count in meters.items()
    ]
    total = f"{sum(count * RATES[meter] for meter, count in meters.items()) / 1e7:.7f}"
    return keys, meters, total, json.dumps(lines), json.dumps({"service_tier": tier})


def _pages(cells: dict[tuple[int, Any], list[int]]) -> Iterator[dict[str, Any]]:
    hours: dict[int, list[Any]] = {}
    for (start, (project, _, model, tier)), (calls, given, cached, made) in cells.items():
        hours.setdefault(start, []).append(
            {
                "object": "organization.usage.completions.result",
                "input_tokens": given + cached,
                "input_cached_tokens": cached,
                "output_tokens": made,
                "num_model_requests": calls,
                "project_id": project,
                "user_id": f"user_{len(hours.get(start, ()))}",
                "model": model,
                "service_tier": tier,
            }
        )
    starts = [START + hour * HOUR for hour in range(HOURS)]
    for first in range(0, HOURS, 168):
        data = [
            {
                "object": "bucket",
                "start_time": start // 1_000_000,
                "end_time": (start + HOUR) // 1_000_000,
                "results": hours.get(start, []),
            }
            for start in starts[first : first + 168]
        ]
        yield {"object": "page", "data": data, "has_more": False}
    yield {"object": "page", "data": list(_costs(cells)), "has_more": False}


def _costs(cells: dict[tuple[int, Any], list[int]]) -> Iterator[dict[str, Any]]:
    days: dict[int, dict[tuple[str, str, str], list[int]]] = {}
    for (start, (project, _, model, tier)), cell in cells.items():
        day = days.setdefault(start - (start - START) % (24 * HOUR), {})
        into = day.setdefault((project, model, tier), [0, 0, 0])
        for place in range(3):
            into[place] += cell[place + 1]
    words = ("input", "cached input", "output")
    for start, told in sorted(days.items()):
        results = [
            {
                "object": "organization.costs.result",
                "amount": {"value": counts[place] * rate / 1e7, "currency": "usd"},
                "line_item": f"{model}, {words[place]}{'' if tier == 'default' else f' ({tier})'}",
                "project_id": project,
                "quantity": float(counts[place]),
            }
            for (project, model, tier), counts in told.items()
            for place, rate in enumerate(RATES.values())
        ]
        end = start + 24 * HOUR
        yield {
            "object": "bucket",
            "start_time": start // 1_000_000,
            "end_time": end // 1_000_000,
            "results": results,
        }


def _no_price(_: Usage, context: PricingContext) -> Cost:
    return Cost((), "unpriced", None, "USD", "", f"no prices for {context.model_billed}")


if __name__ == "__main__":
    main()
