"""Sums on PostgreSQL: as exact as on SQLite, with many that append at once."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from threading import Barrier, Thread

import pytest

from flo2.errors import StoreError
from flo2.memory_store import MemoryStore
from flo2.records import Adjust, Attribution
from flo2.stores import EntryFilter, WriterHead
from flo2.testing.records import an_intent, linked, pend_of, settle_of
from flo2_store_sql import SqlStore
from flo2_store_sql.cubes import HOUR_US

PASSWORD = "FLO2_TEST_PG"
SEPTEMBER, OCTOBER = 1_788_220_800_000_000, 1_790_812_800_000_000  # 2026
ALL = EntryFilter("default")
QUESTIONS = [
    (EntryFilter("default", since_us=since, until_us=until, key_id=key), by)
    for since, until in ((None, None), (SEPTEMBER + 7, OCTOBER - HOUR_US // 2))
    for key in (None, "key_1")
    for by in ((), ("model", "team"), ("customer",), ("end_user",), ("tag:env",))
]


def intents(writer):
    """Twelve of a writer, over a month; all writers share their groups."""
    return [
        an_intent(
            number,
            entry_id=f"{writer}x{number}.1",
            exchange_id=f"{writer}x{number}",
            started_us=SEPTEMBER + number * 50 * HOUR_US,
            key_id=f"key_{number % 2}",
            attribution=Attribution(
                team=f"t{number % 2}", customer=f"c{number % 3}", end_user=f"u{number % 4}",
                tags={"env": "a"},
            ),
        )
        for number in range(1, 13)
    ]  # fmt: skip


def batches(writer):
    """What a writer appends: each entry is pending first, some are settled, some corrected."""
    made = intents(writer)
    batch = []
    for number, intent in enumerate(made):
        batch += [intent, pend_of(intent, high=None if number % 5 else Decimal("1E-19"))]
        if number % 4 == 3:
            yield batch
            batch = [settle_of(each, total=Decimal(number) / 8) for each in made[: number - 1]]
    amounts = {each.entry_id: Decimal("0.0000001") for each in made[::3]}
    yield [*batch, Adjust(f"{writer}a", "default", 1, "reprice", "book", amounts)]


def test_sums_are_exact_whoever_appends_at_once(postgres, monkeypatch):
    monkeypatch.setenv(PASSWORD, postgres.password)
    config = SqlStore.Config(url=postgres.url(postgres.create()), password=f"env:{PASSWORD}")
    writers = ("a", "b", "c")
    start, failed = Barrier(len(writers)), []

    def work(writer):
        head = WriterHead(writer, 0, "")
        with closing(SqlStore(config)) as store:
            store.open()
            start.wait(20)
            for batch in batches(writer):
                links = linked(*batch, writer=writer, head=head)
                try:
                    store.append(links)
                    store.append(links)
                except StoreError as exc:
                    failed.append(exc)
                    return
                head = WriterHead(writer, links[-1].seq, links[-1].hash)

    with closing(SqlStore(config)) as store:
        store.open()
        threads = [Thread(target=work, args=(writer,)) for writer in writers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert failed == []
        memory = MemoryStore()
        for writer in writers:
            memory.append(list(store.chain(writer)))
        for where, by in QUESTIONS:
            assert store.usage(where, by) == memory.usage(where, by), (where, by)
        assert list(store.check_usage()) == []
        for each in (store, memory):
            each.erase_attribution("default", customer="c1")
        for where, by in QUESTIONS:
            assert store.usage(where, by) == memory.usage(where, by), (where, by)
        assert store.rebuild_usage() == 36
        assert list(store.check_usage()) == []
        with pytest.raises(StoreError, match="are open or pending"):
            store.prune(OCTOBER, [])
        every = [settle_of(each) for writer in writers for each in intents(writer)]
        store.append(linked(*every, writer="d"))
        answers = [store.usage(where, by) for where, by in QUESTIONS[:4]]
        ends = {link.writer: link for link in store.prunable(OCTOBER)}
        store.prune(
            OCTOBER, [WriterHead(each.writer, each.seq, each.hash) for each in ends.values()]
        )
        assert store.entries(ALL) == []
        assert store.writers() == ["a", "b", "c", "d"]
        assert [store.usage(where, by) for where, by in QUESTIONS[:4]] == answers
        assert list(store.check_usage()) == []
