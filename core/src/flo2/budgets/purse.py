"""This worker's money: what it has leased from the store, and what its calls hold of that.

For each counter there stands in the store a lease of this worker, and it is always at least

    free + what running calls hold + what ended calls cost whose records are not stored yet

so whatever happens to this process, no more than its lease is ever spent. Used from one event loop;
the store is asked in a thread. Imports: spending, stores, errors, money.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal

from anyio import CapacityLimiter, Lock, to_thread
from attrs import frozen

from flo2.errors import StoreError
from flo2.money import ZERO, add, multiply
from flo2.spending import BudgetStore, LeaseAsk, Place, Standing

__all__ = ["Claim", "Denied", "Missing", "Pot", "Purse"]

_PORTION: Final = Decimal("0.01")
"""How much of a limit a worker leases at once."""
_SPARE: Final = Decimal("0.05")
"""Share of a limit that is not leased ahead: near its end, each hold is asked for by itself."""
_DENIED_S: Final = 0.05
"""How long a refusal stands for calls that want as much: a flood of them asks the store once."""


Missing = Literal["over", "unknown"]
"""Why nothing is held: the budget has not as much · the store could not be asked."""

_NOTHING: Final[Mapping[Pot, Missing]] = {}


class Pot:
    """The money of one counter that this worker has in hand.

    Attributes:
        free: Neither held nor spent; below zero where calls cost more than was held for them.
        running: How many calls hold some of it.
        standing: What the store said last, or None.
        used_s: When it was last used, by the clock.
    """

    __slots__ = (
        "account", "counter", "denied", "denied_s", "free", "label", "limit", "lock", "running",
        "standing", "used_s",
    )  # fmt: skip

    def __init__(self, account: str, counter: str, label: str | None) -> None:
        """Begin with nothing in hand."""
        self.account: str = account
        self.counter: str = counter
        self.label: str | None = label
        self.limit: Decimal = ZERO
        self.free: Decimal = ZERO
        self.running: int = 0
        self.used_s: float = 0.0
        self.standing: Standing | None = None
        self.denied: Decimal = ZERO
        self.denied_s: float = -1.0
        self.lock: Lock = Lock()

    @property
    def left(self) -> Decimal:
        """What another call could still get, as far as is known here."""
        if self.standing is None:
            return max(self.free, ZERO)
        return max(add(add(self.limit, -self.standing.taken), self.free), ZERO)


@frozen
class Claim:
    """A call wants money of a counter.

    Attributes:
        limit: The budget's, as declared now.
        hard: Without it, the call does not run.
    """

    pot: Pot
    limit: Decimal
    hard: bool


class Denied(Exception):
    """A hard budget has not as much: a verdict, for whoever asked."""

    def __init__(self, claim: Claim, why: Missing) -> None:
        """Keep whose, and why."""
        super().__init__(claim.pot.counter)
        self.claim: Claim = claim
        self.why: Missing = why


class Purse:
    """All that this worker has leased."""

    def __init__(self, store: BudgetStore, writer: str, clock: Callable[[], float]) -> None:
        """Begin with nothing.

        Args:
            store: Only ever called in a thread.
            writer: This worker's id in the ledger: its records pay for its leases.
            clock: Monotonic seconds.
        """
        self._store = store
        self._writer = writer
        self._clock = clock
        self._pots: dict[tuple[str, str], Pot] = {}
        self._asking = CapacityLimiter(2)

    def pot(self, account: str, counter: str, label: str | None) -> Pot:
        """Give the money in hand of a counter."""
        key = (account, counter)
        pot = self._pots.get(key)
        if pot is None:
            pot = self._pots[key] = Pot(account, counter, label)
        return pot

    @property
    def pots(self) -> Sequence[Pot]:
        """All counters with something in hand, or lately."""
        return tuple(self._pots.values())

    async def hold(self, claims: Sequence[Claim], amount: Decimal) -> Mapping[Pot, Missing]:
        """Hold an amount under each of these budgets; to be ended by `release` of each.

        Returns:
            The soft ones under which nothing is held, and why.

        Raises:
            Denied: a hard one has not as much; nothing is held.
        """
        now = self._clock()
        if not amount or all(claim.pot.free >= amount for claim in claims):
            for claim in claims:
                _take(claim.pot, amount, now)
            return _NOTHING
        taken: list[Pot] = []
        missing: dict[Pot, Missing] = {}
        try:
            for claim in claims:
                why = await self._take(claim, amount)
                if why is None:
                    taken.append(claim.pot)
                elif claim.hard:
                    raise Denied(claim, why)  # noqa: TRY301  # what is taken goes back, below
                else:
                    missing[claim.pot] = why
        except BaseException:  # denied, or the client left while the store was asked
            for pot in taken:
                self.settle(pot, amount)
                self.release(pot)
            raise
        for pot in missing:
            _take(pot, ZERO, now)
        return missing

    async def _take(self, claim: Claim, amount: Decimal) -> Missing | None:
        pot = claim.pot
        if pot.limit != claim.limit:
            pot.limit, pot.denied_s = claim.limit, -1.0
        if pot.free < amount:
            try:
                enough = await self._lease(claim, amount)
            except StoreError:
                return "unknown"
            if not enough:
                return "over"
        _take(pot, amount, self._clock())
        return None

    async def _lease(self, claim: Claim, amount: Decimal) -> bool:
        """Lease until there is enough in hand; False: the budget has not as much."""
        pot, limit = claim.pot, claim.limit
        async with pot.lock:
            while pot.free < amount:
                least = add(amount, -pot.free)
                if least >= pot.denied and self._clock() < pot.denied_s:
                    return False
                portion = multiply(limit, _PORTION)
                ask = LeaseAsk(
                    pot.account,
                    pot.counter,
                    pot.label,
                    least,
                    max(least, portion),
                    limit,
                    multiply(limit, _SPARE),
                )
                (lease,) = await to_thread.run_sync(
                    self._store.lease, self._writer, [ask], limiter=self._asking
                )
                pot.standing = lease.standing
                if not lease.granted:
                    pot.denied, pot.denied_s = least, self._clock() + _DENIED_S
                    return False
                pot.free = add(pot.free, lease.granted)
        return True

    def settle(self, pot: Pot, left: Decimal) -> None:
        """Take back what a call held and did not spend; below zero, what it cost beyond that."""
        pot.free = add(pot.free, left)
        pot.denied_s = -1.0

    def release(self, pot: Pot) -> None:
        """Note that a call is over which held some of it."""
        pot.running -= 1
        pot.used_s = self._clock()

    # Giving back ----------------------------------------------------------------------------

    async def give_back(self, *, idle_s: float, forget_s: float) -> None:
        """Give the store what is not needed here: of counters unused for a while, or nearly empty.

        Args:
            idle_s: After so long without a call, all that is free is given back.
            forget_s: After so long, the counter is forgotten.

        Raises:
            StoreError: the store fails; what was to be given back by then stays leased, unused,
                until this worker ends.
        """
        now = self._clock()
        amounts: dict[Place, Decimal] = {}
        owed: dict[Place, Pot] = {}
        for place, pot in tuple(self._pots.items()):
            unused = now - pot.used_s
            if unused < idle_s and not _is_tight(pot):
                continue
            if pot.free > 0:
                amounts[place], pot.free = (
                    pot.free,
                    ZERO,
                )  # while the store is asked, no call has it
            elif pot.free < 0 and not pot.running:
                # What calls cost beyond their holds is in `spent` by now, or will be: the lease
                # need not say so for ever.
                amounts[place], owed[place] = pot.free, pot
            elif unused >= forget_s and not pot.running and not pot.lock.locked():
                self._pots.pop(place, None)
        if amounts:
            await to_thread.run_sync(
                self._store.give_back, self._writer, amounts, limiter=self._asking
            )
            for place, pot in owed.items():
                pot.free = add(pot.free, -amounts[place])

    async def look(self, pots: Iterable[Pot]) -> None:
        """Ask the store where counters stand.

        Raises:
            StoreError: it does not answer.
        """
        by_account: dict[str, dict[str, Pot]] = {}
        for pot in pots:
            by_account.setdefault(pot.account, {})[pot.counter] = pot
        for account, asked in by_account.items():
            found = await to_thread.run_sync(
                self._store.standings, account, list(asked), limiter=self._asking
            )
            for standing in found:
                if standing.counter in asked:
                    asked[standing.counter].standing = standing


def _take(pot: Pot, amount: Decimal, now: float) -> None:
    pot.free = add(pot.free, -amount)
    pot.running += 1
    pot.used_s = now


def _is_tight(pot: Pot) -> bool:
    """Say whether so little is left that what is free here may be missed elsewhere."""
    standing = pot.standing
    if standing is None:
        return False
    return add(pot.limit, -standing.taken) < multiply(pot.limit, _SPARE)
