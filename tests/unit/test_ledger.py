from __future__ import annotations

import contextlib
from decimal import Decimal
from itertools import count
from threading import Event

import anyio
import pytest
from msgspec.structs import replace

from flo2.errors import StoreError
from flo2.ledger import Journal, Ledger, Receipt, UsageRow, summarise, verify
from flo2.memory_store import MemoryStore
from flo2.records import Attribution, Pend, fold_entry
from flo2.stores import EntryFilter
from flo2.testing.records import an_exchange, an_intent, pend_of, settle_of, void_of

pytestmark = pytest.mark.anyio
NOW = 5_000_000
ALL = EntryFilter("default")


@pytest.fixture(params=["asyncio"])
def anyio_backend(request):
    return request.param


class Store(MemoryStore):
    """A store that can be made to fail, and counts its transactions."""

    def __init__(self):
        super().__init__()
        self.failing = False
        self.batches = []
        self.stored = Event()

    def append(self, links):
        if self.failing:
            raise StoreError("the database is locked")
        super().append(links)
        self.batches.append(len(links))
        self.stored.set()


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def make(tmp_path, store):
    opened = []

    def make_(writer="w1", *, into=store, **options):
        journal = Journal(tmp_path / "journal", writer, segment_bytes=4000)
        opened.append(journal)
        return Ledger(journal, into, lambda: NOW, interval_s=0.001, **options)

    make_.die = lambda ledger: ledger._journal.close()  # the kernel does as much
    yield make_
    for journal in opened:
        journal.close()


def call(ledger, number, **changes):
    intent = an_intent(number, **changes)
    ledger.intent(intent)
    ledger.end(settle_of(intent), an_exchange(number))
    return fold_entry([intent, settle_of(intent)])


async def drained(ledger):
    with anyio.fail_after(10):
        while ledger.lag:  # noqa: ASYNC110  # nobody is told when it has drained
            await anyio.sleep(0.001)


async def test_a_receipt_is_there_at_once_and_needs_no_store(make, store):
    ledger = make()
    store.failing = True
    entry = call(ledger, 1)
    assert await ledger.receipt("default", "x1") == Receipt(an_exchange(1), (entry,))
    assert await ledger.receipt("other", "x1") is None
    assert await ledger.receipt("default", "x") is None
    assert ledger.lag == 3


async def test_a_receipt_joins_what_is_stored_with_what_is_not(make):
    ledger = make()
    first, second = an_intent(1), an_intent(1, entry_id="x1.2", attempt=2, role="fallback")
    ledger.intent(first)
    ledger.end(void_of(first))
    ledger.intent(second)
    await ledger.flush()
    open_ = fold_entry([second])
    voided = fold_entry([first, void_of(first)])
    assert await ledger.receipt("default", "x1") == Receipt(None, (voided, open_))
    assert ledger.open_entries == 1
    ledger.end(settle_of(second), an_exchange(1, attempts=2))
    settled = fold_entry([second, settle_of(second)])
    expected = Receipt(an_exchange(1, attempts=2), (voided, settled))
    assert await ledger.receipt("default", "x1") == expected
    await ledger.flush()
    assert await ledger.receipt("default", "x1") == expected
    assert ledger.open_entries == 0


async def test_queries_see_what_was_just_written(make):
    ledger = make()
    entries = [call(ledger, number) for number in (1, 2, 3)]
    assert list(await ledger.entries(ALL)) == entries
    assert list(await ledger.exchanges(ALL)) == [an_exchange(1), an_exchange(2), an_exchange(3)]
    (row,) = await ledger.usage(ALL, ["model"])
    assert (row.group, row.total) == (("acme-small-1",), Decimal("0.000369"))


async def test_the_background_task_stores_in_batches(make, store):
    ledger = make(batch=10)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ledger.run)
        for number in range(1, 21):
            call(ledger, number)
        await drained(ledger)
        assert (sum(store.batches), max(store.batches)) == (60, 10)
        call(ledger, 21)  # it slept, and wakes again
        await drained(ledger)
        tasks.cancel_scope.cancel()
    assert len(store.entries(ALL)) == 21
    assert verify(store.chain("w1")) == []
    assert len(list(ledger._journal.directory.glob("*.journal"))) < 8  # stored segments went


