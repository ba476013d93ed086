"""Turn a month's statement into ledger records: adjustments of calls, and fees as entries.

What is booked already is left out, so that a month may be closed again when something came late:
the second time only what differs is written. Pure. Imports: contracts.*, records, instants, money.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

from attrs import define, field

from flo2.contracts.fees import FEE_API, Fee
from flo2.contracts.statement import Change, Statement
from flo2.instants import microseconds
from flo2.money import ZERO, subtract
from flo2.prices.cost import CostLine
from flo2.records import Adjust, Intent, Settle

__all__ = ["Closing", "fee_records", "fees_id"]

_TICK: Final = timedelta(microseconds=1)
_PER_ADJUST: Final = 500
"""Entries of one adjustment, so that no record grows without bound."""


@define
class Closing:
    """Collects what is to be booked for a month; `note` is for `make_statement`.

    Attributes:
        account: Whose month.
        month: Such as `2026-11`.
        at_us: When it is closed.
        ready: Full adjustments, to be taken by the caller as they come.
    """

    account: str
    month: str
    at_us: int
    currency: str = "USD"
    ready: list[Adjust] = field(factory=list)
    _open: dict[tuple[str, tuple[str, ...]], dict[str, Decimal]] = field(factory=dict)

    def note(self, change: Change) -> None:
        """Take what terms of the month make of one entry."""
        amount = subtract(change.amount, change.booked)
        if not amount:
            return
        key = (change.cause, change.terms)
        amounts = self._open.setdefault(key, {})
        amounts[change.entry_id] = amount
        if len(amounts) >= _PER_ADJUST:
            self.ready.append(self._adjust(*key, self._open.pop(key)))

    def rest(self) -> list[Adjust]:
        """Give every adjustment that has not been taken."""
        found = self.ready + [self._adjust(*key, amounts) for key, amounts in self._open.items()]
        self.ready = []
        self._open.clear()
        return found

    def _adjust(self, cause: str, terms: tuple[str, ...], amounts: Mapping[str, Decimal]) -> Adjust:
        source = f"contract {'+'.join(terms) or 'terms that ended'}, {self.month}"
        written = "\n".join(f"{entry} {amount}" for entry, amount in sorted(amounts.items()))
        digest = _digest(self.account, self.month, cause, source, str(self.at_us), written)
        return Adjust(digest, self.account, self.at_us, cause, source, dict(amounts), self.currency)


def fees_id(account: str, month: str) -> str:
    """Name what the fees of a month have in place of an exchange: the same whenever it is asked."""
    return _digest(account, month, "fees")


def _entry_id(account: str, month: str, fee: Fee) -> str:
    version = fee.contract if fee.kind == "capacity" else ""
    return f"{fees_id(account, month)}.{_digest(fee.kind, fee.name, version)[:12]}"


def fee_records(
    statement: Statement, month: str, booked: Mapping[str, Decimal], at_us: int
) -> Iterator[Intent | Settle | Adjust]:
    """Give the records of a month's fees.

    Args:
        statement: The month.
        month: Its name.
        booked: What entries of fees cost as they are booked, by entry id.
        at_us: When it is closed.
    """
    asked: set[str] = set()
    for fee in statement.fees:
        entry_id = _entry_id(statement.account, month, fee)
        asked.add(entry_id)
        if entry_id not in booked:
            yield from _entry(statement, fee, entry_id)
        elif difference := subtract(fee.amount, booked[entry_id]):
            yield _correct(statement, month, fee.kind, fee.name, entry_id, difference, at_us)
    for entry_id in sorted(booked.keys() - asked):
        if amount := booked[entry_id]:
            back = subtract(ZERO, amount)
            not_owed = "whose fee is not owed"
            yield _correct(statement, month, "fee", not_owed, entry_id, back, at_us)


def _entry(statement: Statement, fee: Fee, entry_id: str) -> Sequence[Intent | Settle]:
    since, until = fee.span.since, fee.span.until or fee.span.since
    if fee.kind == "shortfall":  # it falls due with the last instant of its period
        since = until - _TICK
    meter = "capacity_seconds" if fee.kind == "capacity" else "commitment_shortfall"
    line = CostLine(
        meter,
        fee.quantity,
        fee.unit_price,
        fee.per,
        fee.amount,
        ZERO,
        statement.currency,
        f"{fee.contract}/{fee.name.partition('/')[2]}",
        "",
        fee.rounded,
        contract=fee.contract,
    )
    intent = Intent(
        entry_id,
        entry_id.partition(".")[0],
        1,
        "fee",
        statement.account,
        "",
        None,
        fee.provider,
        fee.provider,
        FEE_API,
        fee.name,
        fee.name,
        microseconds(since),
        why=f"{fee.kind} of contract {fee.contract}",
    )
    settle = Settle(
        entry_id,
        microseconds(until),
        "settled",
        "answered",
        {meter: fee.quantity},
        (line,),
        fee.amount,
        ZERO,
        statement.currency,
        "",
    )
    return intent, settle


def _correct(
    statement: Statement,
    month: str,
    kind: str,
    name: str,
    entry_id: str,
    amount: Decimal,
    at_us: int,
) -> Adjust:
    source = f"contract {name}, {month}"
    id_ = _digest(statement.account, month, kind, entry_id, str(amount), str(at_us))
    amounts = {entry_id: amount}
    return Adjust(id_, statement.account, at_us, kind, source, amounts, statement.currency)


def _digest(*said: str) -> str:
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:32]
