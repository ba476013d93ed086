"""`flo2 plugins`: what is installed, what it adds, and what is wrong with it.

Imports: plugins, cli.bench.
"""

from __future__ import annotations

from typing import Any

import click

from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json, table
from flo2.cli.state import State, command

__all__ = ["plugins"]

_SLOTS = ("provider", "strategy", "pricing", "store", "observer", "importer", "explainer")
_EXIT_BROKEN = 1


@command()
@click.pass_obj
def plugins(state: State) -> int:
    """List plugins, what they add and what is wrong with them; exit code 1 if one does not load."""
    with Bench(state) as bench:
        loaded = bench.plugins
    rows: list[dict[str, Any]] = []
    for plugin in loaded.loaded:
        adds = [
            f"{slot} {kind}"
            for slot in _SLOTS
            for kind in loaded.kinds(slot)
            if loaded.origin(slot, kind) == plugin.name
        ]
        rows.append(
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "hooks": list(plugin.hooks),
                "adds": adds,
                "error": plugin.error,
            }
        )
    broken = [row for row in rows if row["error"]]
    if state.as_json:
        say_json(rows)
    else:
        table(
            state,
            ["plugin", "version", "adds", "state"],
            [
                [
                    row["name"],
                    row["version"] or "built in",
                    ", ".join(row["adds"]) or ", ".join(row["hooks"]),
                    "does not load" if row["error"] else "works",
                ]
                for row in rows
            ],
        )
        for row in broken:
            say(f"{row['name']}: {row['error']}")
    return _EXIT_BROKEN if broken else 0
