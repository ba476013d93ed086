"""Take the target that has answered fastest. Pure: luck comes from `view.rng`. Imports: flo2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import and_, ge, le

from flo2 import Candidate, Inbound, Plan, RouteView, Services
from flo2_strategy_basic.ordering import in_turn, name, rested

__all__ = ["Fastest"]


class Fastest:
    """The lowest latency first: to the first token for a stream, to the end for a plain answer.

    Targets that were never measured come behind the measured ones. With a small probability
    another target than the fastest goes first, an unmeasured one before all, so that a figure from
    a bad hour does not stand for ever.
    """

    kind: ClassVar[str] = "fastest"

    @frozen(kw_only=True)
    class Config:
        """Settings.

        Attributes:
            explore: Share of calls (0 to 1) that measure another target.
            retries: How often each target is tried again after a failure that may pass.
        """

        explore: float = field(default=0.05, validator=and_(ge(0), le(1)))
        retries: int = field(default=0, validator=ge(0))

    def __init__(self, config: Config, services: Services) -> None:
        self.config = config

    def plan(self, inbound: Inbound, candidates: Sequence[Candidate], view: RouteView) -> Plan:
        """Plan one call; see `flo2.Strategy`."""
        stream = inbound.peek.stream
        times: dict[str, float | None] = {}
        for candidate in candidates:
            latency = view.latency(candidate)
            times[candidate.id] = latency.time_to_first_token_s if stream else latency.total_s
        order = sorted(candidates, key=lambda c: _rank(times[c.id]))
        working, resting = rested(order, view)
        explores = view.rng.random() < self.config.explore
        if explores and len(working) > 1:
            unknown = [c for c in working if times[c.id] is None] or working[1:]
            chosen = unknown[int(view.rng.random() * len(unknown))]
            working = [chosen, *(c for c in working if c is not chosen)]
            why = f"{name(chosen)} is measured again (explore {self.config.explore:g})"
        else:
            why = f"{name([*working, *resting][0])} has answered fastest"
        told = ", ".join(f"{name(c)} {_seconds(times[c.id])}" for c in [*working, *resting])
        return in_turn(working, resting, f"{why}: {told}", retries=self.config.retries)


def _rank(time_s: float | None) -> tuple[bool, float]:
    return (True, 0.0) if time_s is None else (False, time_s)


def _seconds(time_s: float | None) -> str:
    return "not measured" if time_s is None else f"{time_s:.2f} s"
