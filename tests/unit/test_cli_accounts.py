"""`flo2 accounts`: a tenant is made by one command, and sees nothing of another."""

from __future__ import annotations

import json

import pytest

from flo2.cli.root import run
from flo2.cli.state import State
from flo2.memory_store import MemoryStore


@pytest.fixture
def flo2(tmp_path, capsys):
    store = MemoryStore()

    def go(*words):
        state = State({"FLO2_DATA_DIR": str(tmp_path)}, store=store)
        code = run([*words] if "--json" in words else [*words, "--json"], state)
        told = capsys.readouterr()
        return code, json.loads(told.out or told.err)

    return go


def test_an_account_is_made_once_and_has_keys_of_its_own(flo2):
    assert flo2("keys", "create", "app", "--account", "red")[0] == 1
    code, made = flo2("accounts", "create", "red")
    assert (code, made["id"], made["created"]) == (0, "red", True)
    assert flo2("accounts", "create", "red")[1] == {**made, "created": False}

    assert flo2("keys", "create", "app", "--account", "red")[0] == 0

    code, (red,) = flo2("accounts")
    assert (code, red["id"], red["keys"], red["credentials"]) == (0, "red", 1, 0)
    assert [key["account"] for key in flo2("keys", "list", "--account", "red")[1]] == ["red"]


@pytest.mark.parametrize("name", ["", "-x", "Red", "a b", "ä", "a/b", "x" * 65, "a\n"])
def test_a_name_that_could_be_mistaken_is_refused(flo2, name):
    code, told = flo2("accounts", "create", "--json", "--", name)
    assert code == 1
    assert "is no name for an account" in json.dumps(told)
    assert flo2("accounts") == (0, [])


def test_who_names_an_account_that_is_not_there_is_told_how_to_make_it(flo2):
    code, told = flo2("usage", "--account", "red")
    assert code == 1
    assert "flo2 accounts create red" in json.dumps(told)
