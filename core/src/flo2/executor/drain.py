"""The gateway's drain group: attempts nobody waits for any more, read to their end.

Where closing a connection does not stop the bill, a lost or abandoned answer is read on, so that
its usage becomes known and is settled exactly. Bounded in number, bytes and seconds; what is cut
off by a bound is `pending`. Imports: attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import CancelScope, Event, current_time, move_on_after
from attrs import frozen

from flo2.executor.closing import CLOSE_S, abort

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
    """Bounds what is read on after its request; the runners do the reading."""

    def __init__(self, group: TaskGroup, limits: DrainLimits) -> None:
        """Begin empty.

        Args:
            group: The gateway's own; it outlives every request.
            limits: The bounds.
        """
        self.limits = limits
        self._group = group
        self._running: set[CancelScope] = set()
        self._idle = Event()
        self._closed = False

    @property
    def running(self) -> int:
        """How many are being read."""
        return len(self._running)

    async def take(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take an attempt over whose request is gone: its runner reads it on, or it ends here.

        Returns at once where it is read on, and within seconds otherwise. Safe to call twice.
        """
        if attempt.runner is not None:
            attempt.runner.abandon(outcome)
            return
        attempt.abandoned = attempt.abandoned or outcome
        if attempt.reply is not None and not attempt.exhausted:
            abort(attempt.intent.provider, attempt.reply)
        attempt.finish(outcome)
        with move_on_after(CLOSE_S, shield=True):
            await attempt.shut()

    def dismiss(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take it over, without waiting for its connection to close."""
        attempt.abandoned = outcome
        self._group.start_soon(self.take, attempt, outcome)

    def admit(self, attempt: Attempt, scope: CancelScope) -> bool:
        """Say whether an open attempt is read on, and if so, end `scope` in due time.

        Its reader calls `leave` when it is through.
        """
        if self._closed or attempt.facts.cancel_semantics == "stops":
            return False
        if len(self._running) >= self.limits.number:
            return False
        scope.deadline = current_time() + self.limits.seconds
        self._running.add(scope)
        return True

    def leave(self, scope: CancelScope) -> None:
        """Give a place back; nothing happens when none was taken."""
        self._running.discard(scope)
        if not self._running:
            self._idle.set()

    async def close(self, grace_s: float) -> None:
        """Wait for the running ones, at most `grace_s`; then cut them off (they become pending)."""
        with move_on_after(grace_s):
            await self._until_idle()
        self._closed = True
        for scope in tuple(self._running):
            scope.cancel()
        with move_on_after(3 * CLOSE_S):  # two steps of closing, and some to spare
            await self._until_idle()

    async def _until_idle(self) -> None:
        while self._running:
            self._idle = Event()
            await self._idle.wait()
