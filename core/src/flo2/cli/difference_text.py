"""Costs before and after, as a table and as JSON; for commands that compare prices.

Imports: repricing, cli.output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flo2.cli.output import say, table
from flo2.money import subtract, text
from flo2.repricing import Compared, Difference

if TYPE_CHECKING:
    from flo2.cli.state import State

__all__ = ["Remarks", "difference_json", "difference_table"]


class Remarks:
    """Counts what is said of single entries as they pass: why there is no price, what stays."""

    def __init__(self) -> None:
        """Begin with none."""
        self.counts: Counter[str] = Counter()

    def watch(self, compared: Iterable[Compared]) -> Iterator[Compared]:
        """Pass entries on."""
        for each in compared:
            if each.reason is not None:
                self.counts[each.reason] += 1
            yield each

    def tell(self) -> None:
        """Say them to people, the most frequent first."""
        for reason, count in self.counts.most_common():
            say(f"{count} {'entry' if count == 1 else 'entries'}: {reason}")


def difference_json(by: Sequence[str], rows: Iterable[Difference]) -> list[dict[str, Any]]:
    """Write rows; money is a decimal string."""
    return [
        {
            **dict(zip(by, row.group, strict=True)),
            "currency": row.currency,
            "entries": row.entries,
            "before": text(row.before),
            "after": text(row.after),
            "difference": text(_difference(row)),
            "touched": {"entries": row.touched, "change": text(row.change)},
            "priced": {"entries": row.priced, "amount": text(row.gained)},
            "unpriced": {"entries": row.unpriced, "amount": text(row.lost)},
            "unknown": row.unknown,
        }
        for row in rows
    ]


def difference_table(
    state: State,
    by: Sequence[str],
    rows: Sequence[Difference],
    totals: Sequence[Difference],
    headings: tuple[str, str],
) -> None:
    """Write rows and their totals for people.

    Args:
        state: As for `table`.
        by: What the rows are grouped by.
        rows: The rows.
        totals: The same without a group, one for each currency.
        headings: What before and after are called here.
    """
    columns = ["calls", *headings, "difference", "touched"]
    told = [[*(value or "–" for value in row.group), *_cells(row)] for row in rows]
    sums = [["total", *[""] * (len(by) - 1), *_cells(row)] for row in totals] if by else []
    table(
        state,
        [*by, *columns, "price found or lost"],
        [*told, *sums],
        right=columns,
        empty="no calls in this time",
    )


def _cells(row: Difference) -> list[str]:
    return [
        str(row.entries),
        f"{text(row.before)} {row.currency}",
        f"{text(row.after)} {row.currency}",
        _signed(_difference(row)),
        str(row.touched),
        "; ".join(_found_or_lost(row)),
    ]


def _found_or_lost(row: Difference) -> Iterator[str]:
    if row.priced:
        yield f"{row.priced} get one: + {text(row.gained)}"
    if row.unpriced:
        yield f"{row.unpriced} lose theirs: - {text(row.lost)}"
    if row.unknown:
        yield f"{row.unknown} not known"


def _difference(row: Difference) -> Decimal:
    return subtract(row.after, row.before)


def _signed(amount: Decimal) -> str:
    return f"+{text(amount)}" if amount > 0 else text(amount)
