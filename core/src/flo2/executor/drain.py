"""The gateway's drain group: attempts nobody waits for any more, read to their end.

Where closing a connection does not stop the bill, a lost or abandoned answer is read on, so that
its usage becomes known and is settled exactly. Bounded in number, bytes and seconds; what is cut
off by a bound is `pending`. Imports: attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import CancelScope, Event, move_on_after
from attrs import frozen

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from flo2.executor.attempt import Attempt
    from flo2.records import Outcome

__all__ = ["DrainGroup", "DrainLimits"]


@frozen
class DrainLimits:
    """How much abandoned work is read on.

    Attributes:
        number: Most attempts at once; one more is closed at once.
        seconds: Longest for each.
        bytes: Most of each answer.
    """

    number: int = 256
    seconds: float = 300.0
    bytes: int = 64 << 20


class DrainGroup:
    """Owns abandoned attempts; its tasks live in the gateway's own task group."""

    def __init__(self, group: TaskGroup, limits: DrainLimits) -> None:
        """Begin empty."""
        self._group = group
        self._limits = limits
        self._running: set[CancelScope] = set()
        self._idle = Event()
        self._idle.set()

    @property
    def running(self) -> int:
        """How many are being read."""
        return len(self._running)

    async def take(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take an open attempt over: read it on where that is worth it, else close it now."""
        stops = attempt.facts.cancel_semantics == "stops"
        if stops or len(self._running) >= self._limits.number:
            with CancelScope(shield=True):
                if attempt.reply is not None:
                    attempt.reply.abort()
                attempt.finish(outcome)
                await attempt.close()
            return
        self._group.start_soon(self.read_on, attempt, outcome)

    async def read_on(self, attempt: Attempt, outcome: Outcome) -> None:
        """Read an attempt to its end within the limits, then settle it."""
        with move_on_after(self._limits.seconds) as scope:
            self._running.add(scope)
            self._idle = Event() if self._idle.is_set() else self._idle
            try:
                await attempt.skim(self._limits.bytes)
            finally:
                self._running.discard(scope)
                if not self._running:
                    self._idle.set()
                attempt.finish(outcome)
                await attempt.close()

    async def close(self, grace_s: float) -> None:
        """Wait for the running ones, at most `grace_s`; then cut them off (they become pending)."""
        with move_on_after(grace_s):
            await self._idle.wait()
        for scope in tuple(self._running):
            scope.cancel()
        with move_on_after(5.0):
            await self._idle.wait()
