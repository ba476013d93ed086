"""`flo2 serve`: prepare what is missing, then serve until a stop signal.

Imports: shell.server, gateway, cli.bench, cli.welcome.
"""

from __future__ import annotations

import ipaddress
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flo2.cli.bench import Bench
from flo2.cli.output import say_json
from flo2.cli.serving import Serving, log_to_stderr
from flo2.cli.state import State, command, toml_text
from flo2.cli.welcome import Welcome, gather, show
from flo2.errors import ConfigError
from flo2.gateway import Gateway
from flo2.gateway.first_run import has_admin
from flo2.memory_store import MemoryStore
from flo2.shell import create_app
from flo2.shell.server import check_installed, run

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from flo2.config import Config

__all__ = ["serve"]


@command()
@click.option("--host", help="Address to listen on [127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on [8787].")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes over one store [1].")
@click.option(
    "--uds",
    type=click.Path(path_type=Path),
    help="Unix socket to listen on, instead of host and port.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    show_default=True,
    help="Least level that is logged, to standard error.",
)
@click.option(
    "--forwarded-allow-ips",
    metavar="IPS",
    help="Proxies in front whose x-forwarded-for is believed.",
)
@click.pass_obj
def serve(
    state: State,
    *,
    host: str | None,
    port: int | None,
    workers: int | None,
    uds: Path | None,
    log_level: str,
    forwarded_allow_ips: str | None,
) -> int:
    """Run the gateway.

    The first start over an empty data folder makes an admin token and a key for clients, and shows
    them once. Ctrl-C and SIGTERM let running answers finish, then end.
    """
    if host is not None:
        state.settings["server.host"] = toml_text(host)
    if port is not None:
        state.settings["server.port"] = str(port)
    if workers is not None:
        state.settings["server.workers"] = str(workers)
    check_installed()
    log_to_stderr(log_level.upper())
    config = state.config()
    server = config.server
    with Bench(state, config=config) as bench:
        app, welcome = _prepare(bench, config, log_level.upper(), uds)
    shown = False

    def ready(address: str) -> None:
        nonlocal shown
        shown = True
        _show(state, welcome(address))

    code = 1
    try:
        code = run(
            app,
            host=server.host,
            port=server.port,
            workers=server.workers,
            uds=None if uds is None else str(uds),
            graceful_timeout_s=server.graceful_timeout_s,
            header_deadline_s=server.header_deadline_s,
            body_deadline_s=server.body_deadline_s,
            max_connections=server.max_connections,
            forwarded_allow_ips=forwarded_allow_ips,
            on_ready=ready,
        )
    finally:
        if not shown and welcome("").is_first:
            # The secrets exist since before the server could fail; this is the only time they show.
            _show(state, welcome(""))
    return code


def _prepare(
    bench: Bench, config: Config, log_level: str, uds: Path | None
) -> tuple[Callable[[], ASGIApp], Callable[[str], Welcome]]:
    """Make what is missing; give the app's factory, and what to say once it serves."""
    state, server = bench.state, config.server
    if state.store is None:
        store = bench.make_store()
        if store.kind == MemoryStore.kind and server.workers > 1:
            raise ConfigError(
                [
                    (
                        f"{server.workers} workers need a store that they share, and the "
                        "configured one lives in one process; leave out [store] kind, or set "
                        "--workers 1"
                    )
                ]
            )
        state.store = store
    with bench:
        store = bench.store
        if uds is None and not _is_loopback(server.host) and not has_admin(store):
            raise ConfigError(
                [
                    (
                        f"flo2 does not listen on {server.host!r} before there is an admin token; "
                        "make one here first (it is shown once): flo2 init"
                    )
                ]
            )
        prepared = bench.prepare(secrets=True)
        gateway = bench.gateway()
        _warn_of_plugins(gateway)
        told = gather(gateway, prepared, bench.now_us())
    if server.workers > 1:
        overlay = {
            name: value for name, value in bench.environ.items() if state.environ.get(name) != value
        }
        return Serving(state.file(), overlay, log_level), told
    return (lambda: create_app(gateway)), told


def _warn_of_plugins(gateway: Gateway) -> None:
    for plugin in gateway.plugins.loaded:
        if plugin.error:
            logging.getLogger("flo2").warning("plugin %r: %s", plugin.name, plugin.error)


def _show(state: State, welcome: Welcome) -> None:
    if state.as_json:
        say_json(welcome.as_json())
    else:
        show(welcome, state.environ)
    sys.stdout.flush()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
