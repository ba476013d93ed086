"""`flo2 whatif`: what past calls would have cost under other conditions. Writes nothing.

Imports: repricing, money, cli.bench.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import click

from flo2.cli.bench import Bench
from flo2.cli.difference_text import Remarks, difference_json, difference_table
from flo2.cli.output import say, say_json
from flo2.cli.parse import pair
from flo2.cli.period import Period, period_options
from flo2.cli.price_files import laid_over, pricer, read_layer
from flo2.cli.state import State, command
from flo2.money import ZERO, divide, exact
from flo2.repricing import Model, Scenario, differences, overall

__all__ = ["whatif"]

_SHARE: Final = re.compile(r"(\d{1,6}(?:\.\d{1,20})?)\s*%?", re.ASCII)
_LAST_MONTH: Final = "30d"


@command()
@click.option("--prices", metavar="FILE", help="Other prices: a price file laid over the book.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="FROM=TO",
    help="Another model: PROVIDER/MODEL=PROVIDER/MODEL; * in FROM stands for anything; repeatable.",
)
@click.option(
    "--cache-reads",
    metavar="PERCENT",
    help="This much more of each prompt is read from the provider's cache; 0: no cache at all.",
)
@click.option("--batch", is_flag=True, help="At the rates for batches.")
@click.option("--fee", metavar="PERCENT", help="A reseller's fee on top, such as 5.5%.")
@period_options
@click.pass_obj
def whatif(
    state: State,
    /,
    *,
    prices: str | None,
    models: tuple[str, ...],
    cache_reads: str | None,
    batch: bool,
    fee: str | None,
    **given: Any,
) -> None:
    """Say what past calls [of the last 30 days] would have cost under other conditions.

    Conditions add up: the calls at other prices or models, then with caching, as a batch, plus a
    fee. What is known of a call is what it used; what has to be assumed is said beside the figures.
    """
    if not (prices or models or cache_reads or batch or fee):
        raise click.UsageError("name a condition: --prices, --model, --cache-reads, --batch, --fee")
    given["since"] = given["since"] or (None if given["until"] else _LAST_MONTH)
    with Bench(state) as bench:
        period = Period.read(bench.now_us(), **given)
        over = None if prices is None else read_layer(bench, prices)
        book = bench.book if over is None else laid_over(bench, over)
        scenario = Scenario(
            pricer(bench, book, period.where.account),
            own_rows=frozenset() if over is None else frozenset(row.id for row in over.rows),
            models=_models(bench, models),
            cached=None if cache_reads is None else _share(cache_reads, "--cache-reads", most=1),
            batch=batch,
            fee=ZERO if fee is None else _share(fee, "--fee"),
        )
        remarks = Remarks()
        compared = (scenario.apply(adjusted) for adjusted in period.entries(bench.store))
        rows = differences(remarks.watch(compared), period.by)
    assumed = list(scenario.assumptions())
    if state.as_json:
        say_json(
            {
                "by": list(period.by),
                "book": book.version,
                "assumptions": assumed,
                "data": difference_json(period.by, rows),
                "total": difference_json((), overall(rows)),
                "remarks": remarks.counts,
            }
        )
        return
    difference_table(state, period.by, rows, overall(rows), ("was", "would be"))
    for each in assumed:
        say(f"assumed: {each}")
    remarks.tell()


def _models(bench: Bench, pairs: Iterable[str]) -> dict[str, Model]:
    """Read `FROM=TO`; a provider that is configured is priced as its plugin says."""
    found: dict[str, Model] = {}
    for source, target in map(pair, pairs):
        provider, slash, name = target.partition("/")
        if "/" not in source or not slash or not provider or not name:
            raise click.BadParameter(
                f"{source}={target} is not PROVIDER/MODEL=PROVIDER/MODEL", param_hint="--model"
            )
        bound = bench.providers.get(provider)
        found[source] = Model(provider if bound is None else bound.priced_as, name)
    return found


def _share(text: str, option: str, most: int | None = None) -> Decimal:
    """Read a percentage as a share."""
    match = _SHARE.fullmatch(text.strip())
    share = None if match is None else divide(exact(match[1]), 100)[0]
    if share is None or (most is not None and share > most):
        raise click.BadParameter(f"{text!r} is no percentage; write 5.5%", param_hint=option)
    return share
