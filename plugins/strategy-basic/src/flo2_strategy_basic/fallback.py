"""Try the targets in the order they are written. Pure. Imports: flo2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import ge

from flo2 import Candidate, Inbound, Plan, RouteView, Services
from flo2_strategy_basic.ordering import in_turn, name, rested

__all__ = ["Fallback"]


class Fallback:
    """The first one that works; the next one when it fails."""

    kind: ClassVar[str] = "fallback"

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
        working, resting = rested(candidates, view)
        order = [*working, *resting]
        others = ", ".join(name(candidate) for candidate in order[1:]) or "nothing else"
        why = f"{name(order[0])} is the first of the route that works; after it: {others}"
        return in_turn(working, resting, why, retries=self.config.retries)
