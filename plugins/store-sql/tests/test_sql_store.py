from __future__ import annotations

import multiprocessing
import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec.structs import replace
from sqlalchemy import create_engine

import flo2_store_sql
from flo2.errors import ConfigError, StoreError
from flo2.records import Attribution
from flo2.stored import Account, IssuedKey
from flo2.stores import EntryFilter
from flo2.testing.records import an_exchange, an_intent, linked, pend_of, settle_of, void_of
from flo2_store_sql import SqlStore
from flo2_store_sql.schema import HEAD, MIGRATIONS
from flo2_store_sql.tables import metadata


@pytest.fixture
def path(tmp_path):
    return tmp_path / "flo2.db"


@pytest.fixture
def make(path):
    made = []

    def make_(**options):
        store = SqlStore(SqlStore.Config(path=str(path), **options))
        made.append(store)
        store.open()
        return store

    yield make_
    for store in made:
        store.close()


def rows(path, query):
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(query)]


def test_the_plugin_registers_its_store():
    registered = []
    flo2_store_sql.flo2_register_stores(registered.append)
    assert registered == [SqlStore]
    assert SqlStore.kind == "sql"


def test_the_migrations_lead_to_the_tables(make, path):
    make()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_the_database_survives_power_cuts_and_is_private(make, path):
    store = make()
    with store._database.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "secure_delete": 1,
    }
    assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}


def test_what_was_stored_is_there_after_reopening(make):
    first = make()
    links = linked(an_intent(1), an_exchange(1))
    first.append(links)
    first.close()
    second = make()
    assert list(second.chain("w1")) == links
    assert second.revision() == 1


def test_another_process_sees_a_change(make):
    one, two = make(), make()
    before = two.revision()
    one.put_account(Account("a", "A", 1))
    assert two.revision() != before
    assert list(two.accounts()) == [Account("a", "A", 1)]


def open_and_append(path, number, start):
    start.wait(30)
    store = SqlStore(SqlStore.Config(path=str(path), busy_timeout_s=30))
    store.open()
    for link in linked(
        *(an_intent(n, entry_id=f"{number}.{n}") for n in range(1, 21)), writer=f"w{number}"
    ):
        store.append([link])
    store.close()


def test_processes_that_open_a_new_database_together_all_can(path, make):
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    processes = [
        context.Process(target=open_and_append, args=(path, number, start)) for number in range(4)
    ]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    store = make()
    assert [store.writer_head(f"w{number}").seq for number in range(4)] == [20] * 4


def test_a_locked_database_is_an_error_that_says_so(make, path):
    store = make(busy_timeout_s=0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="is locked; another process"):
            store.append(linked(an_intent(1)))
        assert list(store.entries(EntryFilter("default"))) == []  # reading goes on
        other.execute("ROLLBACK")
    store.append(linked(an_intent(1)))


def test_a_full_disk_is_an_error_and_writes_nothing(make, path):
    store = make()
    store.append(linked(an_intent(1)))
    links = linked(*(an_intent(number) for number in range(1, 400)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{path}-wal").stat().st_size, before[1]))
    try:
        with pytest.raises(StoreError, match=r"flo2\.db"):
            store.append(links)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(store.chain("w1")) == links[:1]
    store.append(links)
    assert list(store.chain("w1")) == links


@pytest.mark.parametrize("replaced", [False, True])
def test_a_database_deleted_in_use_is_an_error(make, path, replaced):
    store = make()
    store.append(linked(an_intent(1)))
    path.unlink()
    if replaced:
        path.touch()
    with pytest.raises(StoreError, match="deleted or replaced while in use"):
        store.append(linked(an_intent(1)))
    with pytest.raises(StoreError, match="deleted or replaced while in use"):
        store.revision()


def test_a_folder_that_is_missing_is_named(tmp_path):
    store = SqlStore(SqlStore.Config(path=str(tmp_path / "no" / "flo2.db")))
    with pytest.raises(StoreError, match="create the folder"):
        store.open()


def test_a_file_that_is_no_database_is_refused(make, path):
    path.write_bytes(b"hello " * 1000)
    with pytest.raises(StoreError, match="is no SQLite database"):
        make()


def test_a_database_of_a_newer_version_is_refused(make, path):
    make().close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer flo2"):
        make()


def test_a_store_that_is_not_open_says_so(path):
    with pytest.raises(StoreError, match="open the store first"):
        SqlStore(SqlStore.Config(path=str(path))).revision()


def test_a_key_hash_belongs_to_one_key(make):
    store = make()
    store.put_account(Account("default", "Default", 1))
    key = IssuedKey("k1", "default", "one", "hash", "flo2_sk_a", "1234", 1)
    store.put_key(key)
    with pytest.raises(StoreError, match="exists already"):
        store.put_key(IssuedKey("k2", "default", "two", "hash", "flo2_sk_b", "1234", 1))
    assert list(store.keys()) == [key]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "has no place"),
        ({"path": "a", "url": "sqlite:///b"}, "both a path and a url"),
        ({"url": "sqlite://"}, "needs a file"),
        ({"url": "no url"}, "cannot be used"),
        ({"url": "nosuch://host/db"}, "cannot be used"),
    ],
)
def test_a_wrong_place_is_a_config_error(options, problem):
    with pytest.raises(ConfigError, match=problem):
        SqlStore(SqlStore.Config(**options))


