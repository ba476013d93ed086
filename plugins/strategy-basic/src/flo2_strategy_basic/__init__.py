"""Fallback, weighted, cheapest and fastest routing, and the two that run candidates at once."""

from __future__ import annotations

from flo2 import Register, hookimpl
from flo2_strategy_basic.cheapest import Cheapest
from flo2_strategy_basic.fallback import Fallback
from flo2_strategy_basic.fastest import Fastest
from flo2_strategy_basic.together import Hedge, Race
from flo2_strategy_basic.weighted import Weighted

__all__ = [
    "Cheapest",
    "Fallback",
    "Fastest",
    "Hedge",
    "Race",
    "Weighted",
    "flo2_api",
    "flo2_register_strategies",
]

flo2_api = (1, 0)


@hookimpl
def flo2_register_strategies(register: Register) -> None:
    """Register the six."""
    for strategy in (Cheapest, Fallback, Fastest, Hedge, Race, Weighted):
        register(strategy)
