"""FOCUS 1.2 of the ledger: `flo2 export focus`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flo2 import hookimpl

if TYPE_CHECKING:
    import click

__all__ = ["flo2_api", "flo2_register_commands"]

flo2_api = (1, 0)


@hookimpl
def flo2_register_commands(cli: click.Group) -> None:
    """Add `flo2 export focus`, to the group that another plugin made or to one of our own."""
    import click  # noqa: PLC0415  # `flo2 --help` loads it; a gateway need not

    from flo2_export_focus.commands import export, focus  # noqa: PLC0415  # same

    there = cli.commands.get("export")
    if isinstance(there, click.Group):
        there.add_command(focus)
    else:
        export.add_command(focus)
        cli.add_command(export)
