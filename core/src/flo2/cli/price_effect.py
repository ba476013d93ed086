"""What a change of prices does to the booked calls of a period; for `flo2 prices diff --since`.

Imports: repricing, cli.bench.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from flo2.cli.difference_text import Remarks, difference_json, difference_table
from flo2.cli.output import say
from flo2.cli.period import Period
from flo2.cli.price_files import book_of, pricer
from flo2.repricing import Difference, compare_books, differences, overall

if TYPE_CHECKING:
    from flo2.cli.bench import Bench
    from flo2.cli.state import State

__all__ = ["Effect", "effect_of"]


@frozen
class Effect:
    """The calls of a period under two books.

    Attributes:
        old, new: Versions of the books.
    """

    period: Period
    old: str
    new: str
    rows: list[Difference]
    remarks: Remarks

    def to_json(self) -> dict[str, Any]:
        """Write it."""
        return {
            "by": list(self.period.by),
            "old": self.old,
            "new": self.new,
            "data": difference_json(self.period.by, self.rows),
            "total": difference_json((), overall(self.rows)),
            "remarks": self.remarks.counts,
        }

    def tell(self, state: State) -> None:
        """Write it for people."""
        difference_table(state, self.period.by, self.rows, overall(self.rows), ("old", "new"))
        self.remarks.tell()
        say("nothing is written; to correct what is booked: flo2 ledger reprice")


def effect_of(bench: Bench, old: str, new: str, period: Period) -> Effect:
    """Price the calls of a period by two books, each a price file laid over the configured one.

    Raises:
        PricingError: a file cannot be read.
    """
    before, after = book_of(bench, old), book_of(bench, new)
    account = period.where.account
    by_old, by_new = pricer(bench, before, account), pricer(bench, after, account)
    remarks = Remarks()
    compared = (
        compare_books(adjusted.entry, by_old, by_new) for adjusted in period.entries(bench.store)
    )
    rows = differences(remarks.watch(compared), period.by)
    return Effect(period, before.version, after.version, rows, remarks)
