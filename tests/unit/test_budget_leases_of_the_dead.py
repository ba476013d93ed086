"""A worker's leases end when its journal is stored: at a clean stop, or once somebody adopts it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from flo2.errors import StoreError
from flo2.ledger import Journal, Ledger
from flo2.memory_store import MemoryStore
from flo2.spending import LeaseAsk
from flo2.stored import Account
from flo2.testing.records import an_intent, settle_of

INTENT = an_intent(1, budgets=("b:total",), hold=Decimal(1), high=Decimal(1))


class Store(MemoryStore):
    fails = False

    def end_leases(self, writer):
        if self.fails:
            raise StoreError("it is gone")
        super().end_leases(writer)


@pytest.fixture
def store():
    store = Store()
    store.put_account(Account("default", "Default", 1))
    return store


def lease(store, writer):
    ask = LeaseAsk("default", "b:total", None, *[Decimal(4)] * 2, Decimal(10), Decimal(0))
    assert store.lease(writer, [ask])[0].granted == 4


def standing(store):
    (found,) = store.standings("default")
    return found.spent, found.pending, found.leased


def ledger_of(folder, store, writer):
    return Ledger(Journal(folder, writer), store, lambda: 9)


def abandon(ledger):
    """End as `kill -9` does: nothing more is written, the lock is free."""
    ledger._journal.close(remove=False)


async def test_a_clean_stop_gives_leases_back(tmp_path, store):
    ledger = ledger_of(tmp_path, store, "w1")
    lease(store, ledger.writer)
    ledger.intent(INTENT)
    ledger.end(settle_of(INTENT))
    await ledger.close()
    assert standing(store) == (Decimal("0.000123"), 0, 0)
    assert list(tmp_path.glob("w1*")) == []


async def test_a_stop_with_an_open_call_keeps_them(tmp_path, store):
    ledger = ledger_of(tmp_path, store, "w1")
    lease(store, "w1")
    ledger.intent(INTENT)
    await ledger.close()
    assert standing(store) == (0, 0, 4)
    after = ledger_of(tmp_path, store, "w2")
    await after.adopt()
    assert standing(store) == (0, 1, 0)
    await after.close()


async def test_what_a_store_does_not_take_back_is_left_to_the_next_worker(tmp_path, store):
    ledger = ledger_of(tmp_path, store, "w1")
    lease(store, "w1")
    store.fails = True
    await ledger.close()
    assert standing(store) == (0, 0, 4)
    store.fails = False
    after = ledger_of(tmp_path, store, "w2")
    await after.adopt()
    assert standing(store) == (0, 0, 0)
    await after.close()


async def test_a_killed_workers_calls_are_settled_before_its_lease_is_free(tmp_path, store):
    ledger = ledger_of(tmp_path, store, "w1")
    lease(store, "w1")
    ledger.intent(INTENT)
    ledger.end(settle_of(INTENT, total=Decimal("0.5")))
    two = an_intent(2, budgets=("b:total",), hold=Decimal(1), high=Decimal("0.75"))
    ledger.intent(two)
    abandon(ledger)
    assert standing(store) == (0, 0, 4)
    after = ledger_of(tmp_path, store, "w2")
    await after.adopt()
    assert standing(store) == (Decimal("0.5"), Decimal("0.75"), 0)
    await after.close()


async def test_a_corrupt_journal_frees_nothing(tmp_path, store):
    ledger = ledger_of(tmp_path, store, "w1")
    lease(store, "w1")
    for number in range(1, 4):
        ledger.intent(an_intent(number, budgets=("b:total",), hold=Decimal(1)))
    abandon(ledger)
    (path,) = (each for each in tmp_path.glob("w1*") if each.suffix != ".lock")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    after = ledger_of(tmp_path, store, "w2")
    (adopted, *_) = await after.adopt()
    assert [each.cause for each in adopted.damage] == ["corrupt"]
    assert standing(store)[2] > 0
    await after.close()