def test_a_password_in_the_url_is_shown_nowhere():
    config = SqlStore.Config(url="postgresql+nosuch://flo2:hunter2@db/flo2")
    assert "hunter2" not in repr(config)
    with pytest.raises(ConfigError) as caught:
        SqlStore(config)
    assert "hunter2" not in str(caught.value)


def test_errors_do_not_show_what_was_written(make, path):
    store = make()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DROP TABLE ledger_entries")
    secret = an_intent(1, attribution=Attribution(end_user="ada@example.org"))
    with pytest.raises(StoreError, match="no such table") as caught:
        store.append(linked(secret))
    assert "ada@example.org" not in f"{caught.value}{caught.value.__cause__}"


def test_entries_are_columns_for_queries(make, path):
    store = make()
    intent = an_intent(
        1, attribution=Attribution("red", "chat", "acme", "u1", {"env": "dev"}), losses=("a: b",)
    )
    pending, void = an_intent(2), an_intent(3)
    store.append(linked(intent, settle_of(intent), pending, pend_of(pending), void, void_of(void)))
    one, two, three = rows(path, "SELECT * FROM ledger_entries ORDER BY entry_id")
    assert one == {
        "entry_id": "x1.1",
        "exchange_id": "x1",
        "attempt": 1,
        "role": "primary",
        "account": "default",
        "key_id": "key_1",
        "credential_id": "cred_1",
        "provider": "acme",
        "provider_kind": "sandbox",
        "project": None,
        "api": "chat",
        "model_requested": "small",
        "model": "acme-small-1",
        "route": None,
        "parent": None,
        "experiment": None,
        "arm": None,
        "team": "red",
        "feature": "chat",
        "customer": "acme",
        "end_user": "u1",
        "tags": '{"env":"dev"}',
        "hold": None,
        "low": "0.000010",
        "high": "0.0300",
        "why": "",
        "losses": '["a: b"]',
        "budgets": None,
        "started_us": 1_000_001,
        "writer": "w1",
        "status": "settled",
        "outcome": "answered",
        "model_billed": "acme-small-1",
        "provider_request_id": None,
        "finish": None,
        "reason": None,
        "source": None,
        "ended_us": 1_250_001,
        "first_byte_us": None,
        "http_status": 200,
        "total": "0.000123",
        "list_total": "0.000123",
        "reported_total": None,
        "pending_low": None,
        "pending_high": None,
        "currency": "USD",
        "book": "b1",
        "meters": '{"input":10,"output":82}',
        "lines": msgspec.json.encode(settle_of(intent).lines, order="sorted").decode(),
        "context": "{}",
    }
    assert (two["status"], two["total"], two["pending_low"], two["pending_high"]) == (
        "pending",
        None,
        "0",
        "0.0300",
    )
    assert (three["status"], three["total"], three["source"]) == (
        "void",
        "0",
        "https://acme.example/errors, read 2026-11-20",
    )


def test_erased_attributions_are_gone_from_the_file(make, path):
    store = make()
    who = Attribution(end_user="ada@example.org")
    store.append(linked(an_intent(1, attribution=who), an_exchange(1, attribution=who)))
    assert store.erase_attribution("default", end_user="ada@example.org") == 2
    store.close()  # the last connection folds the write-ahead log into the file
    assert [each.name for each in path.parent.iterdir()] == ["flo2.db"]
    assert b"ada@example.org" not in path.read_bytes()


ONE, TWO, THREE = (an_intent(number) for number in range(1, 4))
LIVES = linked(
    *(ONE, pend_of(ONE), settle_of(ONE), void_of(ONE)),  # closed once, whatever comes after
    *(TWO, void_of(TWO), settle_of(TWO)),
    *(THREE, an_exchange(3), THREE, pend_of(THREE), pend_of(THREE)),
)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_entries_do_not_depend_on_how_records_were_batched(tmp_path, size):
    tables = []
    for name, step in (("pieces", size), ("whole", len(LIVES))):
        store = SqlStore(SqlStore.Config(path=str(tmp_path / name)))
        store.open()
        for start in range(0, len(LIVES), step):
            store.append(LIVES[start : start + step])
        store.close()
        tables.append(rows(tmp_path / name, "SELECT * FROM ledger_entries ORDER BY entry_id"))
    assert tables[0] == tables[1]
    assert [each["status"] for each in tables[0]] == ["settled", "void", "pending"]


def test_an_end_that_comes_with_a_second_intent_closes_the_first(make, path):
    store = make()
    store.append(linked(ONE))
    store.append(linked(ONE, settle_of(ONE), writer="w2"))
    store.append(linked(ONE, void_of(ONE), writer="w3"))
    (row,) = rows(path, "SELECT entry_id, writer, status, total FROM ledger_entries")
    assert row == {"entry_id": "x1.1", "writer": "w1", "status": "settled", "total": "0.000123"}


def test_what_no_text_column_holds_is_replaced_in_every_column(make, path):
    store = make()
    who = Attribution(customer="a\0b", end_user="c\ud800d")
    intent = an_intent(1, why="e\0f", attribution=who)
    told = an_exchange(1, error="g\0h", attribution=who)
    store.append(linked(intent, replace(settle_of(intent), reason="i\ud800j"), told))
    (entry,) = rows(path, "SELECT why, reason, customer, end_user FROM ledger_entries")
    (exchange,) = rows(path, "SELECT error, customer, end_user FROM exchanges")
    named = {"customer": "a\ufffdb", "end_user": "c?d"}
    assert entry == {"why": "e\ufffdf", "reason": "i?j", **named}
    assert exchange == {"error": "g\ufffdh", **named}
