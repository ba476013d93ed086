"""A charge that the provider stated, with our own lines beside it.

Pure. Imports: canonical.charge, money, prices.cost.
"""

from __future__ import annotations

from decimal import Decimal

from flo2.canonical.charge import Charge
from flo2.money import ZERO, subtract, text
from flo2.prices.cost import DIFFERENCE, Cost, CostLine

__all__ = ["charged"]


def charged(cost: Cost, charge: Charge) -> Cost:
    """Book what the provider says; what our rows make of it stands beside.

    Args:
        cost: By the price book, of any status.
        charge: By the provider.

    Returns:
        A `reported` cost whose lines add up to the provider's amount: ours, and one for the
        difference where there is any; where we have no figure in that currency, that line alone.
    """
    ours = cost.total if cost.currency == charge.currency else None
    reason = cost.reason
    if ours is None and cost.total is not None:
        reason = f"our figure is {text(cost.total)} {cost.currency}, another currency"
    lines = cost.lines if ours is not None else ()
    difference = charge.amount if ours is None else subtract(charge.amount, ours)
    if difference:
        lines = (*lines, _line(difference, charge.currency, cost.book, known=ours is not None))
    return Cost(lines, "reported", charge.amount, charge.currency, cost.book, reason)


def _line(amount: Decimal, currency: str, book: str, *, known: bool) -> CostLine:
    # Beside lines of ours it is no part of the list price; alone it is all that is known of it.
    list_amount = ZERO if known else amount
    return CostLine(DIFFERENCE, 1, amount, 1, amount, list_amount, currency, "", book)
