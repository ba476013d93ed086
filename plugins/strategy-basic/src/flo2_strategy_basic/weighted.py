"""Share calls among targets by weight. Pure: luck comes from `view.rng`. Imports: flo2."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import ge

from flo2 import Candidate, Inbound, Plan, RouteView, Services
from flo2_strategy_basic.ordering import in_turn, name, rested

__all__ = ["Weighted"]

_UNSAID = Decimal(1)


class Weighted:
    """Draw a target by weight; the others follow as fallback, drawn the same way.

    A target without a weight counts 1; one of weight 0 is fallback only.
    """

    kind: ClassVar[str] = "weighted"

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
        drawn, last = _draw(working, view.rng), _draw(resting, view.rng)
        first = (drawn or last)[0]
        total = sum((_weight(c) for c in drawn or last), Decimal(0))
        why = f"{name(first)} was drawn with weight {_weight(first)} of {total}"
        return in_turn(drawn, last, why, retries=self.config.retries)


def _weight(candidate: Candidate) -> Decimal:
    return _UNSAID if candidate.weight is None else max(candidate.weight, Decimal(0))


def _draw(candidates: Sequence[Candidate], rng: Random) -> list[Candidate]:
    """Order by repeated draws without putting back; weightless ones keep their order, at the end.

    `rng.random() < 1`, so the last share is never overrun by more than the rounding of floats.
    """
    left = [candidate for candidate in candidates if _weight(candidate)]
    order: list[Candidate] = []
    while left:
        shares = [float(_weight(candidate)) for candidate in left]
        point = rng.random() * sum(shares)
        index = 0
        while index < len(left) - 1 and point >= shares[index]:
            point -= shares[index]
            index += 1
        order.append(left.pop(index))
    return order + [candidate for candidate in candidates if not _weight(candidate)]
