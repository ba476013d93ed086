"""The server on a real socket: hostile bytes, slow clients, signals, workers, a taken port."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
import psutil
import pytest

from flo2.errors import ConfigError
from flo2.shell.body import CLIENT_LEFT, read_body
from flo2.shell.connection import Connection, ConnectionFactory
from flo2.shell.guard import Guard
from flo2.shell.limits import ClientLimits
from flo2.shell.server import ServerSettings, check_installed, listen, run
from flo2.shell.supervisor import restart_delay_s
from flo2.shell.worker import GracefulServer, load_app

DEADLINE_S = 0.2
# A loaded machine is late; what is tested is that the end comes, and that it is not at once.
PATIENCE_S = 5.0


class App:
    """Answers what the tests ask for by path; keeps which requests reached it."""

    def __init__(self):
        self.served = []
        self.left = threading.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.live(receive, send)
        self.served.append(scope["path"])
        body = b"early" if scope["path"] == "/early" else await read_body(scope, receive, 10**6)
        if scope["path"] == "/headers":
            body = b"%d" % len(scope["headers"])
        headers = [(b"content-length", b"%d" % len(body))]
        if scope["path"] == "/wait":
            scope["extensions"][CLIENT_LEFT](self.left.set)
            headers = []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["path"] == "/wait":
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            with anyio.move_on_after(2 * DEADLINE_S):
                await receive()
        return await send({"type": "http.response.body", "body": body})

    async def live(self, receive, send):
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})


@contextlib.contextmanager
def serving(app, limits):
    """Serve in a thread; give the port."""
    ready, lines = threading.Event(), []
    sock = listen("127.0.0.1", 0)
    port = sock.getsockname()[1]
    server = GracefulServer(
        Guard(app),
        ServerSettings(graceful_timeout_s=1.0, limits=limits),
        on_ready=ready.set,
        say=lines.append,
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    assert ready.wait(PATIENCE_S)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        assert lines == []


@pytest.fixture(scope="module")
def running():
    app = App()
    limits = ClientLimits(
        head_s=DEADLINE_S, body_s=DEADLINE_S, idle_s=DEADLINE_S, linger_s=DEADLINE_S
    )
    with serving(app, limits) as port:
        yield app, port


@pytest.fixture
def app(running):
    running[0].served.clear()
    return running[0]


@pytest.fixture
def port(running):
    return running[1]


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def everything(sock):
    """Read until the server closes."""
    data = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while more := sock.recv(65536):
            data += more
    return bytes(data)


def until(claim):
    give_up = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def is_refused(port):
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return True
    return False


def exchange(port, request):
    with connect(port) as sock:
        sock.sendall(request)
        return everything(sock)


def statuses(data):
    return [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:]]


HOST = b"Host: a\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
HOSTILE = {
    "length and chunked": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 6\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked and length": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n"
    b"Content-Length: 6\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 6\r\nContent-Length: 5\r\n\r\n"
    b"123456" + SMUGGLED,
    "two equal lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 6\r\n"
    b"Content-Length: 6\r\n\r\n123456" + SMUGGLED,
    "signed length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +6\r\n\r\n123456" + SMUGGLED,
    "list of lengths": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 6, 6\r\n\r\n123456"
    + SMUGGLED,
    "space before colon": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Content-Length : 6\r\n\r\n123456"
    + SMUGGLED,
    "NUL in a header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n" + SMUGGLED,
    "TE: xchunked": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "TE: chunked, identity": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "TE: identity and TE: chunked": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "bare line feeds": b"GET / HTTP/1.1\nHost: a\n\n" + SMUGGLED,
    "folded header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n" + SMUGGLED,
    "bad chunk extension": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    b"1;\x01=\r\na\r\n0\r\n\r\n" + SMUGGLED,
    "bad chunk size": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    b"0x1\r\na\r\n0\r\n\r\n" + SMUGGLED,
    "no host": b"GET / HTTP/1.1\r\n\r\n" + SMUGGLED,
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + SMUGGLED,
    "host with a path": b"GET / HTTP/1.1\r\nHost: x/?#@y\r\n\r\n" + SMUGGLED,
    "large header": b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 200_000 + b"\r\n\r\n" + SMUGGLED,
    "many headers": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 2000 + b"\r\n" + SMUGGLED,
    "dots in an admin path": b"GET /api/../ui HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00" + SMUGGLED,
    "CONNECT": b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_request_gets_one_refusal_and_nothing_after_it(app, port, name):
    data = exchange(port, HOSTILE[name])
    expected = 431 if name in {"large header", "many headers"} else 400
    assert statuses(data) == [expected]
    assert b"connection: close" in data
    assert json.loads(data.partition(b"\r\n\r\n")[2])["error"]["type"] == "invalid_request_error"
    # A body may turn bad after its request was begun; the smuggled one never is.
    assert "/smuggled" not in app.served


def test_an_endless_head_is_refused_before_it_ends(app, port):
    with connect(port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n" + HOST)
        with contextlib.suppress(ConnectionError):
            for _ in range(40):
                sock.sendall(b"X: " + b"a" * 8000 + b"\r\n")
        assert statuses(everything(sock)) == [431]
    assert app.served == []


def test_trailer_fields_reach_nobody(app, port):
    request = (
        b"POST /headers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\nHost: b\r\nAuthorization: c\r\n\r\n"
    )
    with connect(port) as sock:
        sock.sendall(request)
        assert sock.recv(4096).endswith(b"\r\n\r\n2")


def test_ordinary_requests_share_a_connection(app, port):
    with connect(port) as sock:
        for body in (b"one", b"two"):
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n" + body)
            assert sock.recv(4096).endswith(b"\r\n\r\n" + body)
    assert app.served == ["/", "/"]


def test_pipelined_requests_are_answered_in_order(app, port):
    one = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n%d"
    data = exchange(port, b"".join(one % (n, n) for n in range(4)))
    assert statuses(data) == [200] * 4
    assert app.served == ["/0", "/1", "/2", "/3"]
    assert [part[-1:] for part in data.split(b"HTTP/1.1 ")[1:]] == [b"0", b"1", b"2", b"3"]


def test_garbage_behind_a_request_does_not_cut_into_its_answer(app, port):
    data = exchange(port, b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n\x00\x01\x02")
    assert statuses(data) == [200]
    assert data.endswith(b"5\r\nbegun\r\n0\r\n\r\n")


def test_garbage_in_a_body_that_was_already_answered_gets_no_second_answer(app, port):
    with connect(port) as sock:
        sock.sendall(b"POST /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        first = sock.recv(4096)
        assert statuses(first) == [200]
        sock.sendall(b"not a chunk\r\n")
        assert everything(sock) == b""


def test_an_upgrade_is_answered_as_http_and_closed(app, port):
    request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    data = exchange(port, request + SMUGGLED)
    assert statuses(data) == [200]
    assert app.served == ["/"]


def test_a_refused_body_does_not_lose_its_answer(app, port):
    size = 200 * 1024 * 1024
    with connect(port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(64):
            sock.sendall(bytes(65536))
        assert statuses(everything(sock)) == [413]
    assert app.served == []


SLOW = {
    "connects only": (b"", b""),
    "half a head": (b"GET / HTTP/1.1\r\nHost: a\r\n", b""),
    "a head byte by byte": (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"a"),
    "a body byte by byte": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n", b"a"),
}


@pytest.mark.parametrize("name", sorted(SLOW))
def test_a_slow_client_is_answered_408_and_closed(app, port, name):
    begin, drip = SLOW[name]
    with connect(port) as sock:
        started = time.monotonic()
        sock.sendall(begin)
        sock.settimeout(0.02)
        data = b""
        while time.monotonic() - started < PATIENCE_S:
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                if not (more := sock.recv(4096)):
                    break
                data += more
            with contextlib.suppress(ConnectionError):
                sock.sendall(drip)
        took = time.monotonic() - started
    assert statuses(data) == [408]
    # The event loop counts in whole milliseconds, from the start of its turn.
    assert DEADLINE_S - 0.05 < took < PATIENCE_S


def test_an_idle_connection_is_closed_without_a_word(app, port):
    with connect(port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert statuses(everything(sock)) == [200]


def test_a_long_answer_is_not_cut_by_a_deadline(app, port):
    with connect(port) as sock:
        sock.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        started = time.monotonic()
        data = everything(sock)
    assert data.endswith(b"5\r\nbegun\r\n0\r\n\r\n")
    assert time.monotonic() - started > DEADLINE_S


def test_a_client_that_hangs_up_is_noticed_without_a_task(app, port):
    app.left.clear()
    with connect(port) as sock:
        sock.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(4096)
        assert not app.left.is_set()
    assert app.left.wait(PATIENCE_S)


def test_connections_and_requests_are_capped():
    app = App()
    limits = ClientLimits(running=1, connections_per_ip=3)
    with serving(app, limits) as port, connect(port) as one, connect(port) as two:
        one.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        assert statuses(one.recv(4096)) == [200]
        two.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        busy = everything(two)
        assert statuses(busy) == [503]
        assert b"retry-after: 1" in busy
        # The second has been closed, so two more fit, and a third does not.
        with connect(port), connect(port), connect(port) as over:
            refused = everything(over)
        assert statuses(refused) == [503]
        assert b"too_many_connections" in refused


SCRIPT = """
import os, sys
import anyio
from flo2.shell.server import run

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            if phase == "startup" and os.environ.get("FAIL"):
                raise LookupError("no store here")
            await send({"type": f"lifespan.{phase}.complete"})
        print("closed", flush=True)
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/stream":
        for n in range(12):
            await send({"type": "http.response.body", "body": b"%d," % n, "more_body": True})
            await anyio.sleep(0.05)
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})

