"""What every attempt of a gateway works with. Imports: ledger, records, booking, health."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import field, frozen

from flo2.executor.alarms import Alarms
from flo2.executor.booking import Booking
from flo2.executor.health import HealthModel
from flo2.records import Exchange, Pend, Settle, Void

if TYPE_CHECKING:
    from flo2.ledger import Ledger

__all__ = ["Tools"]

_log = logging.getLogger("flo2.executor")


@frozen
class Tools:
    """Lent to each attempt.

    Attributes:
        clock: Monotonic seconds.
        now_us: Wall clock, microseconds UTC.
    """

    ledger: Ledger
    booking: Booking
    health: HealthModel
    clock: Callable[[], float]
    now_us: Callable[[], int]
    alarms: Alarms = field(factory=Alarms)

    def write_end(self, end: Settle | Pend | Void, *beside: Exchange) -> Settle | Pend | Void:
        """Write an end record; one that has no JSON form (a plugin's doing) becomes pending.

        Args:
            end: The record.
            beside: What is written with it, in one go.

        Returns:
            The end that was written.
        """
        try:
            self.ledger.end(end, *beside)
            return end
        except (TypeError, ValueError) as exc:
            _log.exception("entry %s cannot be written as it is", end.entry_id)
            reason = f"what the answer told cannot be written down: {type(exc).__name__}"
            pend = Pend(end.entry_id, end.ended_us, end.outcome, reason)
            self.ledger.end(pend, *beside)
            return pend
