"""`flo2 serve` as a person starts it: the printed lines work verbatim, and a stop ends with 0."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flo2.cli.root import run
from flo2.cli.state import State

FLO2 = (sys.executable, "-c", "from flo2.cli import main; main()")
PATIENCE_S = 30.0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def environ(tmp_path):
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "LANG", "HOME"} or name.startswith("COVERAGE")
    }
    return kept | {
        "FLO2_DATA_DIR": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(tmp_path / "conf"),
        "FLO2__SERVER__PORT": str(free_port()),
        "PYTHONWARNINGS": "error",
        "PYTHONUNBUFFERED": "1",
    }


def flo2(environ, *arguments):
    """Run a command in this process, over the same data folder; a start takes a second."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments, State(environ))
    return code, out.getvalue(), err.getvalue()


def flo2_serve(environ, *arguments):
    """Run `flo2 serve` that does not get to serving."""
    done = subprocess.run(
        [*FLO2, "serve", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def serving(environ, tmp_path, *arguments):
    """Start the command; give what it printed, and stop it with SIGTERM."""
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("w") as to_out, err.open("w") as to_err:
        process = subprocess.Popen(
            [*FLO2, "serve", *arguments], env=environ, stdout=to_out, stderr=to_err
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while "what it cost" not in out.read_text():
            assert process.poll() is None, err.read_text()
            assert time.monotonic() < deadline, err.read_text()
            time.sleep(0.02)
        yield out.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        assert err.read_text() == ""
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def section(text, heading):
    return text.partition(f"\n{heading}\n")[2].partition("\n\n")[0]


def test_the_printed_lines_work_as_they_are(environ, tmp_path):
    with serving(environ, tmp_path) as shown:
        (key,) = re.findall(r"^flo2_sk_\w{36}$", shown, re.MULTILINE)
        curl = section(shown, "Try it:")
        done = subprocess.run(
            ["bash", "-c", curl], env=environ, capture_output=True, text=True, check=True
        )
        answer = json.loads(done.stdout)
        assert "Say hello in five words." in answer["choices"][0]["message"]["content"]
        python = section(shown, "Or in Python (pip install openai):")
        done = subprocess.run(
            [sys.executable, "-c", python],
            env={**environ, "PYTHONWARNINGS": ""},
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
        assert "Say hello in five words." in done.stdout
        anthropic = section(shown, "Or with Anthropic's SDK (pip install anthropic):")
        done = subprocess.run(
            [sys.executable, "-c", anthropic],
            env={**environ, "PYTHONWARNINGS": ""},
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
        assert "Say hello in five words." in done.stdout
        google = section(shown, "Or with Google's SDK (pip install google-genai):")
        done = subprocess.run(
            [sys.executable, "-c", google],
            env={**environ, "PYTHONWARNINGS": ""},
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
        assert "Say hello in five words." in done.stdout
        code, out, err = flo2(environ, "chat", "hi through the gateway")
        assert (code, "hi through the gateway" in out) == (0, True)
        assert f"through http://127.0.0.1:{environ['FLO2__SERVER__PORT']}" in err
        elsewhere = {**environ, "FLO2_DATA_DIR": str(tmp_path / "other")}
        code, out, err = flo2(elsewhere, "chat", "hi")
        assert (code, out) == (1, "")
        assert "runs over another data folder than this command; give its key in FLO2_KEY" in err
        assert flo2({**elsewhere, "FLO2_KEY": key}, "chat", "hi")[0] == 0
    code, out, err = flo2(environ, "usage", "--by", "key", "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert [row["statuses"] for row in told["data"]] == [{"settled": 5}, {"settled": 1}]
    assert flo2(environ, "ledger", "verify")[0] == 0
    assert flo2(environ, "doctor")[0] == 0
    # The secrets were shown once: no file and no later start has them.
    data = tmp_path / "data"
    for file in data.rglob("*"):
        assert not file.is_file() or key.encode() not in file.read_bytes()
    with serving(environ, tmp_path) as again:
        assert "flo2_sk_" not in again
        assert "flo2_admin_" not in again


def test_a_key_made_while_it_runs_works_at_once_in_every_worker(environ, tmp_path):
    port = environ["FLO2__SERVER__PORT"]
    with serving(environ, tmp_path, "--workers", "2"):
        code, key, _ = flo2(environ, "keys", "create", "late")
        assert code == 0
        body = '{"model":"sandbox/sandbox-small","messages":[{"role":"user","content":"hi"}]}'
        for _ in range(6):
            command = ["curl", "-sS", f"http://127.0.0.1:{port}/v1/chat/completions"]
            command += ["-H", f"authorization: Bearer {key.strip()}", "-d", body]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            assert json.loads(done.stdout)["object"] == "chat.completion"
    code, out, _ = flo2(environ, "calls", "--json")
    assert (code, len(json.loads(out))) == (0, 6)


def test_a_taken_port_is_one_line_and_the_secrets_are_not_lost(environ):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, err = flo2_serve(environ, "--port", str(port))
    assert code == 1
    assert err == f"127.0.0.1:{port} is in use; choose another with --port\n"
    assert len(re.findall(r"^flo2_(?:sk|admin)_\w{36}$", out, re.MULTILINE)) == 2


def test_another_address_is_refused_before_there_is_an_admin_token(environ):
    code, out, err = flo2_serve(environ, "--host", "192.0.2.1")
    assert (code, out) == (1, "")
    assert err == (
        "error: flo2 does not listen on '192.0.2.1' before there is an admin token; make one here "
        "first (it is shown once): flo2 init\n"
    )


def test_workers_need_a_store_that_they_share(environ):
    environ["FLO2__STORE__KIND"] = "memory"
    code, out, err = flo2_serve(environ, "--workers", "2")
    assert (code, out) == (1, "")
    assert err.startswith("error: 2 workers need a store that they share")


def test_a_store_in_memory_serves_and_is_gone_with_the_process(environ, tmp_path):
    environ["FLO2__STORE__KIND"] = "memory"
    with serving(environ, tmp_path) as shown:
        curl = section(shown, "Try it:")
        done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["object"] == "chat.completion"
    assert not Path(tmp_path / "data" / "flo2.db").exists()


def test_of_two_first_starts_one_makes_the_secrets(environ):
    starts = [
        subprocess.Popen([*FLO2, "init", "--json"], env=environ, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [json.loads(start.communicate(timeout=PATIENCE_S)[0]) for start in starts]
    assert [start.returncode for start in starts] == [0, 0]
    assert sorted(each["key"] is None for each in told) == [False, True]
    assert [each["admin_token"] is None for each in told] == [each["key"] is None for each in told]
    assert len(json.loads(flo2(environ, "keys", "--json")[1])) == 1


class Upstream(BaseHTTPRequestHandler):
    """A provider's model list, for one key."""

    def do_GET(self):
        right = self.headers["authorization"] == "Bearer sk-right-0123456789"
        body = b'{"data": [{"id": "big"}]}' if right else b'{"error": {"message": "no such key"}}'
        self.send_response(200 if right else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


def test_a_provider_is_tried_with_each_key(environ):
    server = HTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        port = server.server_address[1]
        environ |= {
            "FLO2__PROVIDERS__ACME__KIND": "openai-compatible",
            "FLO2__PROVIDERS__ACME__BASE_URL": f"http://127.0.0.1:{port}/v1",
            "FLO2__NETWORK__ALLOW_PRIVATE": '["127.0.0.0/8"]',
            "RIGHT": "sk-right-0123456789",
            "WRONG": "sk-wrong-0123456789",
        }
        for name in ("RIGHT", "WRONG"):
            assert flo2(environ, "providers", "add", "acme", "--env", name)[0] == 0
        code, out, _ = flo2(environ, "providers", "test", "acme", "--json")
        assert (code, [each["ok"] for each in json.loads(out)]) == (1, [True, False])
        assert [each["detail"] for each in json.loads(out)] == [
            "acme answers; 1 models",
            "no such key",
        ]
        code, out, _ = flo2(environ, "doctor", "--online", "--json")
        checks = {check["name"]: check for check in json.loads(out)["checks"]}
        assert (code, checks["reach acme"]["ok"]) == (0, True)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
