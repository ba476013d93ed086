"""The least and the most that a call can cost before it runs.

Pure. Imports: canonical, money, prices.tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.money import QUANTUM, ZERO, add, divide, multiply
from flo2.prices.cost import Bounds
from flo2.prices.quantities import billed
from flo2.prices.tables import Rate, Resolved

__all__ = ["bound", "ceiling"]


def bound(
    resolved: Resolved,
    at: datetime,
    *,
    input_low: int,
    input_high: int | None,
    output_high: int | None,
    input_meters: Sequence[str],
    output_meters: Sequence[str],
) -> Bounds:
    """Bound a call's cost; see `PriceBook.bounds`."""
    span = resolved.span(at)
    low: Decimal | None = None
    high = ZERO
    finite = True
    if input_high is not None:
        input_high = max(input_low, input_high)
    edges = (0, *span.cuts)
    for index, table in enumerate(span.tables):
        first = max(edges[index], input_low)
        last = _least(span.cuts[index] - 1 if index < len(span.cuts) else None, input_high)
        if last is not None and last < first:
            continue  # no possible total lies in this tier
        inputs = _rates(table, input_meters)
        outputs = _rates(table, output_meters)
        here = min((_amount(rate, first)[0] for rate in inputs), default=ZERO)
        low = here if low is None else min(low, here)
        most_in, most_out = _most(inputs, last), _most(outputs, output_high)
        if most_in is None or most_out is None:
            finite = False
        else:
            high = max(high, add(most_in, most_out))
    return Bounds(low or ZERO, high if finite else None, resolved.currency)


def ceiling(resolved: Resolved, at: datetime, input_high: int, output_high: int) -> Bounds:
    """Bound a call of at most so many tokens, from none; as `bound` does, quicker where it can."""
    span = resolved.span(at) if resolved.dated else resolved.spans[0]
    dearest = span.dearest
    if dearest is None:
        return bound(
            resolved,
            at,
            input_low=0,
            input_high=input_high,
            output_high=output_high,
            input_meters=INPUT_METERS,
            output_meters=OUTPUT_METERS,
        )
    high = add(multiply(input_high, dearest[0]), multiply(output_high, dearest[1]))
    return Bounds(ZERO, high, resolved.currency)


def _least(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return a if b is None else b
    return min(a, b)


def _rates(table: dict[str, tuple[Rate, ...]], meters: Sequence[str]) -> list[Rate]:
    return [rate for meter in meters for rate in table.get(meter, ())]


def _most(rates: list[Rate], quantity: int | None) -> Decimal | None:
    if quantity == 0:
        return ZERO
    if quantity is None or not rates:
        return None
    return max(_amount(rate, quantity)[1] for rate in rates)


def _amount(rate: Rate, quantity: int) -> tuple[Decimal, Decimal]:
    """Give the amount rounded down and up; both the same where it is exact."""
    if rate.each is not None:
        amount = multiply(quantity, rate.each)
        return amount, amount
    row = rate.row
    count = quantity if row.is_plain or not quantity else billed(row, quantity)
    amount, rounded = divide(multiply(count, row.unit_price), row.per)
    if not rounded:
        return amount, amount
    return max(ZERO, add(amount, -QUANTUM)), add(amount, QUANTUM)
