"""What terms of a period see of a call: its lines, and a share of one. Pure. Imports: money."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from attrs import evolve, field, frozen

from flo2.money import ZERO, add, divide, multiply, subtract

__all__ = ["Called", "Part", "shares"]


@frozen
class Part:
    """A cost line, or what is left of one.

    Attributes:
        quantity: Units that are still to be paid.
        amount: Their cost so far.
        listed: Their cost at list price.
    """

    provider: str
    model: str
    meter: str
    quantity: int | Decimal
    amount: Decimal
    listed: Decimal
    context: Mapping[str, str] = field(factory=dict)

    def less(self, quantity: Decimal) -> Part:
        """Give the part without the first units of it."""
        if quantity >= self.quantity:
            return evolve(self, quantity=0, amount=ZERO, listed=ZERO)
        return evolve(
            self,
            quantity=subtract(self.quantity, quantity),
            amount=subtract(self.amount, _share(self.amount, quantity, self.quantity)),
            listed=subtract(self.listed, _share(self.listed, quantity, self.quantity)),
        )


@frozen
class Called:
    """A call that has a cost."""

    entry_id: str
    at: datetime
    parts: tuple[Part, ...]


def shares(amount: Decimal, parts: Iterable[Decimal], whole: int | Decimal) -> Iterator[Decimal]:
    """Share an amount out by quantity; the shares of all parts together are all of it.

    Each is what the amount of all up to it exceeds that of all before it by, so a quotient that
    does not end makes no share of the last digit disappear.
    """
    done, before = ZERO, ZERO
    for part in parts:
        done = add(done, part)
        upto = _share(amount, done, whole)
        yield subtract(upto, before)
        before = upto


def _share(amount: Decimal, part: int | Decimal, whole: int | Decimal) -> Decimal:
    return amount if part == whole else divide(multiply(amount, part), whole)[0]
