"""Calls that the provider counts twice. Imports: common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import ClassVar

from flo2 import REQUESTS, Booked, BooksView, Finding, Gap, Shift, money_of
from flo2.billing import is_money
from flo2_reconcile.explainers.common import Plain, choose, finding

__all__ = ["CountedTwice"]


class CountedTwice(Plain):
    """The bill has an attempt once more than the ledger: the provider took a retry for two.

    Attempts are counted, not calls: flo2's own retries are entries of their own. So what is left
    must be whole attempts that are in the ledger already, besides those whose usage is not known.
    """

    kind: ClassVar[str] = "retry_counted_twice"
    order: ClassVar[int] = 30

    def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
        """Find attempts that add up to what is left."""
        for gap in gaps:
            surplus = gap.left.get(REQUESTS, 0)
            if not isinstance(surplus, int) or surplus <= 0:
                continue
            within = books.within(gap)
            unknown = sum(each.is_open or each.is_void for each in within)
            wanted = surplus - unknown
            if wanted <= 0:
                continue
            fitting = [each for each in within if each.measures and gap.holds(each.measures)]
            if unknown:
                chosen = _certain(fitting, wanted, within)
            else:
                chosen = choose(gap, _retried_first(fitting, within), wanted, again=True)
            for each in chosen or ():
                gap.take(each.measures)
                note = (
                    f"{each.entry_id} ({each.intent.role}) is on the bill twice, "
                    "with the very same usage"
                )
                cost = each.measures.get(money_of(""))
                yield finding(
                    self.kind,
                    gap,
                    each.measures,
                    note,
                    parts={} if cost is None else {each.entry_id: Decimal(cost)},
                    shifts=(Shift(each.at_us, each.keys, each.measures),),
                )


def _retried(within: Sequence[Booked]) -> set[str]:
    seen: set[str] = set()
    again: set[str] = set()
    for each in within:
        (again if each.exchange_id in seen else seen).add(each.exchange_id)
    return again


def _retried_first(fitting: Sequence[Booked], within: Sequence[Booked]) -> list[Booked]:
    again = _retried(within)
    return sorted(
        fitting, key=lambda each: (each.exchange_id not in again, -_size(each), each.entry_id)
    )


def _size(entry: Booked) -> int:
    return int(sum(n for name, n in entry.measures.items() if not is_money(name)))


def _certain(
    fitting: Sequence[Booked], wanted: int, within: Sequence[Booked]
) -> Sequence[Booked] | None:
    """Choose where something else is unknown too: only what leaves no choice."""
    again = _retried(within)
    for some in (fitting, [each for each in fitting if each.exchange_id in again]):
        usages = {tuple(sorted(each.measures.items())) for each in some}
        if len(usages) == 1 and wanted == 1:
            return some[:1]
    return None
