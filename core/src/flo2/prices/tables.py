"""One model's rows in one context, compiled: at an instant and a total, one dict lookup per meter.

Pure. Imports: canonical, money, prices.rows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from attrs import frozen
from msgspec import Struct

from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.money import divide, text
from flo2.prices.rows import PriceRow

__all__ = ["Rate", "Resolved", "Span", "Tag", "compile_rows"]


@frozen
class Rate:
    """A row, ready to multiply.

    Attributes:
        row: The row as published.
        each: Price of one unit where that terminates and units are billed as they are, else None
            (look at the row then).
    """

    row: PriceRow
    each: Decimal | None


class Tag(Struct, frozen=True):
    """All that a line says of its row, where that is one multiplication away."""

    each: Decimal
    unit_price: Decimal
    per: int
    currency: str
    row: str


class Hours:
    """The spans of one stretch of time by what its schedules say; each is compiled when needed."""

    __slots__ = ("_rows", "_schedules", "_spans")

    def __init__(self, rows: Sequence[PriceRow]) -> None:
        """Keep the rows, some of which have schedules."""
        self._rows = tuple(rows)
        self._schedules = tuple({each.schedule: None for each in rows if each.schedule is not None})
        self._spans: dict[tuple[bool, ...], Span] = {}

    def span(self, at: datetime) -> Span:
        """Give the rates of an instant."""
        key = tuple(each.holds(at) for each in self._schedules)
        found = self._spans.get(key)
        if found is None:
            holding = {None, *(s for s, holds in zip(self._schedules, key, strict=True) if holds)}
            rows = [row for row in self._rows if row.schedule in holding]
            found = self._spans[key] = _span(rows)
        return found


@frozen
class Span:
    """The rates of one stretch of time, by tier.

    Attributes:
        cuts: Totals at which the tables change, ascending.
        tables: Meter → rates that match, one table more than cuts. More than one rate: ambiguous.
        plain: For each table the meters whose one price is `Rate.each`.
        dearest: The most that a token of the prompt and one of the answer can cost; None where that
            takes more than a look: by tier, without a row, or with a price that does not terminate.
        hours: Gives the rates of an hour, where some depend on it; else None.
    """

    cuts: tuple[int, ...]
    tables: tuple[dict[str, tuple[Rate, ...]], ...]
    plain: tuple[dict[str, Tag], ...] = ()
    dearest: tuple[Decimal, Decimal] | None = None
    hours: Hours | None = None

    def index(self, total: int) -> int:
        """Say which table holds at this total of input tokens."""
        return bisect_right(self.cuts, total)


@frozen
class Resolved:
    """A model in a context.

    Attributes:
        instants: When the spans change, ascending.
        spans: One more than instants.
        currency: Of all its rows.
        dated: Whether the rates depend on the instant.
        problem: Why nothing is priced here, or None.
    """

    instants: tuple[datetime, ...]
    spans: tuple[Span, ...]
    currency: str
    problem: str | None = None
    dated: bool = False

    def span(self, at: datetime) -> Span:
        """Give the stretch of time that holds the instant; a boundary belongs to the new one."""
        span = self.spans[bisect_right(self.instants, at)] if self.instants else self.spans[0]
        return span if span.hours is None else span.hours.span(at)


def compile_rows(rows: Sequence[PriceRow], currency: str) -> Resolved:
    """Compile the rows of one model that hold in one context."""
    instants = tuple(
        sorted({i for row in rows for i in (row.valid_from, row.valid_until) if i is not None})
    )
    spans = []
    for index in range(len(instants) + 1):
        begin = instants[index - 1] if index else None
        end = instants[index] if index < len(instants) else None
        here = [row for row in rows if _holds(row, begin, end)]
        if any(row.schedule is not None for row in here):
            spans.append(Span((), ({},), hours=Hours(here)))
        else:
            spans.append(_span(here))
    dated = bool(instants) or any(span.hours is not None for span in spans)
    return Resolved(instants, tuple(spans), currency, dated=dated)


def _holds(row: PriceRow, begin: datetime | None, end: datetime | None) -> bool:
    starts = row.valid_from is None or (begin is not None and row.valid_from <= begin)
    return starts and (row.valid_until is None or (end is not None and end <= row.valid_until))


def _span(rows: Sequence[PriceRow]) -> Span:
    cuts = tuple(
        sorted(
            {
                cut
                for row in rows
                if row.tier is not None and not row.tier.graduated
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
            if (
                tier is None
                or tier.graduated
                or (tier.start <= low and (tier.stop is None or low < tier.stop))
            ):
                table[row.dimension] = (*table.get(row.dimension, ()), _rate(row))
        tables.append(table)
    plain = tuple(map(_plain, tables))
    return Span(cuts, tuple(tables), plain, None if cuts else _dearest(tables[0]))


def _plain(table: Mapping[str, tuple[Rate, ...]]) -> dict[str, Tag]:
    return {
        meter: Tag(rate.each, rate.row.unit_price, rate.row.per, rate.row.currency, rate.row.id)
        for meter, (rate, *others) in table.items()
        if rate.each is not None and not others
    }


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
    return Rate(row, None if rounded or not row.is_plain else Decimal(text(each)))
