"""Run a `Plan`: try its attempts in order, or at once, and record each one.

Fallback, race and hedge are one mechanism: stages in turn, contenders within a stage staggered by
its delay. Knows nothing about HTTP, prices or providers' formats.
Imports: plan, protocols, attempt, runner, drain.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import anyio
from anyio import get_cancelled_exc_class, move_on_after
from anyio.lowlevel import checkpoint_if_cancelled

from flo2.errors import AllAttemptsFailed, ProviderError, SecretError, WireError
from flo2.executor.attempt import Attempt
from flo2.executor.closing import Failure
from flo2.executor.drain import DrainGroup
from flo2.executor.health import is_callers_fault
from flo2.executor.runner import Finishers, Runner

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from flo2.plan import Candidate, Plan, Stage
    from flo2.records import Outcome, Role

__all__ = ["Executor", "MakeAttempt"]

Sleep = Callable[[float], Awaitable[None]]
_LONGEST_PAUSE_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.5


class MakeAttempt(Protocol):
    """Builds the attempts of one exchange; the gateway knows credentials and dialects."""

    def __call__(self, candidate: Candidate, *, role: Role) -> Attempt:
        """Make the next attempt.

        Raises:
            SecretError: its credential does not open; the next candidate is tried.
        """
        ...

    def outlives(self, candidate: Candidate) -> bool:
        """Say whether leaving early must not stop an attempt (its provider bills to the end)."""
        ...


class Executor:
    """Runs plans; its runners live in the gateway's task group."""

    def __init__(self, group: TaskGroup, drains: DrainGroup, *, sleep: Sleep = anyio.sleep) -> None:
        """Keep the group that owns whatever outlives a request."""
        self._group = group
        self._drains = drains
        self._sleep = sleep

    async def run(self, plan: Plan, make: MakeAttempt, *, may_be_gone: bool = True) -> Attempt:
        """Run a plan until an attempt answers.

        Args:
            plan: What to try.
            make: Makes the attempts.
            may_be_gone: The caller may be cancelled already, or while it waits: it asks for a
                stream. If it is already, nothing is begun.

        Returns:
            The winning attempt, open at its first content (a stream) or read whole. The caller
            owns it and ends it with `finish` and `close`, or gives it to the drain group.

        Raises:
            AllAttemptsFailed: none answered; each is in the ledger.
            RefusedCall: the request itself cannot be sent.
            StoreError: the ledger cannot be written; nothing more was sent.
        """
        if may_be_gone:
            await checkpoint_if_cancelled()
        first = plan.stages[0]
        if len(plan.stages) == 1 and first.retries == 0 and len(first.candidates) == 1:
            # A plan of one attempt is what most calls are; as `_Course.tries` would run it.
            only = first.candidates[0]
            if not (may_be_gone and make.outlives(only)):
                failure: Failure
                try:
                    attempt = make(only, role="primary")
                    await attempt.open(hold=False)
                except SecretError as exc:
                    failure = _unusable(only, exc)
                except (ProviderError, WireError) as exc:
                    failure = exc
                else:
                    return attempt
                # Out here: the gateway raises the failure from it, so it is no cause of its own.
                raise AllAttemptsFailed([failure])
        course = _Course(make, self._sleep)
        for number, stage in enumerate(plan.stages):
            only = stage.candidates[0]
            course.last = number == len(plan.stages) - 1 and len(stage.candidates) == 1
            if len(stage.candidates) > 1 or make.outlives(only):
                won = await self._at_once(stage, course, first=number == 0)
            else:
                won = await course.tries(only, stage.retries, "fallback" if number else "primary")
            if won is not None:
                return won
            if course.fault is not None:
                break
        raise AllAttemptsFailed(course.in_order(), course.fault)

    async def _at_once(self, stage: Stage, course: _Course, *, first: bool) -> Attempt | None:
        """Start the candidates together or staggered; the first content wins."""
        finishers = Finishers()
        waiting = list(stage.candidates)
        running: list[Runner] = []
        role: Role = "hedge" if stage.delay_s else ("race" if len(waiting) > 1 else "fallback")
        opening: Role = "primary" if first else role
        outcome: Outcome = "lost"
        try:
            while waiting or running:
                if waiting:
                    tries = partial(course.tries, waiting.pop(0), stage.retries, opening)
                    opening = role
                    running.append(runner := Runner(tries, self._drains, finishers))
                    self._group.start_soon(runner.run)
                    if waiting and stage.delay_s == 0:
                        continue
                with move_on_after(stage.delay_s if waiting else math.inf):
                    runner = await finishers.get()
                    running.remove(runner)
                    if runner.won:
                        return runner.attempt
                    if runner.error is not None:
                        raise runner.error
                    if course.fault is not None:
                        waiting.clear()  # the next one would say the same, and may bill it
        except get_cancelled_exc_class():
            outcome = "disconnected"
            raise
        finally:
            for runner in running:
                if runner.won and runner.attempt is not None and runner.attempt.runner is None:
                    self._drains.dismiss(runner.attempt, outcome)  # it came a moment too late
                else:
                    runner.abandon(outcome)
        return None


class _Course:
    """What one plan has come to so far."""

    def __init__(self, make: MakeAttempt, sleep: Sleep) -> None:
        self.fault: ProviderError | None = None
        """The first failure that is the caller's own: it would be the same everywhere."""
        self.last: bool = False
        """The candidate at hand is the only one left."""
        self._make = make
        self._sleep = sleep
        self._begun = 0
        self._failures: dict[int, Failure] = {}

    def in_order(self) -> list[Failure]:
        """Give the failures in the order their attempts began."""
        return [failure for _, failure in sorted(self._failures.items())]

    async def tries(
        self, candidate: Candidate, retries: int, role: Role, runner: Runner | None = None
    ) -> Attempt | None:
        """Try a candidate, and again as often as the stage says; None: it failed."""
        for count in range(retries + 1):
            self._begun += 1
            number = self._begun
            try:
                attempt = self._make(candidate, role="retry" if count else role)
                if runner is not None:
                    runner.attempt = attempt
                await attempt.open(hold=not self.last or count < retries)
            except SecretError as exc:
                self._failures[number] = _unusable(candidate, exc)
                return None
            except (ProviderError, WireError) as exc:
                self._failures[number] = exc
                if isinstance(exc, ProviderError) and is_callers_fault(exc):
                    self.fault = self.fault or exc
                pause = _pause(exc, count)
                given_up = runner is not None and runner.abandoned is not None
                if count == retries or pause is None or given_up or self.fault is not None:
                    return None
                await self._sleep(pause)
            else:
                return attempt
        return None


def _unusable(candidate: Candidate, exc: SecretError) -> ProviderError:
    """Say that a candidate's credential does not open: nothing was sent, no entry begun."""
    return ProviderError(str(exc), provider=candidate.provider, kind="internal")


def _pause(exc: Failure, tries: int) -> float | None:
    """Say how many seconds to wait before the same candidate is tried again; None: do not.

    What it asked for, else 0.5, 1, 2 …. One that asks for more than we wait would say no again.
    """
    if not exc.retryable:
        return None
    asked = exc.retry_after_s if isinstance(exc, ProviderError) else None
    if asked is None:
        return min(_FIRST_PAUSE_S * 2.0 ** min(tries, 10), _LONGEST_PAUSE_S)
    return max(asked, 0.0) if asked <= _LONGEST_PAUSE_S else None
