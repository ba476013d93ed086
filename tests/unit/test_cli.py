"""The root of the command line: help, exit codes, errors in one line, commands of plugins."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import click
import pytest

from flo2.cli import extensions, root
from flo2.cli.output import table
from flo2.cli.parse import declaration, duration_s, instant_us, pair, pairs, toml_value
from flo2.cli.root import COMMANDS, cli, excepthook, run
from flo2.cli.state import State
from flo2.errors import ConfigError
from flo2.hookspecs import hookimpl
from flo2.memory_store import MemoryStore

NOW_US = 1_700_000_000_000_000


@pytest.fixture
def state(tmp_path):
    environ = {"FLO2_DATA_DIR": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "conf")}
    return State(environ, store=MemoryStore())


def test_help_lists_every_command_and_needs_no_module_of_them(capsys):
    code = "import sys; from flo2.cli.root import run; run(['--help']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    shown = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert [name for name in shown if name in COMMANDS] == list(COMMANDS)
    # Whether an installed plugin may add commands stands in the configuration, which needs cattrs.
    heavy = {"flo2.gateway", "flo2.wire", "flo2.records", "flo2.prices", "flo2.contracts"}
    heavy |= {"msgspec", "sqlalchemy", "starlette", "uvicorn", "rich"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.parametrize(
    "line",
    ["usage", "calls", "budgets", "limits", "keys", "whatif --batch", "ledger pending", "routes",
     "ledger reprice --since 7d", "contracts statement", "prices diff book book --since 7d"],
)  # fmt: skip
def test_an_account_that_is_not_there_is_not_an_empty_one(state, capsys, line):
    assert run([*line.split(), "--account", "nope"], state) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "there is no account 'nope'; known: " in told.err


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_the_table_is_the_first_line_of_the_command(name):
    command = cli.get_command(click.Context(cli), name)
    assert command.help.splitlines()[0].partition(";")[0].rstrip(".") == (
        COMMANDS[name][1].partition(";")[0].rstrip(".")
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_common_options(name):
    def leaves(command):
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                yield from leaves(inner)
        else:
            yield command

    for command in leaves(cli.get_command(click.Context(cli), name)):
        names = {option for param in command.params for option in param.opts}
        assert {"--config", "--data-dir", "--json", "--debug"} <= names


@pytest.mark.parametrize("words", [[], ["ledger"]])
def test_a_group_alone_shows_its_help_and_calls_it_no_error(words, state, capsys):
    assert run(words, state) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"Usage: {' '.join(['flo2', *words])} [OPTIONS] COMMAND")
    assert err.count("Usage:") == 1
    assert "Error" not in err


def test_an_unknown_command_names_the_nearest(state, capsys):
    assert run(["key"], state) == 2
    assert "there is no command 'key'; did you mean 'keys'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["providers", "add"], "Missing argument 'NAME'"),
        (["routes", "add", "r"], "Missing option '--target'"),
    ],
)
def test_what_is_missing_is_named(words, missing, state, capsys):
    assert run(words, state) == 2
    assert missing in capsys.readouterr().err


def test_a_word_that_looks_like_a_key_is_not_repeated(state, capsys):
    assert run(["sk-proj-abcdefghijklmnopqrstuvwxyz"], state) == 2
    assert "abcdefghij" not in capsys.readouterr().err


def test_an_error_is_one_line_that_says_what_to_do(state, capsys):
    assert run(["keys", "revoke", "nobody"], state) == 1
    out, err = capsys.readouterr()
    assert (out, err) == (
        "",
        "error: account 'default' has no key 'nobody' that works; see: flo2 keys list --all\n",
    )


def test_an_error_is_json_when_asked_for(state, capsys):
    assert run(["calls", "show", "abc", "--json"], state) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["error"]["message"].startswith("account 'default' has no call 'abc'")


def test_a_wrong_configuration_tells_every_problem(state, tmp_path, capsys):
    file = tmp_path / "flo2.toml"
    file.write_text("[server]\nprot = 1\nhost = 7\n[plugin]\nonly = []\n")
    assert run(["config", "check", str(file)], state) == 1
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 3
    assert any("unknown key 'prot' (did you mean 'port'?)" in line for line in err)


def test_a_file_that_is_not_there_is_made_under_the_name_that_was_given(state, tmp_path, capsys):
    file = tmp_path / "my own.toml"
    assert run(["config", "check", str(file)], state) == 1
    assert capsys.readouterr().err == (
        f"error: there is no file '{file}'; make one: flo2 init --config '{file}'\n"
    )


def test_debug_raises_the_error(state):
    with pytest.raises(Exception, match="has no key 'nobody'"):
        run(["keys", "revoke", "nobody", "--debug"], state)


def test_an_unexpected_error_is_one_line_too(state, capsys):
    excepthook(state)(KeyError, KeyError("gone"), None)
    err = capsys.readouterr().err
    assert err.startswith("error: KeyError: 'gone'\n")
    assert "--debug" in err
    assert "Traceback" not in err


def test_a_plugin_adds_a_command_and_takes_none_of_ours(state, monkeypatch, capsys):
    group = root.Root("flo2")

    class Hooks:
        @staticmethod
        def flo2_register_commands(cli):
            cli.add_command(click.Command("greet", callback=lambda: click.echo("hello")))
            cli.add_command(click.Command("keys", callback=lambda: click.echo("mine")))

    plugin = type(sys)("flo2_greeter_of_a_test")
    plugin.flo2_register_commands = hookimpl(Hooks.flo2_register_commands)
    monkeypatch.setitem(sys.modules, plugin.__name__, plugin)
    point = EntryPoint("greeter", plugin.__name__, "flo2")
    monkeypatch.setattr(extensions, "entry_points", lambda **_: [point])
    context = click.Context(group, obj=state)
    group.get_command(context, "greet").callback()
    assert capsys.readouterr().out == "hello\n"
    assert (
        "flo2.cli.keys" in inspect.getmodule(group.get_command(context, "keys").callback).__name__
    )


def test_a_plugin_that_is_disabled_adds_nothing(state, monkeypatch, tmp_path):
    file = tmp_path / "flo2.toml"
    file.write_text('[plugins]\ndisable = ["greeter"]\n')
    state.config_path = file
    point = EntryPoint("greeter", "flo2_no_such_module", "flo2")
    monkeypatch.setattr(extensions, "entry_points", lambda **_: [point])
    group = root.Root("flo2")
    assert group.get_command(click.Context(group, obj=state), "greet") is None


def test_a_table_is_aligned_and_never_cut(state, capsys):
    table(state, ["a", "b"], [["x" * 200, "1"], ["y", "22"]], right=["b"])
    assert capsys.readouterr().out.splitlines() == [
        "a" + " " * 199 + "   b",
        "x" * 200 + "   1",
        "y" + " " * 199 + "  22",
    ]


def test_what_a_terminal_has_no_room_for_goes_on_the_next_line(state, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "14")
    state.environ["NO_COLOR"] = "1"
    rows = [["one", "two", "3", "4"], ["o", "t", "", ""]]
    table(state, ["alpha", "beta", "n", "last"], rows, right=["n"])
    assert capsys.readouterr().out.splitlines() == [
        "alpha  beta  n",
        "    last",
        "one    two   3",
        "    4",
        "o      t",
    ]


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("2w", 1_209_600)])
def test_durations(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("7d", NOW_US - 604_800_000_000),
        ("2023-11-14", 1_699_920_000_000_000),
        ("2023-11-14T22:13:20Z", NOW_US),
        ("2023-11-14T23:13:20+01:00", NOW_US),
    ],
)
def test_instants(text, us):
    assert instant_us(text, NOW_US) == us


@pytest.mark.parametrize(
    "call",
    [
        lambda: duration_s("soon"),
        lambda: duration_s("99999999d"),
        lambda: instant_us("soon", 0),
        lambda: instant_us("999999999w", NOW_US),
        lambda: instant_us("999999d", NOW_US),
        lambda: instant_us("0001-01-01T00:00:00+14:00", 0),
        lambda: instant_us("9999-12-31T23:59:59-14:00", 0),
        lambda: pair("a"),
        lambda: pairs(["team=red", "team=blue"]),
    ],
)
def test_what_is_not_understood_is_refused_with_the_right_form(call):
    with pytest.raises(click.BadParameter):
        call()


def test_names_with_values_are_read_together():
    assert pairs(["team=red", "tag:a=b=c"]) == {"team": "red", "tag:a": "b=c"}


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.toml", "fee = 0.10"), ("a.conf", "fee = 0.10"), ("a.json", '{"fee": 0.10}')],
)
def test_a_declaration_keeps_every_digit(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert str(declaration(tmp_path / name)["fee"]) == "0.10"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.toml", "fee", "cannot be read as TOML or JSON: "),
        ("a.json", "{", "cannot be read as TOML or JSON: "),
        ("a.json", "[" * 100_000, "cannot be read as TOML or JSON: "),
        ("a.json", "[1]", "holds no table"),
    ],
)
def test_what_is_no_declaration_is_told_with_its_file(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        declaration(tmp_path / name)
    assert str(caught.value).startswith(f"{str(tmp_path / name)!r} {told}")


def test_values_are_read_as_toml_else_as_text():
    assert [toml_value(each) for each in ("7", "true", "0.5", "fast")] == [7, True, 0.5, "fast"]
