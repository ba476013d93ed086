"""What an account's month comes to under its contracts: every term, every fee, cost and cash.

Pure: takes entries in the order they began. Imports: contracts.*, records, money.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from attrs import define, field, frozen

from flo2.contracts.booked import CAUSES, Booked, Reader, called
from flo2.contracts.calendar import month_of, month_span, next_month
from flo2.contracts.fees import Fee, fees_of
from flo2.contracts.folding import Cause, Drawn, Fold
from flo2.contracts.scope import Validity
from flo2.contracts.terms import Commitment, Contract
from flo2.money import ZERO, add, subtract, total
from flo2.records import Adjust

__all__ = ["Change", "Statement", "Used", "currency_of", "make_statement"]


@frozen
class Change:
    """What terms of a period add to the cost of one entry, and what was booked of it before."""

    entry_id: str
    cause: Cause
    terms: tuple[str, ...]
    amount: Decimal
    booked: Decimal


@frozen
class Used:
    """A term in a month.

    Attributes:
        kind: `allowance`, `volume_tier`, `commitment` or `credit`.
        name: `contract/term`.
        facts: What it counted, by name (`free`, `left`, `counted`, `drawn`, `overage`, `used`).
        amount: What it adds to the cost of the month's calls; a credit adds nothing to it.
    """

    kind: str
    name: str
    facts: Mapping[str, Decimal]
    amount: Decimal


@frozen
class Statement:
    """A month.

    Attributes:
        month: Its first day.
        at: Up to when it was folded: its end, or earlier where it is not over.
        over: Whether the month is over.
        contracts: Ids of the versions in force in it.
        entries: Calls with a cost; `waiting`: those whose cost is not known yet, in no sum;
            `foreign`: those in another currency, in no sum either.
        listed: At list price.
        called: As booked when they were made, corrections included, before the terms of the month.
        used: Each term, in order of kind and name.
        changes: What the terms of the month make of it, together.
        fees: Capacity, and commitments that were not used up.
        prepaid: Cost of calls that commitments paid upfront pay for.
        upfront: What is paid for commitments that begin in this month.
        credited: What credits pay for.
    """

    account: str
    month: date
    at: datetime
    over: bool
    currency: str
    contracts: tuple[str, ...]
    entries: int
    waiting: int
    foreign: int
    listed: Decimal
    called: Decimal
    used: tuple[Used, ...]
    changes: Decimal
    fees: tuple[Fee, ...]
    prepaid: Decimal
    upfront: Decimal
    credited: Decimal

    @property
    def cost(self) -> Decimal:
        """What the month costs: calls, terms and fees."""
        return total([self.called, self.changes, *(fee.amount for fee in self.fees)])

    @property
    def cash(self) -> Decimal:
        """What is to be paid for it: credits and what was prepaid are paid already."""
        return subtract(add(self.cost, self.upfront), add(self.prepaid, self.credited))


@define
class _Sums:
    entries: int = 0
    waiting: int = 0
    foreign: int = 0
    listed: Decimal = ZERO
    called: Decimal = ZERO
    prepaid: Decimal = ZERO
    credited: Decimal = ZERO
    changes: dict[tuple[Cause, str], Decimal] = field(factory=dict)
    credits: dict[str, Decimal] = field(factory=dict)


def make_statement(
    account: str,
    contracts: Sequence[Contract],
    month: date,
    now: datetime,
    read: Reader,
    note: Callable[[Change], None] | None = None,
) -> Statement:
    """Fold a month.

    Args:
        account: Whose.
        contracts: All versions, each with the time in which it is in force.
        month: The first day of the month.
        now: Up to when, where the month is not over.
        read: Gives entries; asked for the month, and for those before it that commitments over a
            term or credits go back to.
        note: Is told of each entry that terms of the month change, or have changed.
    """
    zone = _zone(contracts, month)
    span = month_span(month, zone)
    here = _in(contracts, span)
    currency = _currency_of(here)
    reached: dict[tuple[date, str], Decimal] = {}
    fold = Fold(contracts, zone, reached)
    first = min([month, *_beginnings(here, span, zone)])
    sums = _Sums()
    while first <= month:
        window = month_span(first, zone)
        if any(not tiers.graduated for each in contracts for tiers in each.volume_tiers):
            reached |= _reach(contracts, zone, window, currency, read)
        fold.begin(window)
        sums = _Sums(credits=dict(fold.credited))
        for booked in read(window):
            _take(fold, sums, booked, currency, note if first == month else None)
        first = next_month(first)
    end = span.until or now
    return Statement(
        account,
        month,
        min(end, now),
        end <= now,
        currency,
        tuple(each.id for each in here),
        sums.entries,
        sums.waiting,
        sums.foreign,
        sums.listed,
        sums.called,
        tuple(_used(here, fold, sums)),
        total(sums.changes.values()),
        fees_of(here, span, now, fold.drawn),
        sums.prepaid,
        total(_upfront(here, span, now)),
        sums.credited,
    )


def currency_of(contracts: Sequence[Contract], month: date) -> str:
    """Give the currency of a month: that of the contracts in force in it, which share it."""
    return _currency_of(_in(contracts, month_span(month, _zone(contracts, month))))


def _in(contracts: Sequence[Contract], span: Validity) -> list[Contract]:
    return [each for each in contracts if each.validity.meets(span) and not each.is_empty]


def _currency_of(here: Sequence[Contract]) -> str:
    return next((each.currency for each in here), "USD")


def _take(
    fold: Fold,
    sums: _Sums,
    booked: Booked,
    currency: str,
    note: Callable[[Change], None] | None,
) -> None:
    entry, adjustments = booked
    if entry.intent.role == "fee" or entry.status == "void":
        return
    call = called(entry, adjustments)
    if call is None:
        sums.waiting += 1
        return
    if entry.currency != currency:
        sums.foreign += 1
        return
    outcome = fold.add(call)
    sums.entries += 1
    sums.listed = add(sums.listed, outcome.listed)
    sums.called = add(sums.called, total(part.amount for part in call.parts))
    sums.prepaid = add(sums.prepaid, outcome.prepaid)
    sums.credited = add(sums.credited, outcome.credited)
    for key, amount in outcome.changes.items():
        sums.changes[key] = add(sums.changes.get(key, ZERO), amount)
    if note is not None:
        here = [each for each in adjustments if each.currency == currency]
        for change in _changes(call.entry_id, outcome.changes, here):
            note(change)


def _changes(
    entry_id: str, changes: Mapping[tuple[Cause, str], Decimal], adjustments: Iterable[Adjust]
) -> Iterator[Change]:
    before: dict[str, Decimal] = {}
    for each in adjustments:
        if each.cause in CAUSES:
            part = each.amounts.get(entry_id, ZERO)
            before[each.cause] = add(before.get(each.cause, ZERO), part)
    causes: tuple[Cause, ...] = ("allowance", "volume_tier", "commitment")
    for cause in causes:
        found = {term: amount for (kind, term), amount in changes.items() if kind == cause}
        if found or before.get(cause):
            amount = total(found.values())
            yield Change(entry_id, cause, tuple(found), amount, before.get(cause, ZERO))


def _reach(
    contracts: Sequence[Contract], zone: str, month: Validity, currency: str, read: Reader
) -> Mapping[tuple[date, str], Decimal]:
    """Count a month for the tiers that all of it decides."""
    fold, sums = Fold(contracts, zone), _Sums()
    fold.begin(month)
    for booked in read(month):
        _take(fold, sums, booked, currency, None)
    return {(month.since.date(), name): count for name, count in fold.counted.items()}


def _used(contracts: Sequence[Contract], fold: Fold, sums: _Sums) -> Iterator[Used]:
    def change(cause: Cause, name: str) -> Decimal:
        return sums.changes.get((cause, name), ZERO)

    seen: set[tuple[str, str]] = set()
    # Of two versions in one month the newer one says how much there is.
    for contract in sorted(contracts, key=lambda each: each.validity.since, reverse=True):
        prefix = f"{contract.name}/"
        facts: Mapping[str, Decimal]
        for allowance in contract.allowances:
            name = prefix + allowance.name
            free = fold.free.get(name, ZERO)
            facts = {"free": free}
            if allowance.period == "month":
                facts = {"free": free, "left": max(subtract(allowance.quantity, free), ZERO)}
            if _new(seen, "allowance", name):
                yield Used("allowance", name, facts, change("allowance", name))
        for tiers in contract.volume_tiers:
            name = prefix + tiers.name
            facts = {"counted": fold.counted.get(name, ZERO)}
            if _new(seen, "volume_tier", name):
                yield Used("volume_tier", name, facts, change("volume_tier", name))
        for commitment in contract.commitments:
            name = prefix + commitment.name
            if _new(seen, "commitment", name):
                facts = _drawn(fold, name, commitment)
                yield Used("commitment", name, facts, change("commitment", name))
        for credit in contract.credits:
            name = prefix + credit.name
            used = fold.credited.get(name, ZERO)
            facts = {
                "used": subtract(used, sums.credits.get(name, ZERO)),
                "left": subtract(credit.amount, used),
            }
            if _new(seen, "credit", name):
                yield Used("credit", name, facts, ZERO)


def _drawn(fold: Fold, name: str, commitment: Commitment) -> Mapping[str, Decimal]:
    state = fold.drawn.get((name, fold.period_of(commitment)), Drawn())
    left = max(subtract(commitment.amount, state.drawn), ZERO)
    return {
        "committed": commitment.amount,
        "drawn": state.drawn,
        "left": left,
        "overage": state.overage,
    }


def _new(seen: set[tuple[str, str]], kind: str, name: str) -> bool:
    if (kind, name) in seen:
        return False
    seen.add((kind, name))
    return True


def _beginnings(contracts: Sequence[Contract], span: Validity, zone: str) -> Iterator[date]:
    """Give the months that terms reach back to."""
    for contract in contracts:
        for commitment in contract.commitments:
            if not commitment.monthly and commitment.validity.meets(span):
                yield month_of(commitment.validity.since, zone)
        for credit in contract.credits:
            if credit.validity.meets(span):
                yield month_of(credit.validity.since, zone)


def _upfront(contracts: Sequence[Contract], span: Validity, now: datetime) -> Iterator[Decimal]:
    for contract in contracts:
        for each in contract.commitments:
            if not each.upfront or not each.validity.meets(span):
                continue
            begins = span.since if each.monthly else each.validity.since
            if begins <= now and span.holds(begins) and contract.validity.holds(begins):
                yield each.amount


def _zone(contracts: Sequence[Contract], month: date) -> str:
    """Give the zone of the contracts in force; they share it."""
    return next((each.zone for each in _in(contracts, month_span(month, "UTC"))), "UTC")
