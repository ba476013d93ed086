"""A flo2 strategy that keeps to a price: targets whose worst case is within a limit come first."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

from attrs import frozen

from flo2 import Candidate, Inbound, Plan, Register, RouteView, Services, hookimpl

__all__ = ["Thrifty", "flo2_api", "flo2_register_strategies"]

flo2_api = (1, 0)


class Thrifty:
    """The route's order, but what may cost more than the limit, or nobody knows what, comes last.

    A target that rests after failures comes after all others.
    """

    kind: ClassVar[str] = "thrifty"

    @frozen(kw_only=True)
    class Config:
        """Settings.

        Attributes:
            limit_usd: Most that one call should cost, in USD, as a decimal text.
        """

        limit_usd: str = "0.01"

    def __init__(self, config: Config, services: Services) -> None:
        self._limit = Decimal(config.limit_usd)

    def plan(self, inbound: Inbound, candidates: Sequence[Candidate], view: RouteView) -> Plan:
        """Plan one call; see `flo2.Strategy`."""
        ordered = sorted(
            candidates, key=lambda c: (not view.health(c).available, not self._within(c))
        )
        fits = sum(self._within(candidate) for candidate in candidates)
        why = f"{fits} of {len(candidates)} targets cost at most ${self._limit} for this call"
        return Plan.fallback(ordered, why=why)

    def _within(self, candidate: Candidate) -> bool:
        bounds = candidate.bounds
        return bounds is not None and bounds.high is not None and bounds.high <= self._limit


@hookimpl
def flo2_register_strategies(register: Register) -> None:
    """Register the strategy."""
    register(Thrifty)