async def test_a_store_that_is_down_delays_and_loses_nothing(make, store):
    ledger = make()
    store.failing = True
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ledger.run)
        call(ledger, 1)
        with anyio.fail_after(10):
            while ledger.trouble is None:  # noqa: ASYNC110  # same
                await anyio.sleep(0.001)
        assert (ledger.trouble, ledger.lag, ledger.healthy) == ("the database is locked", 3, True)
        with pytest.raises(StoreError, match="locked"):
            await ledger.entries(ALL)
        store.failing = False
        await drained(ledger)
        tasks.cancel_scope.cancel()
    assert (ledger.trouble, len(store.entries(ALL))) == (None, 1)


async def test_what_memory_does_not_hold_comes_from_the_journal(make, store):
    ledger = make(memory_limit=5, batch=4)
    store.failing = True
    entries = [call(ledger, number) for number in range(1, 31)]
    assert len(ledger._waiting) == 6
    store.failing = False
    await ledger._drain_batch()
    entries += [call(ledger, number) for number in range(31, 34)]
    assert list(await ledger.entries(ALL)) == entries
    assert verify(store.chain("w1")) == []
    entries.append(call(ledger, 34))
    assert ledger._waiting
    assert not ledger._spilled
    assert list(await ledger.entries(ALL)) == entries


async def test_too_long_a_backlog_refuses_new_calls_but_no_end(make, store):
    ledger = make(backlog_limit=3)
    store.failing = True
    call(ledger, 1)
    assert not ledger.healthy
    with pytest.raises(StoreError, match="3 ledger records wait for the store"):
        ledger.intent(an_intent(2))
    ledger.end(an_exchange(2))
    store.failing = False
    await ledger.flush()
    assert ledger.healthy
    ledger.intent(an_intent(2))


async def test_an_end_that_cannot_be_written_is_kept_until_it_can(make, store, monkeypatch):
    ledger = make()
    one, two = an_intent(1), an_intent(2)
    ledger.intent(one)
    ledger.intent(two)
    real = ledger._journal.append

    def full(*records):
        raise StoreError("the journal takes no record; make room on that disk")

    monkeypatch.setattr(ledger._journal, "append", full)
    ledger.end(settle_of(one), an_exchange(1))
    ledger.end(settle_of(two), an_exchange(2))
    assert (ledger.healthy, ledger.lag) == (False, 6)
    with pytest.raises(StoreError, match="make room"):
        ledger.intent(an_intent(3))
    with pytest.raises(StoreError, match="make room"):
        await ledger._drain_batch()
    assert len(store.entries(ALL)) == 2  # what the journal has is stored all the same
    receipt = await ledger.receipt("default", "x1")
    assert receipt == Receipt(an_exchange(1), (fold_entry([one, settle_of(one)]),))
    monkeypatch.setattr(ledger._journal, "append", real)
    assert [each.status for each in await ledger.entries(ALL)] == ["settled", "settled"]
    assert (ledger.healthy, ledger.lag) == (True, 0)


async def test_cancelling_the_task_loses_and_repeats_nothing(make, store):
    ledger = make(batch=2)
    entries = []
    numbers = count(1)
    for _ in range(5):
        store.stored.clear()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ledger.run)
            entries += [call(ledger, next(numbers)) for _ in range(4)]
            await anyio.to_thread.run_sync(store.stored.wait, 10)
            tasks.cancel_scope.cancel()
    assert list(await ledger.entries(ALL)) == entries
    assert verify(store.chain("w1")) == []


async def test_closing_removes_a_journal_that_is_stored_and_ended(make, store):
    ledger = make()
    call(ledger, 1)
    await ledger.close()
    assert list(ledger._journal.directory.iterdir()) == []
    assert len(store.entries(ALL)) == 1


