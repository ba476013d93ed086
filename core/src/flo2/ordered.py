"""The strategy that is always there: one target after the other.

Pure. Imports: plan, protocols.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from flo2.plan import Candidate, Plan, RouteView
from flo2.protocols import Inbound

if TYPE_CHECKING:
    from flo2.services import Services

__all__ = ["Ordered"]


class Ordered:
    """The strategy that is always there: one after the other, the resting ones last."""

    kind: ClassVar[str] = "ordered"

    @frozen
    class Config:
        """No settings."""

    def __init__(self, config: Config, services: Services) -> None:
        """Keep nothing."""

    def plan(self, inbound: Inbound, candidates: Sequence[Candidate], view: RouteView) -> Plan:
        """Try the candidates as written; those that are cooling down come last."""
        ordered = sorted(candidates, key=lambda c: not view.health(c).available)
        return Plan.fallback(ordered, why="the first of the route's targets that works")
