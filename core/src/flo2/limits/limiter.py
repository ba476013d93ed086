"""Ask all limits of an account before a call begins: all of them have room, or nothing is taken.

Imports: admission, counters, places, reserve, errors.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from flo2.admission import Asked
from flo2.dialects.limit_headers import LimitState, NamesLimits, limit_headers
from flo2.errors import (
    ConfigError,
    InvalidRequest,
    RefusedCall,
    StoreError,
    TooManyRequests,
    Unavailable,
)
from flo2.limits.counters import Counter, Denied, OwnCounter, SharedCounter
from flo2.limits.grant import Held, LimitGrant
from flo2.limits.places import OwnPlaces, SharedPlaces
from flo2.limits.reserve import InputBound, need
from flo2.limits.rule import Rule
from flo2.limits.spec import Limit, read_limit
from flo2.limits.steady import Steady

if TYPE_CHECKING:
    from flo2.limits.shelf import Shelf
    from flo2.services import Services
    from flo2.stored import Declaration

__all__ = ["Limiter"]

_FLUSHED_S: Final = 1.0
_GATHERED_S: Final = 0.02
"""How long places that came free are gathered before the other workers are told of them."""
_FORGOTTEN_US: Final = 2 * 86_400_000_000
_DROPPED_S: Final = 3600.0
_log = logging.getLogger("flo2.limits")


class Limiter:
    """The limits of every account, as one worker keeps them."""

    def __init__(
        self, services: Services, input_bound: InputBound, pepper: bytes, shelf: Shelf | None = None
    ) -> None:
        """Begin with no limits.

        Args:
            services: The clocks.
            input_bound: Bounds a prompt.
            pepper: Keys the digests by which counters of customers and the like are named.
            shelf: Where the workers of a store count together; None: this one is alone.
        """
        self._rules: dict[str, Sequence[Rule]] = {}
        self._problems: dict[str, str] = {}
        self._counters: dict[tuple[str, str], Counter] = {}
        self._writers: dict[str, Callable[[Sequence[LimitState]], Mapping[str, str]]] = {}
        self._services = services
        self._input_bound = input_bound
        self._pepper = pepper
        self._shelf = shelf
        self._steady = Steady(services.now_us, services.clock)
        self._worker = secrets.token_hex(8)  # its name among those that run calls at once
        self._changed = anyio.Event()
        self._told = False

    def configure(self, declared: Mapping[str, Sequence[Declaration]]) -> None:
        """Take over what each account has declared; what was counted goes on counting.

        A limit that cannot be read (edited by hand, or written by a newer flo2) is a reason to let
        none of its account's calls through: nobody knows what it would have allowed.
        """
        self._rules, self._problems = {}, {}
        for account, declarations in declared.items():
            try:
                limits = [read_limit(each) for each in declarations]
            except ConfigError as exc:
                self._problems[account] = str(exc)
            else:
                self._rules[account] = [Rule(limit, self._pepper) for limit in limits]

    async def admit(self, asked: Asked) -> LimitGrant | None:
        """Take of each limit what the call may need.

        Raises:
            TooManyRequests: a limit has not as much.
            InvalidRequest: the call needs more than a limit ever has, or has no bound.
            Unavailable: what others have used cannot be read.
        """
        account = asked.key.account
        if (problem := self._problems.get(account)) is not None:
            msg = f"{problem}; until it is declared anew, this account's calls are refused"
            raise Unavailable(msg, code="limit_unreadable")
        held: list[Held] = []
        pairs: list[tuple[Rule, Counter]] = []
        try:
            for rule in self._rules.get(account, ()):
                if rule.applies(asked):
                    wanted = need(rule.limit, asked, self._input_bound)
                    if wanted is not None and wanted.total:
                        counter = self._counter(rule, asked)
                        place = await self._take(rule, counter, wanted.total, asked)
                        held.append(Held(rule.limit, counter, place, wanted))
                        pairs.append((rule, counter))
        except BaseException as exc:  # refused, or cancelled while it waited for the store
            LimitGrant(held, {}).closed()
            if isinstance(exc, StoreError):
                _log.error("call refused: %s", exc)  # the reason is all there is
                msg = "what other workers have used cannot be read; the server's log says why"
                raise Unavailable(msg, code="limits_unavailable", retry_after_s=1) from exc
            raise
        return LimitGrant(held, self._headers(asked, pairs)) if held else None

    async def _take(self, rule: Rule, counter: Counter, amount: int, asked: Asked) -> int:
        limit = rule.limit
        if amount > limit.amount:
            msg = (
                f"limit {limit.name!r} allows {limit.sentence()}, and this call may use up to "
                f"{limit.told(amount)}; ask for less (max_tokens), or raise the limit"
            )
            raise InvalidRequest(msg, code="above_limit", param="max_tokens")
        place = await counter.take(limit.amount, amount)
        if isinstance(place, Denied):
            raise self._refusal(rule, counter, place, asked, amount)
        return place

    def _counter(self, rule: Rule, asked: Asked) -> Counter:
        key = (rule.limit.account, rule.counter(asked))
        found = self._counters.get(key)
        if found is None:
            found = self._counters[key] = self._make(rule.limit, key[1])
        return found

    def _make(self, limit: Limit, name: str) -> Counter:
        shelf, account = self._shelf, limit.account
        if limit.unit == "parallel":
            if shelf is None:
                return OwnPlaces()
            return SharedPlaces(shelf, account, name, self._worker, self._steady, self._wake)
        if shelf is None:
            return OwnCounter(limit.slot_us, _microseconds(self._services.clock))
        return SharedCounter(shelf, account, name, limit.slot_us, self._steady)

    def _refusal(
        self, rule: Rule, counter: Counter, denied: Denied, asked: Asked, wanted: int
    ) -> RefusedCall:
        limit = rule.limit
        standing = counter.standing(limit.amount)
        wait_s = max(math.ceil(denied.wait_us / 1_000_000), 1)
        need_text = "" if wanted == 1 else f" and this call may need {limit.told(wanted)}"
        msg = (
            f"limit {limit.name!r} allows {limit.sentence()}: {limit.told(standing.free)} left"
            f"{need_text}; try again in {wait_s} s"
        )
        return TooManyRequests(
            msg,
            code="rate_limit_exceeded",
            retry_after_s=wait_s,
            headers=self._headers(asked, [(rule, counter)]),
        )

    def _headers(self, asked: Asked, pairs: Sequence[tuple[Rule, Counter]]) -> Mapping[str, str]:
        """Tell how limits stand; of several of one unit, the one with the least left."""
        now_us = self._services.now_us()
        tightest: dict[str, tuple[float, LimitState]] = {}
        for rule, counter in pairs:
            limit = rule.limit
            standing = counter.standing(limit.amount)
            share = standing.free / limit.amount
            if rule.unit in tightest and tightest[rule.unit][0] <= share:
                continue
            left, reset_us = limit.told(standing.free), standing.reset_us
            tightest[rule.unit] = share, LimitState(rule.unit, rule.amount, left, reset_us, now_us)
        states = [state for _, state in tightest.values()]
        dialect = asked.inbound.dialect
        write = self._writers.get(dialect.name)
        if write is None:  # once: whether it satisfies a protocol takes 20 µs to say
            write = dialect.limit_headers if isinstance(dialect, NamesLimits) else limit_headers
            self._writers[dialect.name] = write
        return write(states)

    # Beside the calls -------------------------------------------------------------------------

    def _wake(self) -> None:
        self._changed.set()

    async def run(self) -> None:
        """Give back to the other workers what this one does not need; until it is cancelled."""
        dropped_s = self._services.clock()
        while True:
            with anyio.move_on_after(_FLUSHED_S):
                await self._changed.wait()
                await anyio.sleep(_GATHERED_S)
            self._changed = anyio.Event()
            await self.flush()
            if self._shelf is not None and self._services.clock() - dropped_s > _DROPPED_S:
                dropped_s = self._services.clock()
                await self._trying(partial(self._shelf.drop, self._steady() - _FORGOTTEN_US))

    async def flush(self) -> None:
        """Give back what is not needed, and forget counters that count nothing."""
        for key, counter in list(self._counters.items()):
            if counter.idle:
                del self._counters[key]
            else:
                await self._trying(counter.flush)

    async def _trying(self, doing: Callable[[], Awaitable[None]]) -> None:
        try:
            await doing()
        except StoreError as exc:
            if not self._told:  # once, not every second
                _log.error("other workers are not told what is free: %s", exc)
            self._told = True
        else:
            self._told = False


def _microseconds(clock: Callable[[], float]) -> Callable[[], int]:
    return lambda: round(clock() * 1_000_000)
