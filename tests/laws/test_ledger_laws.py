from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flo2.errors import StoreError
from flo2.ledger import Corrections, Journal, chain_links, summarise, verify
from flo2.ledger.codec import canonical, decode, encode, kind_of
from flo2.memory_store import MemoryStore
from flo2.money import subtract, total
from flo2.records import Adjust, Settle, fold_entry
from flo2.stores import EntryFilter, WriterHead
from flo2.testing.records import (
    an_intent,
    calls,
    linked,
    money,
    pend_of,
    settle_of,
    settles,
    unpriced_of,
    void_of,
)
from flo2_store_sql import SqlStore

ALL = EntryFilter("default")
SALT = b"sixteen bytes..."
ROLES = ["primary", "retry", "fallback", "race", "hedge", "batch_item", "judge"]


@contextmanager
def sql_store():
    with tempfile.TemporaryDirectory() as folder:
        store = SqlStore(SqlStore.Config(path=f"{folder}/flo2.db"))
        store.open()
        try:
            yield store
        finally:
            store.close()


@st.composite
def interleaved(draw):
    """Records of many calls, each call's own in order: what a worker writes."""
    queues = [list(call) for call in draw(calls()) if call]
    records = []
    while queues:
        queue = draw(st.sampled_from(queues))
        records.append(queue.pop(0))
        queues = [each for each in queues if each]
    return records


def links_of(records, salt=SALT):
    return chain_links(WriterHead("w1", 0, ""), enumerate(records, 1), salt)


def state(store):
    return (
        list(store.entries(ALL)),
        list(store.exchanges(ALL)),
        [list(store.chain(writer)) for writer in store.writers()],
        {
            status: [
                each.intent.entry_id
                for each in store.entries(EntryFilter("default", status=status))
            ]
            for status in ("open", "settled", "pending", "unpriced", "void")
        },
    )


@given(interleaved())
def test_bytes_and_records_are_the_same_thing(records):
    for record in records:
        whole = decode(kind_of(record), encode(record))
        assert canonical(whole) == canonical(record)
        assert canonical(decode(kind_of(record), canonical(record))) == canonical(record)
        assert encode(decode(kind_of(record), encode(whole))) == encode(whole)


@given(st.data())
def test_folding_again_changes_nothing(data):
    intent = an_intent(1)
    ends = st.sampled_from([pend_of(intent), void_of(intent), unpriced_of(intent)])
    ends |= settles(intent)
    records = [intent, *data.draw(st.lists(ends, max_size=5))]
    entry = fold_entry(records)
    assert fold_entry([entry.intent, *entry.ends]) == entry
    assert entry.ends == tuple(records[1:])
    # The first settle or void decides, whatever follows; of the unpriced, the first settle that is.
    final = [each for each in records[1:] if each != pend_of(intent)]
    if final and final[0] == unpriced_of(intent):
        priced = [each for each in final if isinstance(each, Settle) and each.total is not None]
        assert entry.end == [*priced, final[0]][0]
    elif final:
        assert entry.end == final[0]
    else:
        assert entry.status == ("pending" if entry.ends else "open")


@given(interleaved(), st.data())
def test_p30_a_journal_can_be_replayed_any_number_of_times(records, data):
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder), "w1", segment_bytes=1500)
        for record in records:
            journal.append(record)
        salt = journal.salt
        frames = journal.read(0, 10_000)
        journal.close()
    assert [seq for seq, _ in frames] == list(range(1, len(records) + 1))
    links = chain_links(WriterHead("w1", 0, ""), frames, salt)
    once, often = MemoryStore(), MemoryStore()
    once.append(links)
    for _ in range(data.draw(st.integers(1, 3))):
        cut = data.draw(st.integers(0, len(links)))
        often.append(links[:cut])
        for begin in range(0, len(links), 3):
            often.append(links[begin : begin + 3])
    assert state(often) == state(once)
    assert verify(often.chain("w1")) == []


@given(st.lists(calls(size=3), min_size=2, max_size=3), st.data())
def test_p30_workers_may_be_stored_in_any_order_and_again(made, data):
    """Each worker's records come in order, those of different workers in any."""
    chains = [
        linked(*(renamed(each, f"w{at}") for one in call for each in one), writer=f"w{at}")
        for at, call in enumerate(made)
    ]
    one, other = MemoryStore(), MemoryStore()
    for chain in chains:
        one.append(chain)
    queues = [[chain[at : at + 2] for at in range(0, len(chain), 2)] for chain in chains]
    while queues := [queue for queue in queues if queue]:
        batch = data.draw(st.sampled_from(queues)).pop(0)
        other.append(batch)
        again = data.draw(st.sampled_from(chains))
        stored = other.writer_head(again[0].writer).seq if again else 0
        other.append(again[:stored])
    for by in ([], ["team", "feature"], ["model", "tag:env"], ["role", "key"]):
        assert other.usage(ALL, by) == one.usage(ALL, by)
    assert other.standings("default") == one.standings("default")


