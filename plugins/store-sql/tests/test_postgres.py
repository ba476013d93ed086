from __future__ import annotations

import multiprocessing
import os
import traceback
from contextlib import closing
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import errors

from flo2.errors import ConfigError, StoreError
from flo2.money import total
from flo2.records import Adjust, Attribution
from flo2.services import Services
from flo2.stored import Account, IssuedKey
from flo2.stores import EntryFilter
from flo2.testing.records import an_exchange, an_intent, linked, settle_of, void_of
from flo2.testing.suites.store import StoreSuite
from flo2.wire import Wire
from flo2_store_sql import SqlStore
from flo2_store_sql.postgres import explain
from flo2_store_sql.tables import metadata

PASSWORD = "FLO2_TEST_PG"
HASH = "ab" * 32


@pytest.fixture
def database(postgres, monkeypatch):
    monkeypatch.setenv(PASSWORD, postgres.password)
    return postgres.create()


@pytest.fixture
def make(postgres, database):
    made = []

    def make_(**options):
        options = {"url": postgres.url(database), "password": f"env:{PASSWORD}", **options}
        store = SqlStore(SqlStore.Config(**options))
        made.append(store)
        store.open()
        return store

    yield make_
    for store in made:
        store.close()


@pytest.fixture
def run(postgres, database):
    """Run a statement on another connection; give its rows."""
    with closing(postgres.connect(database)) as connection:

        def run_(statement):
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

        yield run_


