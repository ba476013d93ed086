"""`flo2 config` and `init`: what holds and why, no secret shown; the page is the generated one."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import attrs
import pytest

from flo2.cli.command_docs import command_page
from flo2.cli.config import effective
from flo2.cli.config_docs import configuration_page, starter_file
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.config import Config, load
from flo2.memory_store import MemoryStore

DOCS = Path(__file__).parents[2] / "docs"


def make(tmp_path, text="", **environ):
    (tmp_path / "flo2.toml").write_text(text)
    given = {"FLO2_DATA_DIR": str(tmp_path / "data"), "FLO2_CONFIG": str(tmp_path / "flo2.toml")}
    return State({**given, **environ}, store=MemoryStore())


def values(state):
    return {each.path: (each.value, each.source) for each in effective(state)}


def test_each_value_says_where_it_comes_from(tmp_path):
    state = make(tmp_path, "[server]\nport = 1\nhost = '::1'\n", FLO2__SERVER__PORT="2")
    state.settings["server.workers"] = "3"
    held = values(state)
    assert {path: held[f"server.{path}"] for path in ("host", "port", "workers")} == {
        "host": ("::1", "file"),
        "port": (2, "env FLO2__SERVER__PORT"),
        "workers": (3, "flag"),
    }
    assert held["drain.number"] == (256, "default")
    assert held["data_dir"] == (str(tmp_path / "data"), "env FLO2_DATA_DIR")


def test_a_flag_goes_before_the_environment(tmp_path, capsys):
    state = make(tmp_path, FLO2__DATA_DIR="elsewhere")
    assert run(["config", "--data-dir", str(tmp_path / "7"), "--json"], state) == 0
    told = {each["path"]: each for each in json.loads(capsys.readouterr().out)["values"]}
    assert (told["data_dir"]["value"], told["data_dir"]["source"]) == (str(tmp_path / "7"), "flag")


def test_secrets_are_hidden_and_references_are_not(tmp_path, capsys):
    text = """
    [store]
    kind = "sql"
    url = "postgresql://flo2:hunter2@db.example/flo2"
    [secrets]
    kek = "env:FLO2_KEK"
    [providers.acme]
    kind = "openai-compatible"
    base_url = "https://acme.example"
    [providers.acme.headers]
    x-api-key = "verysecret"
    x-note = "sk-proj-abcdefghijklmnopqrstuvwxyz"
    """
    assert run(["config"], make(tmp_path, text)) == 0
    shown = capsys.readouterr().out
    assert not [s for s in ("hunter2", "verysecret", "abcdefghij") if s in shown]
    assert "postgresql://***@db.example/flo2" in shown
    assert "env:FLO2_KEK" in shown


def test_a_file_in_the_working_folder_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "flo2.toml").write_text("[server]\nport = 1\n")
    monkeypatch.chdir(tmp_path)
    state = State({"XDG_CONFIG_HOME": str(tmp_path / "conf"), "FLO2_DATA_DIR": str(tmp_path)})
    assert (state.file(), state.config().server.port) == (None, 8787)
    own = tmp_path / "conf" / "flo2" / "flo2.toml"
    own.parent.mkdir(parents=True)
    own.write_text("[server]\nport = 2\n")
    assert (state.file(), state.config().server.port) == (own, 2)


def test_the_committed_page_is_the_generated_one():
    assert (DOCS / "configuration.md").read_text(encoding="utf-8") == configuration_page()


def test_the_committed_page_of_commands_is_the_generated_one():
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == command_page()


def test_the_page_tells_what_every_setting_is():
    rows = [line for line in configuration_page().splitlines() if line.startswith("| `")]
    tables = {a.name for a in attrs.fields(Config)}
    assert tables <= {row.split("`")[1] for row in rows} | {
        "server", "plugins", "network", "secrets", "drain",
    }  # fmt: skip


def test_the_starter_file_is_all_defaults(tmp_path):
    file = tmp_path / "flo2.toml"
    file.write_text(starter_file())
    assert load(file, {}) == Config()


def test_the_starter_file_shows_defaults_that_are_read_back(tmp_path):
    lines = [
        line.removeprefix("# ")
        for line in starter_file().partition("# [store]")[0].splitlines()
        if line.startswith("[") or (" = " in line and not line.endswith("…"))
    ]
    file = tmp_path / "flo2.toml"
    file.write_text("\n".join(line for line in lines if not line.startswith("data_dir")))
    assert load(file, {}) == Config()


def test_init_writes_a_private_file_once_and_shows_the_secrets_once(tmp_path, capsys):
    environ = {"FLO2_DATA_DIR": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "conf")}
    store = MemoryStore()
    assert run(["init", "--json"], State(environ, store=store)) == 0
    first = json.loads(capsys.readouterr().out)
    file = tmp_path / "conf" / "flo2" / "flo2.toml"
    assert (first["file"], stat.S_IMODE(file.stat().st_mode)) == (str(file), 0o600)
    assert first["key"].startswith("flo2_sk_")
    assert first["admin_token"].startswith("flo2_admin_")
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "kek").stat().st_mode) == 0o600
    file.write_text(file.read_text() + "# mine\n")
    assert run(["init", "--json"], State(environ, store=store)) == 0
    second = json.loads(capsys.readouterr().out)
    assert (second["key"], second["admin_token"], second["file"]) == (None, None, None)
    assert file.read_text().endswith("# mine\n")


@pytest.mark.parametrize("arguments", [["config", "check"], ["plugins"], ["prices"], ["models"]])
def test_commands_that_only_look_make_no_data_folder(tmp_path, arguments):
    state = make(tmp_path)
    assert run([*arguments, "--json"], state) == 0
    assert not (tmp_path / "data").exists()


def test_doctor_finds_a_data_folder_that_others_may_read(tmp_path, capsys):
    state = make(tmp_path)
    (tmp_path / "data").mkdir(mode=0o755)
    (tmp_path / "data").chmod(0o755)
    assert run(["doctor", "--json"], state) == 1
    told = json.loads(capsys.readouterr().out)
    failed = [check for check in told["checks"] if check["ok"] is False]
    assert [(check["name"], check["fix"]) for check in failed] == [
        ("data folder", f"run: chmod 700 {tmp_path / 'data'}")
    ]


def test_doctor_is_content_after_init(tmp_path, capsys):
    state = make(tmp_path)
    run(["init", "--no-file"], state)
    capsys.readouterr()
    assert run(["doctor", "--json"], State(state.environ, store=state.store)) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert "key-encryption key" in {check["name"] for check in told["checks"] if check["ok"]}


def test_doctor_tells_which_providers_have_no_prices(tmp_path, capsys):
    host = 'kind = "openai-compatible"\nbase_url = "https://api.acme.example/v1"\n'
    state = make(tmp_path, f"[providers.acme]\n{host}", ACME_KEY="sk-acme-0123456789abcdefghij")
    assert run(["providers", "add", "acme", "--env", "ACME_KEY"], state) == 0
    capsys.readouterr()
    run(["doctor", "--json"], State(state.environ, store=state.store))
    checks = {each["name"]: each for each in json.loads(capsys.readouterr().out)["checks"]}
    told = checks["priced providers"]
    assert (told["ok"], told["detail"]) == (None, "no price rows for acme")
    assert "[pricing.file]" in told["fix"]


def test_doctor_tells_a_key_file_that_was_swapped(tmp_path, capsys):
    state = make(tmp_path)
    run(["init", "--no-file"], state)
    (tmp_path / "data" / "kek").unlink()
    capsys.readouterr()
    assert run(["doctor"], State(state.environ, store=state.store)) == 1
    shown = capsys.readouterr().out
    assert "✗ key-encryption key: the store is sealed under key-encryption key" in shown
