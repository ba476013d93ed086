"""Counters in dictionaries: the reference of what a store does about budgets.

Not thread-safe: its owner has the lock. Imports: money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from attrs import Factory, define

from flo2.money import ZERO, add, multiply, total
from flo2.spending.leases import Lease, LeaseAsk, Place, Standing, granted
from flo2.spending.moves import Moves

__all__ = ["MemoryCounters"]


@define
class _Pending:
    upper: Decimal
    counted: Decimal
    since_us: int


@define
class _Counter:
    label: str | None = None
    spent: Decimal = ZERO
    alerted: int = 0
    leases: dict[str, Decimal] = Factory(dict)
    pending: dict[str, _Pending] = Factory(dict)


class MemoryCounters:
    """All counters of all accounts."""

    def __init__(self) -> None:
        """Begin with none."""
        self._counters: dict[tuple[str, str], _Counter] = {}

    def count(self, moves: Moves) -> None:
        """Apply what a batch of records changes."""
        for key, move in moves.by_counter.items():
            counter = self._counters.setdefault(key, _Counter())
            counter.spent = add(counter.spent, move.spent)
            for entry_id in move.closed:
                counter.pending.pop(entry_id, None)
            for entry_id, pended in move.pended.items():
                counter.pending[entry_id] = _Pending(pended.upper, pended.upper, pended.since_us)
            for writer, amount in move.leases.items():
                _change_lease(counter, writer, -amount)

    def lease(self, writer: str, asks: Sequence[LeaseAsk]) -> Sequence[Lease]:
        """Lease money to a worker, each ask for itself."""
        answers = []
        for ask in asks:
            key = (ask.account, ask.counter)
            counter = self._counters.setdefault(key, _Counter(ask.label))
            counter.label = counter.label or ask.label
            taken = _standing(key, counter).taken
            amount = granted(ask, taken, counter.leases.get(writer, ZERO))
            _change_lease(counter, writer, amount)
            answers.append(Lease(amount, _standing(key, counter)))
        return answers

    def give_back(self, writer: str, amounts: Mapping[Place, Decimal]) -> None:
        """Make a worker's leases smaller."""
        for place, amount in amounts.items():
            _change_lease(self._counters.setdefault(place, _Counter()), writer, -amount)

    def end_leases(self, writer: str) -> None:
        """Free what a worker had leased."""
        for counter in self._counters.values():
            counter.leases.pop(writer, None)

    def standings(self, account: str, counters: Sequence[str] | None = None) -> Sequence[Standing]:
        """Say where counters of an account stand."""
        return [
            _standing(key, counter)
            for key, counter in sorted(self._counters.items())
            if key[0] == account and (counters is None or key[1] in counters)
        ]

    def age_pending(self, account: str, counter: str, before_us: int, share: Decimal) -> None:
        """Count what has been pending since before a time at a share of its upper bound."""
        found = self._counters.get((account, counter), _Counter())
        for each in found.pending.values():
            if each.since_us < before_us:
                each.counted = multiply(each.upper, share)

    def claim_alert(self, account: str, counter: str, percent: int) -> bool:
        """Note that a threshold is told."""
        found = self._counters.get((account, counter))
        if found is None or found.alerted >= percent:
            return False
        found.alerted = percent
        return True

    def erase_label(self, account: str, label: str) -> None:
        """Forget whom counters are for; what is spent stays."""
        for key, counter in self._counters.items():
            if key[0] == account and counter.label == label:
                counter.label = None


def _change_lease(counter: _Counter, writer: str, amount: Decimal) -> None:
    now = add(counter.leases.get(writer, ZERO), amount)
    if now:
        counter.leases[writer] = now
    else:
        counter.leases.pop(writer, None)


def _standing(key: tuple[str, str], counter: _Counter) -> Standing:
    return Standing(
        key[0],
        key[1],
        counter.label,
        counter.spent,
        total(each.counted for each in counter.pending.values()),
        dict(counter.leases),
        counter.alerted,
    )