def together(*calls):
    """Run all at once; give what each raised."""
    barrier, raised = Barrier(len(calls)), []

    def one(call):
        barrier.wait(10)
        try:
            call()
        except StoreError as exc:
            raised.append(exc)

    threads = [Thread(target=one, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return raised


class TestSqlStoreOnPostgres(StoreSuite):
    @pytest.fixture(autouse=True)
    def _server(self, postgres, database):
        self.url = postgres.url(database)

    def make_store(self, tmp_path):
        return SqlStore(SqlStore.Config(url=self.url, password=f"env:{PASSWORD}"))


# -------------------------------------------------------------------------------------- the schema


def test_the_migrations_lead_to_the_tables(make, run):
    store = make()
    with store._database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    ordered = run(
        "SELECT DISTINCT collation_name FROM information_schema.columns WHERE data_type = 'text' "
        "AND table_schema = 'public'"
    )
    assert ordered == [("C",)]


def open_and_append(url, password, number, start):
    os.environ[PASSWORD] = password
    start.wait(30)
    store = SqlStore(SqlStore.Config(url=url, password=f"env:{PASSWORD}", busy_timeout_s=30))
    store.open()
    for each in range(1, 11):
        intent = an_intent(each, entry_id=f"{number}.{each}")
        store.append(linked(intent, settle_of(intent), writer=f"w{number}.{each}"))
    store.close()


def test_processes_that_open_a_new_database_together_all_can(postgres, database, make):
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    arguments = [(postgres.url(database), postgres.password, number, start) for number in range(3)]
    processes = [context.Process(target=open_and_append, args=each) for each in arguments]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    store = make()
    assert len(store.writers()) == 30
    assert len(store.entries(EntryFilter("default", status="settled"))) == 30


def test_a_database_of_a_newer_version_is_refused(make, run):
    make()
    run("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer flo2"):
        make()


def test_a_database_that_cannot_keep_every_text_is_refused(postgres, make):
    name = postgres.create("ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreError, match="as 'LATIN1', which has no room"):
        make(url=postgres.url(name))


# ---------------------------------------------------------------------------------- several at once


def test_writers_that_end_the_same_entries_agree_on_who_was_first(make, run):
    first, second = make(busy_timeout_s=20), make(busy_timeout_s=20)
    for number in range(8):
        intents = [an_intent(n, entry_id=f"{number}.{n}") for n in range(1, 30)]
        first.append(linked(*intents, writer=f"begin{number}"))
        settled = linked(*map(settle_of, intents), writer=f"settle{number}")
        void = linked(*map(void_of, reversed(intents)), writer=f"void{number}")
        assert together(lambda: first.append(settled), lambda: second.append(void)) == []  # noqa: B023  # runs at once
    folded = {each.intent.entry_id: each.status for each in first.entries(EntryFilter("default"))}
    assert dict(run("SELECT entry_id, status FROM ledger_entries")) == folded
    assert set(folded.values()) <= {"settled", "void"}


def test_a_new_object_is_written_by_several_at_once(make):
    stores = [make(busy_timeout_s=20) for _ in range(4)]
    before = stores[0].revision()
    puts = [
        lambda store=store, name=name: store.put_account(Account("a", name, 1))
        for store, name in zip(stores, "ABCD", strict=True)
    ]
    assert together(*puts) == []
    settings = [lambda store=store: store.put_setting("pepper", "1") for store in stores]
    assert together(*settings) == []
    assert [each.id for each in stores[0].accounts()] == ["a"]
    assert stores[0].revision() == before + 4


def test_erasing_waits_for_whoever_appends(make, run):
    store = make(busy_timeout_s=0.01)
    run("BEGIN")
    run("SELECT pg_advisory_xact_lock_shared(1718382387)")  # as an append does
    with pytest.raises(StoreError, match="another process holds it"):
        store.erase_attribution("default", end_user="ada")
    store.append(linked(an_intent(1)))  # appends do not wait for each other
    run("ROLLBACK")
    assert store.erase_attribution("default", end_user="ada") == 0


# ------------------------------------------------------------------------------------------- texts


def test_what_no_text_column_holds_is_replaced_there_and_found(make, run):
    store = make()
    who = Attribution(customer="a\0b", end_user="c\ud800d")
    intent = an_intent(1, why="e\0f", attribution=who, started_us=2**62)
    links = linked(
        intent, settle_of(intent, provider_request_id="r\0"), an_exchange(1, attribution=who)
    )
    store.append(links)
    found = run(
        "SELECT why, customer, end_user, provider_request_id, started_us FROM ledger_entries"
    )
    assert found == [("e\ufffdf", "a\ufffdb", "c?d", "r\ufffd", 2**62)]
    assert len(store.entries(EntryFilter("default", answer_id="r\0", since_us=2**62))) == 1
    assert store.entries(EntryFilter("default", answer_id="other\0\ud800")) == []
    assert store.erase_attribution("default", customer="a\0b") == 2
    assert run("SELECT customer, end_user FROM ledger_entries") == [(None, None)]


def test_a_name_with_nul_is_refused(make):
    store = make()
    with pytest.raises(StoreError, match="leave out NUL characters"):
        store.put_account(Account("a", "A\0", 1))


def test_names_are_ordered_by_code_point(make):
    store = make()
    names = ["a", "B", "_", "\u00e9", "Z", "\U0001f600", "\uffee", "-"]
    for name in names:
        store.append(linked(an_intent(1, entry_id=name), writer=name))
    assert list(store.writers()) == sorted(names)


# ------------------------------------------------------------------------------------------ errors


def test_a_server_that_went_away_is_an_error_until_it_is_back(postgres, make):
    store = make()
    links = linked(an_intent(1))
    store.append(links)
    postgres.stop()
    try:
        with pytest.raises(StoreError, match="look whether the server runs"):
            store.append(linked(an_intent(2), writer="w2"))
    finally:
        postgres.start()
    store.append(links)
    assert list(store.chain("w1")) == links


def test_a_connection_that_breaks_within_a_transaction_is_an_error(make, run):
    store = make()
    with pytest.raises(StoreError, match="look whether the server runs"):  # noqa: SIM117, PT012  # the error is the transaction's
        with store._database.writing() as connection:
            connection.exec_driver_sql("SELECT 1")
            run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
            connection.exec_driver_sql("SELECT 1")
    store.append(linked(an_intent(1)))


def test_a_locked_table_is_an_error_that_says_so(make, run):
    store = make(busy_timeout_s=0.01)
    run("BEGIN")
    run("LOCK TABLE ledger_records IN EXCLUSIVE MODE")
    with pytest.raises(StoreError, match=r"another process holds it.*raise busy_timeout_s"):
        store.append(linked(an_intent(1)))
    assert list(store.entries(EntryFilter("default"))) == []  # reading goes on
    run("ROLLBACK")
    store.append(linked(an_intent(1)))


def test_a_database_that_only_reads_is_an_error_that_says_so(make, run, database):
    make()
    run(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    store = make()
    with pytest.raises(StoreError, match="name the primary"):
        store.append(linked(an_intent(1)))
    assert list(store.writers()) == []


def test_connections_that_are_all_in_use_are_an_error(make):
    store = make(pool_size=1, busy_timeout_s=0.01)
    with (
        store._database.reading(),
        pytest.raises(StoreError, match="raise pool_size or busy_timeout_s"),
    ):
        store.revision()
    assert store.revision() == 1


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"user": "nobody_here"}, "correct the url or the password"),
        ({"database": "nowhere"}, "create the database"),
    ],
)
def test_an_address_that_leads_nowhere_says_what_to_correct(
    postgres, database, make, wrong, advice
):
    with pytest.raises(StoreError, match=advice):
        make(url=postgres.url(**{"database": database, **wrong}))


def test_an_error_does_not_quote_the_row(make):
    store = make()
    store.put_account(Account("default", "Default", 1))
    key = IssuedKey("k1", "default", "one", HASH, "flo2_sk_a", "1234", 1)
    store.put_key(key)
    with pytest.raises(StoreError, match="exists already") as caught:
        store.put_key(IssuedKey("k2", "default", "two", HASH, "flo2_sk_b", "1234", 1))
    assert HASH not in "".join(traceback.format_exception(caught.value))
    assert list(store.keys()) == [key]


