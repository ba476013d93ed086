"""`flo2 prices list` and `flo2 prices show`: what the price book has.

Imports: prices, cli.bench, cli.price_text.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from fnmatch import fnmatchcase

import click

from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json, table
from flo2.cli.parse import instant_us
from flo2.cli.price_text import conditions, price, row_json, split_model, validity
from flo2.cli.state import State, command
from flo2.errors import NotFound
from flo2.gateway.catalogue import list_prices
from flo2.instants import instant
from flo2.prices import PriceBook, PriceRow

__all__ = ["list_prices_command", "show_prices_command"]


@command("list")
@click.argument("provider", required=False)
@click.option(
    "--model",
    "pattern",
    metavar="MODEL",
    help="Models of that name alone, of any provider where none is named; `*` stands for others.",
)
@click.pass_obj
def list_prices_command(state: State, *, provider: str | None, pattern: str | None) -> None:
    """List the priced models of PROVIDER, or how many each provider has."""
    with Bench(state) as bench:
        book, now = bench.book, bench.now_us()
    if provider is None and pattern is None:
        _overview(state, book)
        return
    if provider is not None and provider not in book.providers():
        known = ", ".join(book.providers())
        owner, slash, model = provider.partition("/")
        if slash:
            raise NotFound(
                f"{provider!r} is no provider; write: flo2 prices list {owner} --model {model!r}"
            )
        raise NotFound(
            f"the book has no prices of {provider!r}; it knows: {known}. Give rows of your own in "
            "[pricing.file], or run: pip install -U flo2-pricing-list"
        )
    found = _matching(book, [provider] if provider else book.providers(), pattern or "*")
    rows = []
    for owner, model in found:
        listed = list_prices(book, owner, model, now)
        name = model if provider is not None else f"{owner}/{model}"
        rows.append([name, listed.get("input_tokens", ""), listed.get("output_tokens", "")])
    if state.as_json:
        names = ["model", "input_usd_per_million", "output_usd_per_million"]
        say_json([dict(zip(names, (cell or None for cell in row), strict=True)) for row in rows])
        return
    columns = ["model", "input $/M", "output $/M"]
    table(state, columns, rows, right=columns[1:], empty=f"no model {pattern!r} has a price")
    say(f"book {book.version}")


def _matching(
    book: PriceBook, providers: list[str] | tuple[str, ...], pattern: str
) -> Iterator[tuple[str, str]]:
    for provider in providers:
        for model in book.models(provider):
            if fnmatchcase(model, pattern):
                yield provider, model


@command("show")
@click.argument("model", metavar="PROVIDER/MODEL")
@click.option("--at", metavar="TIME", help="Only what holds then, such as `now`.")
@click.option("--meter", help="Only rows of this meter.")
@click.option("--ids", is_flag=True, help="Show the ids of rows, and conditions in full.")
@click.pass_obj
def show_prices_command(
    state: State, *, model: str, at: str | None, meter: str | None, ids: bool
) -> None:
    """Show every price row of a model, in any condition and at any time, with its source."""
    with Bench(state) as bench:
        book, now = bench.book, bench.now_us()
    provider, name = split_model(model)
    rows = book.rows_for(provider, name)
    if not rows:
        raise NotFound(
            f"the book has no price row for model {name!r} of provider {provider!r}: calls are "
            "marked unpriced; see: flo2 prices list"
        )
    if at is not None:
        when = instant(now if at == "now" else instant_us(at, now))
        rows = tuple(row for row in rows if _holds(row, when))
    rows = tuple(sorted((row for row in rows if meter in {None, row.dimension}), key=_order))
    if state.as_json:
        say_json({"book": book.version, "rows": [row_json(row) for row in rows]})
        return
    sources = list(dict.fromkeys(row.source for row in rows))
    columns = ["meter", "price", "when", "valid", "evidence", "read", "source"]
    lines = [
        [
            row.dimension,
            f"{price(row)} {row.currency}",
            conditions(row, whole=ids),
            validity(row),
            row.evidence,
            row.read_on.isoformat(),
            f"[{sources.index(row.source) + 1}]",
            *([row.id] if ids else []),
        ]
        for row in rows
    ]
    table(state, [*columns, *(["row"] if ids else [])], lines, empty="no such row")
    for number, source in enumerate(sources, 1):
        say(f"[{number}] {source}")
    say(f"book {book.version}")


def _holds(row: PriceRow, at: datetime) -> bool:
    begun = row.valid_from is None or row.valid_from <= at
    holds = row.schedule is None or row.schedule.holds(at)
    return begun and holds and (row.valid_until is None or at < row.valid_until)


def _order(row: PriceRow) -> tuple[str, int, str, str]:
    """List prices of one condition together, the usual ones first."""
    said = conditions(row, whole=True)
    return said, 0 if row.valid_from is None else row.valid_from.toordinal(), row.dimension, row.id


def _overview(state: State, book: PriceBook) -> None:
    providers = []
    for name in book.providers():
        parts = book.about(name)
        providers.append(
            {
                "name": name,
                "models": len(book.models(name)),
                "rows": sum(each.rows for each in parts),
                "newest_read_on": max(each.newest for each in parts).isoformat(),
            }
        )
    if state.as_json:
        say_json({"book": book.version, "rows": len(book.rows), "providers": providers})
        return
    table(
        state,
        ["provider", "models", "rows", "newest row read"],
        [[str(cell) for cell in each.values()] for each in providers],
        right=["models", "rows"],
        empty="the book is empty; try: pip install flo2-pricing-list",
    )
    say(f"book {book.version}, {len(book.rows)} rows")
