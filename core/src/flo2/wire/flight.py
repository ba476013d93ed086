"""The course of one request: how far it got, who waits for it, and its deadline.

One `Deadlines` serves a whole `Wire` with a single loop timer: a call changes a number, not a timer
object. Imports: errors.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Literal

from flo2.errors import ReadFailed, WireTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from flo2.errors import WireError
    from flo2.wire.types import Timeouts

__all__ = ["Deadlines", "Flight"]

_READ_TWICE = "this response is already being read by another task"

Phase = Literal["connect", "first_byte", "idle", "total"]


class Flight:
    """One request between `send` and the end of its answer; `Deadlines.begin` makes it.

    Attributes:
        sent_at: When the request began to be written (clock seconds), or None.
        reused: The request went out on a kept-alive connection.
        task: The task that waits for the engine now, or None.
        received: At least one byte of an answer came.
        fresh_only: The engine must open a new connection.
        failure: Why it was interrupted, once it was.
    """

    # Slots, and no struct: it changes several times a piece, which a struct does at a third of the
    # speed (20 ns against 6).
    __slots__ = (
        "_cancelling",
        "_deadlines",
        "_interrupted",
        "_timeouts",
        "_total_due",
        "due",
        "failure",
        "fresh_only",
        "kill",
        "phase",
        "received",
        "reused",
        "sent_at",
        "task",
    )

    def __init__(
        self,
        deadlines: Deadlines,
        timeouts: Timeouts,
        due: float,
        total_due: float,
        task: asyncio.Task[object],
    ) -> None:
        self._deadlines = deadlines
        self._timeouts = timeouts
        self.due: float = due
        self._total_due = total_due
        self.task: asyncio.Task[object] | None = task
        self._cancelling = task.cancelling()
        self._interrupted = False
        self.kill: Callable[[], None] | None = None
        self.failure: WireError | None = None
        self.fresh_only: bool = False
        self.sent_at: float | None = None
        self.received: bool = False
        self.reused: bool = False
        self.phase: Phase = "connect"

    def bound(self) -> None:
        """Keep the deadline of a phase within that of the whole, and see that the timer rings."""
        if self.due >= self._total_due:
            self.phase, self.due = "total", self._total_due
        if self.due < self._deadlines.rings_at:
            self._deadlines.arm(self.due)

    def connecting(self) -> None:
        """Start over, on a new connection; the current task waits for it."""
        self.fresh_only = True
        self.sent_at = None
        self.received = self.reused = False
        self._wait()
        self.phase = "connect"
        self.due = self._deadlines.clock() + self._timeouts.connect_s
        self.bound()

    def connected(self, *, reused: bool) -> None:
        """Note that the request is about to be written: from here on it may be billed."""
        self.reused = reused
        deadlines = self._deadlines
        self.phase = "first_byte"
        self.sent_at = now = deadlines.clock()
        self.due = due = now + self._timeouts.first_byte_s
        if due >= self._total_due or due < deadlines.rings_at:
            self.bound()

    def since_sent(self) -> float:
        """Give the seconds since the request began to be written; 0 before that."""
        return 0.0 if self.sent_at is None else self._deadlines.clock() - self.sent_at

    def _wait(self) -> None:
        """Name the current task as the one that waits, so that it can be interrupted."""
        task = asyncio.current_task()
        if self.task is not None or task is None:
            raise RuntimeError(_READ_TWICE)
        self._cancelling = task.cancelling()
        self.task = task

    def wait_for_piece(self) -> None:
        """Wait with the idle deadline running."""
        task = asyncio.current_task()
        if self.task is not None or task is None:
            raise RuntimeError(_READ_TWICE)
        self._cancelling = task.cancelling()
        self.task = task
        deadlines = self._deadlines
        self.phase = "idle"
        self.due = due = deadlines.clock() + self._timeouts.idle_s
        if due >= self._total_due or due < deadlines.rings_at:
            self.bound()

    def resume(self) -> bool:
        """Stop waiting; only the total deadline runs until somebody waits again.

        Returns:
            True when this flight, and nobody else, interrupted the wait: the caller then raises
            `failure` in place of what came out of the wait.
        """
        task, self.task = self.task, None
        self.phase = "total"
        self.due = self._total_due
        if not self._interrupted or task is None:
            return False
        self._interrupted = False
        # As in asyncio.timeout: when others cancelled the task too, theirs wins.
        return task.uncancel() <= self._cancelling

    def interrupt(self, failure: WireError) -> None:
        """End it now: wake the waiting task with `failure`, or close the quiet connection."""
        if self.failure is not None:
            return
        self.failure = failure
        self.finish()
        if self.task is not None:
            self._interrupted = True
            self.task.cancel()  # on its way out the engine, or the response, closes the connection
        elif self.kill is not None:
            self.kill()

    def expire(self) -> None:
        """Interrupt because the deadline passed."""
        phase = self.phase
        limit = {
            "connect": self._timeouts.connect_s,
            "first_byte": self._timeouts.first_byte_s,
            "idle": self._timeouts.idle_s,
            "total": self._timeouts.total_s,
        }[phase]
        what = {
            "connect": "no connection",
            "first_byte": "no response head",
            "idle": "no further body bytes",
            "total": "not finished",
        }[phase]
        self.interrupt(
            WireTimeout(
                f"{what} within {limit:g} s ({phase}_s)",
                phase=phase,
                sent=self.sent_at is not None or self.fresh_only,  # fresh: it was sent before
            )
        )

    def finish(self) -> None:
        """Watch no deadline any more."""
        self._deadlines.flights.discard(self)


class Deadlines:
    """All running deadlines of a `Wire`, on one timer.

    The timer is set to the earliest known deadline; when it rings, what is due is expired and the
    timer moves on. A deadline that moved later in the meantime costs nothing.

    Args:
        clock: Seconds, monotonic; deadlines and `sent_at` are read from it.

    Attributes:
        flights: Those that are watched; a flight adds and removes itself.
        rings_at: When the timer rings, in clock seconds; infinity while it is not set.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.flights: set[Flight] = set()
        self.rings_at: float = math.inf
        self._handle: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self.flights)

    def begin(self, timeouts: Timeouts) -> Flight:
        """Watch a request from here on; the current task waits for its connection."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is sent by a task, which can be interrupted")
        now = self.clock()
        due, total_s = now + timeouts.connect_s, timeouts.total_s
        total_due = math.inf if total_s is None else now + total_s
        flight = Flight(self, timeouts, due, total_due, task)
        if due >= total_due or due < self.rings_at:
            flight.bound()
        self.flights.add(flight)
        return flight

    def arm(self, due: float) -> None:
        """See to it that the timer rings no later than `due` (clock seconds)."""
        if due < self.rings_at:
            if self._handle is not None:
                self._handle.cancel()
            self.rings_at = due
            loop = asyncio.get_running_loop()
            self._handle = loop.call_later(max(0.0, due - self.clock()), self._ring)

    def _ring(self) -> None:
        self._handle = None
        self.rings_at = math.inf
        now = self.clock()
        for flight in [one for one in self.flights if one.due <= now]:
            flight.expire()
        nearest = min((one.due for one in self.flights), default=math.inf)
        if nearest < math.inf:
            self.arm(nearest)

    def close(self) -> None:
        """Stop the timer and interrupt what still runs."""
        for flight in list(self.flights):
            flight.interrupt(ReadFailed("the wire was closed", sent=flight.sent_at is not None))
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self.rings_at = math.inf
