"""Price what an entry used once more: the same meters, in the same circumstances.

Pure. Imports: canonical, prices, records, instants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flo2.canonical import SubUsage, Usage
from flo2.canonical.charge import Charge
from flo2.instants import instant
from flo2.prices import Cost, PricingContext
from flo2.prices.charged import charged
from flo2.records import Intent, Settle

__all__ = ["NO_CALLS", "Pricer", "as_charged", "context_of", "usage_of"]

NO_CALLS: Final = frozenset({"cache_hit", "fee"})
"""Roles of entries that no price bears on: answered from the cache, or owed without a call."""

Pricer = Callable[[Usage, PricingContext], Cost]
"""Prices a usage; handed the entries of one account in the order they began."""


def usage_of(settle: Settle) -> Usage:
    """Give the meters of an attempt as they were read, those of other models inside it too."""
    return Usage(
        settle.meters,
        context=settle.context,
        subcalls=tuple(SubUsage(sub.model, "", sub.meters, {}) for sub in settle.subcalls),
    )


def context_of(intent: Intent, settle: Settle) -> PricingContext:
    """Give the circumstances in which an attempt was priced."""
    return PricingContext(
        intent.provider_kind,
        intent.api,
        intent.model,
        settle.model_billed or intent.model,
        instant(intent.started_us),
        settle.context,
    )


def as_charged(cost: Cost, settle: Settle) -> Cost:
    """Let the provider's own charge stand where it stated one; our lines are beside it."""
    if settle.reported_total is None:
        return cost
    return charged(cost, Charge(settle.reported_total, settle.currency))
