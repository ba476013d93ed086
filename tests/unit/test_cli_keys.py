"""`flo2 keys` and `flo2 providers`: secrets go in and out where they should, and nowhere else."""

from __future__ import annotations

import io
import json
import sys

import pytest

from flo2.cli.bench import Bench
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.keys import ADMIN_SETTING, Authenticator
from flo2.memory_store import MemoryStore

SECRET = "sk-acme-0123456789abcdefghijklmn"
CONFIG = """
[providers.acme]
kind = "openai-compatible"
base_url = "https://api.acme.example/v1"
"""


@pytest.fixture
def state(tmp_path):
    file = tmp_path / "flo2.toml"
    file.write_text(CONFIG)
    environ = {"FLO2_DATA_DIR": str(tmp_path / "data"), "FLO2_CONFIG": str(file)}
    return State(environ, store=MemoryStore())


def again(state):
    return State(state.environ, store=state.store)


def test_a_new_key_is_the_only_line_on_standard_output_and_works(state, capsys):
    assert run(["keys", "create", "app", "--team", "web", "--tag", "env=prod"], state) == 0
    out, err = capsys.readouterr()
    (secret,) = out.splitlines()
    assert secret.startswith("flo2_sk_")
    assert secret not in err
    with Bench(again(state)) as bench:
        key = Authenticator(bench.pepper, state.store.keys()).authenticate(secret, bench.now_us())
    assert (key.name, key.team, key.account, dict(key.tags)) == (
        "app",
        "web",
        "default",
        {"env": "prod"},
    )


def test_a_key_is_listed_without_itself(state, capsys):
    run(["keys", "create", "app", "--json"], state)
    made = json.loads(capsys.readouterr().out)
    assert run(["keys", "--json"], again(state)) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    secret = made.pop("key")
    assert listed == made
    assert secret not in str(listed)
    assert (secret.startswith(listed["prefix"]), secret.endswith(listed["last4"])) == (True, True)


def test_a_key_that_ends_is_listed_with_its_end(state, capsys):
    run(["keys", "create", "app", "--expires", "2d", "--json"], state)
    ends = json.loads(capsys.readouterr().out)["expires_at"]
    assert run(["keys"], again(state)) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith(f"  until {ends[:16]}Z")


def test_rotation_gives_a_successor_and_both_work(state, capsys):
    run(["keys", "create", "app", "--json"], state)
    first = json.loads(capsys.readouterr().out)
    assert run(["keys", "rotate", "app", "--grace", "1h", "--json"], again(state)) == 0
    second = json.loads(capsys.readouterr().out)
    with Bench(again(state)) as bench:
        who = Authenticator(bench.pepper, state.store.keys())
        ids = [who.authenticate(each["key"], bench.now_us()).id for each in (first, second)]
    assert ids == [first["id"], second["id"]]


def test_a_revoked_key_is_hidden_unless_all_are_asked_for(state, capsys):
    run(["keys", "create", "app"], state)
    assert run(["keys", "revoke", "app"], again(state)) == 0
    capsys.readouterr()
    run(["keys", "--json"], again(state))
    assert json.loads(capsys.readouterr().out) == []
    run(["keys", "list", "--all", "--json"], again(state))
    assert [key["state"] for key in json.loads(capsys.readouterr().out)] == ["revoked"]


def test_two_keys_of_one_name_need_an_id(state, capsys):
    run(["keys", "create", "app"], state)
    run(["keys", "create", "app"], again(state))
    capsys.readouterr()
    assert run(["keys", "revoke", "app"], again(state)) == 1
    assert "several keys are named 'app'; give an id: key_" in capsys.readouterr().err


def test_a_new_admin_token_replaces_the_old_one(state, capsys):
    assert run(["keys", "admin", "--yes"], state) == 0
    first = state.store.setting(ADMIN_SETTING)
    assert run(["keys", "admin", "--yes"], again(state)) == 0
    assert first != state.store.setting(ADMIN_SETTING)
    assert capsys.readouterr().out.count("flo2_admin_") == 2


