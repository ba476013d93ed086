"""`flo2 routes`: names for several targets and a strategy.

Imports: gateway, stored, cli.bench.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import click

from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json, table
from flo2.cli.parse import pair, toml_value
from flo2.cli.state import State, group
from flo2.cli.whose import any_account, one_account
from flo2.errors import InvalidRequest, NotFound
from flo2.gateway.runtime import make_strategies
from flo2.money import exact, text
from flo2.stored import RouteSpec, TargetSpec

__all__ = ["routes"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_ACCOUNT = one_account("Account the route belongs to.")


@group("routes", default="list")
def routes() -> None:
    """Name a target with several candidates and a strategy."""


@routes.command("list")
@any_account()
@click.pass_obj
def list_(state: State, *, account: str | None) -> None:
    """List routes."""
    with Bench(state) as bench:
        found = bench.store.routes(account)
    if state.as_json:
        say_json([_as_json(route) for route in found])
        return
    table(
        state,
        ["route", "strategy", "targets", "options", "account"],
        [
            [
                route.name,
                route.strategy,
                ", ".join(_target_text(target) for target in route.targets),
                ", ".join(f"{name}={value}" for name, value in route.options.items()),
                route.account,
            ]
            for route in found
        ],
        empty="no routes; make one: flo2 routes add NAME --target PROVIDER/MODEL …",
    )


@routes.command("add")
@click.argument("name")
@click.option("--strategy", default="ordered", show_default=True, help="How to choose.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    required=True,
    metavar="PROVIDER/MODEL[@KEY][=WEIGHT]",
    help="A candidate; repeatable, in order. KEY is a credential's id or name.",
)
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="For the strategy.")
@_ACCOUNT
@click.pass_obj
def add(
    state: State,
    *,
    name: str,
    strategy: str,
    targets: tuple[str, ...],
    options: tuple[str, ...],
    account: str,
) -> None:
    """Make or replace route NAME; clients then call it as their `model`."""
    if _NAME.fullmatch(name) is None:
        raise InvalidRequest(
            f"{name!r} is no name of a route: letters, digits, dots, dashes, underscores and "
            "colons, at most 100; a slash would make it PROVIDER/MODEL"
        )
    with Bench(state) as bench:
        specs = tuple(_target(target) for target in targets)
        for spec in specs:
            bench.provider(spec.provider, bench.bare_providers)
        given = {key: toml_value(value) for key, value in map(pair, options)}
        # Makes the strategy, so that a wrong name or option is told now and not at the first call.
        make_strategies(bench.config, bench.plugins, bench.services)(strategy, given)
        route = RouteSpec(bench.account(account), name, strategy, specs, given)
        bench.store.put_route(route)
    if state.as_json:
        say_json(_as_json(route))
    else:
        say(f"route {name}: {strategy} over {', '.join(_target_text(spec) for spec in specs)}")
        say(f'try it: flo2 chat -m {name} "hi"')


@routes.command("remove")
@click.argument("name")
@_ACCOUNT
@click.pass_obj
def remove(state: State, *, name: str, account: str) -> None:
    """Remove route NAME."""
    with Bench(state) as bench:
        if not bench.store.delete_route(account, name):
            raise NotFound(f"account {account!r} has no route {name!r}; see: flo2 routes list")
    if state.as_json:
        say_json({"account": account, "name": name, "removed": True})
    else:
        say(f"removed route {name}")


def _target(text_: str) -> TargetSpec:
    body, equals, weight = text_.partition("=")
    body, _, credential = body.partition("@")
    provider, slash, model = body.partition("/")
    if not slash or not provider or not model:
        raise click.BadParameter(f"{text_!r} is not PROVIDER/MODEL[@KEY][=WEIGHT]")
    share: Decimal | None = None
    if equals:
        try:
            share = exact(weight)
        except ValueError:
            share = Decimal(-1)
        if share < 0:
            raise click.BadParameter(f"weight {weight!r} of {body!r} is no number of 0 or more")
    return TargetSpec(provider, model, share, credential or None)


def _target_text(target: TargetSpec) -> str:
    key = "" if target.credential is None else f"@{target.credential}"
    weight = "" if target.weight is None else f"={text(target.weight)}"
    return f"{target.provider}/{target.model}{key}{weight}"


def _as_json(route: RouteSpec) -> dict[str, Any]:
    return {
        "account": route.account,
        "name": route.name,
        "strategy": route.strategy,
        "targets": [
            {
                "provider": target.provider,
                "model": target.model,
                "weight": None if target.weight is None else text(target.weight),
                "credential": target.credential,
            }
            for target in route.targets
        ],
        "options": dict(route.options),
    }
