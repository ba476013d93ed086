"""A worker that takes of one limit until it is refused; prints how often it was not."""

from __future__ import annotations

import sys
import time

import anyio
from anyio import to_thread

from flo2.limits.counters import Denied, SharedCounter
from flo2.limits.places import SharedPlaces
from flo2.limits.shelf import Shelf
from flo2.limits.steady import Steady
from flo2.services import wall_us
from flo2_store_sql import SqlStore

SLOT_US = 60_000_000


async def main(path: str, limit: int) -> None:
    """Take until refused, four tasks at once; then begin calls until refused."""
    store = SqlStore(SqlStore.Config(path=path))
    store.open()
    shelf = Shelf(store, to_thread.run_sync, wall_us)
    steady = Steady(wall_us, time.monotonic)
    counter = SharedCounter(shelf, "default", "n", SLOT_US, steady)
    places = SharedPlaces(shelf, "default", "p", f"w{time.monotonic_ns()}", steady, lambda: None)
    taken = 0

    async def take() -> None:
        nonlocal taken
        while not isinstance(await counter.take(limit, 1), Denied):
            taken += 1

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(take)
    begun = 0
    for _ in range(5):
        begun += not isinstance(await places.take(15, 1), Denied)
    print(taken, begun)  # noqa: T201  # what the test reads
    store.close()


anyio.run(main, sys.argv[1], int(sys.argv[2]))
