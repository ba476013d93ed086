"""What ledger records change in the counters of the budgets that their calls are held under.

Pure. Imports: records, money.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from attrs import Factory, define, frozen

from flo2.money import ZERO, add
from flo2.records import Adjust, Intent, Pend, Record, Settle, Void, is_awaited

__all__ = ["Held", "Move", "Moves", "Pended", "counted"]


def counted(hold: Decimal | None, end: Settle | Pend | Void) -> tuple[Decimal, Decimal]:
    """Say what an ended attempt counts: as spent, and as pending at its upper bound.

    Args:
        hold: What was held for it.
        end: Its last word. An amount that is not known counts at its bound, without one at the
            hold; an attempt that was under soft budgets only may have neither, then at its floor.
    """
    if isinstance(end, Void):
        return ZERO, ZERO
    if isinstance(end, Settle):
        if end.total is not None:
            return end.total, ZERO
        return ZERO, ZERO if hold is None else hold
    for upper in (end.high, hold, end.low):
        if upper is not None:
            return ZERO, upper
    return ZERO, ZERO


@define
class Held:
    """How an attempt stands that is held under budgets.

    Attributes:
        writer: The worker that began it, out of whose leases it is paid.
        budgets: The counters.
        status: As of its entry.
    """

    account: str
    writer: str
    budgets: tuple[str, ...]
    hold: Decimal | None
    status: str = "open"


@frozen
class Pended:
    """An attempt of unknown amount: what it costs at most, and when that became so."""

    upper: Decimal
    since_us: int


@define
class Move:
    """What changes in one counter.

    Attributes:
        leases: By worker, what goes out of its lease.
        closed: Entries that are pending no more.
        pended: Entries that are now.
    """

    spent: Decimal = ZERO
    leases: dict[str, Decimal] = Factory(dict)
    closed: list[str] = Factory(list)
    pended: dict[str, Pended] = Factory(dict)


class Moves:
    """Collects the changes of a batch of records, told in the order they are stored.

    Attributes:
        by_counter: (account, counter) → what changes.
    """

    def __init__(self, held: Mapping[str, Held] | None = None) -> None:
        """Begin.

        Args:
            held: By entry, the attempts held under budgets that were begun before this batch.
        """
        self.by_counter: dict[tuple[str, str], Move] = {}
        self._held: dict[str, Held] = dict(held or {})

    def note(self, writer: str, record: Record) -> None:
        """Note a record that `writer` has written."""
        if isinstance(record, Intent):
            if record.budgets and record.entry_id not in self._held:
                self._held[record.entry_id] = Held(
                    record.account, writer, record.budgets, record.hold
                )
        elif isinstance(record, Settle | Pend | Void):
            held = self._held.get(record.entry_id)
            if held is not None and is_awaited(held.status, record):
                self._end(held, record)
        elif isinstance(record, Adjust):
            for entry_id, amount in record.amounts.items():
                held = self._held.get(entry_id)
                if held is not None and held.account == record.account:
                    for move in self._of(held):
                        move.spent = add(move.spent, amount)

    def _end(self, held: Held, end: Settle | Pend | Void) -> None:
        spent, pending = counted(held.hold, end)
        for move in self._of(held):
            move.spent = add(move.spent, spent)
            if held.status == "open":
                out = move.leases.get(held.writer, ZERO)
                move.leases[held.writer] = add(out, add(spent, pending))
            elif move.pended.pop(end.entry_id, None) is None:
                move.closed.append(end.entry_id)
            if pending:
                move.pended[end.entry_id] = Pended(pending, end.ended_us)
        held.status = _status(end)

    def _of(self, held: Held) -> Iterable[Move]:
        for counter in held.budgets:
            yield self.by_counter.setdefault((held.account, counter), Move())


def _status(end: Settle | Pend | Void) -> str:
    if isinstance(end, Settle):
        return end.status
    return "pending" if isinstance(end, Pend) else "void"
