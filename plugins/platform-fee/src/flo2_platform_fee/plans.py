"""A fee plan: what the gateway costs a month, by what is counted of it.

Pure. A plan has no word for tokens or their price, so no fee can depend on them.
Imports: nothing of flo2_platform_fee.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from attrs import frozen

from flo2.contracts.fields import Fields, Problems
from flo2.errors import ConfigError
from flo2.money import text

__all__ = ["METERS", "FeePlan", "Step", "Tariff", "minor_digits", "read_plan"]

Meter = Literal["seats", "requests", "active_keys"]
METERS: Final[tuple[Meter, ...]] = ("seats", "requests", "active_keys")
_PLAN_KEYS: Final = ("currency", "zone", "free", "subscription", "proration", "trial_days", *METERS)
_MOST: Final = Decimal(10**12)
_MAX_TRIAL: Final = 366
_CODE_LENGTH: Final = 3
# ISO 4217: currencies whose minor unit is no hundredth.
_WHOLE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS: Final = "BHD IQD JOD KWD LYD OMR TND"


def minor_digits(currency: str) -> int:
    """Give how many digits a currency's cents have."""
    if currency in _WHOLE.split():
        return 0
    return 3 if currency in _THOUSANDTHS.split() else 2


@frozen
class Step:
    """From which count on a price holds.

    Attributes:
        over: It holds for units past this many.
        price: Of `Tariff.per` units.
    """

    over: int
    price: Decimal


@frozen
class Tariff:
    """What units of one meter cost a month.

    Attributes:
        mode: `graduated`: each unit at the price of the step it lies in; `volume`: all of them at
            the price of the step that the last one lies in.
        steps: In rising order; the first begins at 0.
        per: Units that a price is for.
    """

    meter: Meter
    mode: Literal["graduated", "volume"]
    steps: tuple[Step, ...]
    per: int = 1

    def amount(self, units: int) -> Fraction:
        """Give what a count costs, exactly."""
        if units < 0:
            raise ValueError(f"{units} {self.meter} cannot be counted")
        if self.mode == "volume":
            reached = [step for step in self.steps if step.over < units] or self.steps[:1]
            return Fraction(units) * Fraction(reached[-1].price) / self.per
        ends = [step.over for step in self.steps[1:]] + [units]
        return sum(
            (
                Fraction(max(min(units, end) - step.over, 0)) * Fraction(step.price) / self.per
                for step, end in zip(self.steps, ends, strict=True)
            ),
            Fraction(0),
        )


@frozen
class FeePlan:
    """What an account may be charged by.

    Attributes:
        currency: ISO 4217 code of every amount in it.
        zone: Where its days and months begin.
        free: It charges nothing, and says so: a beta.
        subscription: A flat amount a month, or None.
        proration: `day`: a month that is charged in part costs its days' share of subscription and
            seats; `whole`: all of it. What is counted (requests, active keys) has no share.
        trial_days: Days from the plan's first assignment to an account that cost nothing.
        document: What it was read from, as JSON values.
    """

    name: str
    currency: str
    zone: str
    free: bool
    subscription: Decimal | None
    proration: Literal["day", "whole"]
    trial_days: int
    tariffs: tuple[Tariff, ...]
    document: Mapping[str, Any]

    def tariff(self, meter: str) -> Tariff | None:
        """Give the tariff of a meter, or None."""
        return next((each for each in self.tariffs if each.meter == meter), None)


def read_plan(name: str, document: Mapping[str, Any]) -> FeePlan:
    """Read a plan.

    Raises:
        ConfigError: with everything that is wrong with it, each with its path.
    """
    problems = Problems(f"fee plan {name!r}")
    if not name or not name.isprintable() or "/" in name:
        problems.add("name", f"{name!r} is no name; use letters, digits and dashes")
    fields = Fields(document, "", problems, _PLAN_KEYS)
    currency = fields.text("currency", "USD")
    if len(currency) != _CODE_LENGTH or not (currency.isascii() and currency.isupper()):
        fields.bad("currency", f"{currency!r} is no currency code; write it like 'USD'")
    zone = fields.text("zone", "UTC")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        if zone != "UTC":  # a system without a database of zones knows UTC all the same
            fields.bad("zone", f"{zone!r} is no time zone; write it like 'Europe/Berlin'")
    free = fields.flag("free")
    subscription = fields.number("subscription", most=_MOST) if fields.has("subscription") else None
    tariffs = tuple(
        _tariff(meter, document[meter], problems) for meter in METERS if fields.has(meter)
    )
    trial = fields.whole("trial_days", 0, least=0)
    if trial > _MAX_TRIAL:
        fields.bad("trial_days", f"{trial} is more than {_MAX_TRIAL}; a plan may be free instead")
    charges = subscription is not None or bool(tariffs)
    if free and charges:
        fields.bad("free", "a free plan charges nothing: leave out its prices, or free")
    if free and trial:
        fields.bad("trial_days", "a free plan needs no trial")
    if not free and not charges:
        fields.bad("", "it charges nothing: give it a price, or say free = true")
    proration = fields.choice("proration", ("day", "whole"), "day")
    if problems.found:
        raise ConfigError(problems.found)
    shown = _document(currency, zone, proration, trial, subscription, tariffs, free=free)
    return FeePlan(name, currency, zone, free, subscription, proration, trial, tariffs, shown)


def _tariff(meter: Meter, table: object, problems: Problems) -> Tariff:
    fields = Fields(table, meter, problems, ("price", "per", "mode", "steps"))
    mode = fields.choice("mode", ("graduated", "volume"), "graduated")
    per = fields.whole("per", 1, least=1)
    if fields.has("price") == fields.has("steps"):
        fields.bad("price", "give either one price or steps, not both and not neither")
        return Tariff(meter, mode, (Step(0, Decimal(0)),), per)
    if fields.has("price"):
        return Tariff(meter, mode, (Step(0, fields.number("price", most=_MOST)),), per)
    steps = []
    for each, path in fields.tables("steps"):
        step = Fields(each, path, problems, ("over", "price"))
        steps.append(Step(step.whole("over", 0, least=0), step.number("price", most=_MOST)))
    if not steps or steps[0].over != 0:
        fields.bad("steps", "the first step must be over 0, so that every unit has a price")
    if any(earlier.over >= later.over for earlier, later in pairwise(steps)):
        fields.bad("steps", "each step must begin over more units than the one before")
    return Tariff(meter, mode, tuple(steps) or (Step(0, Decimal(0)),), per)


def _document(  # the plan's own fields
    currency: str,
    zone: str,
    proration: str,
    trial: int,
    subscription: Decimal | None,
    tariffs: tuple[Tariff, ...],
    *,
    free: bool,
) -> dict[str, Any]:
    """Write a plan in its one form, so that equal plans have equal documents."""
    found: dict[str, Any] = {"currency": currency, "zone": zone}
    if free:
        return found | {"free": True}
    found |= {"proration": proration, "trial_days": trial}
    if subscription is not None:
        found["subscription"] = text(subscription)
    for each in tariffs:
        steps = [{"over": step.over, "price": text(step.price)} for step in each.steps]
        found[each.meter] = {"mode": each.mode, "per": each.per, "steps": steps}
    return found
