"""What is said of a wrong configuration: all of it, in words, and no text read as a list."""

from __future__ import annotations

from typing import Any

import pytest

from flo2 import Gateway, MemoryStore
from flo2.config.load import load, structure
from flo2.config.model import Config
from flo2.errors import ConfigError, PluginError


def problems(data: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        structure(data, Config, "config")
    return str(caught.value).splitlines()


def test_every_wrong_value_of_a_table_is_told_with_its_unknown_keys() -> None:
    assert problems({"server": {"host": 3, "port": 99999, "workers": 0, "prot": 1}}) == [
        "expected str, got int 3 @ config.server.host",
        "unknown key 'prot' (did you mean 'port'?) @ config.server",
        "'port' must be <= 65535: 99999 @ config.server",
        "'workers' must be >= 1: 0 @ config.server",
    ]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"refuse_losses": "drop"}, "expected a list, got str 'drop' @ config.refuse_losses"),
        (
            {"refuse_losses": ["drp"]},
            "'refuse_losses': 'drp' is no severity; known: note, drop, refuse @ config",
        ),
        (
            {"network": {"allow_private": "10.0.0.0/8"}},
            "expected a list, got str '10.0.0.0/8' @ config.network.allow_private",
        ),
        (
            {"network": {"allow_private": ["10.0.0/8"]}},
            (
                "'allow_private': '10.0.0/8' does not appear to be an IPv4 or IPv6 network; "
                "write a network as 10.0.0.0/8 @ config.network"
            ),
        ),
        (
            {"network": {"engine": "curl"}},
            "expected one of 'auto', 'aiohttp', 'httpx', got str 'curl' @ config.network.engine",
        ),
        ({"plugins": {"only": ["a", 3]}}, "expected str, got int 3 @ config.plugins.only[1]"),
        ({"providers": ["a"]}, "expected a table, got list ['a'] @ config.providers"),
        ({"providers": {"a": 1}}, "expected a table, got int 1 @ config.providers['a']"),
        (
            {"secrets": {"kek": "hunter2"}},
            (
                "'kek' is no reference (not shown, it may be a key); write env:NAME or file:/path "
                "@ config.secrets"
            ),
        ),
    ],
)
def test_a_wrong_value_is_said_in_words(data: dict[str, Any], problem: str) -> None:
    assert problems(data) == [problem]


def test_lists_and_tables_are_taken_as_written() -> None:
    data = {
        "refuse_losses": ["refuse", "drop"],
        "plugins": {"only": ["a"], "disable": []},
        "providers": {"a": {"b": 1}},
    }
    config = structure(data, Config, "config")
    assert config.refuse_losses == ("refuse", "drop")
    assert (config.plugins.only, config.plugins.disable) == (("a",), ())
    assert config.providers == {"a": {"b": 1}}


def test_a_plugin_that_is_named_and_not_there_stops_the_gateway() -> None:
    config = {"plugins": {"only": ["provider-sandbx"]}}
    with pytest.raises(PluginError, match="no plugin of this name is installed; "):
        Gateway.build(config, store=MemoryStore(), environ={})


@pytest.mark.parametrize("name", ["FLO2_SERVER__PORT", "FLO2_SERVER_PORT"])
def test_a_variable_with_too_few_underscores_is_not_passed_over(name: str) -> None:
    others = {"FLO2__SERVER__HOTS": "x", "FLO2_DATA_DIR": "/d", "FLO2_KEY": "k"}
    with pytest.raises(ConfigError) as raised:
        load(None, {name: "9000", **others})
    assert raised.value.problems[0] == (
        f"{name} is not read; did you mean FLO2__SERVER__PORT? @ environment"
    )
    assert "config.server" in raised.value.problems[1]
    assert len(raised.value.problems) == 2
