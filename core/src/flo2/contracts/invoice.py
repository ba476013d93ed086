"""A statement as one pays it: line by line, in another currency where a rate is stated.

Nothing is rounded but the sum, once, to the currency's cents. Pure. Imports: contracts.statement.
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from attrs import frozen

from flo2.contracts.statement import Statement
from flo2.errors import CurrencyMismatch
from flo2.money import ZERO, exact, multiply, subtract, total

__all__ = ["ExchangeRate", "Invoice", "InvoiceLine", "make_invoice"]

_CENT: Final = exact("0.01")
_WHOLE: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


@frozen
class ExchangeRate:
    """What one unit of a currency is in another.

    Attributes:
        on: The day it is of.
        source: Who says so: an invoice, a central bank.
    """

    of: str
    currency: str
    rate: Decimal
    on: date
    source: str


@frozen
class InvoiceLine:
    """A line: what for, and how much in the invoice's currency, exactly."""

    text: str
    amount: Decimal


@frozen
class Invoice:
    """Lines and their sum.

    Attributes:
        rate: What the lines were converted by, or None.
    """

    currency: str
    lines: tuple[InvoiceLine, ...]
    rate: ExchangeRate | None = None

    @property
    def exact(self) -> Decimal:
        """The sum of the lines."""
        return total(line.amount for line in self.lines)

    @property
    def due(self) -> Decimal:
        """The same to the cent, half to even."""
        return self.exact.quantize(_CENT, context=_WHOLE)


def make_invoice(statement: Statement, rate: ExchangeRate | None = None) -> Invoice:
    """Write a statement as an invoice.

    Raises:
        CurrencyMismatch: the rate is of another currency than the statement.
    """
    if rate is not None and rate.of != statement.currency:
        raise CurrencyMismatch(
            f"the statement is in {statement.currency!r} and the rate is one of {rate.of!r}; "
            f"state one of {statement.currency!r}"
        )
    factor = exact(1) if rate is None else rate.rate
    said: list[tuple[str, Decimal]] = [("calls", statement.called)]
    said += [(f"{used.kind} {used.name}", used.amount) for used in statement.used if used.amount]
    said += [(f"{fee.kind} {fee.name}", fee.amount) for fee in statement.fees]
    said += [
        (text, amount)
        for text, amount in (
            ("paid upfront", subtract(ZERO, statement.prepaid)),
            ("commitments to be paid upfront", statement.upfront),
            ("credits", subtract(ZERO, statement.credited)),
        )
        if amount
    ]
    lines = tuple(InvoiceLine(text, multiply(amount, factor)) for text, amount in said)
    return Invoice(statement.currency if rate is None else rate.currency, lines, rate)
