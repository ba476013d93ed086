"""Run targets at once, and keep the first that gives content. Pure. Imports: flo2.

Every one that was started is billed for what it did; the losers' entries stand beside the winner's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import ge, gt

from flo2 import Candidate, Inbound, Plan, RouteView, Services
from flo2_strategy_basic.ordering import name, rested, together

__all__ = ["Hedge", "Race"]


class Race:
    """Start several targets at the same moment; the first content wins."""

    kind: ClassVar[str] = "race"

    @frozen(kw_only=True)
    class Config:
        """Settings.

        Attributes:
            width: How many run at once; the others of the route are fallback.
        """

        width: int = field(default=2, validator=ge(2))

    def __init__(self, config: Config, services: Services) -> None:
        self.config = config

    def plan(self, inbound: Inbound, candidates: Sequence[Candidate], view: RouteView) -> Plan:
        """Plan one call; see `flo2.Strategy`."""
        at_once, then, resting = _split(candidates, view, self.config.width)
        why = f"{_names(at_once)} run at once, the first content wins; each one started is billed"
        return together(at_once, then, resting, why)


class Hedge:
    """Start one target, and the next one if it gives no content in time."""

    kind: ClassVar[str] = "hedge"

    @frozen(kw_only=True)
    class Config:
        """Settings.

        Attributes:
            delay_s: Seconds without content after which the next target is started as well.
            width: How many may run at once; the others of the route are fallback.
        """

        delay_s: float = field(default=2.0, validator=gt(0))
        width: int = field(default=2, validator=ge(2))

    def __init__(self, config: Config, services: Services) -> None:
        self.config = config

    def plan(self, inbound: Inbound, candidates: Sequence[Candidate], view: RouteView) -> Plan:
        """Plan one call; see `flo2.Strategy`."""
        at_once, then, resting = _split(candidates, view, self.config.width)
        delay_s = self.config.delay_s
        why = f"{_names(at_once)}: the next one starts after {delay_s:g} s without content"
        return together(at_once, then, resting, why, delay_s=delay_s)


def _split(
    candidates: Sequence[Candidate], view: RouteView, width: int
) -> tuple[list[Candidate], list[Candidate], list[Candidate]]:
    """Part into those that run at once, those in turn after them, and (of these) the resting."""
    working, resting = rested(candidates, view)
    if not working:
        return resting[:1], resting[1:], resting
    return working[:width], [*working[width:], *resting], resting


def _names(candidates: Sequence[Candidate]) -> str:
    return ", ".join(name(candidate) for candidate in candidates)
