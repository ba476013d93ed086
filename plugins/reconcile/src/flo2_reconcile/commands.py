"""`flo2 reconcile`, `flo2 statement`, `flo2 audit`: their options; the work is elsewhere.

What does the work is imported when a command runs, so that `flo2 --help` stays quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flo2.cli.state import State, command, group
from flo2.cli.whose import one_account

__all__ = ["audit", "reconcile", "statement"]

_ACCOUNT = one_account("Whose ledger.")
_WIDTH = click.option(
    "--width",
    type=click.Choice(["1m", "1h", "1d"]),
    default="1h",
    show_default=True,
    help="Width of the buckets to ask for.",
)


@group("reconcile", default="run")
def reconcile() -> None:
    """Lay a provider's bill beside the ledger; say why they differ."""


@reconcile.command("run")
@click.option("--provider", required=True, metavar="NAME", help="Whose bill it is.")
@click.option(
    "--bill",
    "bills",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file of the bill, plain or gzip; repeatable.",
)
@click.option("--fetch", is_flag=True, help="Ask the provider, with its admin credential.")
@click.option("--again", is_flag=True, help="With --fetch: ask for every page anew.")
@_WIDTH
@click.option("--since", metavar="TIME", help="Beginning: 7d (ago), 2026-11-01 or RFC 3339.")
@click.option("--until", metavar="TIME", help="End, not included.")
@click.option(
    "--format", "kind", metavar="KIND", help="Read files as this [told by their content]."
)
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="What the columns of a console's CSV mean (TOML).",
)
@click.option(
    "--table",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Which model and meter a bill's lines stand for (TOML).",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="CREDENTIAL=ID",
    help="What the provider calls the key of a credential; repeatable.",
)
@click.option(
    "--rate",
    "rates",
    multiple=True,
    metavar="CURRENCY=UNITS",
    help="Units of a currency for one dollar, where a bill does not say; repeatable.",
)
@click.option("--billed-as", metavar="NAME", help="The provider's name on the bill [its kind].")
@_ACCOUNT
@click.option("--csv", "as_csv", is_flag=True, help="Answer in CSV.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write a page with a plot for each report.",
)
@click.option("--apply/--dry-run", default=False, help="Write it; else only show it [--dry-run].")
@click.pass_obj
def run(state: State, /, **given: Any) -> int:
    """Compare the ledger with a bill, to the token.

    Exit code 3 when something is unexplained. With --apply, corrections are written beside the
    entries, and pending ones are closed; nothing is edited, and a second run writes nothing.
    """
    from flo2_reconcile.running import reconcile_command  # noqa: PLC0415  # see above

    return reconcile_command(state, **given)


@reconcile.command("fetch")
@click.argument("provider")
@click.option("--since", required=True, metavar="TIME", help="Beginning.")
@click.option("--until", metavar="TIME", help="End, not included [now].")
@_WIDTH
@click.option("--again", is_flag=True, help="Ask for every page anew.")
@_ACCOUNT
@click.pass_obj
def fetch(state: State, /, **given: Any) -> None:
    """Ask PROVIDER for its bill and keep the pages; what was interrupted goes on."""
    from flo2_reconcile.running import fetch_command  # noqa: PLC0415  # see above

    fetch_command(state, **given)


@reconcile.command("credential")
@click.argument("provider")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from standard input.")
@click.option(
    "--file", "file", metavar="PATH", help="Read it from a file once, and keep it sealed."
)
@click.option("--env", metavar="VARIABLE", help="Refer to a variable; read anew at each use.")
@click.option("--project", metavar="ID", help="Organisation, project or team at the provider.")
@_ACCOUNT
@click.pass_obj
def credential(state: State, /, **given: Any) -> None:
    """Keep the admin credential that PROVIDER's bill is asked for with.

    It is sealed as every credential is, for this use alone: no call is ever made with it.
    """
    from flo2_reconcile.running import credential_command  # noqa: PLC0415  # see above

    credential_command(state, **given)


@command("statement")
@click.option("--month", metavar="YYYY-MM", help="Which month, UTC [the last one].")
@click.option("--csv", "as_csv", is_flag=True, help="Answer in CSV.")
@_ACCOUNT
@click.pass_obj
def statement(state: State, /, **given: Any) -> None:
    """Show what an account paid its providers in a month, and what it kept."""
    from flo2_reconcile.running import statement_command  # noqa: PLC0415  # see above

    statement_command(state, **given)


@command("audit")
@click.option("--since", metavar="TIME", help="Begun since [30d].")
@click.option("--until", metavar="TIME", help="Begun before.")
@click.option("--csv", "as_csv", is_flag=True, help="Answer in CSV.")
@_ACCOUNT
@click.pass_obj
def audit(state: State, /, **given: Any) -> None:
    """Show what traffic through resellers would have cost at list price, model by model."""
    from flo2_reconcile.running import audit_command  # noqa: PLC0415  # see above

    audit_command(state, **given)
