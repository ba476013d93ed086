"""Budgets in SQL: what is spent, in step with the ledger, and what workers have leased.

Whoever changes a counter or a lease of it has locked the counter's row first, several in order of
their names; so on PostgreSQL no two transactions see the same money free, or wait for each other.
SQLite has one writer at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import delete, insert, select, update

from flo2.money import ZERO, add, multiply, total
from flo2.money import text as plain
from flo2.records import Adjust, Intent, Pend, Settle, Void
from flo2.spending import Held, Lease, LeaseAsk, Moves, Place, Standing, granted
from flo2_store_sql.rows import storable
from flo2_store_sql.statements import insert_new, slices
from flo2_store_sql.tables import budget_counters, budget_leases, budget_pending, ledger_entries

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flo2.spending.moves import Move
    from flo2.stores import ChainLink
    from flo2_store_sql.database import Database

__all__ = ["BudgetTables"]

_COUNTERS: Final = budget_counters.c
_LEASES: Final = budget_leases.c
_PENDING: Final = budget_pending.c
_ENTRIES: Final = ledger_entries.c


class BudgetTables:
    """The counters of one database."""

    def __init__(self, database: Database) -> None:
        """Keep the database."""
        self._database = database
        self._new_counter = insert_new(budget_counters, database.dialect)

    # In step with the ledger ----------------------------------------------------------------

    def count(self, connection: Connection, links: Sequence[ChainLink]) -> None:
        """Count what new records change, in the transaction that stores them.

        To be called before these records change the entries: how an entry stood decides what is
        moved. On PostgreSQL, entries that end here and began elsewhere must be locked.
        """
        begun, told = set(), set()
        for link in links:
            record = link.record
            if isinstance(record, Intent):
                begun.add(record.entry_id)
            elif isinstance(record, Settle | Pend | Void):
                told.add(record.entry_id)
            elif isinstance(record, Adjust):
                told.update(record.amounts)
        moves = Moves(_held(connection, told - begun))
        for link in links:
            moves.note(link.writer, link.record)
        for (account, counter), move in sorted(moves.by_counter.items()):
            self._move(connection, storable(account), storable(counter), move)

    def _move(self, connection: Connection, account: str, counter: str, move: Move) -> None:
        spent, pending, _ = self._lock(connection, account, counter)
        here = (_PENDING.account == account, _PENDING.counter == counter)
        for some in slices(move.closed):
            these = (*here, _PENDING.entry_id.in_(some))
            closed = connection.execute(select(_PENDING.counted).where(*these)).scalars()
            pending = add(pending, -total(map(Decimal, closed)))
            connection.execute(delete(budget_pending).where(*these))
        if move.pended:
            pending = add(pending, total(each.upper for each in move.pended.values()))
            rows = [
                {
                    "account": account,
                    "counter": counter,
                    "entry_id": entry_id,
                    "upper": plain(each.upper),
                    "counted": plain(each.upper),
                    "since_us": each.since_us,
                }
                for entry_id, each in move.pended.items()
            ]
            connection.execute(insert(budget_pending), rows)
        connection.execute(
            update(budget_counters)
            .where(_COUNTERS.account == account, _COUNTERS.counter == counter)
            .values(spent=plain(add(spent, move.spent)), pending=plain(pending))
        )
        for writer, amount in move.leases.items():
            _change_lease(connection, account, counter, writer, -amount)

    # Leases ---------------------------------------------------------------------------------

    def lease(self, writer: str, asks: Sequence[LeaseAsk]) -> Sequence[Lease]:
        """Lease money to a worker, each ask for itself, all in one transaction."""
        answers: dict[int, Lease] = {}
        order = sorted(range(len(asks)), key=lambda at: (asks[at].account, asks[at].counter))
        with self._database.writing() as connection:
            for at in order:
                ask = asks[at]
                account, counter = storable(ask.account), storable(ask.counter)
                label = storable(ask.label)
                spent, pending, alerted = self._lock(connection, account, counter, label)
                leases = _leases(connection, account, [counter]).get(counter, {})
                standing = Standing(account, counter, label, spent, pending, leases, alerted)
                amount = granted(ask, standing.taken, leases.get(writer, ZERO))
                if amount:
                    leases[writer] = _change_lease(connection, account, counter, writer, amount)
                answers[at] = Lease(amount, standing)
        return [answers[at] for at in range(len(asks))]

    def give_back(self, writer: str, amounts: Mapping[Place, Decimal]) -> None:
        """Make a worker's leases smaller, all in one transaction."""
        with self._database.writing() as connection:
            for place, amount in sorted(amounts.items()):
                account, counter = map(storable, place)
                self._lock(connection, account, counter)
                _change_lease(connection, account, counter, writer, -amount)

    def end_leases(self, writer: str) -> None:
        """Free what a worker had leased; nothing is written where it has leased nothing."""
        own = _LEASES.writer == writer
        with self._database.reading() as connection:
            query = select(_LEASES.account, _LEASES.counter).where(own)
            counters = sorted(tuple(row) for row in connection.execute(query))
        if not counters:
            return
        with self._database.writing() as connection:
            for account, counter in counters:
                self._lock(connection, account, counter)
            connection.execute(delete(budget_leases).where(own))

    # What stands ----------------------------------------------------------------------------

    def standings(self, account: str, counters: Sequence[str] | None) -> Sequence[Standing]:
        """Say where counters of an account stand, in order of name."""
        account = storable(account)
        query = select(budget_counters).where(_COUNTERS.account == account)
        if counters is not None:
            query = query.where(_COUNTERS.counter.in_(map(storable, counters)))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_COUNTERS.counter)).all()
            leases = _leases(connection, account, [row.counter for row in rows])
        return [
            Standing(
                row.account,
                row.counter,
                row.label,
                Decimal(row.spent),
                Decimal(row.pending),
                leases.get(row.counter, {}),
                row.alerted,
            )
            for row in rows
        ]

    def age_pending(self, account: str, counter: str, before_us: int, share: Decimal) -> None:
        """Count what has been pending since before a time at a share of its upper bound."""
        account, counter = storable(account), storable(counter)
        here = (_PENDING.account == account, _PENDING.counter == counter)
        old = select(budget_pending).where(*here, _PENDING.since_us < before_us)
        with self._database.reading() as connection:
            if not any(
                Decimal(row.counted) != multiply(Decimal(row.upper), share)
                for row in connection.execute(old)
            ):
                return
        with self._database.writing() as connection:
            _, pending, _ = self._lock(connection, account, counter)
            for row in connection.execute(old).all():
                counts = multiply(Decimal(row.upper), share)
                pending = add(pending, add(counts, -Decimal(row.counted)))
                connection.execute(
                    update(budget_pending)
                    .where(*here, _PENDING.entry_id == row.entry_id)
                    .values(counted=plain(counts))
                )
            connection.execute(
                update(budget_counters)
                .where(_COUNTERS.account == account, _COUNTERS.counter == counter)
                .values(pending=plain(pending))
            )

    def claim_alert(self, account: str, counter: str, percent: int) -> bool:
        """Note that a threshold is told; True for the first who says so."""
        higher = (
            _COUNTERS.account == storable(account),
            _COUNTERS.counter == storable(counter),
            _COUNTERS.alerted < percent,
        )
        with self._database.writing() as connection:
            claim = update(budget_counters).where(*higher).values(alerted=percent)
            return connection.execute(claim).rowcount > 0

    def erase_label(self, account: str, label: str) -> None:
        """Forget whom counters are for; what is spent stays."""
        same = (_COUNTERS.account == storable(account), _COUNTERS.label == storable(label))
        with self._database.writing() as connection:
            connection.execute(update(budget_counters).where(*same).values(label=None))

    def _lock(
        self, connection: Connection, account: str, counter: str, label: str | None = None
    ) -> tuple[Decimal, Decimal, int]:
        """Give a counter's row, locked; one that is new is made."""
        query = (
            select(_COUNTERS.spent, _COUNTERS.pending, _COUNTERS.alerted, _COUNTERS.label)
            .where(_COUNTERS.account == account, _COUNTERS.counter == counter)
            .with_for_update()
        )
        row = connection.execute(query).one_or_none()
        if row is None:
            zero = {"spent": "0", "pending": "0", "alerted": 0}
            key = {"account": account, "counter": counter, "label": label}
            connection.execute(self._new_counter.values(**key, **zero))
            row = connection.execute(query).one()
        if label is not None and row.label is None:  # erased, or first seen in a record
            same = (_COUNTERS.account == account, _COUNTERS.counter == counter)
            connection.execute(update(budget_counters).where(*same).values(label=label))
        return Decimal(row.spent), Decimal(row.pending), row.alerted


