"""`flo2 chat` in this process, and what a start says, line by line."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys

import pytest

from flo2.cli import welcome
from flo2.cli.output import program
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.cli.talk import Said
from flo2.cli.welcome import Welcome, show
from flo2.memory_store import MemoryStore
from flo2.secrets import Secret

KEY, TOKEN = "flo2_sk_" + "k" * 36, "flo2_admin_" + "t" * 36


@pytest.fixture
def state(tmp_path):
    environ = {
        "FLO2_DATA_DIR": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(tmp_path),
        "FLO2__SERVER__PORT": "0",  # nobody can listen there: the call is made in this process
    }
    return State(environ, store=MemoryStore())


def test_an_answer_its_cost_and_its_receipt(state, capsys):
    assert run(["chat", "-m", "sandbox/sandbox-small", "hi"], state) == 0
    out, err = capsys.readouterr()
    assert "You said: hi" in out
    assert "(settled) · sandbox/sandbox-small · 1 attempt · in this process" in err
    id_ = err.split()[-1]
    again = State(state.environ, store=state.store)
    assert run(["calls", "show", id_, "--json"], again) == 0
    receipt = json.loads(capsys.readouterr().out)
    assert (receipt["id"], receipt["key"], receipt["cost"]["statuses"]) == (
        id_,
        "key_flo2_chat",
        {"settled": 1},
    )


def test_the_message_may_come_on_standard_input_and_the_model_is_chosen(state, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("from a pipe"))
    assert run(["chat", "--json"], state) == 0
    told = json.loads(capsys.readouterr().out)
    assert "from a pipe" in told["text"]
    assert (told["provider"], told["cost_status"], told["via"]) == (
        "sandbox",
        "settled",
        "in this process",
    )


def test_the_command_uses_one_key_however_often_it_runs(state):
    for _ in range(2):
        run(["chat", "hi", "--json"], State(state.environ, store=state.store))
    assert [key.id for key in state.store.keys(None)] == ["key_flo2_chat"]


def test_an_unknown_model_is_told_in_one_line(state, capsys):
    assert run(["chat", "-m", "sandbox-smal", "hi"], state) == 1
    err = capsys.readouterr().err
    assert "did you mean 'sandbox/sandbox-small' or" in err
    assert "Traceback" not in err


def test_an_unknown_cost_is_never_zero():
    said = Said("", "id", "acme", "big", None, "unpriced", 2, "in this process")
    assert said.summary().splitlines()[0] == (
        "cost not known (unpriced) · acme/big · 2 attempts · in this process"
    )


def first(**more):
    return Welcome(
        **{
            "address": "http://127.0.0.1:8787",
            "data_dir": "/data/flo2",
            "store": "sql",
            "providers": ("acme (key from env:ACME_API_KEY)",),
            "missing": ("beta",),
            "hints": (),
            "simulated": False,
            "model": "acme/small",
            "admin": Secret(TOKEN),
            "key": Secret(KEY),
        }
        | more
    )


def test_a_first_start_in_a_pipe(capsys, monkeypatch):
    monkeypatch.setattr(welcome, "program", lambda *_: "flo2")
    show(first(), {})
    head, key, token, curl, *sdks, rest = capsys.readouterr().out.strip().split("\n\n")
    assert head.splitlines() == [
        "serving on http://127.0.0.1:8787",
        "providers  acme (key from env:ACME_API_KEY)",
        "data       /data/flo2",
    ]
    assert key.splitlines()[1:] == [KEY]
    assert token.splitlines()[1:] == [TOKEN]
    words = shlex.split(curl.splitlines()[1])
    assert words[:3] == ["curl", "-sS", "http://127.0.0.1:8787/v1/chat/completions"]
    assert json.loads(words[-1])["model"] == "acme/small"
    for lines in sdks:
        compile("\n".join(lines.splitlines()[1:]), "sdk", "exec")
    assert [lines.splitlines()[-1][:6] for lines in sdks] == ["print("] * 3
    assert rest.splitlines() == [
        "add a provider   flo2 providers add NAME   (beta)",
        "another key      flo2 keys create NAME",
        "what it cost     flo2 usage",
    ]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_on_a_terminal_what_is_copied_stays_whole_at_any_width(capsys, monkeypatch, columns):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    show(first(data_dir="/data/" + "x" * 90), {"TERM": "xterm", "NO_COLOR": "1"})
    lines = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out).splitlines()
    assert {KEY, TOKEN} <= set(lines)
    (curl,) = [line for line in lines if line.startswith("curl ")]
    assert curl.endswith("'")
    assert KEY in curl
    framed = [line for line in lines if line[:1] in "╭│╰" and line]
    assert {len(line) for line in framed} == {columns}


def test_a_later_start_shows_no_secret_and_no_examples(capsys):
    show(first(admin=None, key=None), {})
    out = capsys.readouterr().out
    assert not [word for word in ("flo2_sk_", "flo2_admin_", "curl") if word in out]


def test_a_start_on_a_unix_socket_has_a_curl_line_for_it(capsys):
    show(first(address="unix:/run/flo2 a.sock"), {})
    (curl,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("curl ")]
    assert shlex.split(curl)[2:5] == [
        "--unix-socket",
        "/run/flo2 a.sock",
        "http://flo2/v1/chat/completions",
    ]


def test_the_program_is_named_so_that_the_shell_finds_it(tmp_path, monkeypatch):
    home = tmp_path / ".nox" / "serve"
    (home / "bin").mkdir(parents=True)
    (home / "pyvenv.cfg").write_text("")
    started = str(home / "bin" / "flo2")
    monkeypatch.chdir(tmp_path)
    assert program(started, {}) == ".nox/serve/bin/flo2"
    assert program(started, {"VIRTUAL_ENV": str(home)}) == "flo2"
    assert program("/usr/local/bin/flo2", {}) == "flo2"
