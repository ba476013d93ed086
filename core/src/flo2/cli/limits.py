"""`flo2 limits`: so many requests, tokens or dollars in a while, and so many calls at once.

Imports: limits, cli.bench.
"""

from __future__ import annotations

from typing import Any

import click

from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json, table
from flo2.cli.parse import pairs
from flo2.cli.state import State, group
from flo2.cli.whose import any_account, one_account
from flo2.limits import Limit, limit_json
from flo2.limits.declaring import declared_limits, put_limit, remove_limit
from flo2.limits.spec import PERIODS_S, UNITS

__all__ = ["limits"]

_ACCOUNT = one_account("Account the limit belongs to.")


@group("limits", default="list")
def limits() -> None:
    """Limit requests, tokens and money in a while, and calls at once."""


@limits.command("list")
@any_account()
@click.pass_obj
def list_(state: State, *, account: str | None) -> None:
    """List limits."""
    with Bench(state) as bench:
        found = declared_limits(bench.store, account)
    if state.as_json:
        say_json([_as_json(limit) for limit in found])
        return
    table(
        state,
        ["limit", "allows", "without a bound", "account"],
        [[each.name, each.sentence(), each.unbounded, each.account] for each in found],
        empty="no limits; make one: flo2 limits set NAME --requests 100 --per minute",
    )


@limits.command("show")
@click.argument("name")
@_ACCOUNT
@click.pass_obj
def show(state: State, *, name: str, account: str) -> None:
    """Show limit NAME."""
    with Bench(state) as bench:
        (limit,) = declared_limits(bench.store, account, name)
    if state.as_json:
        say_json(_as_json(limit))
        return
    say(f"limit {name}: {limit.sentence()}")
    for setting, value in limit_json(limit).items():
        say(f"  {setting} = {value}")


@limits.command("set")
@click.argument("name")
@click.option("--requests", metavar="NUMBER", help="Calls.")
@click.option("--tokens", metavar="NUMBER", help="Tokens of prompt and answer together.")
@click.option("--input-tokens", metavar="NUMBER", help="Tokens of the prompt.")
@click.option("--output-tokens", metavar="NUMBER", help="Tokens of the answer.")
@click.option("--usd", metavar="AMOUNT", help="Dollars, like 5 or 0.50.")
@click.option("--parallel", metavar="NUMBER", help="Calls at once; takes no --per.")
@click.option("--per", type=click.Choice(list(PERIODS_S)), help="In any stretch of time so long.")
@click.option(
    "--for",
    "only",
    multiple=True,
    metavar="DIMENSION=VALUE",
    help="Only calls of: team, key, customer, feature, end_user, route, tag:<name>; or attempts "
    "at a provider or model (patterns). Repeatable.",
)
@click.option("--each", metavar="DIMENSION", help="Every value has the limit for itself.")
@click.option(
    "--unbounded",
    type=click.Choice(["estimate", "refuse"]),
    help="What becomes of a call whose tokens or cost have no bound [estimate].",
)
@_ACCOUNT
@click.pass_obj
def set_(state: State, /, *, name: str, account: str, **given: Any) -> None:
    """Declare limit NAME, or declare it anew; what was counted goes on counting."""
    document = _document(**given)
    with Bench(state) as bench:
        bench.account(account)
        limit, changed = put_limit(bench.store, account, name, document, bench.now_us())
    if state.as_json:
        say_json({**_as_json(limit), "changed": changed})
    else:
        say(f"limit {name}: {limit.sentence()}" + ("" if changed else " (as it was)"))


@limits.command("remove")
@click.argument("name")
@_ACCOUNT
@click.pass_obj
def remove(state: State, *, name: str, account: str) -> None:
    """Remove limit NAME."""
    with Bench(state) as bench:
        remove_limit(bench.store, account, name)
    if state.as_json:
        say_json({"account": account, "name": name, "removed": True})
    else:
        say(f"removed limit {name}")


def _document(
    *,
    per: str | None,
    only: tuple[str, ...],
    each: str | None,
    unbounded: str | None,
    **amounts: str | None,
) -> dict[str, Any]:
    units = [unit for unit in UNITS if amounts[unit] is not None]
    if len(units) != 1:
        flags = ", ".join(f"--{unit.replace('_', '-')}" for unit in UNITS)
        raise click.UsageError(f"give one of {flags}; make a limit of its own for each")
    document: dict[str, Any] = {"unit": units[0], "amount": amounts[units[0]]}
    more = {"per": per, "for": pairs(only) or None, "each": each, "unbounded": unbounded}
    return document | {name: value for name, value in more.items() if value is not None}


def _as_json(limit: Limit) -> dict[str, Any]:
    return {"account": limit.account, "name": limit.name, **limit_json(limit)}
