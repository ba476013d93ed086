"""A contract as data: what an account has agreed with its providers, every term dated.

Terms of a single call (rates, discounts, capacity) decide its cost lines when it is booked. Terms
of a period (allowances, volume tiers, commitments, credits) depend on all calls of the period and
on their order, so a statement works them out. Pure data. Imports: money, prices, contracts.scope.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from attrs import frozen

from flo2.contracts.scope import Scope, Validity
from flo2.prices.rows import PriceRow

__all__ = [
    "Allowance",
    "Capacity",
    "Commitment",
    "Contract",
    "Credit",
    "Discount",
    "Period",
    "Rate",
    "Stacking",
    "Step",
    "VolumeTiers",
]

Stacking = Literal["multiply", "add", "best_only"]
"""How a discount goes together with those of a lower order.

`multiply`: off what they leave. `add`: neighbours that add are one discount of the sum of their
percentages. `best_only`: it, or all before it together, whichever leaves less to pay."""

Period = Literal["day", "month"]


@frozen
class Rate:
    """A negotiated price.

    Attributes:
        row: In place of the list's rows for its meter, where its context and its time hold.
        models: Names, or patterns as `fnmatch` has them, as they were written.
    """

    row: PriceRow
    models: tuple[str, ...]


@frozen
class Discount:
    """Percent off, or on top.

    Attributes:
        name: Unique in its contract.
        percent: Taken off; negative for a surcharge.
        order: Lower ones come first.
        on: `list`: lines at list price; `rates`: at the contract's own rates; `all`: both.
    """

    name: str
    scope: Scope
    validity: Validity
    percent: Decimal
    order: int = 0
    stacks: Stacking = "multiply"
    on: Literal["list", "rates", "all"] = "list"


@frozen
class Capacity:
    """Provisioned capacity: paid by the hour, so that what runs on it costs nothing by the call.

    Attributes:
        hourly: Of one unit.
        units: How many.
    """

    name: str
    scope: Scope
    validity: Validity
    hourly: Decimal
    units: Decimal = Decimal(1)


@frozen
class Allowance:
    """Units of a meter that are free, the first ones of each period."""

    name: str
    scope: Scope
    validity: Validity
    quantity: Decimal
    period: Period = "month"


@frozen
class Step:
    """A tier: what is past `over` of the count, up to the next step.

    Attributes:
        percent: Taken off; or, for a count of units,
        price: the price of `per` units in place of the call's own, or None.
    """

    over: Decimal
    percent: Decimal = Decimal(0)
    price: Decimal | None = None
    per: int = 1


@frozen
class VolumeTiers:
    """Prices that fall with what is used in a month; the count starts at zero with each month.

    Attributes:
        counts: `units` of the meters in scope, or `amount`: the money of the lines in scope.
        graduated: Each step is for what lies in it; else all of the month is at the step that the
            month's count reaches.
        steps: Ascending; the first one is over 0.
    """

    name: str
    scope: Scope
    validity: Validity
    counts: Literal["units", "amount"]
    graduated: bool
    steps: tuple[Step, ...]


@frozen
class Commitment:
    """Money that is owed whether it is used or not.

    Attributes:
        amount: Of each month, or of its whole validity; what is not used of it is owed
            nevertheless, as a line of its own at the end.
        monthly: It starts anew with each month.
        overage: What is used past it costs as the contract says, or list price.
        upfront: Paid at the beginning of its period, so that drawing on it costs no cash.
    """

    name: str
    scope: Scope
    validity: Validity
    amount: Decimal
    monthly: bool
    overage: Literal["contract", "list"] = "contract"
    upfront: bool = False


@frozen
class Credit:
    """Money that pays for calls in scope; it changes what is paid, not what they cost."""

    name: str
    scope: Scope
    validity: Validity
    amount: Decimal


@frozen
class Contract:
    """One dated version of a contract.

    Attributes:
        name: What the account calls it; versions of one contract share it.
        id: `name@` and the hash of its content: what every line says that it priced.
        validity: It takes the place of earlier versions from its first instant on.
        currency: Of all its money.
        zone: IANA name; where days and months begin.
        source: Where it was agreed.
    """

    name: str
    id: str
    validity: Validity
    currency: str = "USD"
    zone: str = "UTC"
    source: str = ""
    rates: tuple[Rate, ...] = ()
    discounts: tuple[Discount, ...] = ()
    capacity: tuple[Capacity, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    volume_tiers: tuple[VolumeTiers, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    credits: tuple[Credit, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it agrees on nothing: the end of a contract."""
        return not (
            self.rates
            or self.discounts
            or self.capacity
            or self.allowances
            or self.volume_tiers
            or self.commitments
            or self.credits
        )

    def instants(self) -> set[datetime]:
        """Give the instants at which its discounts and its capacity change."""
        found: set[datetime] = set()
        for validity in (
            *(each.validity for each in self.discounts),
            *(each.validity for each in self.capacity),
        ):
            found |= validity.ends()
        return found