@pytest.mark.parametrize(
    ("error", "cause", "advice"),
    [
        (errors.DiskFull(), "DiskFull (SQLSTATE 53100)", "make room on the server's disk"),
        (errors.DeadlockDetected(), "DeadlockDetected (SQLSTATE 40P01)", "do it again"),
        (errors.AdminShutdown(), "AdminShutdown (SQLSTATE 57P01)", "whether the server runs"),
        (errors.IoError(), "IoError (SQLSTATE 58030)", "look at the server's disk"),
        (errors.DataCorrupted(), "DataCorrupted (SQLSTATE XX001)", "restore a backup"),
        (errors.TooManyConnections(), "TooManyConnections (SQLSTATE 53300)", "max_connections"),
        (errors.UndefinedTable(), "UndefinedTable (SQLSTATE 42P01)", "the schema is missing"),
        (errors.DivisionByZero(), "DivisionByZero (SQLSTATE 22012)", "see the server's log"),
        (errors.OperationalError("lost\nat x"), "lost", "whether the server runs"),
        (errors.OperationalError("too many clients"), "too many clients", "max_connections"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_error_says_what_to_do(error, cause, advice):
    told = explain(error)
    assert told[0] == cause
    assert advice in told[1]


# ------------------------------------------------------------------------------------- the password


def test_a_password_comes_by_reference_and_is_read_for_each_connection(
    postgres, make, monkeypatch, tmp_path
):
    secret = tmp_path / "password"
    secret.write_text("wrong-one")
    with pytest.raises(StoreError, match="correct the url or the password") as caught:
        make(password=f"file:{secret}")
    assert "wrong-one" not in "".join(traceback.format_exception(caught.value))
    secret.write_text(f"{postgres.password}\n")
    assert make(password=f"file:{secret}").revision() == 1
    monkeypatch.delenv(PASSWORD)
    with pytest.raises(StoreError, match=f"variable '{PASSWORD}' is not set"):
        make()


async def test_a_gateway_gives_its_own_environment(postgres, database, monkeypatch):
    monkeypatch.delenv(PASSWORD)
    config = SqlStore.Config(url=postgres.url(database), password=f"env:{PASSWORD}")
    async with Wire() as wire:
        store = SqlStore(config, Services(wire, environ={PASSWORD: postgres.password}))
        store.open()
        assert store.revision() == 1
        store.close()


@pytest.mark.parametrize("place", ["user", "query"])
def test_a_password_in_the_url_is_shown_nowhere(postgres, make, place):
    address = postgres.url("nowhere")
    if place == "user":
        address = address.replace("flo2@", "flo2:hunter2@")
    else:
        address += "&password=hunter2"
    with pytest.raises(StoreError) as caught:
        make(url=address, password=None)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    config = SqlStore.Config(url=address, password="hunter2")
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"url": "postgresql://db/flo2", "password": "hunter2"}, "is no reference"),
        ({"path": "flo2.db", "password": "env:A"}, "needs none"),
        ({"url": "postgresql://flo2:a@hunter2:hunter2/flo2"}, "port is no number"),
        ({"url": "mysql://flo2:hunter2@db/flo2"}, "'mysql' cannot be used"),
        ({"url": "postgresql+psycopg2://flo2:hunter2@db/flo2"}, "cannot be used"),
    ],
)
def test_a_wrong_address_is_a_config_error_without_the_password(options, problem):
    with pytest.raises(ConfigError, match=problem) as caught:
        SqlStore(SqlStore.Config(**options))
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_p23_amounts_come_back_as_they_were_written(make):
    amounts = [
        *map(Decimal, ("0", "0.1", "1E+2", "1E-19", "0.123456789012345678", "1.50", "-0.0007")),
        Decimal("12345678901234567890.123456789012345678901"),
        *(Decimal(7**power).scaleb(-power) for power in range(1, 40)),
    ]
    store = make()
    intents = [an_intent(number, low=each, high=each) for number, each in enumerate(amounts, 1)]
    ends = [
        settle_of(intent, total=amount, meters={"input_seconds": amount})
        for intent, amount in zip(intents, amounts, strict=True)
    ]
    parts = {intent.entry_id: amount for intent, amount in zip(intents, amounts, strict=True)}
    store.append(linked(*intents, *ends, Adjust("a1", "default", 1, "bill", "line", parts)))
    entries = list(store.entries(EntryFilter("default")))
    told = [
        (each.intent.low, each.intent.high, each.end.total, each.end.meters["input_seconds"])
        for each in entries
    ]
    assert told == [(each,) * 4 for each in amounts]
    (adjust,) = store.adjustments(EntryFilter("default"))
    assert dict(adjust.amounts) == parts
    (row,) = store.usage(EntryFilter("default"), [])
    assert (row.adjusted, row.total) == (total(amounts), total([*amounts, *amounts]))
    assert row.meters == {"input_seconds": total(amounts)}
