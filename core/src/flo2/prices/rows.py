"""A price as it was published: one row per provider, model, meter and condition.

Pure data. Imports: money, prices.schedule.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from attrs import Attribute, evolve, field, frozen

from flo2.errors import PricingError
from flo2.money import text
from flo2.prices.schedule import Schedule

__all__ = ["ABSENT", "Defaults", "Evidence", "PriceRow", "Tier"]

ABSENT: Final = ""
"""The value of a context key that nobody stated."""

Evidence = Literal["published", "derived", "third_party", "contract", "operator", "simulated"]
"""How a row is known.

`published`: stated on the provider's page. `derived`: a published rule applied to a row.
`third_party`: from another project's data. `contract`, `operator`: the operator's own word.
`simulated`: no money is behind it.
"""

Defaults = Mapping[str, Mapping[str, frozenset[str]]]
"""Provider → context key → the values at which list prices hold (`""`: not stated)."""


@frozen
class Tier:
    """Where a price depends on how much is used.

    Attributes:
        start: First count inside. "More than 272 000" is `start=272_001`; "200 000 or more" is
            `start=200_000`.
        stop: First count outside, or None.
        graduated: False: the count is of input tokens, cache included, and all tokens pay the price
            of the tier it lies in. True: the count is of the meter's own units, and only those that
            lie in the tier pay its price.
    """

    start: int = 0
    stop: int | None = None
    graduated: bool = False

    def __attrs_post_init__(self) -> None:
        """Refuse an empty range."""
        if self.start < 0 or (self.stop is not None and self.stop <= self.start):
            raise PricingError(f"tier {self.start}..{self.stop} holds no total; give start < stop")


# Names in any case, as imports write them by the thousand: valid as it stands, and to compile each
# took half the time of loading a book.
_NAMES: Final = re.compile(r"\(\?i:(?:[\w|./:@ -]|\\\W)+\)")


def _positive(_: object, attribute: Attribute[Any], value: Decimal | None) -> None:
    if value is not None and (type(value) is not Decimal or not value.is_finite() or value <= 0):
        raise PricingError(f"{attribute.name} {value!r} must be a Decimal above 0")


def _check_price(_: object, __: object, value: Decimal) -> None:
    if type(value) is not Decimal or not value.is_finite() or value < 0:
        raise PricingError(f"unit_price {value!r} must be a Decimal of 0 or more")


def _utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise PricingError(f"instant {value.isoformat()!r} has no time zone; write it in UTC")
    return value.astimezone(UTC)


@frozen
class PriceRow:
    """One published price.

    Attributes:
        id: Stable name of the row, unique in its source; every cost line carries it.
        provider: The billing provider's name.
        models: Exact model names: the name, its dated ids and its aliases.
        dimension: The meter, as `flo2.canonical.Usage` names it.
        unit_price: As published, for `per` units; never divided in advance.
        per: How many units the price is for (1_000_000 tokens, 1000 searches, 3600 seconds).
        source: Where it was read: a URL, or a package and its version.
        read_on: When it was read.
        evidence: How it is known.
        pattern: A regular expression that a whole model name may match instead, or None. An exact
            name hides patterns.
        currency: ISO 4217.
        when: Context key → values at which the row holds. A key that is not here must have one of
            the provider's default values, so a value nobody knows never prices.
        tier: Counts at which it holds; None: any.
        schedule: Hours of the week at which it holds; None: all. An attempt belongs to the instant
            it began.
        minimum: At least so many units are billed of an attempt that uses any; None: no minimum.
        step: Units are billed in whole steps of so many, rounded up; None: as they are.
        valid_from: First instant, inclusive; None: no start is known.
        valid_until: First instant past it; None: still holds.
    """

    id: str
    provider: str
    models: frozenset[str]
    dimension: str
    unit_price: Decimal = field(validator=_check_price)
    per: int
    source: str
    read_on: date
    evidence: Evidence
    pattern: str | None = None
    currency: str = "USD"
    when: Mapping[str, frozenset[str]] = field(factory=dict)
    tier: Tier | None = None
    valid_from: datetime | None = field(default=None, converter=_utc)
    valid_until: datetime | None = field(default=None, converter=_utc)
    schedule: Schedule | None = None
    minimum: Decimal | None = field(default=None, validator=_positive)
    step: Decimal | None = field(default=None, validator=_positive)

    @property
    def is_plain(self) -> bool:
        """Whether it bills each unit in use, once."""
        return self.minimum is None and self.step is None and not self.is_graduated

    @property
    def is_graduated(self) -> bool:
        """Whether it bills only the units that lie in its tier."""
        return self.tier is not None and self.tier.graduated

    def __attrs_post_init__(self) -> None:
        """Refuse a row that could never match, or match by accident."""
        if not self.models and self.pattern is None:
            raise PricingError(f"row {self.id!r} names no model; give `models` or `pattern`")
        if self.pattern is not None and _NAMES.fullmatch(self.pattern) is None:
            try:
                re.compile(self.pattern)
            except re.error as exc:
                raise PricingError(f"row {self.id!r}: pattern {self.pattern!r}: {exc}") from exc
        if self.per < 1:
            raise PricingError(f"row {self.id!r}: per {self.per!r} must be 1 or more")
        for key, values in self.when.items():
            if not values:
                raise PricingError(f"row {self.id!r}: when.{key} allows no value")
        if self.is_graduated and (self.minimum is not None or self.step is not None):
            raise PricingError(
                f"row {self.id!r}: a graduated tier with a minimum or a step has no one meaning"
            )
        if (
            self.valid_from is not None
            and self.valid_until is not None
            and self.valid_until <= self.valid_from
        ):
            raise PricingError(f"row {self.id!r}: valid_until is not after valid_from")

    def canonical(self) -> str:
        """Write the row in the one form that is hashed; order and spelling of numbers are gone."""
        tier = self.tier
        # What few rows have is written only where it is, so that others keep their form.
        rare: dict[str, object] = {}
        if tier is not None and tier.graduated:
            rare["graduated"] = True
        if self.schedule is not None:
            rare["schedule"] = self.schedule.canonical()
        if self.minimum is not None:
            rare["minimum"] = text(self.minimum)
        if self.step is not None:
            rare["step"] = text(self.step)
        return json.dumps(
            [
                self.id,
                self.provider,
                sorted(self.models),
                self.pattern,
                self.dimension,
                text(self.unit_price),
                self.per,
                self.currency,
                sorted((key, sorted(values)) for key, values in self.when.items()),
                None if tier is None else [tier.start, tier.stop],
                None if self.valid_from is None else self.valid_from.isoformat(),
                None if self.valid_until is None else self.valid_until.isoformat(),
                self.source,
                self.read_on.isoformat(),
                self.evidence,
                *([rare] if rare else []),
            ],
            ensure_ascii=True,
            separators=(",", ":"),
        )

    def circumstances(self) -> str:
        """Write what it asks for besides model and meter: context, tier, hours, time."""
        tier = self.tier
        return json.dumps(
            [
                sorted((key, sorted(values)) for key, values in self.when.items()),
                None if tier is None else [tier.start, tier.stop, tier.graduated],
                None if self.schedule is None else self.schedule.canonical(),
                None if self.valid_from is None else self.valid_from.isoformat(),
                None if self.valid_until is None else self.valid_until.isoformat(),
            ]
        )

    def with_price(self, unit_price: Decimal, per: int) -> PriceRow:
        """Give the same row at another price."""
        return evolve(self, unit_price=unit_price, per=per)
