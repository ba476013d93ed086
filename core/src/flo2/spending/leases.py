"""What a worker asks of a store, and the one rule by which money is leased.

Pure. Imports: money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol, runtime_checkable

from attrs import field, frozen

from flo2.money import ZERO, add, total

__all__ = ["BudgetStore", "Lease", "LeaseAsk", "Place", "Standing", "granted"]


Place = tuple[str, str]
"""An account, and the name of one of its counters."""


@frozen
class LeaseAsk:
    """A worker wants money of a counter.

    Attributes:
        label: What the counter is for, for people (`customer=acme`), or None.
        least: With less it cannot begin its call.
        wanted: What it would like, so that it need not come again soon.
        limit: The budget's.
        spare: Where no more than this would be left, only `least` is leased.
    """

    account: str
    counter: str
    label: str | None
    least: Decimal
    wanted: Decimal
    limit: Decimal
    spare: Decimal


@frozen
class Standing:
    """Where a counter stands, in USD.

    Attributes:
        spent: What settled calls cost, adjustments included.
        pending: What calls may have cost whose amount is not known yet.
        leases: By worker, what it has in hand; what it has begun with that is not in `spent` yet.
            Below zero where its calls cost more than was held for them.
        alerted: The highest threshold, in percent, that somebody has been told of.
    """

    account: str
    counter: str
    label: str | None
    spent: Decimal
    pending: Decimal
    leases: Mapping[str, Decimal] = field(factory=dict)
    alerted: int = 0

    @property
    def leased(self) -> Decimal:
        """What all workers have in hand."""
        return total(max(amount, ZERO) for amount in self.leases.values())

    @property
    def taken(self) -> Decimal:
        """All that is not free."""
        return add(add(self.spent, self.pending), self.leased)


@frozen
class Lease:
    """The answer: zero where not even `least` fits; `standing` is as it is after that."""

    granted: Decimal
    standing: Standing


def granted(ask: LeaseAsk, taken: Decimal, own: Decimal) -> Decimal:
    """Say how much is leased.

    Args:
        ask: What is wanted.
        taken: All that is not free of the counter.
        own: The asking worker's lease as it is; below zero where its calls cost more than was held.
    """
    others = add(taken, -max(own, ZERO))
    most = add(add(ask.limit, -others), -own)
    if most < ask.least:
        return ZERO
    return max(ask.wanted, ask.least) if add(most, -ask.wanted) >= ask.spare else ask.least


@runtime_checkable
class BudgetStore(Protocol):
    """The part of a store that counts what is spent under budgets."""

    def lease(self, writer: str, asks: Sequence[LeaseAsk]) -> Sequence[Lease]:
        """Lease money to a worker, each ask for itself, all in one transaction."""
        ...

    def give_back(self, writer: str, amounts: Mapping[Place, Decimal]) -> None:
        """Make a worker's leases smaller by what it does not need; larger, where that is negative.

        All in one transaction. Not to be done again when its outcome is unknown: until
        `end_leases`, the worker then has less in hand than is counted for it, never more.
        """
        ...

    def end_leases(self, writer: str) -> None:
        """Free what a worker had leased: it has ended, and all its records are stored."""
        ...

    def standings(self, account: str, counters: Sequence[str] | None = None) -> Sequence[Standing]:
        """Say where counters of an account stand; all, in order of name, or those asked for."""
        ...

    def age_pending(self, account: str, counter: str, before_us: int, share: Decimal) -> None:
        """Count what has been pending since before a time at a share of its upper bound."""
        ...

    def claim_alert(self, account: str, counter: str, percent: int) -> bool:
        """Note that a threshold is told; True for the first who says so, and only for a higher one.

        A counter that nobody has spent from has none to tell.
        """
        ...