async def test_closing_leaves_a_journal_that_somebody_must_adopt(make, store):
    open_, unstored = make("open"), make("unstored")
    open_.intent(an_intent(1))
    await open_.close()
    call(unstored, 2)
    store.failing = True
    await unstored.close()
    store.failing = False
    adopted = await make("next").adopt()
    assert [(each.writer, each.stored, each.pended) for each in adopted] == [
        ("open", 0, 1),
        ("unstored", 3, 0),
    ]
    assert [each.status for each in store.entries(ALL)] == ["pending", "settled"]


async def test_a_dead_worker_is_adopted_once(make, store):
    dead = make("dead")
    ended = call(dead, 1)
    await dead.flush()
    lost = an_intent(2, high=Decimal("0.5"))
    dead.intent(lost)
    make.die(dead)
    heir = make("heir")
    (adopted,) = await heir.adopt()
    assert (adopted.writer, adopted.stored, adopted.pended, adopted.damage) == ("dead", 1, 1, ())
    pend = Pend(
        entry_id="x2.1",
        ended_us=NOW,
        outcome="crashed",
        reason="flo2 ended before this attempt did; it may have been billed",
        low=Decimal(0),
        high=Decimal("0.5"),
    )
    assert list(store.entries(ALL)) == [ended, fold_entry([lost, pend])]
    assert await heir.adopt() == ()
    assert await make("third").adopt() == ()
    assert list(heir._journal.directory.glob("dead*")) == []
    assert [verify(store.chain(writer)) for writer in store.writers()] == [[], []]


async def test_a_live_worker_is_not_adopted(make, store):
    alive = make("alive")
    alive.intent(an_intent(1))
    assert await make("heir").adopt() == ()
    alive.end(settle_of(an_intent(1)))
    await alive.flush()
    assert [each.status for each in store.entries(ALL)] == ["settled"]


@pytest.mark.parametrize("steps", range(12))
async def test_an_adoption_cut_off_anywhere_is_done_by_the_next(make, store, steps):
    dead = make("dead")
    ended = call(dead, 1)
    dead.intent(an_intent(2))
    dead.intent(an_intent(3))
    make.die(dead)

    class CutError(Exception):
        """The process ends here."""

    left = iter(range(steps))

    def step():
        if next(left, None) is None:
            raise CutError

    class Cut:
        """Ends the process at the n-th call to the store, before or after it has done its work."""

        def __getattr__(self, name):
            def call(*arguments):
                step()
                result = getattr(store, name)(*arguments)
                step()
                return result

            return call

    heir = make("heir", into=Cut())
    with contextlib.suppress(CutError):
        await heir.adopt()
    make.die(heir)
    await make("next").adopt()
    entries = store.entries(ALL)
    assert entries[0] == ended
    assert [(each.status, len(each.ends)) for each in entries[1:]] == [("pending", 1)] * 2
    assert list(heir._journal.directory.glob("dead*")) == []
    assert [verify(store.chain(writer)) for writer in store.writers()] == [[], []]


async def test_a_damaged_journal_gives_what_is_readable_and_is_kept(make, store):
    dead = make("dead")
    ended = call(dead, 1)
    (path,) = dead._journal.directory.glob("dead.*.journal")
    whole = path.stat().st_size
    dead.intent(an_intent(2))
    make.die(dead)
    data = bytearray(path.read_bytes())
    data[whole + 20] ^= 1
    path.write_bytes(data)
    (adopted,) = await make("heir").adopt()
    assert [(each.cause, each.offset) for each in adopted.damage] == [("corrupt", whole)]
    assert path.with_suffix(".damaged").read_bytes() == data
    assert list(store.entries(ALL)) == [ended]


async def test_a_worker_that_comes_back_under_its_name_adopts_itself(make, store):
    first = make("w1")
    call(first, 1)
    first.intent(an_intent(2))
    make.die(first)
    second = make("w1")
    (adopted,) = await second.adopt()
    assert (adopted.writer, adopted.pended) == ("w1", 1)
    call(second, 3)
    await second.close()
    third = make("w1")  # its files are gone, its chain goes on
    assert await third.adopt() == ()
    call(third, 4)
    await third.flush()
    statuses = [each.status for each in store.entries(ALL)]
    assert statuses == ["settled", "pending", "settled", "settled"]
    assert verify(store.chain("w1")) == []
    assert store.writer_head("w1").seq == 3 + 1 + 1 + 3 + 3