def test_only_an_admin_token_that_is_there_is_asked_about(state, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert run(["keys", "admin"], state) == 0
    first = state.store.setting(ADMIN_SETTING)
    assert "Go on?" not in capsys.readouterr().err
    assert run(["keys", "admin"], again(state)) == 130
    assert "Go on?" in capsys.readouterr().err
    assert first == state.store.setting(ADMIN_SETTING)


def test_rewrap_moves_every_data_key_to_the_new_version(state, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(SECRET + "\n"))
    run(["providers", "add", "acme", "--stdin"], state)
    before = [key.kek_id for key in state.store.data_keys()]
    assert run(["keys", "rewrap", "--new", "--json"], again(state)) == 0
    assert json.loads(capsys.readouterr().out) == {"rewrapped": 1}
    assert before != [key.kek_id for key in state.store.data_keys()]


def test_a_provider_key_from_standard_input_is_sealed_and_bound(state, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(SECRET + "\n"))
    assert run(["providers", "add", "acme", "--stdin", "--project", "proj_1"], state) == 0
    (kept,) = state.store.credentials("default")
    assert (kept.provider, kept.host, kept.name, kept.last4, kept.project, kept.reference) == (
        "acme",
        "api.acme.example",
        "acme",
        "klmn",
        "proj_1",
        None,
    )
    with Bench(again(state)) as bench:
        assert bench.vault.reveal(kept, "api.acme.example").reveal() == SECRET
    out, err = capsys.readouterr()
    assert SECRET not in out + err
    assert SECRET not in repr(kept)
    assert "check it: flo2 providers test acme" in err


def test_a_provider_key_from_a_file_loses_its_line_end(state, tmp_path):
    (tmp_path / "key").write_text(SECRET + "\n")
    assert run(["providers", "add", "acme", "--file", str(tmp_path / "key")], state) == 0
    (kept,) = state.store.credentials("default")
    assert (kept.last4, kept.reference) == ("klmn", None)


def test_a_key_that_is_a_json_document_is_kept_in_one_line(state, tmp_path, monkeypatch):
    document = json.dumps({"type": "service_account", "private_key": "a\nb"}, indent=2) + "\n"
    (tmp_path / "key.json").write_text(document)
    assert run(["providers", "add", "acme", "--file", str(tmp_path / "key.json")], state) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(document))
    assert run(["providers", "add", "acme", "--stdin"], state) == 0
    kept = state.store.credentials("default")
    with Bench(again(state)) as bench:
        texts = [bench.vault.reveal(each, "api.acme.example").reveal() for each in kept]
    assert texts == [r'{"type": "service_account", "private_key": "a\nb"}'] * 2


def test_a_variable_is_kept_as_a_reference_and_an_unset_one_is_noted(state, capsys):
    assert run(["providers", "add", "acme", "--env", "ACME_KEY"], state) == 0
    (kept,) = state.store.credentials("default")
    assert (kept.reference, kept.sealed, kept.last4) == ("env:ACME_KEY", None, "")
    assert "the environment variable 'ACME_KEY' is not set" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["acme", SECRET],
        [SECRET],
        ["acme", "--key", "whatever"],
        ["acme", f"--api-key={SECRET}"],
        ["acme", "--env", SECRET],
        ["acme", "--file", SECRET],
        ["acme", "0123456789abcdef0123456789abcdef"],
    ],
)
def test_a_key_on_the_command_line_is_refused_and_not_repeated(state, capsys, arguments):
    assert run(["providers", "add", *arguments], state) == 2
    out, err = capsys.readouterr()
    assert "a key on the command line is not taken" in err
    assert "history" in err
    assert SECRET not in out + err
    assert "0123456789abcdef" not in out + err
    assert not state.store.credentials("default")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("flo2_sk_" + "a" * 36, "this is a key that flo2 issued"),
        ("abc", "has 3 characters, which no key has"),
        ("sk-ac\u200bme0123456789abcdef", "zero width space"),
    ],
)
def test_what_is_no_key_is_refused_without_being_shown(state, capsys, monkeypatch, typed, said):
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed + "\n"))
    assert run(["providers", "add", "acme", "--stdin"], state) == 1
    out, err = capsys.readouterr()
    assert said in err
    assert typed not in out + err


