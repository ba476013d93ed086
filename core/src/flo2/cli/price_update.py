"""`flo2 prices update`: what a newer source changes, and keeping what the operator accepts of it.

Never by itself, and never while a call is served. Imports: prices, cli.bench, cli.price_check.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

import click
from attrs import evolve

from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json, table
from flo2.cli.price_check import change_json
from flo2.cli.price_files import read_layer
from flo2.cli.state import State, command
from flo2.errors import PricingError
from flo2.instants import instant
from flo2.prices import Layer, PriceRow, build
from flo2.prices.diff import Change
from flo2.prices.update import KeepsAccepted, accepted_rows, proposed

__all__ = ["update"]

_DIFFERENCES: Final = 3
_SHOWN: Final = 40
"""So many changes are shown at a terminal before the rest is only counted; `--all` shows them."""
_UNDATED: Final = date(1970, 1, 1)


@command("update")
@click.argument("source", default="genai-prices")
@click.option(
    "--only",
    multiple=True,
    metavar="PROVIDER/MODEL",
    help="Look at these models alone; `*` and `?` stand for others; repeatable.",
)
@click.option("--from", "day", metavar="DATE", help="From when on they hold [today, UTC].")
@click.option("--all", "whole", is_flag=True, help="Show every change.")
@click.option("--yes", is_flag=True, help="Accept without asking.")
@click.pass_obj
def update(
    state: State, *, source: str, only: tuple[str, ...], day: str | None, whole: bool, yes: bool
) -> int:
    """Show what SOURCE changes in the price book, and keep what you accept, from a day on.

    SOURCE is a price file (.toml, .csv, a price map in .json), or a price source that can be newer
    than what came along [genai-prices: the installed package]. What you accept is written to a new
    file in the data folder; what held before the day stays as it was. Nothing is changed unasked.
    """
    with Bench(state) as bench:
        now = instant(bench.now_us())
        start = now.date() if day is None else _day(day)
        layer = _read(bench, source)
        found = [each for each in proposed(bench.book, layer, start) if _wanted(each, only)]
        if not found or (state.as_json and not yes):
            _show(state, found, whole=whole)
            return _DIFFERENCES if found else 0
        if not state.as_json:
            _show(state, found, whole=whole)
            if not yes and not click.confirm(_question(found, start), err=True):
                return _DIFFERENCES
        accepted = accepted_rows(bench.book, layer, found, start)
        rows = tuple(_dated(row, now.date()) for row in accepted)
        file = _keep(bench, rows, f"{len(found)} changes of {source} from {start}", now)
        unused = bench.config.pricing and _table(bench) is None
    if state.as_json:
        say_json({"changes": [change_json(each) for each in found], "accepted": file})
    say(f"written to {file}; in force when flo2 next starts or reads its configuration")
    if unused:
        say("add an empty table [pricing.accepted] to flo2.toml, or it is not read")
    return 0


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise click.BadParameter(f"{text!r} is no date like 2026-11-25") from exc


def _read(bench: Bench, source: str) -> Layer:
    """Read a price file, or what a price source has that may be newer."""
    if source not in bench.plugins.kinds("pricing"):
        return read_layer(bench, source)
    item = bench.plugins.get("pricing", source)
    newer = getattr(item, "newer", None)
    if newer is None:
        raise PricingError(f"price source {source!r} has nothing newer; give a file")
    made = item(item.Config(**newer), bench.services)
    return Layer(source, made.rows(), made.defaults())


def _wanted(change: Change, only: Sequence[str]) -> bool:
    name = f"{change.provider}/{change.model}"
    return not only or any(fnmatchcase(name, each) for each in only)


def _dated(row: PriceRow, today: date) -> PriceRow:
    """Say of a row whose source has no date that it was read today."""
    return evolve(row, read_on=today) if row.read_on == _UNDATED else row


def _question(found: Sequence[Change], start: date) -> str:
    models = {(each.provider, each.model) for each in found}
    return f"Accept {len(found)} changes of {len(models)} models from {start} on?"


def _show(state: State, found: Sequence[Change], *, whole: bool) -> None:
    changes = [change_json(each) for each in found]
    if state.as_json:
        say_json({"changes": changes, "accepted": None})
        return
    columns = ["change", "model", "meter", "when", "old", "new"]
    shown = changes if whole else changes[:_SHOWN]
    table(
        state,
        columns,
        [
            [
                each["kind"],
                f"{each['provider']}/{each['model']}",
                each["meter"],
                each["when"],
                each["old"] or "",
                each["new"] or "",
            ]
            for each in shown
        ],
        right=columns[4:],
        empty="no price changes",
    )
    if len(shown) < len(changes):
        say(f"and {len(changes) - len(shown)} more; --all shows them, --only narrows them down")


def _table(bench: Bench) -> dict[str, Any] | None:
    """Give the configured table of the source that keeps what is accepted; None: there is none."""
    for name, settings in bench.config.pricing.items():
        kind = settings.get("kind", name)
        if kind in bench.plugins.kinds("pricing") and _keeps(bench, kind):
            return {key: value for key, value in settings.items() if key != "kind"}
    return None


def _keeps(bench: Bench, kind: str) -> bool:
    return hasattr(bench.plugins.get("pricing", kind), "accept")


def _keep(bench: Bench, rows: Sequence[PriceRow], remark: str, now: datetime) -> str:
    """Write the rows, once a book with them is known to load.

    Raises:
        PricingError: it does not load, or nothing that is installed keeps rows.
    """
    kind = next((k for k in bench.plugins.kinds("pricing") if _keeps(bench, k)), None)
    if kind is None:
        raise PricingError("no price source keeps rows; run: pip install -U flo2-pricing-list")
    item = bench.plugins.get("pricing", kind)
    source = item(item.Config(**(_table(bench) or {})), bench.services)
    if not isinstance(source, KeepsAccepted):
        raise PricingError(f"price source {kind!r} has an `accept` of another form")
    marked = [evolve(row, id=f"accepting:{number}") for number, row in enumerate(rows)]
    build([Layer("what is accepted", marked), *bench.price_layers])
    remarks = (remark, "Written by flo2 prices update; never edited: its name has its hash.")
    return source.accept(rows, remarks, now)
