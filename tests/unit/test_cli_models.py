"""`flo2 models`: what can be called, what it costs, and what it can do."""

from __future__ import annotations

import json

import pytest

from flo2.cli import bench
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.memory_store import MemoryStore
from flo2.testing import FakeUpstream
from flo2.wire import Wire

CONFIG = """
[providers.acme]
kind = "openai"
base_url = "https://acme.invalid/v1"

[providers.resold]
kind = "openrouter"
base_url = "https://resold.invalid/v1"
"""
LISTED = {
    "data": [
        {"id": "gpt-4o", "context_length": 64_000},
        {"id": "text-embedding-3-small"},
        {"id": "m-new"},
    ]
}
RESOLD = {
    "data": [
        {
            "id": "acme/large",
            "name": "Acme: Large",
            "context_length": 1_000_000,
            "architecture": {"input_modalities": ["text", "audio"], "output_modalities": ["text"]},
            "supported_parameters": ["reasoning"],
            "pricing": {"prompt": "0.000003", "completion": "0.000015"},
        }
    ]
}

EMBEDS = "acme/text-embedding-3-small (makes embedding)"


@pytest.fixture
def upstream(monkeypatch):
    upstream = FakeUpstream()
    monkeypatch.setattr(bench, "Wire", lambda **_: Wire(transport=upstream.transport()))
    return upstream


@pytest.fixture
def state(tmp_path):
    file = tmp_path / "flo2.toml"
    file.write_text(CONFIG)
    environ = {
        "FLO2_DATA_DIR": str(tmp_path / "data"),
        "FLO2_CONFIG": str(file),
        "ACME_KEY": "sk-acme-0123456789",
    }
    return State(environ, store=MemoryStore())


def again(state):
    """Give the state of the next command, over the same store."""
    return State(state.environ, store=state.store)


def add(state, *names):
    for name in names:
        assert run(["providers", "add", name, "--env", "ACME_KEY"], again(state)) == 0


def test_a_line_says_prices_limits_and_in_letters_what_a_model_can(state, upstream, capsys):
    upstream.reply(json=LISTED)
    add(state, "acme")
    capsys.readouterr()
    assert run(["models"], again(state)) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "in $/M  out $/M  context  output  takes  can    model",
        "   2.5       10      64k   16.4k  i--f   tj-c-  acme/gpt-4o",
        "                                                acme/m-new",
        f"  0.02             8.19k          ----   -----  {EMBEDS}",
    ]
    assert err.splitlines() == [
        "takes: i image, a audio, v video, f file",
        "can: t tools, j JSON schema, r reasoning, c prompt caching, w web search",
    ]


def test_json_says_all_in_words_with_the_source(state, upstream, capsys):
    upstream.reply(json=LISTED)
    add(state, "acme")
    capsys.readouterr()
    assert run(["models", "gpt-4o", "--json"], again(state)) == 0
    (row,) = json.loads(capsys.readouterr().out)
    source = row.pop("source")
    assert source.startswith("the provider's own list; for what it leaves out, LiteLLM's model map")
    assert row == {
        "id": "acme/gpt-4o",
        "provider": "acme",
        "name": None,
        "simulated": False,
        "reseller": False,
        "input_usd_per_million": "2.5",
        "output_usd_per_million": "10",
        "context_window": 64_000,
        "max_output_tokens": 16_384,
        "input": ["file", "image", "text"],
        "output": ["text"],
        "abilities": ["json_schema", "parallel_tools", "prompt_caching", "tools"],
    }


def test_a_resellers_own_prices_show_where_the_book_has_none(state, upstream, capsys):
    upstream.reply(json=RESOLD)
    add(state, "resold")
    capsys.readouterr()
    assert run(["models"], again(state)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "in $/M  out $/M  context  output  takes  can    model",
        "     3       15       1M          -a--   --r--  resold/acme/large (reseller)",
    ]


def test_offline_nobody_is_asked(state, upstream, capsys):
    add(state, "acme")
    capsys.readouterr()
    assert run(["models", "--offline", "gpt-4o-mini", "--json"], again(state)) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {(row["context_window"], row["max_output_tokens"]) for row in rows} >= {
        (128_000, 16_384)
    }
    assert upstream.requests == []
