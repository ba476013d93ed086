"""Find where contracts contradict themselves or each other: two answers to one question.

Pure. Imports: contracts.scope, contracts.terms, contracts.calendar, prices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Final, Protocol, TypeVar

from flo2.contracts.calendar import begins_a_month
from flo2.contracts.scope import Scope, Validity, patterns_meet
from flo2.contracts.terms import Contract, Discount, Rate
from flo2.money import text, total
from flo2.prices.match import ProviderDefaults, overlap

__all__ = ["contradictions"]

_NO_DEFAULTS: Final[Mapping[str, ProviderDefaults]] = {}
_HUNDRED: Final = 100


class _Term(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def scope(self) -> Scope: ...
    @property
    def validity(self) -> Validity: ...


T = TypeVar("T", bound=_Term)


def contradictions(
    contracts: Sequence[Contract], defaults: Mapping[str, ProviderDefaults] = _NO_DEFAULTS
) -> list[str]:
    """Say what is contradictory in contracts of one account.

    Args:
        contracts: Each with the stretch of time in which it is in force.
        defaults: Provider → context key → values at which rows without that key hold, as in the
            price book that they are used with.

    Returns:
        One line per contradiction, with the names of both; in doubt whether two terms ever meet,
        they do.
    """
    found: list[str] = []
    for one, other in combinations(contracts, 2):
        if one.validity.meets(other.validity):
            for what in ("zone", "currency"):
                here, there = getattr(one, what), getattr(other, what)
                if here != there:
                    found.append(
                        f"contracts {one.name!r} and {other.name!r} differ in {what}: "
                        f"{here!r} and {there!r}; an account has one at a time"
                    )
    found += _rates(contracts, defaults)
    for contract in contracts:
        found += _gaps(contract)
        found += _months(contract)
    discounts = list(_pairs(contracts, lambda each: each.discounts))
    found += [
        f"discounts {a!r} and {b!r} have the order {one.order} and may meet in one line, but "
        f"{one.stacks} and {other.stacks} depend on which comes first; give them different orders"
        for (a, one), (b, other) in discounts
        if _same_money(one, other)
        and one.order == other.order
        and (one.stacks != other.stacks or one.stacks == "best_only")
    ]
    found += _sums(contracts, discounts)
    for kind, why, terms in (
        ("capacity", "both would pay for one call", lambda each: each.capacity),
        ("volume tiers", "one line has one tier", lambda each: each.volume_tiers),
        ("commitments", "one line draws on one of them", lambda each: each.commitments),
    ):
        found += [
            f"{kind} {a!r} and {b!r} overlap: {why}" for (a, _), (b, _) in _pairs(contracts, terms)
        ]
    return found


def _pairs(
    contracts: Sequence[Contract], terms: Callable[[Contract], Iterable[T]]
) -> Iterable[tuple[tuple[str, T], tuple[str, T]]]:
    """Give every two terms that may meet in one line, each with its full name."""
    named = [
        (f"{contract.name}/{term.name}", term, held)
        for contract in contracts
        for term in terms(contract)
        if (held := term.validity.clipped(contract.validity)) is not None
    ]
    for (a, one, here), (b, other, there) in combinations(named, 2):
        if here.meets(there) and one.scope.meets(other.scope):
            yield (a, one), (b, other)


def _same_money(one: Discount, other: Discount) -> bool:
    return "all" in {one.on, other.on} or one.on == other.on


def _sums(
    contracts: Sequence[Contract],
    pairs: Sequence[tuple[tuple[str, Discount], tuple[str, Discount]]],
) -> list[str]:
    found = []
    for contract in contracts:
        for discount in contract.discounts:
            if discount.stacks != "add" or discount.percent <= 0:
                continue
            name = f"{contract.name}/{discount.name}"
            both = [*pairs, *((other, one) for one, other in pairs)]
            beside = {name: discount} | {
                near: each
                for (mine, _), (near, each) in both
                if mine == name and each.stacks == "add" and _same_money(discount, each)
            }
            off = total(each.percent for each in beside.values() if each.percent > 0)
            if off > _HUNDRED:
                said = " and ".join(repr(each) for each in sorted(beside))
                line = f"discounts {said} add up to {text(off)} %, more than 100 %"
                if line not in found:
                    found.append(line)
    return found


def _rates(
    contracts: Sequence[Contract], defaults: Mapping[str, ProviderDefaults]
) -> Iterable[str]:
    held: dict[tuple[str, str], list[tuple[Rate, Validity]]] = {}
    for contract in contracts:
        for rate in contract.rates:
            span = _span(rate).clipped(contract.validity)
            if span is not None:
                held.setdefault((rate.row.provider, rate.row.dimension), []).append((rate, span))
    for (provider, meter), rates in held.items():
        for (one, here), (other, there) in combinations(rates, 2):
            a, b = one.row, other.row
            if (
                here.meets(there)
                and patterns_meet(one.models, other.models)
                and overlap(a, b, defaults.get(provider, {}))
            ):
                yield f"rates {a.id!r} and {b.id!r} overlap: both price {meter}"


def _span(rate: Rate) -> Validity:
    since = rate.row.valid_from
    assert since is not None  # noqa: S101  # narrowing: every rate is dated when it is read
    return Validity(since, rate.row.valid_until)


def _gaps(contract: Contract) -> Iterable[str]:
    """Find tiers and times that leave something out between two rates for the same thing."""
    groups: dict[object, dict[Validity, list[Rate]]] = {}
    for rate in contract.rates:
        row = rate.row
        when = tuple(sorted((key, tuple(sorted(values))) for key, values in row.when.items()))
        key = (row.provider, tuple(sorted(rate.models)), row.dimension, when)
        groups.setdefault(key, {}).setdefault(_span(rate), []).append(rate)
    for by_time in groups.values():
        spans = sorted(by_time, key=lambda span: span.since)
        for one, two in pairwise(spans):
            if one.until is not None and one.until < two.since:
                yield (
                    f"between rates {by_time[one][0].row.id!r} and {by_time[two][0].row.id!r} "
                    f"there is a gap, {one.until.isoformat()} to {two.since.isoformat()}"
                )
        for rates in by_time.values():
            yield from _tier_gaps(rates)


def _tier_gaps(rates: Sequence[Rate]) -> Iterable[str]:
    tiers = sorted(
        ((row.tier.start, row.tier.stop, row.id) for row in (r.row for r in rates) if row.tier),
        key=lambda tier: tier[0],
    )
    if not tiers:
        return
    if tiers[0][0] > 1:
        yield f"rate {tiers[0][2]!r} begins at {tiers[0][0]}: below it there is a gap"
    for (_, stop, one), (start, _, two) in pairwise(tiers):
        if stop is not None and stop < start:
            yield f"between rates {one!r} and {two!r} there is a gap, {stop} to {start}"
    if tiers[-1][1] is not None:
        yield f"rate {tiers[-1][2]!r} ends below {tiers[-1][1]}: past it there is a gap"


def _months(contract: Contract) -> Iterable[str]:
    for each in contract.commitments:
        ends = (each.validity.since, each.validity.until)
        if each.monthly and not all(
            end is None or begins_a_month(end, contract.zone) for end in ends
        ):
            yield (
                f"commitment {contract.name + '/' + each.name!r} is for whole months, and begins "
                f"and ends with one in {contract.zone}; give it dates of its own"
            )
