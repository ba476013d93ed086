"""What several discounts come to on one line. Pure. Imports: contracts.terms, money."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from flo2.contracts.terms import Discount
from flo2.money import add, divide, exact, multiply, subtract

__all__ = ["Factor", "product", "stack"]

Factor = tuple[str, Decimal]
"""A term's name, and what it multiplies by."""

_ONE: Final = exact(1)
_HUNDRED: Final = exact(100)


def stack(discounts: Sequence[tuple[str, Discount]]) -> tuple[Factor, ...]:
    """Put the discounts of a line together.

    Args:
        discounts: With their full names; those that hold for the line, in any order.

    Returns:
        The factors in their order. Discounts that were added up are one, their names joined by `+`;
        what a better one took the place of is not there.
    """
    factors: list[Factor] = []
    adding: list[tuple[str, Discount]] = []
    # Of one order only what may change places is left (see `contracts.check`), so the name decides
    # nothing but how it is written down.
    for name, discount in sorted(discounts, key=lambda each: (each[1].order, each[0])):
        if discount.stacks == "add":
            adding.append((name, discount))
            continue
        factors += _sum(adding)
        adding.clear()
        factor = (name, _factor(discount.percent))
        if discount.stacks == "multiply":
            factors.append(factor)
        elif factor[1] < product(factors):
            factors = [factor]
    return (*factors, *_sum(adding))


def product(factors: Sequence[Factor]) -> Decimal:
    """Multiply factors exactly; 1 without any."""
    result = _ONE
    for _, factor in factors:
        result = multiply(result, factor)
    return result


def _sum(discounts: Sequence[tuple[str, Discount]]) -> list[Factor]:
    if not discounts:
        return []
    percent = exact(0)
    for _, discount in discounts:
        percent = add(percent, discount.percent)
    return [("+".join(name for name, _ in discounts), _factor(percent))]


def _factor(percent: Decimal) -> Decimal:
    return divide(subtract(_HUNDRED, percent), _HUNDRED)[0]  # by a power of ten: always exact
