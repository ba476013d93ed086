"""`flo2 prices`: what the price book says, row by row, with where each one was read.

Imports: prices, cli.bench.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from flo2.canonical import Usage
from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json, table, tell_error
from flo2.cli.parse import duration_s, instant_us, pair, pairs
from flo2.cli.period import Period, period_options
from flo2.cli.price_check import (
    change_json,
    check,
    checked_json,
    compare,
    read_accepted,
)
from flo2.cli.price_cost import answer_lines, price_text
from flo2.cli.price_effect import effect_of
from flo2.cli.price_list import list_prices_command, show_prices_command
from flo2.cli.price_text import on_paper, row_json, split_model, validity
from flo2.cli.price_update import update
from flo2.cli.state import State, group
from flo2.errors import InvalidRequest
from flo2.gateway.costing import cost_json
from flo2.instants import instant
from flo2.money import text
from flo2.prices import Cost, PriceBook, PricingContext

__all__ = ["prices"]

_BAD_INPUT: Final = 2
"""The exit code for what cannot be read, as for a mistake in the command line."""
_DIGITS: Final = 40
"""Of a quantity; no call uses more."""

_DIFFERENCES: Final = 3


@group("prices", default="list")
def prices() -> None:
    """Look into the price book."""


prices.add_command(list_prices_command)
prices.add_command(show_prices_command)
prices.add_command(update)


@prices.command("check")
@click.option(
    "--allow",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="Disagreements that were looked into: [[accept]] provider, model, meter, reason.",
)
@click.option("--at", metavar="TIME", help="When [now].")
@click.option("--soon", default="30d", show_default=True, help="Name prices that end within this.")
@click.pass_obj
def check_(state: State, *, allow: Path | None, at: str | None, soon: str) -> int:
    """Load every price source; say where two of them disagree, and what ends soon."""
    accepted = () if allow is None else read_accepted(allow)
    with Bench(state) as bench:
        layers, book = bench.price_layers, bench.book
        now = bench.now_us()
    when = _instant(at, now)
    found = check(layers, accepted, when, timedelta(seconds=duration_s(soon)))
    if state.as_json:
        say_json(checked_json(found, book.version))
    else:
        for each in found.open:
            click.echo(str(each))
        for unused in found.unused:
            click.echo(f"no disagreement any more: {unused.provider}/{unused.model} {unused.meter}")
        for row in found.ending:
            click.echo(f"ends {validity(row).rpartition(' ')[2]} with nothing after it: {row.id}")
        say(f"book {book.version}: {len(book.rows)} rows of {len(layers)} sources load")
    return _DIFFERENCES if found.open or found.unused else 0


@prices.command("diff")
@click.argument("old")
@click.argument("new")
@period_options
@click.pass_obj
def diff(state: State, /, *, old: str, new: str, **given: Any) -> int:
    """Say which prices change from OLD to NEW: price files, or `book` for the configured book.

    Of the book, only models that the file names are compared: what the file would take the place
    of. With --since or --until, also what the change does to the calls of that time, each priced
    by both books. Nothing is applied.
    """
    with Bench(state) as bench:
        found = compare(bench, old, new)
        effect = None
        if given["since"] or given["until"]:
            effect = effect_of(bench, old, new, Period.read(bench.now_us(), **given))
    changes = [change_json(each) for each in found]
    if state.as_json:
        say_json(changes if effect is None else {"changes": changes, "effect": effect.to_json()})
        return _DIFFERENCES if found else 0
    columns = ["change", "model", "meter", "when", "old", "new"]
    rows = [
        [
            each["kind"],
            f"{each['provider']}/{each['model']}",
            each["meter"],
            each["when"],
            each["old"] or "",
            each["new"] or "",
        ]
        for each in changes
    ]
    table(state, columns, rows, right=columns[4:], empty="no price changes")
    if effect is not None:
        click.echo()
        effect.tell(state)
    return _DIFFERENCES if found else 0


@prices.command("cost")
@click.option("--jsonl", is_flag=True, help="Read one object a line, answer with one a line.")
@click.pass_obj
def cost(state: State, *, jsonl: bool) -> int:
    """Price a provider's usage object, read from standard input.

    A JSON object: {"provider": …, "api": "chat", "model": …, "at": "2026-11-25T12:00:00Z",
    "context": {"service_tier": …}, "usage": {… as the provider returned it …}}. `at` is now, and
    `context` what the usage itself says, where they are left out.
    """
    data = sys.stdin.buffer.read()
    with Bench(state) as bench:
        if jsonl:
            read = True
            for answer, readable in answer_lines(data, bench):
                read = read and readable
                click.echo(json.dumps(answer, ensure_ascii=False))
            return 0 if read else _BAD_INPUT
        try:
            priced = price_text(data, bench)
        except InvalidRequest as exc:
            tell_error(state, str(exc))
            return _BAD_INPUT
        book = bench.book
    if state.as_json:
        say_json(cost_json(priced))
        return 0
    _tell(priced.cost, book)
    return 0


@prices.command("explain")
@click.argument("model", metavar="PROVIDER/MODEL")
@click.option(
    "--use",
    "uses",
    multiple=True,
    required=True,
    metavar="METER=QUANTITY",
    help="What was used, such as input_tokens=1200; repeatable.",
)
@click.option("--when", "facts", multiple=True, metavar="KEY=VALUE", help="service_tier=batch, …")
@click.option("--at", metavar="TIME", help="When the call began [now].")
@click.option("--api", default="chat", show_default=True, help="The billing word of the API.")
@click.pass_obj
def explain(
    state: State,
    *,
    model: str,
    uses: tuple[str, ...],
    facts: tuple[str, ...],
    at: str | None,
    api: str,
) -> int:
    """Price a usage and say which row priced each line."""
    with Bench(state) as bench:
        book, now = bench.book, bench.now_us()
    provider, name = split_model(model)
    quantities = {}
    for meter, quantity in map(pair, uses):
        if not quantity.isdecimal() or len(quantity) > _DIGITS:
            raise click.BadParameter(f"{meter}={quantity} is no whole number of 0 or more")
        if meter in quantities:
            raise click.BadParameter(f"{meter} is given twice; add the two up")
        quantities[meter] = int(quantity)
    when = _instant(at, now)
    context = PricingContext(provider, api, name, name, when, pairs(facts))
    cost = book.price(Usage(quantities), context)
    explained = book.explain(cost)
    total = None if cost.total is None else text(cost.total)
    if state.as_json:
        lines: list[dict[str, Any]] = [
            {
                "meter": each.line.dimension,
                "quantity": each.line.quantity,
                "amount": text(each.line.amount),
                "rounded": each.line.rounded,
                "row": row_json(each.row),
            }
            for each in explained
        ]
        say_json(
            {
                "status": cost.status,
                "total": total,
                "currency": cost.currency,
                "book": cost.book,
                "reason": cost.reason,
                "lines": lines,
            }
        )
        return 0 if total is not None else 1
    _tell(cost, book)
    return 0 if total is not None else 1


def _instant(at: str | None, now_us: int) -> datetime:
    return instant(now_us if at is None else instant_us(at, now_us))


def _tell(cost: Cost, book: PriceBook) -> None:
    """Write a sum as on paper."""
    for line in on_paper(cost, book):
        click.echo(line)
    say(f"book {cost.book}")