async def test_workers_that_start_together_adopt_once(make, store):
    for number in range(1, 6):
        dead = make(f"dead{number}")
        dead.intent(an_intent(number))
        make.die(dead)
    heirs = [make(f"heir{number}") for number in range(4)]
    adopted = []

    async def adopt(heir):
        adopted.extend(await heir.adopt())

    async with anyio.create_task_group() as tasks:
        for heir in heirs:
            tasks.start_soon(adopt, heir)
    assert sorted(each.writer for each in adopted) == [f"dead{number}" for number in range(1, 6)]
    assert [(each.status, len(each.ends)) for each in store.entries(ALL)] == [("pending", 1)] * 5


async def test_a_journal_whose_file_was_removed_says_so(make):
    ledger = make(memory_limit=1)
    call(ledger, 1)
    for path in ledger._journal.directory.glob("*.journal"):
        path.unlink()
    with pytest.raises(StoreError, match="removed while in use"):
        await ledger.flush()
    assert not ledger.healthy


def test_usage_keeps_apart_what_is_known_and_what_is_not():
    red, blue = Attribution(team="red", tags={"job": "a"}), Attribution(team="blue")
    settled = an_intent(1, attribution=red)
    pending, open_ = an_intent(2, attribution=red), an_intent(3, attribution=red)
    unpriced, euros = an_intent(4, attribution=blue), an_intent(5, attribution=blue)
    entries = [
        fold_entry([settled, settle_of(settled, meters={"input": 3, "seconds": Decimal("0.1")})]),
        fold_entry([pending, pend_of(pending, low=Decimal(0), high=Decimal("0.2"))]),
        fold_entry([open_]),
        fold_entry([unpriced, settle_of(unpriced, status="unpriced", lines=(), total=None)]),
        fold_entry([euros, settle_of(euros, currency="EUR")]),
    ]
    zero = Decimal(0)
    assert summarise(entries, ["team"]) == [
        UsageRow(
            group=("blue",),
            currency="EUR",
            entries=1,
            statuses={"settled": 1},
            total=Decimal("0.000123"),
            adjusted=zero,
            pending_low=zero,
            pending_high=zero,
            meters={"input": 10, "output": 82},
        ),
        UsageRow(
            group=("red",),
            currency="USD",
            entries=3,
            statuses={"settled": 1, "pending": 1, "open": 1},
            total=Decimal("0.000123"),
            adjusted=zero,
            pending_low=Decimal("0.000010"),
            pending_high=Decimal("0.2300"),
            meters={"input": 3, "seconds": Decimal("0.1")},
        ),
        UsageRow(
            group=("blue",),
            currency="USD",
            entries=1,
            statuses={"unpriced": 1},
            total=zero,
            adjusted=zero,
            pending_low=zero,
            pending_high=zero,
            meters={"input": 10, "output": 82},
        ),
    ]
    assert [row.group for row in summarise(entries, ["tag:job", "key"])] == [
        (None, "key_1"),
        ("a", "key_1"),
        (None, "key_1"),
    ]
    unbounded = fold_entry([replace(open_, high=None)])
    assert summarise([unbounded], [])[0].pending_high is None
    with pytest.raises(ValueError, match="unknown dimension 'colour'"):
        summarise(entries, ["colour"])


async def test_a_journal_whose_file_was_removed_refuses_calls(tmp_path, store):
    ledger = Ledger(Journal(tmp_path, "w"), store, lambda: 1)
    await ledger.adopt()
    for path in tmp_path.iterdir():
        path.unlink()
    ledger.intent(an_intent(1))

    with pytest.raises(StoreError, match="removed while in use"):
        await ledger._drain_batch()

    assert not ledger.healthy
    assert ledger.lag == 0  # what was written is in the store all the same