def renamed(record, worker):
    """Give a record of another worker: no two begin the same entry."""
    names = {"entry_id": f"{worker}{record.entry_id}"} if hasattr(record, "entry_id") else {}
    if hasattr(record, "exchange_id"):
        names["exchange_id"] = f"{worker}{record.exchange_id}"
    return replace(record, **names)


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(ROLES), calls(size=1)), max_size=8))
def test_p32_a_request_costs_what_its_attempts_cost_losers_and_retries_too(made):
    store, records, expected = MemoryStore(), [], {}
    attempts = [(number, role, call[0]) for number, role, call in made if call]
    for place, (number, role, (intent, *rest)) in enumerate(attempts):
        names = {"entry_id": f"r{number}.{place}", "exchange_id": f"r{number}"}
        told = [
            replace(intent, role=role, attempt=place, **names),
            *(replace(end, entry_id=names["entry_id"]) for end in rest if hasattr(end, "entry_id")),
        ]
        records += told
        known = fold_entry(told).total
        expected.setdefault(names["exchange_id"], []).append(known or Decimal(0))
    store.append(linked(*records))
    requests = {
        name: total(
            each.total or Decimal(0)
            for each in store.entries(EntryFilter("default", exchange_id=name))
        )
        for name in expected
    }
    assert requests == {name: total(amounts) for name, amounts in expected.items()}
    by_role = store.usage(ALL, ["role"])
    assert total(row.total for row in by_role) == total(requests.values())
    assert {row.group[0] for row in by_role} == {role for _, role, _ in attempts}


@given(interleaved(), st.lists(money, min_size=1, max_size=4), st.booleans())
def test_p33_p34_corrections_add_and_change_no_record(records, amounts, erased):
    """What is added is what the provider asks beyond the log; the log stays, byte for byte."""
    store = MemoryStore()
    store.append(links_of([*records, an_intent(99), settle_of(an_intent(99))]))
    before = [(each.payload, each.hash) for each in store.chain("w1")]
    (booked,) = store.entries(EntryFilter("default", exchange_id="x99"))
    corrections = Corrections(store)
    asked = booked.total
    for number, amount in enumerate(amounts):
        part = {"x99.1": subtract(amount, asked)}
        corrections.add(Adjust(f"a{number}", "default", 1, "bill", "a bill", part))
        asked = amount
    corrections.flush()
    for record in records if erased else ():
        customer = getattr(getattr(record, "attribution", None), "customer", None)
        store.erase_attribution("default", customer=customer)
    assert [(each.payload, each.hash) for each in store.chain("w1")] == before
    assert list(store.entries(EntryFilter("default", exchange_id="x99"))) == [booked]
    where = EntryFilter("default", exchange_id="x99")
    added = total(each.amount for each in store.adjustments(where))
    assert added == subtract(amounts[-1], booked.total)
    assert all(each.amounts.keys() == {"x99.1"} for each in store.adjustments(where))
    (row,) = store.usage(where, [])
    assert (row.total, row.adjusted) == (amounts[-1], added)


@given(interleaved())
def test_sql_and_memory_are_the_same_store(records):
    links = links_of(records)
    memory = MemoryStore()
    with sql_store() as sql:
        for begin in range(0, len(links), 4):
            memory.append(links[begin : begin + 4])
            sql.append(links[max(begin - 2, 0) : begin + 4])
        # Compared as they are written down: JSON has no tuples, and a client's text may hold
        # characters that UTF-8 does not.
        assert [str(each) for each in state(sql)[3].items()] == [
            str(each) for each in state(memory)[3].items()
        ]
        assert [
            [canonical(each.intent), *map(canonical, each.ends)] for each in sql.entries(ALL)
        ] == [[canonical(each.intent), *map(canonical, each.ends)] for each in memory.entries(ALL)]
        assert verify(sql.chain("w1")) == []
        assert [each.hash for each in sql.chain("w1")] == [each.hash for each in links]


COLUMNS = (
    "writer",
    "seq",
    "prev_hash",
    "hash",
    "kind",
    "subject",
    "account",
    "payload",
    "attribution",
    "attribution_salt",
    "attribution_digest",
)


@pytest.mark.parametrize("bit", [0x01, 0x80])  # another character, and no UTF-8 at all
@pytest.mark.parametrize("column", COLUMNS)
def test_any_flipped_bit_in_what_is_stored_is_found(tmp_path, column, bit):
    path = tmp_path / "flo2.db"
    store = SqlStore(SqlStore.Config(path=str(path)))
    store.open()
    intent = an_intent(1)
    links = linked(intent, settle_of(intent), an_intent(2))
    store.append(links)

    def sound():
        try:
            problems = [each for writer in store.writers() for each in verify(store.chain(writer))]
            return not problems and store.writer_head("w1") == WriterHead("w1", 3, links[-1].hash)
        except StoreError:
            return False

    assert sound()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        (text,) = database.execute(
            f"SELECT CAST({column} AS BLOB) FROM ledger_records WHERE seq = 1"  # noqa: S608  # ours
        ).fetchone()
        update = f"UPDATE ledger_records SET {column} = CAST(? AS TEXT) WHERE id = 1"  # noqa: S608
        for place in range(len(text)):
            changed = bytearray(text)
            changed[place] ^= bit
            database.execute(update, (bytes(changed),))
            assert not sound(), (place, bytes(changed))
        database.execute(update, (text,))
    assert sound()
    store.close()


@given(
    calls(),
    st.lists(st.sampled_from(["team", "feature", "customer", "tag:env", "model"]), max_size=3),
)
def test_p31_any_partition_adds_up_to_the_total(made, by):
    entries = [fold_entry(call) for call in made]
    known = total(each.total for each in entries if each.total is not None)
    rows = summarise(entries, by)
    assert total(row.total for row in rows) == known
    assert sum(row.entries for row in rows) == len(entries)
    whole = summarise(entries, [])
    for meter in {name for row in rows for name in row.meters}:
        parts = total(Decimal(row.meters.get(meter, 0)) for row in rows)
        assert parts == whole[0].meters[meter]
    assert {row.group for row in rows} == {
        tuple(row.group) for one in entries for row in summarise([one], by)
    }
