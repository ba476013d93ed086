"""What a provider itself says that an answer costs.

Pure data. Imports: money.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import frozen

from flo2.money import exact, multiply

__all__ = ["Charge", "charge_of"]


@frozen
class Charge:
    """An amount that the provider stated in its answer; it is what gets booked.

    Attributes:
        amount: Zero or more.
        currency: ISO 4217.
    """

    amount: Decimal
    currency: str = "USD"


def charge_of(value: Any, unit: Decimal = Decimal(1), currency: str = "USD") -> Charge | None:
    """Read a charge as it stands in a usage object; never raises.

    A JSON number with a fraction may have been read as a float by now. Its `repr` is the shortest
    text that reads back as the same float, which is the very text that most encoders of JSON write;
    `dialects.exact_charge` reads it again as a decimal, so that no digit is lost with the others.

    Args:
        value: Text, a whole number, a Decimal or a float.
        unit: What one of it is worth (1e-10 for ticks of which 10^10 are a dollar).
        currency: Of the amount.

    Returns:
        The charge; None when there is none, or no amount of zero or more.
    """
    if value is None or isinstance(value, bool):
        return None
    try:
        amount = multiply(exact(repr(value) if isinstance(value, float) else value), unit)
    except (ArithmeticError, TypeError, ValueError):
        return None
    return Charge(amount, currency) if amount >= 0 else None
