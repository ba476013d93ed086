"""Print how much a call adds to the ledger in SQLite, in bytes, and what storing it costs.

    python benchmarks/ledger_growth.py

A call here is one attempt that is priced: an intent, a settlement with two cost lines, an exchange.
They are appended as a worker does, 500 records at a time. CPU time is of the whole process; the
records are made beforehand. `nobody`: no call says whom it is for. `everybody`: each names a team,
a feature, a customer and an end user, of 500 customers with 20,000 end users, so that sums by end
user are nearly as many as the calls.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import tempfile
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from flo2.ledger import chain_links
from flo2.prices import CostLine
from flo2.records import Attribution, Exchange, Intent, Record, Settle
from flo2.stores import WriterHead
from flo2_store_sql import SqlStore

BEGIN_US = 1_788_220_800_000_000  # 2026-09-01
BATCH = 500
BOOK = "sha256:" + 64 * "b"


def line(dimension: str, quantity: int, price: str) -> CostLine:
    """Make a cost line of tokens by the million."""
    unit = Decimal(price)
    amount = quantity * unit / 1_000_000
    row = f"openai/gpt-4.1-mini/{dimension}"
    return CostLine(dimension, quantity, unit, 1_000_000, amount, amount, "USD", row, BOOK)


def records(number: int, *, named: bool) -> list[Record]:
    """Make up calls over ten days, as many an hour."""
    rng = random.Random(3)  # noqa: S311  # the same each time
    made: list[Record] = []
    for place in range(number):
        started = BEGIN_US + place * 10 * 86_400_000_000 // number
        call, user = f"{started:016x}0000k3v9", int(20_000 * rng.random() ** 2)
        who = Attribution()
        if named:
            customer, end_user = f"customer-{user % 500}", f"user-{user}@example.org"
            who = Attribution(f"team-{user % 5}", f"feature-{user % 9}", customer, end_user)
        lines = (
            line("input_tokens", rng.randrange(20, 8000), "0.40"),
            line("output_tokens", rng.randrange(1, 900), "1.60"),
        )
        cost = lines[0].amount + lines[1].amount
        meters = {each.dimension: each.quantity for each in lines}
        raw = {
            "prompt_tokens": lines[0].quantity,
            "completion_tokens": lines[1].quantity,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }
        made += [
            Intent(
                f"{call}.1", call, 1, "primary", "default", "key_0123456789ab", "cred_0123456789ab",
                "openai", "openai", "chat", "openai/gpt-4.1-mini", "gpt-4.1-mini", started,
                attribution=who, low=Decimal("0.0001"), high=Decimal("0.0123"),
                why="the only target",
            ),
            Settle(
                f"{call}.1", started + 900_000, "settled", "answered", meters, lines, cost, cost,
                "USD", BOOK, model_billed="gpt-4.1-mini-2025-04-14", raw_usage=raw,
                provider_request_id=f"chatcmpl-{place:029d}", context={"service_tier": "default"},
                first_byte_us=started + 300_000, finish="stop", http_status=200,
            ),
            Exchange(
                call, "default", "key_0123456789ab", "openai.chat", "openai/gpt-4.1-mini",
                stream=True, status=200, started_us=started, ended_us=started + 901_000,
                overhead_us=140, attempts=1, client="served", plan="the only target",
                attribution=who,
            ),
        ]  # fmt: skip
    return made


def measure(number: int, *, named: bool) -> tuple[float, float, dict[str, float]]:
    """Give bytes and CPU microseconds a call, and the bytes by table with its indexes."""
    made = enumerate(records(number, named=named), 1)
    links = chain_links(WriterHead("w1", 0, ""), made, b"salt of a bench.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flo2.db"
        store = SqlStore(SqlStore.Config(path=str(path)))
        store.open()
        empty = path.stat().st_size
        begin = time.process_time()
        for first in range(0, len(links), BATCH):
            store.append(links[first : first + BATCH])
        took = time.process_time() - begin
        store.close()
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            sizes = tables(database, number)
        return (path.stat().st_size - empty) / number, took / number * 1e6, sizes


def tables(database: sqlite3.Connection, number: int) -> dict[str, float]:
    """Give the bytes a call by table; nothing where this SQLite cannot tell."""
    query = """SELECT s.tbl_name, sum(d.pgsize) FROM dbstat d
        JOIN sqlite_schema s ON s.name = d.name
        GROUP BY s.tbl_name HAVING sum(d.pgsize) > 100000 ORDER BY 2 DESC"""
    try:
        return {name: size / number for name, size in database.execute(query)}
    except sqlite3.OperationalError:  # built without dbstat
        return {}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    chosen = parser.parse_args()
    for name, named in (("nobody", False), ("everybody", True)):
        size, cost, parts = measure(chosen.calls, named=named)
        print(f"{name:12s}{size:8.0f} bytes a call{cost:8.1f} µs CPU a call to store")
        for table, each in parts.items():
            print(f"    {table:24s}{each:8.0f} bytes")


if __name__ == "__main__":
    main()
