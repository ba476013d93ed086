"""What clients and providers write is shown to the operator, and commands no terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from flo2 import MemoryStore
from flo2.cli.output import say, say_json, table, tell_error
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.testing.harness import running

pytestmark = pytest.mark.anyio

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\rm"
COMMANDS = {"\x1b", "\x07", "\x9b", "\x7f", "\r", "\x00"}


async def test_a_model_name_of_a_client_is_shown_harmless(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = MemoryStore()
    async with running(store=store) as house:
        ask = {"messages": [{"role": "user", "content": "x"}], "user": EVIL}
        for model in (f"sandbox/{EVIL}", EVIL, f"sandbox/sandbox-error-{EVIL}"):
            await house.post("/v1/chat/completions", {**ask, "model": model})
        calls = await house.get("/api/calls", admin=True)
    for line in (
        "calls list",
        "calls list --json",
        "calls show",
        "usage --by model",
        "usage --json",
    ):
        run(line.split(), State({"FLO2_DATA_DIR": str(tmp_path)}, store=store))
    for call in json.loads(calls.body)["data"]:
        run(["calls", "show", call["id"]], State({"FLO2_DATA_DIR": str(tmp_path)}, store=store))
    out, err = capsys.readouterr()
    assert "owned" in out
    assert not COMMANDS & set(out + err)


def test_every_way_to_say_something_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    state = State({})
    table(state, ["a"], [[EVIL], ["two\nlines"]])
    say(EVIL)
    say_json({"a": EVIL})
    tell_error(state, EVIL)
    tell_error(State({}, as_json=True), EVIL)
    out, err = capsys.readouterr()
    assert not COMMANDS & set(out + err)
    shown = io.StringIO(out).readlines()
    assert shown[2] == "two\\nlines\n"
    assert json.loads("".join(shown[3:])) == {"a": EVIL}
