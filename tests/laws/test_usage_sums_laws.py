"""The sums that a store keeps are the fold of its entries, to the last digit, whatever happened."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flo2.memory_store import MemoryStore
from flo2.money import total
from flo2.records import Adjust, Attribution
from flo2.stores import EntryFilter, WriterHead
from flo2.sums import DIMENSIONS, overall, summarise
from flo2.testing.records import an_intent, linked, pend_of, settle_of, void_of
from flo2_store_sql import SqlStore

HOUR = 3_600_000_000
NEW_YEAR = 1_767_225_600_000_000  # 2026-01-01
EDGES = [NEW_YEAR + hours * HOUR for hours in (-25, -24, -1, 0, 1, 24, 31 * 24, 59 * 24)]
INSTANTS = st.sampled_from(EDGES) | st.integers(
    NEW_YEAR - 40 * 24 * HOUR, NEW_YEAR + 100 * 24 * HOUR
)
AMOUNTS = st.sampled_from(
    [Decimal(each) for each in ("0", "0.0000028", "0.1", "1E+2", "0.123456789012345678")]
    + [Decimal("12345678901234567890.123456789012345678901"), Decimal("1E-19")]
)
ALL = EntryFilter("default")
SPOIL = (
    "UPDATE usage_rollups SET entries = entries + 1",
    "UPDATE usage_sums SET atto = atto + 1",
    "DELETE FROM usage_odd",
)
NAMES = st.sampled_from([None, "ada", "bob", "\0", "sümmary"])
METERS = st.dictionaries(
    st.sampled_from(["input_tokens", "output_tokens", "cache_read_tokens", "input_seconds"]),
    st.integers(0, 10**12) | st.sampled_from([Decimal("0.25"), Decimal("1E-20"), Decimal(3)]),
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database without records; a copy of it is quicker than making one."""
    path = tmp_path_factory.mktemp("empty") / "flo2.db"
    store = SqlStore(SqlStore.Config(path=str(path)))
    store.open()
    store.close()
    return path


@contextmanager
def both(empty):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(empty, folder)
        store = SqlStore(SqlStore.Config(path=f"{folder}/flo2.db"))
        store.open()
        try:
            yield MemoryStore(), store
        finally:
            store.close()


@st.composite
def histories(draw):
    """Records in any order: intents, ends, ends again, corrections, of a few entries."""
    intents = [
        an_intent(
            number,
            account=draw(st.sampled_from(["default", "default", "other"])),
            key_id=draw(st.sampled_from(["key_1", "key_2"])),
            model=draw(st.sampled_from(["m1", "m2"])),
            role=draw(st.sampled_from(["primary", "retry"])),
            route=draw(NAMES),
            started_us=draw(INSTANTS),
            low=draw(st.none() | AMOUNTS),
            high=draw(st.none() | AMOUNTS),
            attribution=Attribution(
                team=draw(NAMES),
                feature=draw(NAMES),
                customer=draw(NAMES),
                end_user=draw(NAMES),
                tags=draw(st.dictionaries(st.just("env"), st.sampled_from(["a", "b"]))),
            ),
        )
        for number in range(1, draw(st.integers(1, 6)) + 1)
    ]
    records = list(intents)
    for intent in intents:
        for _ in range(draw(st.integers(0, 3))):
            amount = draw(AMOUNTS)
            billed = draw(st.sampled_from([None, "", "m2", "m3"]))
            settled = settle_of(
                intent,
                total=amount,
                meters=draw(METERS),
                currency=draw(st.sampled_from(["USD", "EUR"])),
                model_billed=billed,
                status=draw(st.sampled_from(["settled", "reported"])),
            )
            unpriced = settle_of(intent, total=None, list_total=None, status="unpriced")
            pending = pend_of(
                intent,
                low=draw(st.none() | AMOUNTS),
                high=draw(st.none() | AMOUNTS),
                model_billed=billed,
            )
            records.append(draw(st.sampled_from([settled, unpriced, pending, void_of(intent)])))
    entries = st.sampled_from([f"x{number}.1" for number in range(1, 9)])
    for number in range(draw(st.integers(0, 3))):
        amounts = draw(
            st.dictionaries(entries, AMOUNTS | AMOUNTS.map(Decimal.copy_negate), min_size=1)
        )
        account = draw(st.sampled_from(["default", "default", "other"]))
        currency = draw(st.sampled_from(["USD", "EUR"]))
        records.append(Adjust(f"a{number}", account, 1, "reprice", "book", amounts, currency))
    return draw(st.permutations(records))


