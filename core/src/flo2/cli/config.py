"""`flo2 config`: what holds, and where each value came from.

Imports: config, gateway, cli.bench.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import click
from attrs import frozen

from flo2.cli.bench import Bench
from flo2.cli.config_docs import configuration_page
from flo2.cli.output import say, say_json, table
from flo2.cli.state import State, group
from flo2.config import Config
from flo2.gateway import Gateway, default_data_dir
from flo2.secrets import is_reference, redact

__all__ = ["Value", "config", "effective"]

_SECRET_NAME = re.compile(r"key|token|secret|password|authorization|credential", re.IGNORECASE)
_USER_PART = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_HIDDEN = "***"


@frozen
class Value:
    """One setting: its dotted path, its value (secrets hidden), and where it came from."""

    path: str
    value: object
    source: str


@group("config", default="show")
def config() -> None:
    """Show and check the configuration."""


@config.command("show")
@click.option("--changed", is_flag=True, help="Only what is not at its default.")
@click.pass_obj
def show(state: State, *, changed: bool) -> None:
    """Show every setting with the place its value comes from; secrets are hidden."""
    values = [v for v in effective(state) if not changed or v.source != "default"]
    file = state.file()
    if state.as_json:
        say_json(
            {
                "file": None if file is None else str(file),
                "values": [{"path": v.path, "value": v.value, "source": v.source} for v in values],
            }
        )
        return
    table(
        state,
        ["setting", "value", "from"],
        [[v.path, _text(v.value), v.source] for v in values],
        empty="everything is at its default",
    )
    say(f"file: {file}" if file else f"no file; make one: flo2 init ({state.own_file()})")


@config.command("check")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def check(state: State, *, file: Path | None) -> None:
    """Read FILE (or the configuration in use) and compose a gateway from it; opens nothing.

    Tells every problem of the file itself at once, then those of the plugins it names, each with
    its path.
    """
    if file is not None:
        state.config_path = file
    with Bench(state) as bench:
        gateway = Gateway.build(bench.config, environ=bench.environ, store=state.store)
    providers = sorted(gateway.providers)
    if state.as_json:
        say_json({"ok": True, "providers": providers, "book": gateway.book.version})
    else:
        found = ", ".join(providers) or "none"
        named = state.file()
        click.echo(f"✓ {named or 'the defaults'}: in order (providers: {found})")


@config.command("docs", hidden=True)
@click.option("--commands", is_flag=True, help="docs/cli.md instead.")
def docs(*, commands: bool) -> None:
    """Write docs/configuration.md, generated from the configuration's classes."""
    if commands:
        from flo2.cli.command_docs import command_page  # noqa: PLC0415  # imports every command

        click.echo(command_page(), nl=False)
    else:
        click.echo(configuration_page(), nl=False)


def effective(state: State) -> list[Value]:
    """Give every setting as it holds, in the order of the classes."""
    loaded = state.config()
    file = state.file()
    data = {} if file is None else tomllib.loads(file.read_text(encoding="utf-8"))
    values = []
    for path, value in _leaves(loaded):
        source = _source(path, state, data)
        holds = value
        if path == "data_dir" and value is None:
            holds = default_data_dir(state.environ)
            if state.environ.get("FLO2_DATA_DIR"):
                source = "env FLO2_DATA_DIR"
        values.append(Value(path, _masked(path, holds), source))
    return values


def _leaves(config: Config) -> Iterator[tuple[str, object]]:
    for attribute in attrs.fields(Config):
        value = getattr(config, attribute.name)
        if attrs.has(type(value)):
            for inner in attrs.fields(type(value)):
                yield f"{attribute.name}.{inner.name}", getattr(value, inner.name)
        elif isinstance(value, Mapping) and value:
            yield from _of_table(attribute.name, value)
        else:
            yield attribute.name, value


def _of_table(path: str, table_: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, value in table_.items():
        if isinstance(value, Mapping) and value:
            yield from _of_table(f"{path}.{name}", value)
        else:
            yield f"{path}.{name}", value


def _source(path: str, state: State, data: Mapping[str, Any]) -> str:
    if path in state.settings or (path == "data_dir" and state.data_dir is not None):
        return "flag"
    wanted = "FLO2__" + path.upper().replace(".", "__")
    for name in state.environ:
        if name.upper() == wanted:
            return f"env {name}"
    inner: object = data
    for part in path.split("."):
        if not isinstance(inner, Mapping) or part not in inner:
            return "default"
        inner = inner[part]
    return "file"


def _masked(path: str, value: object) -> object:
    """Hide what is, or may be, a secret; references are none."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [_masked(path, each) for each in value]
    if not isinstance(value, str) or not value or is_reference(value):
        return value
    if _SECRET_NAME.search(path.rpartition(".")[2]):
        return _HIDDEN
    return redact(_USER_PART.sub(_HIDDEN, value))


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "–" if value in ({}, "") else str(value)
