"""`flo2 usage`: what was used and what it cost, to the last digit; unknown is never shown as zero.

Imports: ledger, stores, cli.bench.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import Any

import click

from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.cli.bench import Bench
from flo2.cli.output import say_json, table
from flo2.cli.parse import duration_s, instant_us
from flo2.cli.state import State, command
from flo2.cli.whose import one_account
from flo2.gateway.usage import usage_json
from flo2.ledger import UsageRow, check_dimensions, overall
from flo2.money import text
from flo2.stores import EntryFilter

__all__ = ["usage"]

_STATUSES = ("settled", "reported", "pending", "unpriced", "void", "open")


@command()
@click.option(
    "--by",
    default="model",
    show_default=True,
    metavar="DIMENSIONS",
    help="model, feature, team, customer, key, provider, route, tag:NAME …, separated by commas.",
)
@click.option("--since", metavar="TIME", help="Begun since: 7d (ago), 2026-11-01 or RFC 3339.")
@click.option("--last", metavar="DURATION", help="Begun in the last 24h, 7d …; short for --since.")
@click.option("--until", metavar="TIME", help="Begun before.")
@one_account("Whose usage.")
@click.option("--csv", "as_csv", is_flag=True, help="Answer in CSV.")
@click.pass_obj
def usage(
    state: State,
    *,
    by: str,
    since: str | None,
    last: str | None,
    until: str | None,
    account: str,
    as_csv: bool,
) -> None:
    """Add up what was used and what it cost, corrections included.

    Sums are kept by month, day and hour, so that time does not grow with the number of calls; tags,
    and an end user together with anything but the customer, are added up call by call.
    """
    dimensions = [each for each in by.split(",") if each]
    if since is not None and last is not None:
        raise click.UsageError("--since and --last both say when it begins; leave one out")
    with Bench(state) as bench:
        now = bench.now_us()
        begin = None if since is None else instant_us(since, now)
        where = EntryFilter(
            account,
            since_us=begin if last is None else now - duration_s(last) * 1_000_000,
            until_us=None if until is None else instant_us(until, now),
        )
        try:
            check_dimensions(dimensions)
        except ValueError as exc:
            raise click.BadParameter(str(exc), param_hint="--by") from exc
        rows = bench.store.usage(where, dimensions)
        names = {key.id: key.name for key in bench.store.keys(account)}
    totals = overall(rows)
    if as_csv:
        _write_csv(dimensions, rows)
    elif state.as_json:
        say_json(
            {
                "by": dimensions,
                "data": usage_json(dimensions, rows),
                "total": usage_json((), totals),
            }
        )
    else:
        columns = ["calls", "input", "output", "cost", "not known"]
        lines = [
            [
                *(_label(d, v, names) for d, v in zip(dimensions, row.group, strict=True)),
                *_cells(row),
            ]
            for row in rows
        ]
        blank = [""] * max(len(dimensions) - 1, 0)
        first = ["total"] if dimensions else []
        total = [[*first, *blank, *_cells(row)] for row in totals] if dimensions else []
        table(
            state,
            [*dimensions, *columns],
            [*lines, *total],
            right=columns[:-1],
            empty='no calls yet; make one: flo2 chat "hi"'
            if (since, last, until) == (None, None, None)
            else "no calls in that time",
        )


def _label(dimension: str, value: str | None, names: dict[str, str]) -> str:
    if value is None:
        return "–"
    return f"{value} ({names[value]})" if dimension == "key" and value in names else value


def _cells(row: UsageRow) -> list[str]:
    return [
        str(row.entries),
        str(_tokens(row, INPUT_METERS)),
        str(_tokens(row, OUTPUT_METERS)),
        _cost(row),
        "; ".join(_unknown(row)),
    ]


def _cost(row: UsageRow) -> str:
    """Give the sum of what is known; nothing known is no zero."""
    known = row.entries - sum(row.statuses.get(s, 0) for s in ("pending", "unpriced", "open"))
    return f"{text(row.total)} {row.currency}" if known or row.adjusted else "not known"


def _unknown(row: UsageRow) -> list[str]:
    parts = []
    waiting = row.statuses.get("pending", 0) + row.statuses.get("open", 0)
    if waiting:
        high = "no bound" if row.pending_high is None else text(row.pending_high)
        parts.append(f"+ {waiting} pending: {text(row.pending_low)} to {high}")
    if unpriced := row.statuses.get("unpriced", 0):
        parts.append(f"+ {unpriced} unpriced")
    return parts


def _tokens(row: UsageRow, meters: Sequence[str]) -> int:
    return int(sum(row.meters.get(meter, 0) for meter in meters))


def _write_csv(dimensions: Sequence[str], rows: Sequence[UsageRow]) -> None:
    meters = sorted({meter for row in rows for meter in row.meters})
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(
        [
            *dimensions,
            "currency",
            "entries",
            *_STATUSES,
            "cost",
            "adjusted",
            "pending_low",
            "pending_high",
            *meters,
        ]
    )
    for row in rows:
        cells: list[Any] = [
            *(value or "" for value in row.group),
            row.currency,
            row.entries,
            *(row.statuses.get(status, 0) for status in _STATUSES),
            # An empty cell, as a spreadsheet would add a zero up.
            "" if _cost(row) == "not known" else text(row.total),
            text(row.adjusted),
            text(row.pending_low),
            "" if row.pending_high is None else text(row.pending_high),
            *(row.meters.get(meter, 0) for meter in meters),
        ]
        writer.writerow(cells)
