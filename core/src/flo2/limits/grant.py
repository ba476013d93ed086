"""What the limits gave to one call, and how it is trued up.

Imports: admission, counters, reserve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flo2.admission import Terms
from flo2.limits.counters import Counter
from flo2.limits.reserve import Need, Target, target_of, used
from flo2.limits.spec import Limit
from flo2.records import Intent, Pend, Settle, Void

__all__ = ["Held", "LimitGrant"]

_NO_TERMS = Terms()


class Held:
    """What is held for a call under one limit."""

    __slots__ = ("_amount", "_began", "_place", "_running", "_shares", "_used", "counter", "limit")

    def __init__(self, limit: Limit, counter: Counter, place: int, need: Need) -> None:
        """Keep it; `place` is where the counter counts it."""
        self.limit: Limit = limit
        self.counter: Counter = counter
        self._place = place
        self._amount = need.total
        self._shares: Mapping[Target, int] | None = need.shares
        self._running: dict[str, int] = {}
        self._used = 0
        self._began = False

    def begun(self, intent: Intent) -> None:
        """Note an attempt, if it counts here."""
        share = 1 if self._shares is None else self._shares.get(target_of(intent))
        if share is not None:
            self._began = True
            self._running[intent.entry_id] = share

    def ended(self, intent: Intent, end: Settle | Pend | Void) -> None:
        """Note what an attempt has used."""
        share = self._running.pop(intent.entry_id, None)
        if share is not None and self.limit.unit not in {"requests", "parallel"}:
            self._used += used(self.limit, end, share)

    def true_up(self) -> None:
        """Give back what is neither used nor held for an attempt that runs; take what is more."""
        match self.limit.unit:
            case "requests":
                amount = int(self._began)
            case "parallel":
                amount = int(bool(self._running))
            case _:
                amount = self._used + sum(self._running.values())
        if amount != self._amount:
            self.counter.put_back(self._place, self._amount - amount)
            self._amount = amount


class LimitGrant:
    """All that is held for a call."""

    __slots__ = ("_closed", "_held", "headers")

    def __init__(self, held: Sequence[Held], headers: Mapping[str, str]) -> None:
        """Keep it, and what the client is told."""
        self.headers: Mapping[str, str] = headers
        self._held = held
        self._closed = False

    @property
    def terms(self) -> Terms:
        """Nothing: limits stand in no record."""
        return _NO_TERMS

    def begun(self, intent: Intent) -> None:
        """Note an attempt."""
        for each in self._held:
            each.begun(intent)

    def ended(self, intent: Intent, end: Settle | Pend | Void) -> None:
        """Note how an attempt has ended."""
        for each in self._held:
            each.ended(intent, end)
            if self._closed:
                each.true_up()

    def closed(self) -> None:
        """Give back what no attempt will need."""
        if not self._closed:
            self._closed = True
            for each in self._held:
                each.true_up()
