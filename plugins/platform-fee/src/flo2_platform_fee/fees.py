"""From assignments and counts to the lines of a month; exact until each line is rounded once.

Pure. Imports: plans.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

from attrs import frozen

from flo2.contracts.calendar import next_month
from flo2_platform_fee.plans import FeePlan, minor_digits

__all__ = ["ROUNDING", "Assignment", "FeeLine", "Stretch", "fee_lines", "rounded", "stretches"]

ROUNDING: Final = "each line once, to the currency's smallest unit, half up"
_DAY: Final = timedelta(days=1)


@frozen
class Assignment:
    """By which plan an account is charged, and when.

    Attributes:
        since: First day, in the plan's zone.
        until: First day past it; None: no end.
        seats: How many seats are paid for.
    """

    plan: str
    since: date
    until: date | None = None
    seats: int = 0


@frozen
class Stretch:
    """Days of one month under one assignment.

    Attributes:
        until: First day past it.
        trial: These days cost nothing, and nothing is counted in them.
    """

    plan: FeePlan
    since: date
    until: date
    seats: int
    trial: bool

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.until - self.since).days


@frozen
class FeeLine:
    """One line of an invoice.

    Attributes:
        charge: `subscription`, `seats`, `requests` or `active_keys`.
        quantity: Units of it; 1 for a subscription.
        days, of_days: The share of the month that is charged; equal where it is all of it.
        exact: What it comes to before it is rounded.
        amount: What is charged.
    """

    plan: str
    charge: str
    quantity: int
    days: int
    of_days: int
    exact: Fraction
    amount: Decimal


def stretches(
    assignments: Sequence[Assignment], plans: Mapping[str, FeePlan], month: date
) -> list[Stretch]:
    """Cut assignments into what lies in a month, trial and charged days apart.

    A trial begins with the plan's first assignment to the account: to be assigned the same plan
    once more begins no other one.
    """
    end = next_month(month)
    begun: dict[str, date] = {}
    found = []
    for each in sorted(assignments, key=lambda one: one.since):
        plan = plans[each.plan]
        first = begun.setdefault(each.plan, each.since)
        since, until = max(each.since, month), min(each.until or end, end)
        turn = min(max(first + plan.trial_days * _DAY, since), until)
        parts = ((since, turn, True), (turn, until, False))
        found += [Stretch(plan, a, b, each.seats, trial) for a, b, trial in parts if a < b]
    return found


def fee_lines(
    parts: Iterable[Stretch], counts: Mapping[tuple[str, str], int], month: date
) -> list[FeeLine]:
    """Make the lines of a month.

    Stretches of the same plan, and of the same plan and seats, are added up before anything is
    rounded: however a time is split into assignments, it costs the same.

    Args:
        parts: What `stretches` gave.
        counts: Of (plan, meter): units in its charged days.
        month: Its first day.
    """
    whole = (next_month(month) - month).days
    plans: dict[str, FeePlan] = {}
    days: dict[str, int] = {}
    seat_days: dict[tuple[str, int], int] = {}
    for part in parts:
        if part.trial or part.plan.free:
            continue
        name = part.plan.name
        plans[name] = part.plan
        days[name] = days.get(name, 0) + part.days
        seat_days[name, part.seats] = seat_days.get((name, part.seats), 0) + part.days
    lines = []
    for name, plan in sorted(plans.items()):
        if plan.subscription is not None:
            flat = Fraction(plan.subscription)
            lines.append(_line(plan, "subscription", 1, flat, (days[name], whole)))
        if (seats := plan.tariff("seats")) is not None:
            for (of, count), some in sorted(seat_days.items()):
                if of == name and count:
                    lines.append(_line(plan, "seats", count, seats.amount(count), (some, whole)))
        for meter in ("requests", "active_keys"):
            if (tariff := plan.tariff(meter)) is not None:
                units = counts.get((name, meter), 0)
                lines.append(_line(plan, meter, units, tariff.amount(units), (whole, whole)))
    return lines


def rounded(amount: Fraction, currency: str) -> Decimal:
    """Round an amount of 0 or more to the currency's smallest unit, half up."""
    digits = minor_digits(currency)
    units = (amount * 10**digits + Fraction(1, 2)).__floor__()
    return Decimal(f"{units}e-{digits}")


def _line(
    plan: FeePlan, charge: str, quantity: int, whole: Fraction, share: tuple[int, int]
) -> FeeLine:
    days, of_days = share if plan.proration == "day" else (share[1], share[1])
    exact = whole * Fraction(days, of_days)
    amount = rounded(exact, plan.currency)
    return FeeLine(plan.name, charge, quantity, days, of_days, exact, amount)
