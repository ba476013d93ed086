"""`flo2 ledger reprice`: let the ledger follow a corrected price book; nothing is ever edited.

Imports: ledger, repricing, cli.bench.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from attrs import define

from flo2.cli.bench import Bench
from flo2.cli.difference_text import Remarks, difference_json, difference_table
from flo2.cli.output import say, say_json
from flo2.cli.period import Period, period_options
from flo2.cli.price_files import CONFIGURED, book_of, pricer
from flo2.cli.state import Command, State
from flo2.ledger import Adjusted, Corrections
from flo2.repricing import Compared, Pricer, corrections, differences, overall, reprice

__all__ = ["reprice_command"]

_DIFFERENCES: Final = 3


@click.command("reprice", cls=Command)
@period_options
@click.option(
    "--book",
    default=CONFIGURED,
    metavar="FILE",
    help="A price file to lay over the configured book [the configured book alone].",
)
@click.option("--apply/--dry-run", default=False, help="Write it; else only show it [--dry-run].")
@click.pass_obj
def reprice_command(state: State, /, *, book: str, apply: bool, **given: Any) -> int:
    """Price booked calls anew, from the usage they are booked with.

    What differs is written as an adjustment beside the entry, with the price book as its source; a
    call that was unpriced and has a price now is settled. What a provider stated itself, what is
    not billed and what is not known stays as it is. A second run finds nothing to write.

    Exit code 3 when there is a difference that is not written.
    """
    with Bench(state) as bench:
        period = Period.read(bench.now_us(), **given)
        # Before the first entry is read: whoever corrects one meanwhile is noticed.
        written = Corrections(bench.store) if apply else None
        priced_by = book_of(bench, book)
        laid_over = "" if book == CONFIGURED else f" with {Path(book).name}"
        run = _Run(
            pricer(bench, priced_by, period.where.account),
            bench.now_us(),
            f"price book {priced_by.version}{laid_over}",
            written,
        )
        remarks = Remarks()
        compared = remarks.watch(run.go(period.entries(bench.store)))
        rows = differences(compared, period.by)
        if written is not None:
            written.flush()
    totals = overall(rows)
    if state.as_json:
        say_json(
            {
                "by": list(period.by),
                "book": priced_by.version,
                "applied": apply,
                "records": run.records,
                "data": difference_json(period.by, rows),
                "total": difference_json((), totals),
                "remarks": remarks.counts,
            }
        )
    else:
        difference_table(state, period.by, rows, totals, ("booked", "anew"))
        remarks.tell()
        say(run.told())
    return _DIFFERENCES if run.records and not apply else 0


@define
class _Run:
    """One repricing as it goes through the ledger.

    Attributes:
        records: How many records it takes.
    """

    price: Pricer
    now_us: int
    source: str
    corrections: Corrections | None
    records: int = 0

    def go(self, entries: Iterable[Adjusted]) -> Iterator[Compared]:
        """Price each entry anew; write what has to be written, where that is wanted."""
        for adjusted in entries:
            repriced = reprice(adjusted, self.price)
            for record in corrections(repriced, self.now_us, self.source):
                self.records += 1
                if self.corrections is not None:
                    self.corrections.add(record)
            yield repriced.compared

    def told(self) -> str:
        """Say what was done."""
        if not self.records:
            return f"the ledger says what {self.source} says; nothing to write"
        what = "1 record" if self.records == 1 else f"{self.records} records"
        if self.corrections is None:
            return f"{what} would be written, by {self.source}; to write: --apply"
        return f"{what} written, by {self.source}"