def _held(connection: Connection, entry_ids: Iterable[str]) -> Mapping[str, Held]:
    """Find which of these entries are held under budgets, and how they stand."""
    held: dict[str, Held] = {}
    columns = ("entry_id", "account", "writer", "budgets", "hold", "status")
    query = select(*(_ENTRIES[name] for name in columns))
    for some in slices(sorted(entry_ids)):
        these = query.where(_ENTRIES.entry_id.in_(some), _ENTRIES.budgets.is_not(None))
        for row in connection.execute(these):
            hold = None if row.hold is None else Decimal(row.hold)
            budgets = tuple(msgspec.json.decode(row.budgets))
            held[row.entry_id] = Held(row.account, row.writer, budgets, hold, row.status)
    return held


def _leases(
    connection: Connection, account: str, counters: Sequence[str]
) -> dict[str, dict[str, Decimal]]:
    """Give the leases of counters: by counter, by worker."""
    found: dict[str, dict[str, Decimal]] = {}
    query = select(_LEASES.counter, _LEASES.writer, _LEASES.amount)
    for some in slices(counters):
        these = query.where(_LEASES.account == account, _LEASES.counter.in_(some))
        for row in connection.execute(these):
            found.setdefault(row.counter, {})[row.writer] = Decimal(row.amount)
    return found


def _change_lease(
    connection: Connection, account: str, counter: str, writer: str, amount: Decimal
) -> Decimal:
    """Add to a worker's lease; one that comes to zero goes. Gives what it is then."""
    key = {"account": account, "counter": counter, "writer": writer}
    same = [_LEASES[name] == value for name, value in key.items()]
    known = connection.execute(select(_LEASES.amount).where(*same)).scalar()
    now = add(ZERO if known is None else Decimal(known), amount)
    if not now:
        connection.execute(delete(budget_leases).where(*same))
    elif known is None:
        connection.execute(insert(budget_leases).values(**key, amount=plain(now)))
    else:
        connection.execute(update(budget_leases).where(*same).values(amount=plain(now)))
    return now
