"""`flo2 init`: a configuration file with every setting as a comment, and the data folder.

Imports: gateway, cli.bench, cli.welcome.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from flo2.cli.bench import Bench
from flo2.cli.config_docs import starter_file
from flo2.cli.output import say, say_json
from flo2.cli.state import CONFIG_ENV, State, command
from flo2.cli.welcome import gather, show
from flo2.errors import ConfigError

__all__ = ["init"]


@command()
@click.option("--no-file", is_flag=True, help="Only prepare the data folder.")
@click.pass_obj
def init(state: State, *, no_file: bool) -> None:
    """Write a configuration file and prepare the data folder.

    The file goes where --config says, else to ~/.config/flo2/flo2.toml; one that exists is left
    alone. The data folder gets its key file, the store, an admin token and a first key, both shown
    this once; provider keys found in the environment are taken up by reference.
    """
    written = None if no_file else _write_file(state)
    with Bench(state) as bench:
        prepared = bench.prepare(secrets=True)
        gateway = bench.gateway()
        welcome = gather(gateway, prepared, bench.now_us())("")
    if state.as_json:
        say_json({**welcome.as_json(), "file": None if written is None else str(written)})
        return
    show(welcome, state.environ)
    if written is not None:
        say(f"wrote {written}")


def _write_file(state: State) -> Path | None:
    named = state.environ.get(CONFIG_ENV)
    path = state.config_path or (Path(named).expanduser() if named else state.own_file())
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if not state.as_json:
            say(f"{path} exists and is left as it is")
        return None
    except OSError as exc:
        raise ConfigError(
            [f"{str(path)!r} cannot be written ({exc.strerror}); choose another with --config"]
        ) from exc
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(starter_file())
    return path
