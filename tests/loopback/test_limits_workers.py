"""Processes over one database never let more through together than a limit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from flo2.stored import Account
from flo2_store_sql import SqlStore

LIMIT = 200
WORKER = Path(__file__).with_name("limited_worker.py")


def test_processes_together_keep_one_limit_and_use_it_up(tmp_path):
    path = str(tmp_path / "flo2.db")
    store = SqlStore(SqlStore.Config(path=path))
    store.open()
    store.put_account(Account("default", "default", 0))
    store.close()
    command = [sys.executable, str(WORKER), path, str(LIMIT)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [worker.communicate(timeout=60)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    taken = [int(count) for count, _ in told]
    assert sum(taken) <= LIMIT
    # What a worker holds when it stops is less than an eighth of what was free.
    assert sum(taken) >= LIMIT - 2 * (LIMIT // 8)
    at_once = [int(most) for _, most in told]
    assert all(most > 0 for most in at_once)
