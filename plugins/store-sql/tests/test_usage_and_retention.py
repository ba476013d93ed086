"""Sums beside the ledger: what they are made of, what mends them, what outlives the records."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from decimal import Decimal

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, func, select

from flo2.cli.root import run
from flo2.cli.state import State
from flo2.errors import StoreError
from flo2.ledger import verify
from flo2.ledger.archive import read_archive, write_archive
from flo2.records import Adjust, Attribution
from flo2.stored import Account
from flo2.stores import EntryFilter, PrunableStore, WriterHead
from flo2.testing.records import an_exchange, an_intent, linked, pend_of, settle_of
from flo2_store_sql import SqlStore
from flo2_store_sql.cubes import DAY, HOUR, HOUR_US, MONTH, Span, bucket_of, cover, month_after
from flo2_store_sql.schema import MIGRATIONS
from flo2_store_sql.tables import ledger_entries, ledger_records

SEPTEMBER, OCTOBER = 1_788_220_800_000_000, 1_790_812_800_000_000  # 2026
ALL = EntryFilter("default")
ADA = Attribution(customer="c1", end_user="ada@example.org", team="red")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "flo2.db"


@pytest.fixture
def store(path):
    store = SqlStore(SqlStore.Config(path=str(path)))
    store.open()
    yield store
    store.close()


def a_call(number, started_us, **changes):
    intent = an_intent(number, started_us=started_us, **changes)
    return [intent, settle_of(intent), an_exchange(number, started_us=started_us)]


def two_months():
    """Two calls of September and one of October, which overlap; one more of October."""
    one, two = a_call(1, SEPTEMBER), a_call(2, OCTOBER - 1, attribution=ADA)
    three, four = a_call(3, OCTOBER), a_call(4, OCTOBER + HOUR_US, attribution=ADA)
    return [*one, two[0], three[0], *two[1:], *three[1:], *four]


def count(store, table):
    with store._database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar()


def test_a_span_is_laid_out_in_the_longest_buckets_that_fit():
    day, month = 24, SEPTEMBER // HOUR_US
    since, until = SEPTEMBER - 25 * HOUR_US - 1, OCTOBER + 49 * HOUR_US + 5
    spans, rest = cover(since, until, (HOUR, DAY, MONTH))
    assert spans == [
        Span(MONTH, month, month + 30 * day),
        Span(DAY, month - day, month),
        Span(HOUR, month - day - 1, month - day),
        Span(DAY, month + 30 * day, month + 32 * day),
        Span(HOUR, month + 32 * day, month + 32 * day + 1),
    ]
    assert rest == [(since, since + 1), (until - 5, until)]
    assert cover(None, None, (DAY, MONTH)) == ([Span(MONTH, None, None)], [])
    assert cover(5, 5, (DAY, MONTH)) == ([], [])


@pytest.mark.parametrize("hour", [-(10**12), -(2**40), -1, 0, 491_000, 2**40, 10**12])
def test_every_hour_has_a_month(hour):
    month = bucket_of(MONTH, hour)
    assert bucket_of(MONTH, month) == month
    assert month <= hour or hour < -17_000_000
    assert month_after(month) >= month


def test_a_database_from_before_gets_its_sums(path, store):
    store.put_account(Account("default", "default", 1))
    store.append(linked(*two_months()))
    expected = store.usage(ALL, ["model", "customer"])
    store.close()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
    engine.dispose()
    old = SqlStore(SqlStore.Config(path=str(path)))
    with closing(old):
        old.open()
        assert old.usage(ALL, ["model", "customer"]) == expected
        assert list(old.check_usage()) == []


def test_a_name_that_is_erased_stands_nowhere_in_the_sums(store):
    store.append(linked(*two_months()))
    store.erase_attribution("default", end_user="ada@example.org")
    with store._database.reading() as connection:
        groups = str(connection.exec_driver_sql("SELECT * FROM usage_groups").all())
    assert "ada@" not in groups
    assert [row.group for row in store.usage(ALL, ["end_user"])] == [(None,)]


def test_pruning_leaves_the_sums_and_a_chain_that_goes_on(store, tmp_path):
    links = linked(*two_months())
    store.append(links)
    assert isinstance(store, PrunableStore)
    before = {by: store.usage(ALL, by) for by in ((), ("model",), ("customer",), ("end_user",))}
    gone = list(store.prunable(OCTOBER))
    # Up to the first record of October; what the second call wrote later stays until next month.
    assert gone == links[:4]
    archive = write_archive(tmp_path / "a.jsonl.gz", gone, {"w1": store.anchor("w1")})
    head = WriterHead("w1", 4, links[3].hash)
    assert (archive.records, archive.heads, archive.problems) == (4, (head,), ())
    assert store.prune(OCTOBER, archive.heads) == 4
    assert store.anchor("w1") == head
    assert verify(store.chain("w1"), anchor=head, expected=head) == []
    assert list(store.chain("w1")) == links[4:]
    assert [each.intent.entry_id for each in store.entries(ALL)] == ["x3.1", "x4.1"]
    assert {by: store.usage(ALL, by) for by in before} == before
    assert list(store.check_usage()) == []
    assert store.rebuild_usage() == 2
    assert {by: store.usage(ALL, by) for by in before} == before
    store.append(links)  # a journal that is played again
    assert list(store.chain("w1")) == links[4:]
    assert {by: store.usage(ALL, by) for by in before} == before
    store.erase_attribution("default", customer="c1")
    assert [row.group for row in store.usage(ALL, ["customer"])] == [(None,)]
    # The next month takes what was left.
    november = month_after(OCTOBER // HOUR_US) * HOUR_US
    rest = list(store.prunable(november))
    assert [each.seq for each in rest] == [each.seq for each in links[4:]]
    last = WriterHead("w1", links[-1].seq, links[-1].hash)
    store.prune(november, [last])
    assert (store.writers(), store.writer_head("w1"), store.anchor("w1")) == (["w1"], last, last)
    assert count(store, ledger_records) == count(store, ledger_entries) == 0
    (row,) = store.usage(ALL, [])
    assert (row.entries, row.total) == (4, Decimal("0.000492"))
    more = linked(*a_call(9, november), head=last)
    store.append(more)
    assert verify(store.chain("w1"), anchor=last) == []


def test_what_only_pruned_records_could_tell_is_refused(store):
    links = linked(*two_months())
    store.append(links)
    store.prune(OCTOBER, [WriterHead("w1", 4, links[3].hash)])
    for where, by in ((ALL, ["tag:env"]), (EntryFilter("default", since_us=SEPTEMBER + 1), [])):
        with pytest.raises(StoreError, match="entries begun before 2026-10-01 were pruned"):
            store.usage(where, by)
    assert store.usage(EntryFilter("default", since_us=OCTOBER), ["tag:env"])[0].entries == 2


def test_what_is_not_known_yet_is_not_pruned(store):
    intent = an_intent(1, started_us=SEPTEMBER)
    links = linked(intent, pend_of(intent))
    store.append(links)
    with pytest.raises(StoreError, match="1 entries begun before 2026-10-01 are open or pending"):
        list(store.prunable(OCTOBER))
    with pytest.raises(StoreError, match="flo2 ledger pending"):
        store.prune(OCTOBER, [])
    with pytest.raises(StoreError, match="whole months"):
        store.prune(OCTOBER + 1, [])
    assert list(store.chain("w1")) == links


def test_an_anchor_must_be_in_its_chain(store):
    store.append(linked(*two_months()))
    with pytest.raises(StoreError, match="is not in its chain; nothing was removed"):
        store.prune(OCTOBER, [WriterHead("w1", 4, "00")])
    assert count(store, ledger_records) == 12


def test_a_damaged_archive_is_told(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    write_archive(path, linked(*two_months()), {})
    with pytest.raises(FileExistsError):
        write_archive(path, [], {})
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    told = json.loads(lines[2])
    told["payload"] = told["payload"].replace("0.000123", "0.000124")
    lines[2] = json.dumps(told)
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    assert "does not match its hash" in read_archive(path).problems[0]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoreError, match="cannot be read"):
        read_archive(path)
    path.write_bytes(gzip.compress(b'{"format": "other"}\n'))
    with pytest.raises(StoreError, match="no ledger archive"):
        read_archive(path)


def test_the_commands_prune_verify_and_mend(store, tmp_path, capsys):
    store.put_account(Account("default", "default", 1))
    links = linked(*two_months(), Adjust("a1", "default", 1, "reprice", "b2", {"x3.1": Decimal(1)}))
    store.append(links)
    archive = tmp_path / "september.jsonl.gz"
    environ = {"FLO2_DATA_DIR": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path)}

    def flo2(*words):
        store.open()  # a command closes it
        code = run(list(words), State(environ, store=store))
        told = capsys.readouterr()
        return code, told.out + told.err

    assert flo2("ledger", "prune", "--before", "2026-10")[0] == 2
    assert "no month" in flo2("ledger", "prune", "--before", "2026-13", "--discard")[1]
    assert "not over yet" in flo2("ledger", "prune", "--before", "2999-01", "--discard")[1]
    told = "".join(map(str, flo2("ledger", "prune", "--before", "2000-01", "--discard")))
    assert "0 records begun before 2000-01 are removed" in told
    assert "keep the archive" not in told
    code, told = flo2("ledger", "prune", "--before", "2026-10", "--archive", str(archive))
    assert (code, "✓ 4 records begun before 2026-10 are removed" in told) == (0, True)
    assert "4 records of 1 writers" in flo2("ledger", "verify", "--archive", str(archive))[1]
    code, told = flo2("ledger", "verify")
    assert (code, "✓ the sums are what the records come to" in told) == (0, True)
    store.open()
    with store._database.writing() as connection:
        connection.exec_driver_sql("UPDATE usage_rollups SET nano = nano + 1 WHERE grain = 12")
    code, told = flo2("ledger", "verify", "--json")
    assert (code, json.loads(told)["ok"]) == (3, False)
    assert "total is kept as" in json.loads(told)["sums"][0]
    store.open()
    with store._database.writing() as connection:
        # A pruned month cannot be made anew; October can.
        connection.exec_driver_sql(
            "UPDATE usage_rollups SET nano = nano - 1 WHERE grain = 12 AND bucket < ?",
            (OCTOBER // HOUR_US,),
        )
    assert "made anew from 2 entries" in flo2("ledger", "rebuild-sums")[1]
    assert flo2("ledger", "verify")[0] == 0
    code, told = flo2("usage", "--by", "model", "--json")
    (total,) = json.loads(told)["total"]
    assert (total["cost"], total["adjusted"], total["entries"]) == ("1.000492", "1", 4)


def test_pending_lists_what_is_not_known(store, tmp_path, capsys):
    store.put_account(Account("default", "default", 1))
    one, two = an_intent(1, started_us=SEPTEMBER), an_intent(2, started_us=OCTOBER, high=None)
    told = pend_of(one, low=Decimal("0.1"), high=Decimal("0.5"), provider_request_id="req_1")
    other = an_intent(3, provider="other", started_us=OCTOBER)
    store.append(linked(one, two, told, other, *a_call(4, SEPTEMBER)))
    environ = {"FLO2_DATA_DIR": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path)}
    assert run(["ledger", "pending", "--json"], State(environ, store=store)) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(each["entry"], each["status"]) for each in listed["data"]] == [
        ("x1.1", "pending"),
        ("x2.1", "open"),
        ("x3.1", "open"),
    ]
    first = listed["data"][0]
    assert (first["low"], first["high"]) == ("0.1", "0.5")
    assert (first["provider_request_id"], first["reason"]) == ("req_1", "the connection broke")
    assert listed["providers"] == [
        {"provider": "acme", "entries": 2, "low": "0.10001", "high": None},
        {"provider": "other", "entries": 1, "low": "0.00001", "high": "0.03"},
    ]
    store.open()
    run(["ledger", "pending", "--provider", "other", "--limit", "1"], State(environ, store=store))
    shown = capsys.readouterr().out
    assert "x3.1" in shown
    assert "x1.1" not in shown
