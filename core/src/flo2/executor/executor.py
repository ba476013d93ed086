"""Run a `Plan`: try its attempts in order, or at once, and record each one.

Fallback, race and hedge are one mechanism: stages in turn, contenders within a stage staggered by
its delay. Knows nothing about HTTP, prices or providers' formats.
Imports: plan, protocols, attempt, drain.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

import anyio
from anyio import CancelScope, WouldBlock, create_memory_object_stream, move_on_after

from flo2.errors import AllAttemptsFailed, ProviderError, WireError
from flo2.executor.attempt import Attempt
from flo2.executor.drain import DrainGroup

if TYPE_CHECKING:
    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from flo2.plan import Candidate, Plan, Stage
    from flo2.records import Role

__all__ = ["Executor", "MakeAttempt"]

Failure = ProviderError | WireError
Sleep = Callable[[float], Awaitable[None]]
_CALLERS_FAULT = frozenset({"invalid_request", "too_large"})
_RETRY_WAIT_S = 10.0


class MakeAttempt(Protocol):
    """Builds the attempt for a candidate; the gateway knows credentials and dialects."""

    def __call__(self, candidate: Candidate, *, role: Role) -> Attempt:
        """Make the next attempt of this exchange."""
        ...


class _Contender:
    """One attempt of a race, with the scope that can stop it."""

    __slots__ = ("attempt", "scope")

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.scope = CancelScope()

    def lose(self, drain_s: float) -> None:
        """Give up on it: stop it where that stops the bill, else let it run out, bounded."""
        self.attempt.lost = True
        if self.attempt.facts.cancel_semantics == "stops":
            self.scope.cancel()
        else:
            self.scope.deadline = anyio.current_time() + drain_s


class Executor:
    """Runs plans; its racing tasks live in the gateway's task group."""

    def __init__(
        self, group: TaskGroup, drains: DrainGroup, *, drain_s: float, sleep: Sleep = anyio.sleep
    ) -> None:
        """Keep the group that owns whatever outlives a request."""
        self._group = group
        self._drains = drains
        self._drain_s = drain_s
        self._sleep = sleep

    async def run(self, plan: Plan, make: MakeAttempt) -> Attempt:
        """Run a plan until an attempt answers.

        Returns:
            The winning attempt, open at its first content (a stream) or read whole. The caller
            owns it and ends it with `finish` and `close`, or gives it to the drain group.

        Raises:
            AllAttemptsFailed: none answered; each is in the ledger.
            StoreError: the ledger cannot be written; nothing more was sent.
        """
        failures: list[Failure] = []
        for number, stage in enumerate(plan.stages):
            if len(stage.candidates) == 1 and not self._must_outlive(stage, make):
                won = await self._in_turn(stage, make, failures, first=number == 0)
            else:
                won = await self._at_once(stage, make, failures, first=number == 0)
            if won is not None:
                return won
            if _is_callers_fault(failures[-1]):
                break
        raise AllAttemptsFailed(failures)

    def _must_outlive(self, stage: Stage, make: MakeAttempt) -> bool:
        """Whether leaving early must not stop it (its provider bills to the end regardless)."""
        outlives = getattr(make, "outlives", None)
        return bool(outlives and outlives(stage.candidates[0]))

    async def _in_turn(
        self, stage: Stage, make: MakeAttempt, failures: list[Failure], *, first: bool
    ) -> Attempt | None:
        """Try the one candidate, and again as often as the stage says; no task is made for it."""
        candidate = stage.candidates[0]
        for tries in range(stage.retries + 1):
            role: Role = "retry" if tries else ("primary" if first else "fallback")
            attempt = make(candidate, role=role)
            try:
                await attempt.open()
            except (ProviderError, WireError) as exc:
                failures.append(exc)
                if not exc.retryable:
                    return None
                if tries < stage.retries:
                    await self._sleep(_pause(exc, tries))
            else:
                return attempt
        return None

    async def _at_once(
        self, stage: Stage, make: MakeAttempt, failures: list[Failure], *, first: bool
    ) -> Attempt | None:
        """Start the candidates together or staggered; the first content wins."""
        send, receive = create_memory_object_stream[tuple[_Contender, Failure | None]](
            len(stage.candidates)
        )
        waiting = list(stage.candidates)
        running: list[_Contender] = []
        winner: Attempt | None = None
        role: Role = "hedge" if stage.delay_s else ("race" if len(waiting) > 1 else "fallback")
        try:
            while waiting or running:
                if waiting:
                    opening = "primary" if first and not running and not failures else role
                    contender = _Contender(make(waiting.pop(0), role=opening))
                    running.append(contender)
                    self._group.start_soon(self._contend, contender, send)
                    if waiting and stage.delay_s == 0:
                        continue
                pause = stage.delay_s if waiting else math.inf
                with move_on_after(pause):
                    contender, failure = await receive.receive()
                    running.remove(contender)
                    if failure is None:
                        winner = contender.attempt
                        return winner
                    failures.append(failure)
                    if _is_callers_fault(failure) and not running:
                        return None
            return None
        finally:
            self._settle_losers(running, receive, winner)

    def _settle_losers(
        self,
        running: list[_Contender],
        receive: MemoryObjectReceiveStream[tuple[_Contender, Failure | None]],
        winner: Attempt | None,
    ) -> None:
        """Stop or drain whoever is still running, and whoever finished a moment too late."""
        for contender in running:
            contender.lose(self._drain_s)
        while True:
            try:
                contender, failure = receive.receive_nowait()
            except (WouldBlock, anyio.EndOfStream):
                break
            if failure is None and contender.attempt is not winner:
                self._group.start_soon(self._drains.take, contender.attempt, "lost")
        receive.close()

    async def _contend(
        self,
        contender: _Contender,
        send: MemoryObjectSendStream[tuple[_Contender, Failure | None]],
    ) -> None:
        """Open one contender in the gateway's group, and report; a loser is read on or closed."""
        attempt, failure = contender.attempt, None
        with contender.scope:
            try:
                await attempt.open()
            except (ProviderError, WireError) as exc:
                failure = exc
            if not attempt.lost:
                try:
                    send.send_nowait((contender, failure))
                except anyio.BrokenResourceError:
                    attempt.lost = True
            if attempt.lost and failure is None:
                await self._drains.take(attempt, "lost")


def _is_callers_fault(failure: Failure) -> bool:
    return isinstance(failure, ProviderError) and failure.kind in _CALLERS_FAULT


def _pause(exc: Failure, tries: int) -> float:
    """Seconds before the same candidate is tried again: what it asked for, else 0.5, 1, 2 …."""
    asked = exc.retry_after_s if isinstance(exc, ProviderError) else None
    return min(asked if asked is not None else 0.5 * 2**tries, _RETRY_WAIT_S)
