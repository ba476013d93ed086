"""What an attempt cost: exact lines that each name their row, or the reason why there are none.

Pure data. Imports: nothing of flo2.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

from msgspec import Struct

__all__ = ["DIFFERENCE", "Bounds", "Cost", "CostLine", "CostStatus"]

DIFFERENCE: Final = "provider_difference"
"""The line between what our rows make of an answer and what its provider says it costs."""

CostStatus = Literal["settled", "reported", "unpriced", "pending"]
"""`settled`: exact. `reported`: what the provider stated. `unpriced`: used, but the book has no
row. `pending`: usage is not known."""


class CostLine(Struct, frozen=True, gc=False, omit_defaults=True):
    """One meter's money.

    Attributes:
        dimension: The meter.
        quantity: How much was billed: what was used, its part in a graduated tier, or more where
            the row has a minimum or bills whole steps.
        unit_price: As published, for `per` units.
        per: Units the price is for.
        amount: `quantity × unit_price / per`, times each factor; exact unless `rounded`.
        list_amount: What the list asks for it; without a contract, and where the list has no price,
            the amount.
        currency: ISO 4217.
        row: Id of the price row; "" for a difference.
        book: Version of the price book.
        rounded: The quotient does not terminate and was cut at 1e-12.
        model: The model of a subcall; "" for the attempt's own.
        factors: What a contract multiplies by: the term's name and the factor, in their order.
        contract: The versions of the account's contracts in force, joined by `+`; "" for none.
    """

    dimension: str
    quantity: int | Decimal
    unit_price: Decimal
    per: int
    amount: Decimal
    list_amount: Decimal
    currency: str
    row: str
    book: str
    rounded: bool = False
    model: str = ""
    factors: tuple[tuple[str, Decimal], ...] = ()
    contract: str = ""


class Cost(Struct, frozen=True, gc=False):
    """The money of one attempt.

    Attributes:
        lines: One per meter in use, and what a provider's own figure differs by; they add up to
            the total. Empty where there is none: part of a cost is no cost.
        status: What is known.
        total: The sum of the lines; None if unpriced or pending: unknown is never zero.
        currency: ISO 4217.
        book: Version of the price book.
        reason: Exactly what is missing, where our rows give no figure.
    """

    lines: tuple[CostLine, ...]
    status: CostStatus
    total: Decimal | None
    currency: str
    book: str
    reason: str | None = None


class Bounds(Struct, frozen=True, gc=False):
    """The least and the most that something can cost; `high` None: no finite bound is known."""

    low: Decimal
    high: Decimal | None
    currency: str = "USD"
