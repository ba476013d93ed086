"""A worker of a gateway under a hard budget: fifty clients call, and some are refused.

Usage: `python budget_worker.py FOLDER DATABASE KEY CALLERS ROUNDS SEED`. DATABASE is the address of
a PostgreSQL database, or `-` for SQLite in FOLDER. It prints `ready`, waits for a line, makes its
calls, and prints how many were answered and how many refused.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

import anyio

from flo2 import Gateway
from flo2.errors import BudgetExceeded
from flo2.testing.paid import Paid
from flo2.testing.scripted import Begin, End, Say, Script, Tell, Wait
from flo2_store_sql import SqlStore

MAX_TOKENS = 100


def store_of(folder: Path, database: str) -> SqlStore:
    where = {"path": str(folder / "flo2.db")}
    if database != "-":
        where = {"url": database, "password": "env:FLO2_TEST_PG"}
    return SqlStore(SqlStore.Config(**where, busy_timeout_s=60))


def gateway_of(folder: Path, database: str, rng: random.Random) -> Gateway:
    def answer(call):
        tokens = rng.randint(0, MAX_TOKENS)
        steps = (Begin(), Say(), Wait(rng.random() * 0.002), End(Tell(rng.randint(1, 40), tokens)))
        return Script(steps)

    return Gateway.build(
        {"data_dir": str(folder), "plugins": {"only": []}},
        plugins={"paid": Paid(answer)},
        store=store_of(folder, database),
        environ=dict(os.environ),
    )


async def main(folder: str, database: str, key: str, callers: str, rounds: str, seed: str) -> None:
    rng = random.Random(int(seed))
    told = {"answered": 0, "refused": 0}
    ask = {
        "model": "acme/m",
        "max_tokens": MAX_TOKENS,
        "messages": [{"role": "user", "content": "hi"}],
    }

    async def caller() -> None:
        for _ in range(int(rounds)):
            try:
                async with gateway.chat(ask, key=key) as answer:
                    await answer.response()
            except BudgetExceeded:
                told["refused"] += 1
                await anyio.sleep(rng.random() * 0.01)
            else:
                told["answered"] += 1

    async with gateway_of(Path(folder), database, rng) as gateway:
        print("ready", flush=True)  # noqa: T201
        sys.stdin.readline()
        async with anyio.create_task_group() as group:
            for _ in range(int(callers)):
                group.start_soon(caller)
    print(json.dumps(told), flush=True)  # noqa: T201


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
