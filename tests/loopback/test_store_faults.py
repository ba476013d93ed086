"""A store that is locked, full, gone or garbage, and a journal that takes nothing.

Store down: calls go on, the journal keeps them, and later the store has all. Journal down: calls
are refused before anything is sent. `/readyz` says which it is; nothing ends the gateway.
"""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import sqlite3
import time

import anyio
import pytest

from flo2.errors import StoreError
from flo2.keys.form import generate
from flo2.ledger import Journal, Ledger, verify
from flo2.ledger.frames import read_segment
from flo2.ledger.journal import _PROBE
from flo2.memory_store import MemoryStore
from flo2.stores import EntryFilter
from flo2.testing.records import an_exchange, an_intent, settle_of

ALL = EntryFilter("default")
PATIENCE_S = 20.0
IMPATIENT = "store.busy_timeout_s = 0.2"
READY = (200, {"status": "ready"})
STOPPED = (503, {"status": "the ledger cannot be written"})


def until(claim):
    begun = time.monotonic()
    while not claim():
        assert time.monotonic() - begun < PATIENCE_S
        time.sleep(0.01)


def store_is_down(client):
    status, body = client.get("/readyz")
    return status == 200 and body.get("store") == "down" and body["waiting"] > 0


def call_all(client, tokens):
    """Call; every answer is the provider's. Gives the request ids."""
    made = [client.call(token) for token in tokens]
    assert [status for status, _, _ in made] == [200] * len(tokens)
    return [request_id for _, _, request_id in made]


def settled(house):
    """Name the calls in the store; each is settled, and every chain is whole."""
    with house.store() as store:
        entries = store.entries(ALL)
        exchanges = {each.exchange_id for each in store.exchanges(ALL)}
        problems = [each for writer in store.writers() for each in verify(store.chain(writer))]
    assert problems == []
    assert {entry.status for entry in entries} == {"unpriced"}
    assert {entry.intent.exchange_id for entry in entries} <= exchanges
    return [entry.intent.attribution.feature for entry in entries]


