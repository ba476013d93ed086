"""`flo2 export focus`: its options; the work is in `exporting`, imported when the command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flo2.cli.state import Command, State, group
from flo2.cli.whose import one_account

__all__ = ["export", "focus"]


@group("export")
def export() -> None:
    """Write what an account owns in open formats."""


@click.command("focus", cls=Command)
@click.option("--since", required=True, metavar="TIME", help="Beginning: 7d (ago), 2026-11-01.")
@click.option("--until", metavar="TIME", help="End, not included [now].")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write here; appears when it is complete [standard output].",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "parquet"]),
    default="csv",
    show_default=True,
    help="Parquet needs --out and pyarrow.",
)
@one_account("Whose ledger.")
@click.pass_obj
def focus(state: State, /, **given: Any) -> None:
    """Write the ledger as FOCUS 1.2: a row for each cost line, correction and credit.

    Calls whose cost is not known yet have no row; how many they are is said on standard error.
    """
    from flo2_export_focus.exporting import export_command  # noqa: PLC0415  # see above

    export_command(state, **given)