@st.composite
def filters(draw):
    since, until = draw(st.none() | INSTANTS), draw(st.none() | INSTANTS)
    return EntryFilter(
        "default",
        key_id=draw(st.sampled_from([None, None, "key_1"])),
        status=draw(st.sampled_from([None, None, None, "settled", "open", "pending"])),
        since_us=since,
        until_us=until,
        limit=draw(st.sampled_from([None, None, None, 2])),
    )


BY = st.lists(st.sampled_from([*DIMENSIONS, "tag:env"]), max_size=3, unique=True) | st.sampled_from(
    [[], ["customer"], ["end_user"], ["customer", "end_user"], ["model", "customer"]]
)


def tidy(rows):
    """As a text column keeps them: no NUL."""
    return [
        (
            [value and value.replace("\0", "\ufffd") for value in row.group],
            row.currency,
            row.entries,
            dict(row.statuses),
            row.total,
            row.adjusted,
            row.pending_low,
            row.pending_high,
            {name: (type(value), value) for name, value in row.meters.items()},
        )
        for row in rows
    ]


def sound(memory, sql, where, by):
    expected = tidy(memory.usage(where, by))
    assert sorted(tidy(sql.usage(where, by)), key=repr) == sorted(expected, key=repr)


@given(histories(), st.lists(st.tuples(filters(), BY), min_size=1, max_size=4), st.data())
def test_sums_are_the_fold_of_the_entries(empty, records, questions, data):
    links = linked(*records)
    with both(empty) as (memory, sql):
        size = data.draw(st.integers(1, 8))
        for begin in range(0, len(links), size):
            memory.append(links[begin : begin + size])
            sql.append(links[max(begin - 2, 0) : begin + size])
        for where, by in questions:
            sound(memory, sql, where, by)
        customer, end_user = data.draw(NAMES), data.draw(NAMES)
        for store in (memory, sql):
            store.erase_attribution("default", customer=customer, end_user=end_user)
        more = linked(
            *(settle_of(an_intent(n)) for n in (1, 2)),
            head=WriterHead("w1", len(links), links[-1].hash),
        )
        for store in (memory, sql):
            store.append(more)
        for where, by in questions:
            sound(memory, sql, where, by)


@settings(max_examples=settings().max_examples // 5)
@given(histories())
def test_sums_agree_with_the_records_and_can_be_made_anew(empty, records):
    with both(empty) as (memory, sql):
        memory.append(linked(*records))
        sql.append(linked(*records))
        assert list(sql.check_usage()) == []
        with sql._database.writing() as connection:
            for statement in SPOIL:
                connection.exec_driver_sql(statement)
        kept = any(each.status != "open" for each in memory.entries(ALL))
        assert bool(list(sql.check_usage())) >= kept
        sql.rebuild_usage()
        assert list(sql.check_usage()) == []
        for by in ([], ["customer", "model"], ["end_user"]):
            sound(memory, sql, ALL, by)


@given(histories(), BY)
def test_p31_any_partition_adds_up_to_the_total(records, by):
    memory = MemoryStore()
    memory.append(linked(*records))
    where = EntryFilter("default")
    rows, whole = memory.usage(where, by), memory.usage(where, [])
    assert overall(rows) == whole
    corrected = total(each.amount for each in memory.adjustments(where))
    assert total(row.adjusted for row in rows) == corrected
    booked = total(each.total or Decimal(0) for each in memory.entries(where))
    assert total(row.total for row in rows) == total([booked, corrected])
    assert summarise(memory.entries(where), by, memory.adjustments(where)) == rows
