"""One model's rows in one context, compiled: at an instant and a total, one dict lookup per meter.

Pure. Imports: canonical, money, prices.rows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from attrs import frozen

from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.money import divide, text
from flo2.prices.rows import PriceRow

__all__ = ["Rate", "Resolved", "Span", "compile_rows"]


@frozen
class Rate:
    """A row, ready to multiply.

    Attributes:
        row: The row as published.
        each: Price of one unit where that terminates, else None (divide at the end then).
    """

    row: PriceRow
    each: Decimal | None


@frozen
class Span:
    """The rates of one stretch of time, by tier.

    Attributes:
        cuts: Totals at which the tables change, ascending.
        tables: Meter → rates that match, one table more than cuts. More than one rate: ambiguous.
        dearest: The most that a token of the prompt and one of the answer can cost; None where that
            takes more than a look: by tier, without a row, or with a price that does not terminate.
    """

    cuts: tuple[int, ...]
    tables: tuple[dict[str, tuple[Rate, ...]], ...]
    dearest: tuple[Decimal, Decimal] | None = None

    def table(self, total: int) -> dict[str, tuple[Rate, ...]]:
        """Give the rates that hold at this total of input tokens."""
        return self.tables[bisect_right(self.cuts, total)] if self.cuts else self.tables[0]


@frozen
class Resolved:
    """A model in a context.

    Attributes:
        instants: When the spans change, ascending.
        spans: One more than instants.
        currency: Of all its rows.
        problem: Why nothing is priced here, or None.
    """

    instants: tuple[datetime, ...]
    spans: tuple[Span, ...]
    currency: str
    problem: str | None = None

    def span(self, at: datetime) -> Span:
        """Give the stretch of time that holds the instant; a boundary belongs to the new one."""
        return self.spans[bisect_right(self.instants, at)] if self.instants else self.spans[0]


def compile_rows(rows: Sequence[PriceRow], currency: str) -> Resolved:
    """Compile the rows of one model that hold in one context."""
    instants = tuple(
        sorted({i for row in rows for i in (row.valid_from, row.valid_until) if i is not None})
    )
    spans = []
    for index in range(len(instants) + 1):
        begin = instants[index - 1] if index else None
        end = instants[index] if index < len(instants) else None
        spans.append(_span([row for row in rows if _holds(row, begin, end)]))
    return Resolved(instants, tuple(spans), currency)


def _holds(row: PriceRow, begin: datetime | None, end: datetime | None) -> bool:
    starts = row.valid_from is None or (begin is not None and row.valid_from <= begin)
    return starts and (row.valid_until is None or (end is not None and end <= row.valid_until))


def _span(rows: Sequence[PriceRow]) -> Span:
    cuts = tuple(
        sorted(
            {
                cut
                for row in rows
                if row.tier is not None
                for cut in (row.tier.start, row.tier.stop)
                if cut
            }
        )
    )
    tables = []
    for index in range(len(cuts) + 1):
        low = cuts[index - 1] if index else 0
        table: dict[str, tuple[Rate, ...]] = {}
        for row in rows:
            tier = row.tier
            if tier is None or (tier.start <= low and (tier.stop is None or low < tier.stop)):
                table[row.dimension] = (*table.get(row.dimension, ()), _rate(row))
        tables.append(table)
    return Span(cuts, tuple(tables), None if cuts else _dearest(tables[0]))


def _dearest(table: Mapping[str, tuple[Rate, ...]]) -> tuple[Decimal, Decimal] | None:
    found: list[Decimal] = []
    for meters in (INPUT_METERS, OUTPUT_METERS):
        prices = [rate.each for meter in meters for rate in table.get(meter, ())]
        exact = [price for price in prices if price is not None]
        if not exact or len(exact) != len(prices):
            return None
        found.append(max(exact))
    return found[0], found[1]


def _rate(row: PriceRow) -> Rate:
    each, rounded = divide(row.unit_price, row.per)
    return Rate(row, None if rounded else Decimal(text(each)))
