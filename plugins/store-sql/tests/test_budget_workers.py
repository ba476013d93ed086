"""Many callers in many workers against one hard budget: never one digit over."""

from __future__ import annotations

import json
import os
import random
import runpy
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from flo2.errors import BudgetExceeded
from flo2.money import total
from flo2.stored import Declaration
from flo2.stores import EntryFilter

WORKER = Path(__file__).with_name("budget_worker.py")
_made = runpy.run_path(str(WORKER))  # test files are no package
gateway_of, store_of = _made["gateway_of"], _made["store_of"]
HOLD = Decimal("0.0053")  # of one call, about: the bound of its prompt, and a hundred tokens
WORKERS = 4


async def set_up(folder, database, limit):
    """Declare the budget; give the key that the calls are made with."""
    async with gateway_of(folder, database, random.Random(0)) as gateway:
        _, key = await gateway.issue_key("test")
        document = {"limit_usd": str(limit), "per": "total"}
        gateway.store.put_declaration(Declaration("default", "budget", "all", document, 1))
    return key.reveal()


async def call_until_refused(folder, database, key):
    """Let one more worker spend what the others left; give how many calls that took."""
    ask = {"model": "acme/m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    async with gateway_of(folder, database, random.Random(1)) as gateway:
        answered = 0
        while True:
            try:
                async with gateway.chat(ask, key=key) as answer:
                    await answer.response()
            except BudgetExceeded:
                return answered
            answered += 1


def start(folder, database, key, callers, rounds, seed):
    command = [sys.executable, WORKER, folder, database, key, str(callers), str(rounds), str(seed)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def spend(folder, database, *, limit, rounds, kill, callers=50):
    """Run the workers, look on, and hold the budget against the ledger in the end."""
    key = anyio.run(set_up, folder, database, limit)
    workers = [start(folder, database, key, callers, rounds, seed) for seed in range(WORKERS)]
    store = store_of(folder, database)
    store.open()
    seen = []

    def look():
        for standing in store.standings("default"):
            assert standing.taken <= limit
            seen.append(standing.spent)

    try:
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        victim = workers.pop() if kill else None
        while victim is not None and not any(spent > limit / 8 for spent in seen):
            look()
        if victim is not None:
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait(30)
            victim.stdin.close()
            victim.stdout.close()
        answers = []
        for worker in workers:
            while worker.poll() is None:
                look()
            answers.append(json.loads(worker.communicate()[0]))
            assert worker.returncode == 0
        look()
        more = anyio.run(call_until_refused, folder, database, key)  # adopts the victim's journal
        look()
        (standing,) = store.standings("default")
        entries = store.entries(EntryFilter("default"))
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
        store.close()
    settled = [entry for entry in entries if entry.status == "settled"]
    pending = [entry for entry in entries if entry.status == "pending"]
    assert len(settled) + len(pending) == len(entries)
    assert {entry.intent.budgets for entry in entries} == {("all:total",)}
    assert standing.spent == total(entry.total for entry in settled)
    assert standing.pending == total(entry.end.high for entry in pending)
    assert standing.leased == 0
    assert limit - HOLD < standing.taken <= limit
    if not kill:
        assert pending == []
        assert len(entries) == sum(each["answered"] for each in answers) + more
    # Of all together: which worker comes first is the machine's affair, and one may get nothing.
    assert sum(each["answered"] for each in answers)
    assert sum(each["refused"] for each in answers)


@pytest.fixture
def postgresql(postgres, monkeypatch):
    monkeypatch.setenv("FLO2_TEST_PG", postgres.password)
    return postgres.url(postgres.create())


def test_a_hard_budget_is_kept_by_four_workers_on_sqlite(tmp_path):
    spend(tmp_path, "-", limit=Decimal("0.2"), rounds=5, kill=False)


def test_a_hard_budget_is_kept_on_postgresql_though_a_worker_is_killed(tmp_path, postgresql):
    spend(tmp_path, postgresql, limit=Decimal("0.2"), rounds=5, kill=True)


@pytest.mark.deep
@pytest.mark.parametrize("kill", [False, True], ids=["all_live", "one_is_killed"])
def test_a_hard_budget_is_kept_for_long_on_sqlite(tmp_path, kill):
    spend(tmp_path, "-", limit=Decimal(8), rounds=200, kill=kill)


@pytest.mark.deep
@pytest.mark.parametrize("kill", [False, True], ids=["all_live", "one_is_killed"])
def test_a_hard_budget_is_kept_for_long_on_postgresql(tmp_path, postgresql, kill):
    spend(tmp_path, postgresql, limit=Decimal(8), rounds=200, kill=kill)
