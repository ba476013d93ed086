"""What is owed whether calls are made or not: capacity by the hour, commitments not used up.

Pure. Imports: contracts.*, money.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

from attrs import frozen

from flo2.contracts.folding import Drawn
from flo2.contracts.scope import Validity
from flo2.contracts.terms import Contract
from flo2.money import ZERO, divide, exact, multiply, subtract

__all__ = ["FEE_API", "Fee", "fees_of"]

FEE_API: Final = "contract"
"""What a fee's entry has in place of an API: it is no call, and no book prices it."""

_HOUR_S: Final = 3600
_MICRO: Final = exact("0.000001")
_TICK: Final = timedelta(microseconds=1)


@frozen
class Fee:
    """A fee of a month.

    Attributes:
        kind: `capacity`: units and seconds of provisioned capacity · `shortfall`: what was
            committed to and not used.
        name: `contract/term`; `contract`: the version that says so.
        span: What it is for.
        quantity: Unit seconds, `per` 3600; or 1.
        rounded: The amount does not terminate and was cut at 1e-12.
    """

    kind: Literal["capacity", "shortfall"]
    name: str
    contract: str
    provider: str
    span: Validity
    quantity: Decimal
    unit_price: Decimal
    per: int
    amount: Decimal
    rounded: bool = False


def fees_of(
    contracts: Sequence[Contract],
    month: Validity,
    now: datetime,
    drawn: Mapping[tuple[str, datetime], Drawn],
) -> tuple[Fee, ...]:
    """Give the fees of a month, up to now."""
    found = [*_capacity(contracts, month, now), *_shortfalls(contracts, month, now, drawn)]
    return tuple(sorted(found, key=lambda fee: (fee.kind, fee.name, fee.span.since)))


def _capacity(contracts: Sequence[Contract], month: Validity, now: datetime) -> Iterator[Fee]:
    if now <= month.since:
        return
    for contract in contracts:
        for each in contract.capacity:
            span = each.validity.clipped(contract.validity)
            span = None if span is None else span.clipped(month)
            span = None if span is None else span.clipped(Validity(month.since, now))
            if span is None or span.until is None:
                continue
            lasted = span.until - span.since
            micros = (lasted.days * 86_400 + lasted.seconds) * 1_000_000 + lasted.microseconds
            seconds = multiply(multiply(micros, _MICRO), each.units)
            amount, rounded = divide(multiply(seconds, each.hourly), _HOUR_S)
            yield Fee(
                "capacity",
                f"{contract.name}/{each.name}",
                contract.id,
                each.scope.providers[0],
                span,
                seconds,
                each.hourly,
                _HOUR_S,
                amount,
                rounded,
            )


def _shortfalls(
    contracts: Sequence[Contract],
    month: Validity,
    now: datetime,
    drawn: Mapping[tuple[str, datetime], Drawn],
) -> Iterator[Fee]:
    """Give what is left of commitments whose period ends in the month, and has ended by now."""
    for contract in contracts:
        for each in contract.commitments:
            name = f"{contract.name}/{each.name}"
            since = month.since if each.monthly else each.validity.since
            until = month.until if each.monthly else each.validity.until
            if until is None or until > now or not month.since < until:
                continue
            if month.until is not None and until > month.until:
                continue
            last = until - _TICK  # the version in force at the end says how much it was
            if not contract.validity.holds(last) or not each.validity.holds(last):
                continue
            left = subtract(each.amount, drawn.get((name, since), Drawn()).drawn)
            if left > ZERO:
                provider = each.scope.providers[0] if each.scope.providers else contract.name
                span = Validity(since, until)
                one = exact(1)
                yield Fee("shortfall", name, contract.id, provider, span, one, left, 1, left)
