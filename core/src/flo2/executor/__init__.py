"""Run plans. `Executor` tries, `Attempt` is one try, `DrainGroup` reads on what nobody awaits."""

from __future__ import annotations

from flo2.executor.attempt import Attempt
from flo2.executor.booking import Booking
from flo2.executor.drain import DrainGroup, DrainLimits
from flo2.executor.executor import Executor, MakeAttempt
from flo2.executor.health import HealthModel, View
from flo2.executor.tools import Tools

__all__ = [
    "Attempt",
    "Booking",
    "DrainGroup",
    "DrainLimits",
    "Executor",
    "HealthModel",
    "MakeAttempt",
    "Tools",
    "View",
]
