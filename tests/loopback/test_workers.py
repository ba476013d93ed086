"""`flo2 serve --workers 2` over one store: keys, entries, receipts, and a stop that drains."""

from __future__ import annotations

import time

import psutil
import pytest

from flo2.stores import EntryFilter

# A loaded machine is late; what is promised is measured apart from that.
PATIENCE_S = 20.0


def until(claim):
    """Wait until it holds; gives how long that took, in seconds."""
    begun = time.monotonic()
    while not claim():
        assert time.monotonic() - begun < PATIENCE_S
        time.sleep(0.01)
    return time.monotonic() - begun


def worker_of(process, client):
    """Say which worker has the other end of a connection."""
    for child in psutil.Process(process.pid).children(recursive=True):
        for each in child.net_connections("tcp"):
            if each.raddr and tuple(each.raddr) == client.here:
                return child.pid
    return None


@pytest.fixture
def pair(make_house, connect):
    """A house served by two workers, the parent, and a connection to each worker."""
    house = make_house()
    process, port = house.serve("--workers", "2")
    found = {}
    begun = time.monotonic()
    while len(found) < 2:
        assert time.monotonic() - begun < PATIENCE_S
        client = connect(port, house.key)
        assert client.get("/livez") == (200, {"status": "alive"})
        found.setdefault(worker_of(process, client), client)
    assert None not in found
    return house, process, tuple(found.values())


def test_a_key_works_and_stops_working_on_every_worker(pair):
    house, _, clients = pair
    made = house.run("keys", "create", "late")
    for client in clients:
        until(lambda c=client: c.call("p", key=made["key"])[0] == 200)
    house.run("keys", "revoke", made["id"])
    for client in clients:
        until(lambda c=client: c.call("p", key=made["key"])[0] == 401)
        assert client.call("p")[0] == 200


def test_a_receipt_is_there_for_the_other_worker(pair):
    house, _, (one, other) = pair
    for number in range(6):
        asked, told = (one, other) if number % 2 else (other, one)
        _, _, request_id = asked.call(f"s-{number}")
        path = f"/api/calls/{request_id}"
        assert asked.get(path)[1]["attempts"][0]["status"] == "unpriced"
        until(lambda t=told, p=path: t.get(p)[0] == 200)
        assert told.get(path) == asked.get(path)
    with house.store() as store:
        entries = store.entries(EntryFilter("default"))
        writers = [writer for writer in store.writers() if next(iter(store.chain(writer)), None)]
    features = [entry.intent.attribution.feature for entry in entries]
    assert sorted(features) == [f"s-{number}" for number in range(6)]
    assert len(writers) == 2


def test_a_stop_lets_running_streams_end_and_leaves_nothing_open(pair, provider):
    house, process, clients = pair
    answers = [client.begin(f"slow-{number}") for number, client in enumerate(clients)]
    begun = [answer.read(1) for answer in answers]
    process.terminate()
    bodies = [first + answer.read() for first, answer in zip(begun, answers, strict=True)]
    assert [body.endswith(b"data: [DONE]\n\n") for body in bodies] == [True, True]
    assert house.stop(process) == (0, "")
    assert house.left() == ["adoption.flock"]
    entries = house.entries()
    assert sorted((entry.intent.attribution.feature, entry.status) for entry in entries) == [
        ("slow-0", "unpriced"),
        ("slow-1", "unpriced"),
    ]
    assert [entry.end.meters["input_tokens"] for entry in entries] == [
        provider.usage_of(entry.intent.attribution.feature)["prompt_tokens"] for entry in entries
    ]


def test_what_a_killed_worker_was_doing_is_taken_over_by_its_successor(pair):
    house, process, (one, other) = pair
    assert one.begin("slow-1").read(1) == b"d"
    psutil.Process(worker_of(process, one)).kill()

    def statuses():
        return {each.intent.attribution.feature: each.status for each in house.entries()}

    until(lambda: statuses() == {"slow-1": "pending"})
    (entry,) = house.entries()
    receipt = other.get(f"/api/calls/{entry.intent.exchange_id}")[1]
    assert (receipt["state"], receipt["cost"]["total_usd"]) == ("crashed", None)
    assert house.run("calls", "show", entry.intent.exchange_id) == receipt
    assert other.call("p-2")[0] == 200
    code, err = house.stop(process)
    assert code == 0
    assert err.count("was killed by SIGKILL; starting another now") == 1
    assert statuses() == {"slow-1": "pending", "p-2": "unpriced"}
    assert house.left() == ["adoption.flock"]
