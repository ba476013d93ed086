"""Take the target that costs least for this very call. Pure. Imports: flo2."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import ge

from flo2 import Candidate, Inbound, Plan, RouteView, Services
from flo2_strategy_basic.ordering import dollars, in_turn, name, rested

__all__ = ["Cheapest"]


class Cheapest:
    """The lowest price first, unpriced targets last; at the same price the route's order holds.

    Prices are compared by the most this call may cost, where that is finite for every priced
    target; else (the client set no bound on the answer) by what a call of this size usually costs.
    """

    kind: ClassVar[str] = "cheapest"

    @frozen(kw_only=True)
    class Config:
        """Settings.

        Attributes:
            retries: How often each target is tried again after a failure that may pass.
        """

        retries: int = field(default=0, validator=ge(0))

    def __init__(self, config: Config, services: Services) -> None:
        self.config = config

    def plan(self, inbound: Inbound, candidates: Sequence[Candidate], view: RouteView) -> Plan:
        """Plan one call; see `flo2.Strategy`."""
        priced = [c for c in candidates if c.expected is not None or _most(c) is not None]
        bounded = all(_most(c) is not None for c in priced)
        prices = {c.id: _most(c) if bounded else c.expected for c in candidates}
        order = sorted(candidates, key=lambda c: _rank(prices[c.id]))
        working, resting = rested(order, view)
        first, *others = [*working, *resting]
        what = "at most" if bounded else "usually"
        why = f"{name(first)} costs least for this call: {what} {dollars(prices[first.id])}"
        if prices[first.id] is None:
            why = f"{name(first)}: no target that works has a price"
        if others:
            why += "; " + ", ".join(f"{name(c)} {dollars(prices[c.id])}" for c in others)
        return in_turn(working, resting, why, retries=self.config.retries)


def _most(candidate: Candidate) -> Decimal | None:
    return None if candidate.bounds is None else candidate.bounds.high


def _rank(price: Decimal | None) -> tuple[bool, Decimal]:
    return (True, Decimal(0)) if price is None else (False, price)