def make():
    return app

if __name__ == "__main__":
    sys.exit(run(
        make,
        port=0,
        workers=int(sys.argv[1]),
        graceful_timeout_s=float(sys.argv[2]),
        on_ready=lambda address: print(address, flush=True),
    ))
"""


@pytest.fixture
def start(tmp_path):
    """Start the script above; give the process and its port (None when it cannot start)."""
    script = tmp_path / "serve.py"
    script.write_text(SCRIPT)
    started = []

    def launch(workers=1, graceful_s=5.0, **env):
        process = subprocess.Popen(
            [sys.executable, str(script), str(workers), str(graceful_s)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        )
        started.append(process)
        line = process.stdout.readline()
        return process, int(line.rpartition(":")[2]) if line else None

    yield launch
    for process in started:
        process.kill()
        process.communicate()


def streaming(port):
    sock = connect(port)
    sock.sendall(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
    return sock, sock.recv(4096)


def get_pid(port):
    data = exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    return int(data.partition(b"\r\n\r\n")[2].split(b"\r\n")[1])


def end(process):
    out, err = process.communicate(timeout=PATIENCE_S * 2)
    return process.returncode, out, err


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_lets_a_running_stream_finish(start, sig):
    process, port = start()
    sock, begun = streaming(port)
    with sock:
        process.send_signal(sig)
        data = begun + everything(sock)
    assert [b"%d," % n in data for n in range(12)] == [True] * 12
    assert data.endswith(b"0\r\n\r\n")
    assert end(process) == (0, "closed\n", "")


def test_what_outlasts_the_grace_is_cut_and_said(start):
    process, port = start(graceful_s=0.1)
    sock, _ = streaming(port)
    with sock:
        process.terminate()
        everything(sock)
    assert end(process) == (0, "closed\n", "cut 1 request still running after 0.1 s\n")


def test_a_second_interrupt_does_not_wait(start):
    process, port = start(graceful_s=60.0)
    sock, _ = streaming(port)
    with sock:
        process.send_signal(signal.SIGINT)
        until(lambda: is_refused(port))
        process.send_signal(signal.SIGINT)
        assert not everything(sock).endswith(b"0\r\n\r\n")
    assert end(process) == (130, "", "")


def test_a_failed_start_says_why_in_one_line(start):
    process, port = start(FAIL="1")
    assert port is None
    assert end(process) == (
        1,
        "",
        "LookupError: no store here\nApplication startup failed. Exiting.\n",
    )


def test_two_workers_serve_and_survive_the_death_of_one(start):
    process, port = start(workers=2)
    pids = set()
    give_up = time.monotonic() + PATIENCE_S
    while len(pids) < 2 and time.monotonic() < give_up:
        pids.add(get_pid(port))
    assert len(pids) == 2
    assert process.pid not in pids
    victim = pids.pop()
    os.kill(victim, signal.SIGKILL)
    later = set()
    give_up = time.monotonic() + 2 * PATIENCE_S
    while len(later) < 2 and time.monotonic() < give_up:
        # The kernel may have handed the dead worker this very connection.
        with contextlib.suppress(IndexError, ConnectionError):
            later.add(get_pid(port))
    assert len(later) == 2
    assert later > pids
    sock, begun = streaming(port)
    with sock:
        process.terminate()
        data = begun + everything(sock)
    assert data.endswith(b"0\r\n\r\n")
    assert end(process) == (
        0,
        "closed\nclosed\n",
        f"worker {victim} was killed by SIGKILL; starting another now\n",
    )


def test_workers_that_cannot_start_end_the_parent(start):
    process, port = start(workers=2, FAIL="1")
    assert port is None
    code, out, err = end(process)
    assert (code, out) == (1, "")
    assert "LookupError: no store here\n" in err
    assert "Traceback" not in err


def test_workers_end_when_their_parent_is_killed(start):
    process, port = start(workers=2)
    pid = get_pid(port)
    process.kill()
    process.wait()
    until(lambda: is_refused(port))
    until(lambda: not psutil.pid_exists(pid))


def make_app():
    return App()


def test_a_taken_port_is_one_line_and_exit_code_1(port):
    lines = []
    assert run(make_app, port=port, say=lines.append) == 1
    assert lines == [f"127.0.0.1:{port} is in use; choose another with --port"]


def test_an_address_of_another_machine_is_one_line(port):
    lines = []
    assert run(make_app, host="192.0.2.1", port=0, say=lines.append) == 1
    assert lines == ["192.0.2.1:0 is no address of this machine; choose another with --host"]


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError) as caught:
        check_installed()
    assert str(caught.value) == (
        'serving needs uvicorn and httptools and uvloop; install with: pip install "flo2[serve]"'
    )


def test_a_unix_socket_is_taken_over_only_from_the_dead(tmp_path):
    path = str(tmp_path / "s")
    with contextlib.closing(listen("", 0, path)), pytest.raises(ConfigError, match="is in use"):
        listen("", 0, path)
    # Closed, its file is left over: nobody answers there.
    assert Path(path).is_socket()
    listen("", 0, path).close()


@pytest.mark.parametrize("name", ["nowhere:make", "flo2.shell.server:absent", "flo2"])
def test_an_app_factory_that_is_not_there_is_named(name):
    with pytest.raises(ConfigError, match=f"app factory '{name}' cannot be imported"):
        load_app(name)


def test_an_app_factory_is_found_by_name():
    assert load_app("flo2.shell.limits:ClientLimits") == ClientLimits()


def test_restarts_slow_down():
    assert [restart_delay_s(n) for n in (0, 1, 2, 3, 4, 9, 90)] == [0, 0, 0.5, 1, 2, 30, 30]


def test_a_connection_that_was_never_counted_is_not_uncounted():
    factory = ConnectionFactory(ClientLimits(connections_per_ip=1))
    factory.per_ip["a"] = 1
    factory.closed(object.__new__(Connection), "a")
    assert factory.per_ip == {"a": 1}
