"""A worker to be killed: calls an upstream through the ledger for as long as it lives.

Usage: `python kill_worker.py FOLDER WRITER`. It keeps its journal and database in FOLDER, adopts
what its predecessors left, prints `ready`, then makes calls, sixteen at a time. Two files stand for
the outside world, each line one `write`: `upstream.log` holds the entry id of every attempt that
reached the provider, `acknowledged.log` that of every call whose client has its last byte.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import anyio

from flo2.ledger import Journal, Ledger
from flo2.services import wall_us
from flo2.testing.records import an_exchange, an_intent, settle_of, void_of
from flo2_store_sql import SqlStore


class Log:
    """A file of lines that others write to as well."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, line: str) -> None:
        os.write(self._fd, f"{line}\n".encode())


async def client(ledger: Ledger, upstream: Log, acknowledged: Log, rng: random.Random) -> None:
    """Make calls for ever: one in four fails at first and is retried."""
    while True:
        now = wall_us()
        exchange_id = f"{now:016x}{rng.getrandbits(64):016x}"
        attempts = 0
        while True:
            attempts += 1
            intent = an_intent(
                exchange_id=exchange_id,
                entry_id=f"{exchange_id}.{attempts}",
                attempt=attempts,
                started_us=now,
            )
            ledger.intent(intent)
            upstream.write(intent.entry_id)
            await anyio.sleep(rng.random() * 0.003)
            if attempts > 1 or rng.random() > 0.25:
                break
            ledger.end(void_of(intent))
        exchange = an_exchange(exchange_id=exchange_id, attempts=attempts, started_us=now)
        ledger.end(settle_of(intent), exchange)
        acknowledged.write(intent.entry_id)


async def main(folder: Path, writer: str) -> None:
    store = SqlStore(SqlStore.Config(path=str(folder / "flo2.db")))
    store.open()
    # Small segments, so that some are removed while it runs.
    journal = Journal(folder / "journal", writer, segment_bytes=64 << 10)
    ledger = Ledger(journal, store, wall_us, interval_s=0.01)
    await ledger.adopt()
    os.write(1, b"ready\n")
    upstream, acknowledged = Log(folder / "upstream.log"), Log(folder / "acknowledged.log")
    rng = random.Random(writer)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ledger.run)
        for _ in range(16):
            tasks.start_soon(client, ledger, upstream, acknowledged, rng)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2])