def test_an_unknown_provider_is_told_with_what_to_install(state, capsys):
    assert run(["providers", "add", "acmee", "--env", "ACME_KEY"], state) == 1
    assert "there is no provider 'acmee'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("azure", "give its base_url in a table [providers.azure] in flo2.toml"),
        ("gemini", "did you mean 'google'?"),
        ("vertex", "did you mean 'google-vertex'?"),
        ("nobody", "a host of your own needs a table [providers.nobody] in flo2.toml"),
    ],
)
def test_an_installed_provider_is_found_by_other_words_for_it(state, capsys, name, said):
    assert run(["providers", "add", name, "--env", "KEY"], state) == 1
    assert said in capsys.readouterr().err


def test_a_second_key_gets_a_name_of_its_own_and_each_is_removed_by_it(state, capsys):
    for _ in range(2):
        run(["providers", "add", "acme", "--env", "ACME_KEY"], again(state))
    assert [c.name for c in state.store.credentials("default")] == ["acme", "acme-2"]
    assert run(["providers", "remove", "acme-2"], again(state)) == 0
    assert [c.name for c in state.store.credentials("default")] == ["acme"]


def test_providers_are_listed_with_the_source_of_their_keys(state, capsys):
    run(["providers", "add", "acme", "--env", "ACME_KEY"], state)
    capsys.readouterr()
    assert run(["providers", "--json"], again(state)) == 0
    (acme,) = [p for p in json.loads(capsys.readouterr().out) if p["name"] == "acme"]
    assert (acme["host"], [c["reference"] for c in acme["credentials"]]) == (
        "api.acme.example",
        ["env:ACME_KEY"],
    )


def test_a_route_is_made_listed_and_removed(state, capsys):
    targets = ["--target", "acme/big@acme=2", "--target", "acme/ft:small:v1=0.5"]
    assert run(["routes", "add", "smart", *targets], state) == 0
    capsys.readouterr()
    run(["routes", "--json"], again(state))
    (route,) = json.loads(capsys.readouterr().out)
    assert route == {
        "account": "default",
        "name": "smart",
        "strategy": "ordered",
        "targets": [
            {"provider": "acme", "model": "big", "weight": "2", "credential": "acme"},
            {"provider": "acme", "model": "ft:small:v1", "weight": "0.5", "credential": None},
        ],
        "options": {},
    }
    assert run(["routes", "remove", "smart"], again(state)) == 0
    assert not state.store.routes()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["a/b", "--target", "acme/big"], 1, "is no name of a route"),
        (["a", "--target", "acme"], 2, "is not PROVIDER/MODEL"),
        (["a", "--target", "acme/big=-1"], 2, "is no number of 0 or more"),
        (["a", "--target", "nobody/big"], 1, "there is no provider 'nobody'"),
        (["a", "--target", "acme/big", "--strategy", "guess"], 1, "no strategy kind 'guess'"),
        (["a", "--target", "acme/big", "--option", "speed=1"], 1, "unknown key 'speed'"),
    ],
)
def test_a_wrong_route_is_refused_when_it_is_made(state, capsys, arguments, code, said):
    assert run(["routes", "add", *arguments], state) == code
    assert said in capsys.readouterr().err
    assert not state.store.routes()


def test_a_key_for_a_provider_that_is_not_there_names_no_package(state, capsys):
    assert run(["providers", "add", "zzzz", "--stdin"], state) == 1
    assert capsys.readouterr().err.endswith(
        "; a host of your own needs a table [providers.zzzz] in flo2.toml\n"
    )
