"""Exact money: one private `Decimal` context, and the few operations that prices need.

Nothing here reads or changes the ambient decimal context, so a host that embeds flo2 may set its
own (genai-prices 0.2.3 gave 18.5185 for 18.51851895 under `prec=6`). Imports: nothing of flo2.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["QUANTUM", "ZERO", "add", "divide", "exact", "multiply", "subtract", "text", "total"]

QUANTUM: Final = Decimal("1e-12")
"""Where a quotient that does not terminate is cut: a millionth of a micro-dollar."""

ZERO: Final = Decimal(0)

# 60 digits hold any sum of products we can meet; losing one is an error, never a rounding. The
# exponents are bounded so that no text grows beyond some 180 characters.
_Operation = Callable[[Decimal | int, Decimal | int], Decimal]
_TRAPS: Final = [Inexact, InvalidOperation, DivisionByZero, Overflow]
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN, Emin=-60, Emax=60, traps=_TRAPS)
# The same without the trap, for the one operation that may round and says so.
_ROUNDING: Final = Context(prec=60, rounding=ROUND_HALF_EVEN, Emin=-60, Emax=60, traps=_TRAPS[1:])
_NUMBER: Final = re.compile(r"-?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


def exact(value: str | int | Decimal) -> Decimal:
    """Take a number as it was written, without losing a digit.

    Args:
        value: Text such as `"0.125"` or `"2.8e-9"`, an int, or a Decimal.

    Raises:
        TypeError: a float or bool: a float has lost the digits that were published.
        ValueError: no finite number, or one beyond 60 digits.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise TypeError(
            f"money from {value!r} ({type(value).__name__}) is refused; pass text, int or Decimal"
        )
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError(f"{value!r} is no decimal number; write it like '0.125'")
    try:
        number = _EXACT.create_decimal(value)
    except (Inexact, InvalidOperation, Overflow) as exc:
        raise ValueError(f"{value!r} does not fit into 60 digits") from exc
    if not number.is_finite():
        raise ValueError(f"{value!r} is not finite")
    return number


# The context's own methods: a function around them would cost more than they do.
multiply: Final[_Operation] = _EXACT.multiply
"""Multiply exactly; raises `decimal.Inexact` past 60 digits."""

add: Final[_Operation] = _EXACT.add
"""Add exactly; raises `decimal.Inexact` past 60 digits."""

subtract: Final[_Operation] = _EXACT.subtract
"""Subtract exactly; `add(a, -b)` is not it: a minus sign rounds as the ambient context says."""


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Add up exactly, in any order the same."""
    result = ZERO
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return result


def divide(a: Decimal | int, b: Decimal | int) -> tuple[Decimal, bool]:
    """Divide; a quotient that does not terminate is cut at 1e-12, half to even.

    Returns:
        The quotient, and whether it was rounded (0.111 / 3600, prices per hour or minute).
    """
    try:
        return _EXACT.divide(a, b), False
    except Inexact:
        return _ROUNDING.quantize(_ROUNDING.divide(a, b), QUANTUM), True


def text(value: Decimal) -> str:
    """Write a number in its one plain form: no exponent, no trailing zeros, no minus zero.

    `Decimal(text(x)) == x`, and equal numbers have equal texts, through JSON, SQL and CSV.
    """
    if not value:
        return "0"
    plain = f"{value:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
