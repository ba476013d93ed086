"""`flo2 fees`: its options; what the commands do is imported when one runs.

So `flo2 --help` stays quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flo2.cli.state import State, group
from flo2.cli.whose import any_account, one_account

__all__ = ["fees"]

_ACCOUNT = one_account("Whose fee.")
_MONTH = click.option("--month", metavar="YYYY-MM", required=True, help="Which month.")
_CSV = click.option("--csv", "csv", is_flag=True, help="Answer in CSV.")
_HTML = click.option(
    "--html",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write a page that prints.",
)


@group("fees", default="list")
def fees() -> None:
    """Charge accounts for the gateway, never for tokens."""


@group("plans", default="list")
def plans() -> None:
    """Declare fee plans and assign them to accounts."""


fees.add_command(plans)


@plans.command("set")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.pass_obj
def set_plan(state: State, /, **given: Any) -> None:
    """Declare plan NAME, from a TOML or JSON file; one that is assigned does not change."""
    from flo2_platform_fee.running import set_plan_command  # noqa: PLC0415  # see above

    set_plan_command(state, **given)


@plans.command("list")
@click.pass_obj
def list_plans(state: State) -> None:
    """List plans, and which accounts have them."""
    from flo2_platform_fee.running import list_plans_command  # noqa: PLC0415  # see above

    list_plans_command(state)


@plans.command("show")
@click.argument("name")
@click.pass_obj
def show_plan(state: State, /, **given: Any) -> None:
    """Show plan NAME as it was read."""
    from flo2_platform_fee.running import show_plan_command  # noqa: PLC0415  # see above

    show_plan_command(state, **given)


@plans.command("assign")
@click.argument("name")
@click.option("--from", "since", metavar="DATE", required=True, help="First day.")
@click.option("--until", metavar="DATE", help="First day past it [no end].")
@click.option("--seats", type=int, default=0, help="Seats that are paid for.")
@_ACCOUNT
@click.pass_obj
def assign(state: State, /, **given: Any) -> None:
    """Charge an account by plan NAME from a day on; the plan before ends there."""
    from flo2_platform_fee.running import assign_command  # noqa: PLC0415  # see above

    assign_command(state, **given)


@fees.command("preview")
@_MONTH
@_ACCOUNT
@_CSV
@_HTML
@click.pass_obj
def preview(state: State, /, **given: Any) -> None:
    """Show what a month comes to so far; nothing is issued."""
    from flo2_platform_fee.running import preview_command  # noqa: PLC0415  # see above

    preview_command(state, **given)


@fees.command("issue")
@_MONTH
@click.option("--account", help="Only this account's [every one that has a plan].")
@click.option("--preview", "only_show", is_flag=True, help="As `flo2 fees preview`.")
@click.pass_obj
def issue(state: State, /, **given: Any) -> None:
    """Issue the invoices of a month that is over; once more gives the same ones."""
    from flo2_platform_fee.running import issue_command  # noqa: PLC0415  # see above

    issue_command(state, **given)


@fees.command("list")
@any_account()
@_CSV
@click.pass_obj
def list_documents(state: State, /, **given: Any) -> None:
    """List invoices and credit notes."""
    from flo2_platform_fee.running import list_command  # noqa: PLC0415  # see above

    list_command(state, **given)


@fees.command("show")
@click.argument("number", type=int)
@_CSV
@_HTML
@click.pass_obj
def show(state: State, /, **given: Any) -> None:
    """Show document NUMBER."""
    from flo2_platform_fee.running import show_command  # noqa: PLC0415  # see above

    show_command(state, **given)


@fees.command("credit")
@click.argument("number", type=int)
@click.option("--amount", required=True, help="How much, in the invoice's currency.")
@click.option("--reason", required=True, help="Why; the account reads it.")
@click.option("--reference", required=True, help="Your own id of it: it is credited once.")
@click.pass_obj
def credit(state: State, /, **given: Any) -> None:
    """Correct invoice NUMBER by a credit note; the invoice stays as it is."""
    from flo2_platform_fee.running import credit_command  # noqa: PLC0415  # see above

    credit_command(state, **given)


@fees.command("verify")
@click.pass_obj
def verify(state: State) -> None:
    """Check that every document is what was issued."""
    from flo2_platform_fee.running import verify_command  # noqa: PLC0415  # see above

    verify_command(state)
