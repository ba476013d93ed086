"""What past calls would have cost under other conditions.

It answers from what the ledger knows and no more: the same calls, the same tokens. What a condition
does not bear on costs what it did; `Scenario.assumptions` says what has to be believed besides.
Pure. Imports: canonical, ledger, money, prices, records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_FLOOR, Decimal
from fnmatch import fnmatchcase
from typing import Final

from attrs import evolve, frozen
from msgspec.structs import replace

from flo2.canonical import Usage
from flo2.ledger import Adjusted
from flo2.money import ZERO, add, multiply, text
from flo2.prices import Cost, PricingContext
from flo2.records import Settle
from flo2.repricing.compare import Compared
from flo2.repricing.replay import NO_CALLS, Pricer, context_of, usage_of

__all__ = ["Model", "Scenario"]

_ONE: Final = Decimal(1)
_BATCH: Final = {"processing": "batch"}
_FRESH: Final[Mapping[str, str]] = {
    "cache_read_tokens": "input_tokens",
    "cache_read_audio_tokens": "input_audio_tokens",
    "cache_read_image_tokens": "input_image_tokens",
    "cache_write_tokens": "input_tokens",
    "cache_write_5m_tokens": "input_tokens",
    "cache_write_1h_tokens": "input_tokens",
    "cache_write_12h_tokens": "input_tokens",
}
"""A meter of the provider's cache → the meter that the same tokens are without one."""


@frozen
class Model:
    """A model to price by: the provider whose prices apply, and the model's name there."""

    provider: str
    name: str


@frozen
class Scenario:
    """Other conditions; each one that is given applies, in the order of the attributes.

    Attributes:
        price: By the book of the scenario.
        own_rows: Ids of the price rows that are the scenario's own: what one of them prices is
            priced anew.
        models: Pattern of `provider/model` as called → the model in its place; the first that fits.
        cached: Nothing is read from or written to the provider's cache (0), or this share of the
            prompt tokens that were not read from it would have been; None: as it was.
        batch: All calls run as a batch.
        fee: A reseller's fee on top, as a share (0.055).
    """

    price: Pricer
    own_rows: frozenset[str] = frozenset()
    models: Mapping[str, Model] | None = None
    cached: Decimal | None = None
    batch: bool = False
    fee: Decimal = ZERO

    def apply(self, adjusted: Adjusted) -> Compared:
        """Say what an entry cost, corrections included, and what it would have."""
        entry, booked = adjusted.entry, adjusted.total
        end = entry.end
        if not isinstance(end, Settle) or entry.intent.role in NO_CALLS:
            return Compared(entry, booked, booked, entry.currency)
        cost, bears, reason = self._cost(adjusted, end)
        currency = end.currency
        if not bears:
            after = booked
            reason = cost.reason if booked is None else reason
        elif cost.total is None:
            after, reason = None, cost.reason
        elif booked is not None and cost.currency != currency:
            after, reason = None, f"priced in {cost.currency}, booked in {currency}"
        else:
            after, currency = cost.total, cost.currency
        if after is not None and self.fee:
            after = multiply(after, add(_ONE, self.fee))
        return Compared(entry, booked, after, currency, reason)

    def _cost(self, adjusted: Adjusted, end: Settle) -> tuple[Cost, bool, str | None]:
        """Price an entry anew; say whether a condition bears on it, or why one does not."""
        intent = adjusted.entry.intent
        usage, context = usage_of(end), context_of(intent, end)
        target = self._instead_of(f"{intent.provider}/{intent.model}")
        if target is not None:
            context = moved(context, target)
        cost = self.price(usage, context)
        if cost.total is None:
            return cost, target is not None, None
        bears = target is not None or any(line.row in self.own_rows for line in cost.lines)
        reason = None
        if self.cached is not None:
            other = _cached(usage, self.cached) if self.cached else _uncached(usage)
            if other is not usage:
                priced = self.price(other, context)
                if priced.total is None:
                    reason = "no price for reading from the cache: left as it is"
                else:
                    usage, cost, bears = other, priced, True
        if self.batch and context.context.get("processing") != "batch":
            priced = self.price(usage, replace(context, context={**context.context, **_BATCH}))
            if priced.total is None:
                reason = "no price for a batch: left as it is"
            else:
                cost, bears = priced, True
        return cost, bears, reason

    def _instead_of(self, called: str) -> Model | None:
        for pattern, model in (self.models or {}).items():
            if fnmatchcase(called, pattern):
                return model
        return None

    def assumptions(self) -> Iterator[str]:
        """Say what has to be believed for the figures to hold."""
        yield "the same calls and tokens; what no condition bears on costs what it did"
        if self.models:
            yield "another model would have used as many tokens of each kind: tokenisers differ"
            yield "at another provider: its standard tier and region"
        if self.cached is not None and not self.cached:
            yield "every token read from or written to a provider's cache is a plain prompt token"
        elif self.cached is not None:
            yield (
                f"{text(multiply(self.cached, 100))} % of the prompt tokens not read from a "
                "provider's cache would have been; the ledger keeps no prompts, so this share is "
                "yours, and what writing to the cache costs is left out"
            )
        if self.batch:
            yield "every one of these calls, streams too, could have waited for a batch"
        if self.fee:
            yield f"a fee of {text(multiply(self.fee, 100))} % on every cost, and no other change"


def moved(context: PricingContext, model: Model) -> PricingContext:
    """Give the circumstances at another model; another provider's tier and region are not known."""
    said = context.context if model.provider == context.provider else {}
    return replace(
        context,
        provider=model.provider,
        model_requested=model.name,
        model_billed=model.name,
        context=said,
    )


def _uncached(usage: Usage) -> Usage:
    if not usage.quantities.keys() & _FRESH.keys():
        return usage
    quantities: dict[str, int | Decimal] = {}
    for meter, quantity in usage.quantities.items():
        fresh = _FRESH.get(meter, meter)
        quantities[fresh] = quantities.get(fresh, 0) + quantity
    return evolve(usage, quantities=quantities)


def _cached(usage: Usage, share: Decimal) -> Usage:
    plain = usage.quantities.get("input_tokens", 0)
    read = int(multiply(Decimal(plain), share).to_integral_value(ROUND_FLOOR))
    if not read:
        return usage
    quantities = dict(usage.quantities)
    quantities["input_tokens"] = plain - read
    quantities["cache_read_tokens"] = quantities.get("cache_read_tokens", 0) + read
    return evolve(usage, quantities=quantities)