def test_a_locked_database_delays_the_ledger_and_no_call(make_house, connect):
    house = make_house(IMPATIENT)
    process, port = house.serve()
    client = connect(port, house.key)
    with contextlib.closing(sqlite3.connect(house.folder / "flo2.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        request_ids = call_all(client, ["s-1", "p-2"])
        until(lambda: store_is_down(client))
        request_ids += call_all(client, ["s-3", "p-4"])
        for request_id in request_ids:  # a receipt is there at once in its own process
            status, receipt = client.get(f"/api/calls/{request_id}")
            assert (status, receipt["state"]) == (200, "ended")
        other.rollback()
    until(lambda: client.get("/readyz") == READY)
    code, err = house.stop(process)
    assert (code, err.count("the store takes no records")) == (0, 1)
    assert err.count("the store takes records again") == 1
    assert house.left() == ["adoption.flock"]
    assert settled(house) == ["s-1", "p-2", "s-3", "p-4"]


def test_a_database_locked_through_a_stop_gets_all_at_the_next_start(make_house, connect):
    house = make_house(IMPATIENT)
    process, port = house.serve()
    with contextlib.closing(sqlite3.connect(house.folder / "flo2.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        call_all(connect(port, house.key), ["s-1", "p-2"])
        assert house.stop(process)[0] == 0
        refused = house.start()  # it could not store what the journal holds
        assert refused.wait(PATIENCE_S) == 1
        assert "database is locked; another process holds it" in refused.stderr.read().decode()
        other.rollback()
    process, _ = house.serve()
    assert house.stop(process)[0] == 0
    assert house.left() == ["adoption.flock"]
    assert settled(house) == ["s-1", "p-2"]


def test_a_full_disk_refuses_calls_before_they_are_sent(make_house, provider, connect):
    house = make_house()
    process, port = house.serve()
    client, streaming = connect(port, house.key), connect(port, house.key)
    call_all(client, ["p-1"])
    running = streaming.begin("slow-2")
    assert running.read(1) == b"d"
    # No file of this process grows any further: to it, every disk is full.
    unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (64, unlimited[1]))
    assert (b"d" + running.read()).endswith(b"data: [DONE]\n\n")
    until(lambda: client.get("/readyz") == STOPPED)
    for path, code_of in (
        ("/v1/chat/completions", lambda body: body["error"]["code"]),
        ("/v1/messages", lambda body: body["type"] == "error" and "ledger_unavailable"),
    ):
        status, body, _ = client.call("p-refused", path)
        assert (status, code_of(json.loads(body))) == (503, "ledger_unavailable")
        assert b"nothing was sent" in body
        assert str(house.folder).encode() not in body
    assert client.get("/readyz") == STOPPED
    assert client.get("/livez") == (200, {"status": "alive"})
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
    until(lambda: client.get("/readyz") == READY)
    call_all(client, ["p-3"])
    code, err = house.stop(process)
    assert (code, err.count("calls are refused"), err.count("Traceback")) == (0, 1, 0)
    assert provider.received() == ["p-1", "slow-2", "p-3"]
    assert settled(house) == ["p-1", "slow-2", "p-3"]


def test_a_disk_that_is_full_for_the_intent_alone_is_noticed_and_forgotten(make_house, connect):
    house = make_house()
    process, port = house.serve()
    client = connect(port, house.key)
    call_all(client, ["p-1"])
    unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    size = next((house.folder / "journal").glob("*.journal")).stat().st_size
    # A part of the record fits: it is cut off again.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size + 99, unlimited[1]))
    status, body, request_id = client.call("p-refused")
    assert (status, json.loads(body)["error"]["code"]) == (503, "ledger_unavailable")
    assert client.get("/readyz") == STOPPED
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
    until(lambda: client.get("/readyz") == READY)
    call_all(client, ["p-2"])
    assert client.get(f"/api/calls/{request_id}")[1]["attempts"] == []
    assert house.stop(process)[0] == 0
    assert settled(house) == ["p-1", "p-2"]


def files(house):
    return sorted(house.folder.glob("flo2.db*"))


def move(house, folder):
    folder.mkdir(exist_ok=True)
    for path in files(house):
        path.rename(folder / path.name)


def test_a_database_that_is_gone_delays_the_ledger_and_no_call(make_house, connect, tmp_path):
    house = make_house()
    process, port = house.serve()
    client = connect(port, house.key)
    call_all(client, ["s-1"])
    move(house, tmp_path / "away")
    call_all(client, ["s-2", "p-3"])
    until(lambda: store_is_down(client))
    # What needs the store says so, and not where it lies.
    unknown, absent = generate().secret.reveal(), "0" * 32
    for status, body, _ in (
        client.call("p", key=unknown),
        (*client.get(f"/api/calls/{absent}"), 0),
    ):
        told = body if isinstance(body, dict) else json.loads(body)
        assert (status, told["error"]["code"]) == (503, "store_unavailable")
        assert str(house.folder) not in told["error"]["message"]
    for path in (tmp_path / "away").iterdir():
        path.rename(house.folder / path.name)
    until(lambda: client.get("/readyz") == READY)
    assert house.stop(process)[0] == 0
    assert settled(house) == ["s-1", "s-2", "p-3"]


@pytest.mark.parametrize("how", ["replaced", "overwritten"])
def test_garbage_for_a_database_costs_nothing_that_the_journal_has(
    make_house, connect, tmp_path, how
):
    house = make_house()
    process, port = house.serve()
    client = connect(port, house.key)
    backup = tmp_path / "backup.db"
    with (
        contextlib.closing(sqlite3.connect(house.folder / "flo2.db")) as source,
        contextlib.closing(sqlite3.connect(backup)) as copy,
    ):
        source.backup(copy)
    call_all(client, ["s-1"])
    garbage = b"this is no database\n" * 5000
    if how == "replaced":
        move(house, tmp_path / "away")
        (house.folder / "flo2.db").write_bytes(garbage)
    else:
        for path in files(house):
            path.write_bytes(garbage)
    call_all(client, ["s-2", "p-3"])
    until(lambda: store_is_down(client))
    code, err = house.stop(process)
    assert (code, err.count("Traceback")) == (0, 0)
    assert len(house.left()) == 3  # the journal waits
    refused = house.start()
    assert refused.wait(PATIENCE_S) == 1
    said = refused.stderr.read().decode()
    assert "it is no SQLite database" in said
    assert "Traceback" not in said
    for path in files(house):
        path.unlink()
    shutil.copy(backup, house.folder / "flo2.db")
    process, port = house.serve()
    call_all(connect(port, house.key), ["p-4"])
    assert house.stop(process)[0] == 0
    assert house.left() == ["adoption.flock"]
    assert settled(house) == ["s-1", "s-2", "p-3", "p-4"]


def test_a_journal_folder_that_cannot_be_made_is_one_line(make_house):
    house = make_house()
    shutil.rmtree(house.folder / "journal")
    (house.folder / "journal").write_text("in the way")
    process = house.start()
    assert process.wait(PATIENCE_S) == 1
    said = process.stderr.read().decode()
    assert f"the journal in {str(house.folder / 'journal')!r} cannot be written" in said
    assert "Traceback" not in said


def call(ledger, number):
    intent = an_intent(number)
    ledger.intent(intent)
    ledger.end(settle_of(intent), an_exchange(number))


def fill(ledger):
    for number in range(2, 9):
        call(ledger, number)


@pytest.mark.anyio
async def test_a_journal_folder_that_is_gone_refuses_calls_until_it_is_back(tmp_path):
    folder, away = tmp_path / "journal", tmp_path / "away"
    store = MemoryStore()
    store.open()
    journal = Journal(folder, "w1", segment_bytes=2000)
    ledger = Ledger(journal, store, lambda: 1, interval_s=0.001)
    async with anyio.create_task_group() as group:
        group.start_soon(ledger.run)
        call(ledger, 1)
        folder.rename(away)
        folder.write_text("in the way")  # so that nothing in it can be removed either
        with pytest.raises(StoreError, match="takes no record"):
            fill(ledger)
        assert not ledger.healthy
        with anyio.fail_after(PATIENCE_S):
            while store.writer_head("w1").seq < journal.last_seq:  # noqa: ASYNC110  # it goes on
                await anyio.sleep(0.001)
        folder.unlink()
        away.rename(folder)
        with anyio.fail_after(PATIENCE_S):
            while not ledger.healthy:  # noqa: ASYNC110  # it looks by itself
                await anyio.sleep(0.001)
        call(ledger, 9)
        await ledger.close()
        group.cancel_scope.cancel()
    assert verify(store.chain("w1")) == []
    assert {entry.status for entry in store.entries(ALL)} == {"settled"}
    assert list(folder.iterdir()) == []


@pytest.mark.anyio
async def test_a_journal_that_cannot_be_removed_is_no_error_and_adopted(tmp_path):
    folder, away = tmp_path / "journal", tmp_path / "away"
    store = MemoryStore()
    store.open()
    ledger = Ledger(Journal(folder, "w1"), store, lambda: 1)
    call(ledger, 1)
    await ledger.flush()
    folder.rename(away)
    folder.write_text("in the way")
    await ledger.close()
    folder.unlink()
    away.rename(folder)
    later = Ledger(Journal(folder, "w2"), store, lambda: 1)
    adopted = await later.adopt()
    assert [(each.writer, each.stored, each.pended, each.damage) for each in adopted] == [
        ("w1", 0, 0, ())
    ]
    await later.close()
    assert [path.name for path in folder.iterdir()] == ["adoption.flock"]


def test_a_probe_that_was_cut_short_reads_as_a_torn_write(tmp_path):
    journal = Journal(tmp_path, "w1")
    journal.append(an_intent(1))
    journal.probe()
    journal.append(an_exchange(1))
    (path,) = tmp_path.glob("*.journal")
    assert read_segment(path).damage is None
    with path.open("ab") as file:
        file.write(_PROBE)
    segment = read_segment(path)
    assert segment.records == ((1, an_intent(1)), (2, an_exchange(1)))
    assert (segment.damage.cause, segment.damage.lost) == ("torn", len(_PROBE))
    journal.close()
