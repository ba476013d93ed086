from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import anyio
import pytest

from flo2.ledger import Journal, Ledger, verify
from flo2.stores import EntryFilter
from flo2_store_sql import SqlStore

WORKER = Path(__file__).with_name("kill_worker.py")


def run_and_kill(command, rng):
    """Start a worker and kill it: mostly at work, sometimes while it starts and adopts."""
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        # A worker needs some 0.3 s to start, so these kills hit imports, opening and adoption.
        patience = rng.uniform(0.1, 0.4) if rng.random() < 0.25 else 60
        ready, _, _ = select.select([process.stdout], [], [], patience)
        if ready:
            assert process.stdout.readline() == b"ready\n"
            select.select([process.stdout], [], [], rng.uniform(0, 0.25))  # it says nothing more
        assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
    return bool(ready)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


async def adopt(folder, store):
    ledger = Ledger(Journal(folder / "journal", "after"), store, lambda: 1)
    await ledger.adopt()
    await ledger.close()


def check(folder):
    """Hold the ledger against what the provider and the clients saw.

    Returns:
        How many attempts reached the provider, calls were acknowledged, and attempts are pending.
    """
    store = SqlStore(SqlStore.Config(path=str(folder / "flo2.db")))
    store.open()
    anyio.run(adopt, folder, store)
    reached, acknowledged = lines(folder / "upstream.log"), lines(folder / "acknowledged.log")
    entries = {entry.intent.entry_id: entry for entry in store.entries(EntryFilter("default"))}
    statuses = {name: entry.status for name, entry in entries.items()}
    assert [each for each in reached if each not in entries] == []
    assert [each for each in acknowledged if statuses[each] != "settled"] == []
    assert set(statuses.values()) <= {"settled", "void", "pending"}
    assert [name for name, entry in entries.items() if len(entry.ends) != 1] == []
    crashed = {name for name, status in statuses.items() if status == "pending"}
    assert {entries[name].end.outcome for name in crashed} <= {"crashed"}
    assert crashed.isdisjoint(acknowledged)
    served = {exchange.exchange_id for exchange in store.exchanges(EntryFilter("default"))}
    assert {each.rpartition(".")[0] for each in acknowledged} <= served
    assert [problem for writer in store.writers() for problem in verify(store.chain(writer))] == []
    # A worker killed while it makes its lock file leaves an empty draft.
    left = [path.name for path in (folder / "journal").iterdir() if path.suffix != ".new"]
    assert left == ["adoption.flock"]
    store.close()
    assert max(Counter(reached).values()) == 1
    return len(reached), len(acknowledged), len(crashed)


def kill_many(folder, kills, seed):
    rng = random.Random(seed)
    at_work = 0
    for number in range(kills):
        command = [sys.executable, str(WORKER), str(folder), f"worker-{number}"]
        at_work += run_and_kill(command, rng)
    reached, acknowledged, crashed = check(folder)
    print(  # noqa: T201  # the figures, for `pytest -s`
        f"{kills} kills, {at_work} at work: {reached} attempts reached the provider, "
        f"{acknowledged} calls acknowledged, {crashed} attempts pending"
    )
    assert reached >= acknowledged > 0
    assert crashed > 0


def test_no_call_is_lost_when_workers_are_killed(tmp_path):
    kill_many(tmp_path, kills=8, seed=1)


@pytest.mark.deep
def test_no_call_is_lost_in_a_hundred_kills(tmp_path):
    kill_many(tmp_path, kills=120, seed=2)
