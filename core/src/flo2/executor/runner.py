"""A runner: a task in the gateway's group that tries one candidate, and outlives the request.

Races have one per candidate. A runner also serves a single candidate whose provider bills to the
end whatever the client does: it reads the answer and hands it on through a feed, so a request that
is cancelled, by whatever means, takes nothing away from the settlement. Imports: attempt, drain.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from anyio import BrokenResourceError, CancelScope, Event, create_memory_object_stream

from flo2.dialects.base import Chunk
from flo2.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from flo2.executor.attempt import Attempt
    from flo2.executor.drain import DrainGroup
    from flo2.records import Outcome

__all__ = ["Finishers", "Runner"]

_AHEAD: Final = 8
"""Chunks that a runner reads ahead of its client."""


class Finishers:
    """The runners that have come to a result, in that order."""

    def __init__(self) -> None:
        """Begin empty."""
        self._runners: deque[Runner] = deque()
        self._more = Event()

    def put(self, runner: Runner) -> None:
        """Add one."""
        self._runners.append(runner)
        self._more.set()

    async def get(self) -> Runner:
        """Wait for the next one; a wait that is cut short takes none away."""
        while not self._runners:
            self._more = Event()
            await self._more.wait()
        return self._runners.popleft()


class Runner:
    """One candidate's attempts, one after the other, until one answers.

    Attributes:
        attempt: The newest one.
        won: It answers; `attempt` is open at its first content or read whole.
        error: What stopped the runner and is not an attempt's failure, or None.
    """

    def __init__(
        self,
        tries: Callable[[Runner], Awaitable[Attempt | None]],
        drains: DrainGroup,
        finishers: Finishers,
    ) -> None:
        """Prepare.

        Args:
            tries: Makes and opens attempts, names each to the runner, gives the one that answers.
            drains: Says whether an abandoned attempt is read on.
            finishers: Where the result is told.
        """
        self.attempt: Attempt | None = None
        self.won: bool = False
        self.error: Exception | None = None
        self.abandoned: Outcome | None = None
        self._tries = tries
        self._drains = drains
        self._finishers = finishers
        self._scope = CancelScope()
        self._told = False
        self._over = False
        self._send: MemoryObjectSendStream[Chunk] | None = None
        self._feed: MemoryObjectReceiveStream[Chunk] | None = None

    @property
    def feed(self) -> MemoryObjectReceiveStream[Chunk]:
        """What it reads for the request, once it has won and says so in `attempt.runner`."""
        assert self._feed is not None  # noqa: S101  # `attempt.runner` is set together with it
        return self._feed

    async def run(self) -> None:
        """Run to the result, and on to the end of the answer where it has to; never raises."""
        try:
            with self._scope:
                if self.abandoned is None:
                    await self._run()
        finally:  # also when the whole group is cancelled: somebody may wait for the result
            if not self._told:
                self.error = Unavailable("flo2 is shutting down", code="gateway_stopping")
                self._tell()
            if self._send is not None:
                self._send.close()
            self._over = True
            try:
                await self._end()
            finally:
                self._drains.leave(self._scope)

    async def _run(self) -> None:
        try:
            attempt = await self._tries(self)
        except Exception as exc:  # the request raises it; here it would end the gateway  # noqa: BLE001
            self.error = exc
            self._tell()
            return
        if attempt is None:
            self._tell()
            return
        self.won = True
        if self.abandoned is None and (
            attempt.exhausted or attempt.facts.cancel_semantics == "stops"
        ):
            self._tell()  # whoever asked reads and ends it
        elif self.abandoned is None:
            self._send, self._feed = create_memory_object_stream[Chunk](_AHEAD)
            attempt.runner = self
            self._tell()
            await self._read(attempt, self._send)
        else:
            await self._read(attempt, None)

    async def _read(self, attempt: Attempt, send: MemoryObjectSendStream[Chunk] | None) -> None:
        """Read to the end: for the request while it listens, after that for the usage."""
        unheard = 0
        async for chunk in attempt.read_on():
            if send is not None:
                try:
                    await send.send(chunk)
                except BrokenResourceError:
                    send = None
            if send is None:
                unheard += len(chunk.raw)
                if unheard > self._drains.limits.bytes:
                    return

    async def _end(self) -> None:
        attempt = self.attempt
        if attempt is None or not self.won:
            return
        if self.abandoned is not None:
            attempt.finish(self.abandoned)
        if self.abandoned is not None or self._feed is not None:
            await attempt.shut()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._finishers.put(self)

    def abandon(self, outcome: Outcome) -> None:
        """Give it up: stop it where that stops the bill, else let it be read on, bounded.

        Not for an attempt that was handed over: its owner ends that one.
        """
        if self.abandoned is not None:
            return
        self.abandoned = outcome
        attempt = self.attempt
        if self._feed is not None:
            self._feed.close()
        if attempt is None or attempt.ended:
            self._scope.cancel()  # nothing is open; not even one that waits to try again
            return
        attempt.abandoned = outcome
        if self._over:
            attempt.finish(outcome)
        elif not self._drains.admit(attempt, self._scope):
            self._scope.cancel()  # no `abort`: what it raises would count against the provider

    def release(self) -> None:
        """Stop reading an attempt that has ended."""
        if self._feed is not None:
            self._feed.close()
        self._scope.cancel()
