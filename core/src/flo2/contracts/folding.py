"""Fold the calls of a period over the terms that depend on all of them, in the order they began.

Each line goes through allowances, then volume tiers, then commitments, then credits. What comes out
depends on the calls and their order alone: not on who served them, or when it was asked.
Pure. Imports: contracts.*, money.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, Protocol, TypeVar

from attrs import define, evolve, field, frozen

from flo2.contracts.calendar import day_of
from flo2.contracts.parts import Called, Part, shares
from flo2.contracts.scope import Scope, Validity
from flo2.contracts.terms import Allowance, Commitment, Contract, Credit, Step, VolumeTiers
from flo2.money import ZERO, add, divide, exact, multiply, subtract

__all__ = ["Cause", "Drawn", "Fold", "Outcome"]

Cause = Literal["allowance", "volume_tier", "commitment"]
"""What an adjustment of a closed month is for."""

_HUNDRED: Final = exact(100)


class _Term(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def scope(self) -> Scope: ...
    @property
    def validity(self) -> Validity: ...


T = TypeVar("T", bound=_Term)
_Named = tuple[tuple[str, T], ...]


@frozen
class Outcome:
    """What the terms make of one call.

    Attributes:
        changes: Cause and term → what it adds to the cost of the call; never zero.
        cost: Of the call, all told.
        listed: At list price.
        prepaid: How much of the cost a commitment that was paid upfront pays for.
        credited: How much of the rest credits pay for.
    """

    changes: Mapping[tuple[Cause, str], Decimal]
    cost: Decimal
    listed: Decimal
    prepaid: Decimal
    credited: Decimal


@define
class Drawn:
    """A commitment as far as it was drawn on; `drawn + overage` is the cost of its calls."""

    drawn: Decimal = ZERO
    overage: Decimal = ZERO


@frozen
class _Held:
    """The terms of one stretch of time, with their full names."""

    allowances: _Named[Allowance] = ()
    tiers: _Named[VolumeTiers] = ()
    commitments: _Named[Commitment] = ()
    credits: _Named[Credit] = ()


@define
class _Call:
    changes: dict[tuple[Cause, str], Decimal] = field(factory=dict)
    cost: Decimal = ZERO
    listed: Decimal = ZERO
    prepaid: Decimal = ZERO
    credited: Decimal = ZERO

    def change(self, cause: Cause, term: str, amount: Decimal) -> None:
        if amount:
            key = (cause, term)
            self.changes[key] = add(self.changes.get(key, ZERO), amount)


class Fold:
    """Takes calls in the order (began, entry id).

    Args:
        contracts: Of one account, each with the time in which it is in force.
        zone: Where days begin.
        reached: What the month comes to for volume tiers that are not graduated, by full name, as
            `counted` gave it after a fold of the same month; without it their first step is taken.

    Attributes:
        free: Units that allowances made free in the month, by full name.
        counted: What volume tiers have counted in the month.
        drawn: Commitments by full name and the beginning of their period.
        credited: What credits have paid for, since they began.
    """

    __slots__ = (
        "_days", "_held", "_instants", "_reached", "_zone", "contracts", "counted", "credited",
        "drawn", "free", "month",
    )  # fmt: skip

    def __init__(
        self,
        contracts: Sequence[Contract],
        zone: str,
        reached: Mapping[tuple[date, str], Decimal] | None = None,
    ) -> None:
        self.contracts: tuple[Contract, ...] = tuple(contracts)
        self.month: Validity | None = None
        self.free: dict[str, Decimal] = {}
        self.counted: dict[str, Decimal] = {}
        self.drawn: dict[tuple[str, datetime], Drawn] = {}
        self.credited: dict[str, Decimal] = {}
        self._zone = zone
        self._days: dict[tuple[str, date], Decimal] = {}
        self._reached: Mapping[tuple[date, str], Decimal] = {} if reached is None else reached
        instants: set[datetime] = set()
        for contract in contracts:
            instants |= contract.validity.ends()
            for terms in (
                contract.allowances,
                contract.volume_tiers,
                contract.commitments,
                contract.credits,
            ):
                instants |= _ends(terms)
        self._instants = sorted(instants)
        self._held: dict[int, _Held] = {}

    def begin(self, month: Validity) -> None:
        """Begin a month: what is counted by the month starts at zero."""
        self.month = month
        self.free.clear()
        self.counted.clear()
        self._days.clear()

    def add(self, called: Called) -> Outcome:
        """Take the next call."""
        held = self._terms(called.at)
        call = _Call()
        for part in called.parts:
            call.listed = add(call.listed, part.listed)
            paid = self._allow(call, held.allowances, called.at, part)
            for piece in self._tier(call, held.tiers, paid):
                cost, prepaid = self._draw(call, held.commitments, piece)
                call.cost = add(call.cost, cost)
                call.prepaid = add(call.prepaid, prepaid)
                credited = self._credit(held.credits, piece, subtract(cost, prepaid))
                call.credited = add(call.credited, credited)
        changes = {key: amount for key, amount in call.changes.items() if amount}
        return Outcome(changes, call.cost, call.listed, call.prepaid, call.credited)

    def period_of(self, commitment: Commitment) -> datetime:
        """Say when the period began that a commitment is in."""
        if commitment.monthly and self.month is not None:
            return self.month.since
        return commitment.validity.since

    # The four kinds ---------------------------------------------------------------------------

    def _allow(self, call: _Call, held: _Named[Allowance], at: datetime, part: Part) -> Part:
        for name, each in _about(held, part):
            if part.quantity <= 0:
                break
            if each.period == "day":
                key = (name, day_of(at, self._zone))
                used = self._days.get(key, ZERO)
            else:
                key = None
                used = self.free.get(name, ZERO)
            free = min(subtract(each.quantity, used), Decimal(part.quantity))
            if free <= 0:
                continue
            if key is not None:
                self._days[key] = add(used, free)
            self.free[name] = add(self.free.get(name, ZERO), free)
            left = part.less(free)
            call.change("allowance", name, subtract(left.amount, part.amount))
            part = left
        return part

    def _tier(self, call: _Call, held: _Named[VolumeTiers], part: Part) -> Sequence[Part]:
        """Cut a part where the steps are: what follows sees pieces of one price each."""
        for name, each in _about(held, part):  # one at most; see `contracts.check`
            size = Decimal(part.quantity) if each.counts == "units" else part.amount
            if size <= 0:
                break
            before = self.counted.get(name, ZERO)
            self.counted[name] = add(before, size)
            if each.graduated:
                steps = list(_pieces(each.steps, before, size))
            else:
                steps = [(_step(each.steps, self._reached.get(self._key(name), ZERO)), size)]
            sizes = [piece for _, piece in steps]
            found = []
            for (step, piece), quantity, amount, listed in zip(
                steps,
                shares(Decimal(part.quantity), sizes, size),
                shares(part.amount, sizes, size),
                shares(part.listed, sizes, size),
                strict=True,
            ):
                cost = _at_step(step, piece, amount)
                call.change("volume_tier", name, subtract(cost, amount))
                found.append(evolve(part, quantity=quantity, amount=cost, listed=listed))
            return found
        return (part,)

    def _draw(self, call: _Call, held: _Named[Commitment], part: Part) -> tuple[Decimal, Decimal]:
        """Give the cost of a part, and how much of it was paid upfront."""
        for name, each in _about(held, part):
            state = self.drawn.setdefault((name, self.period_of(each)), Drawn())
            if part.amount < 0:  # a refund gives back overage first, then what was drawn
                past = max(part.amount, min(subtract(ZERO, state.overage), ZERO))
                drawn = max(subtract(part.amount, past), subtract(ZERO, state.drawn))
            else:
                drawn = min(part.amount, max(subtract(each.amount, state.drawn), ZERO))
            over = subtract(part.amount, drawn)
            dearer = over
            if each.overage == "list" and over > 0:
                dearer = divide(multiply(part.listed, over), part.amount)[0]
                call.change("commitment", name, subtract(dearer, over))
            state.drawn = add(state.drawn, drawn)
            state.overage = add(state.overage, dearer)
            return add(part.amount, subtract(dearer, over)), drawn if each.upfront else ZERO
        return part.amount, ZERO

    def _credit(self, held: _Named[Credit], part: Part, payable: Decimal) -> Decimal:
        credited = ZERO
        for name, each in _about(held, part):
            used = self.credited.get(name, ZERO)
            now = min(subtract(each.amount, used), subtract(payable, credited))
            if now > 0:
                self.credited[name] = add(used, now)
                credited = add(credited, now)
        return credited

    # --------------------------------------------------------------------------------------------

    def _key(self, name: str) -> tuple[date, str]:
        assert self.month is not None  # noqa: S101  # narrowing: asked within a month only
        return self.month.since.date(), name

    def _terms(self, at: datetime) -> _Held:
        index = bisect_right(self._instants, at)
        found = self._held.get(index)
        if found is None:
            contracts = [each for each in self.contracts if each.validity.holds(at)]
            credits_ = _named(contracts, at, [each.credits for each in contracts])
            found = self._held[index] = _Held(
                _named(contracts, at, [each.allowances for each in contracts]),
                _named(contracts, at, [each.volume_tiers for each in contracts]),
                _named(contracts, at, [each.commitments for each in contracts]),
                tuple(sorted(credits_, key=_expiry)),
            )
        return found


def _named(contracts: Sequence[Contract], at: datetime, terms: Sequence[Sequence[T]]) -> _Named[T]:
    return tuple(
        (f"{contract.name}/{each.name}", each)
        for contract, some in zip(contracts, terms, strict=True)
        for each in some
        if each.validity.holds(at)
    )


def _ends(terms: Sequence[_Term]) -> set[datetime]:
    return {instant for each in terms for instant in each.validity.ends()}


def _expiry(named: tuple[str, Credit]) -> tuple[bool, datetime, str]:
    """What lapses first is used first."""
    name, credit = named
    until = credit.validity.until
    return until is None, until or credit.validity.since, name


def _about(held: _Named[T], part: Part) -> Iterable[tuple[str, T]]:
    return [
        (name, each)
        for name, each in held
        if each.scope.counts(part.meter)
        and each.scope.covers(part.provider, part.model, part.context)
    ]


def _pieces(
    steps: Sequence[Step], before: Decimal, size: Decimal
) -> Iterable[tuple[Step, Decimal]]:
    """Cut what is counted from `before` on where the steps are."""
    end = add(before, size)
    for step, after in zip(steps, [*(each.over for each in steps[1:]), None], strict=True):
        low = max(before, step.over)
        high = end if after is None else min(end, after)
        if high > low:
            yield step, subtract(high, low)


def _step(steps: Sequence[Step], reached: Decimal) -> Step:
    found = steps[0]
    for step in steps:
        if reached > step.over:
            found = step
    return found


def _at_step(step: Step, units: Decimal, amount: Decimal) -> Decimal:
    if step.price is not None:
        return divide(multiply(units, step.price), step.per)[0]
    return multiply(amount, divide(subtract(_HUNDRED, step.percent), _HUNDRED)[0])
