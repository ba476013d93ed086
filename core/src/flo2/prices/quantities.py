"""How much of a meter a row bills: a minimum, whole steps, or a tranche of it.

Pure. Imports: money, prices.rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Context, Decimal
from typing import Final

from flo2.money import add, multiply
from flo2.prices.rows import PriceRow

__all__ = ["billed", "parts_of", "tranches"]

Part = tuple[PriceRow, int | Decimal]
"""A row, and how much of a meter it bills."""

_WHOLE: Final = Context(prec=60, rounding=ROUND_CEILING)


def parts_of(rows: Sequence[PriceRow], quantity: int | Decimal) -> list[Part] | None:
    """Say what each of the rows that match a meter bills; None where that is not certain."""
    if rows and all(row.is_graduated for row in rows):
        return tranches(rows, quantity)
    if len(rows) != 1:
        return None
    return [(rows[0], quantity if rows[0].is_plain else billed(rows[0], quantity))]


def billed(row: PriceRow, quantity: int | Decimal) -> int | Decimal:
    """Give what is billed for a quantity in use: whole steps, and never less than the minimum."""
    result = quantity
    if row.step is not None:
        steps = _WHOLE.to_integral_value(_WHOLE.divide(Decimal(result), row.step))
        result = multiply(steps, row.step)
    if row.minimum is not None and result < row.minimum:
        result = row.minimum
    return _plain(result)


def tranches(rows: Sequence[PriceRow], quantity: int | Decimal) -> list[Part] | None:
    """Split a quantity over graduated rows, the lowest first.

    The first unit inside a tier is unit number `start`; the tier ends before unit number `stop`.

    Returns:
        Each row in use with its part; None where some of the quantity has no row.
    """
    parts: list[Part] = []
    done: int | Decimal = 0
    for row in sorted(rows, key=_start):
        tier = row.tier
        below = max(_start(row) - 1, 0)
        if tier is None or below > done:
            return None
        upper = quantity if tier.stop is None else min(quantity, tier.stop - 1)
        if upper > below:
            parts.append((row, _plain(add(upper, -below))))
            done = upper
        if done >= quantity:
            return parts
    return None


def _start(row: PriceRow) -> int:
    return 0 if row.tier is None else row.tier.start


def _plain(value: int | Decimal) -> int | Decimal:
    """Give a whole number as an int: counts are counted in them."""
    return int(value) if value == int(value) else value
