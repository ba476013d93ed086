"""All contracts of an account, by instant: which versions are in force, and their terms.

Pure. Imports: contracts.*, prices, errors.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from attrs import evolve

from flo2.canonical.usage import Usage
from flo2.contracts.check import contradictions
from flo2.contracts.fees import FEE_API
from flo2.contracts.limits import agreed_bounds
from flo2.contracts.pricing import Terms
from flo2.contracts.scope import Validity
from flo2.contracts.terms import Contract
from flo2.errors import ContractError
from flo2.money import ZERO
from flo2.prices import Bounds, Cost, PriceBook, PricingContext
from flo2.prices.match import ProviderDefaults

__all__ = ["AccountContracts", "in_force"]


def in_force(versions: Iterable[Contract]) -> tuple[Contract, ...]:
    """Give each version the stretch of time in which it is in force.

    A version takes the place of the one before it of the same name, from its first instant on; when
    it ends, the one before does not come back.

    Raises:
        ContractError: two versions of one contract begin at the same instant.
    """
    by_name: dict[str, list[Contract]] = {}
    for version in versions:
        by_name.setdefault(version.name, []).append(version)
    found: list[Contract] = []
    problems: list[str] = []
    for name in sorted(by_name):
        dated = sorted(by_name[name], key=lambda each: each.validity.since)
        for one, two in zip(dated, [*dated[1:], None], strict=True):
            span = one.validity
            if two is not None:
                if two.validity.since == span.since:
                    problems.append(
                        f"versions {one.id!r} and {two.id!r} both begin {span.since.isoformat()}; "
                        "a change needs a date of its own"
                    )
                    continue
                ends = [each for each in (span.until, two.validity.since) if each is not None]
                span = Validity(span.since, min(ends))
            found.append(evolve(one, validity=span))
    if problems:
        raise ContractError(problems)
    return tuple(found)


class AccountContracts:
    """Every version of every contract of an account.

    Args:
        versions: In any order.
        unreadable: Why one of them cannot be read, or None. Then nothing is priced: what the
            account has agreed is not known, and list prices would be wrong.

    Attributes:
        versions: In order of name and time, each with the time in which it is in force.

    Raises:
        ContractError: two versions of one contract begin at the same instant.
    """

    __slots__ = ("_instants", "_terms", "unreadable", "versions")

    def __init__(self, versions: Iterable[Contract], *, unreadable: str | None = None) -> None:
        self.unreadable: str | None = unreadable
        self.versions: tuple[Contract, ...] = in_force(versions)
        instants: set[datetime] = set()
        for version in self.versions:
            instants |= {
                each for each in version.instants() if version.validity.holds(each)
            } | version.validity.ends()
        self._instants: Sequence[datetime] = sorted(instants)
        self._terms: dict[int, Terms | None] = {}

    def problems(self, defaults: Mapping[str, ProviderDefaults]) -> list[str]:
        """Say what is contradictory among them, at the context values of a price book."""
        return contradictions(self.versions, defaults)

    def at(self, when: datetime) -> Terms | None:
        """Give the terms of an instant; None: no contract is in force."""
        index = bisect_right(self._instants, when)
        if index not in self._terms:
            self._terms[index] = self._compile(self._instants[index - 1]) if index else None
        return self._terms[index]

    def named(self, id_: str, when: datetime) -> Terms | None:
        """Give the terms of an instant by the versions that a line names, for repricing it.

        Returns:
            None where a version is not among these.
        """
        ids = id_.split("+")
        found = [each for each in self.versions if each.id in ids]
        return _terms_of(found, when) if len(found) == len(ids) else None

    def price(self, book: PriceBook, usage: Usage, context: PricingContext) -> Cost:
        """Price one attempt by the terms of the instant at which it began."""
        if context.api == FEE_API:
            return book.no_cost("unpriced", context, "a fee is what its contract says")
        if self.unreadable is not None:
            return book.no_cost("unpriced", context, self.unreadable)
        terms = self.at(context.at)
        if terms is None:
            return book.price(usage, context)
        return terms.price(book, usage, context)

    def bounds(
        self,
        book: PriceBook,
        listed: Bounds,
        context: PricingContext,
        sizes: tuple[int, int | None, int | None],
        undecided: frozenset[str] = frozenset(),
    ) -> Bounds:
        """Widen the bounds of a call at list price by what the contract makes of it.

        Args:
            book: The list.
            listed: Its bounds.
            context: As for `PriceBook.bounds`.
            sizes: Least input, most input, most output, in tokens; None: not known.
            undecided: As for `PriceBook.bounds`.
        """
        if self.unreadable is not None:
            return Bounds(ZERO, None, listed.currency)
        terms = self.at(context.at)
        if terms is None:
            return listed
        return agreed_bounds(terms, book, listed, context, sizes, undecided)

    def _compile(self, when: datetime) -> Terms | None:
        held = [each for each in self.versions if each.validity.holds(when)]
        return _terms_of(held, when) if any(not each.is_empty for each in held) else None


def _terms_of(contracts: Sequence[Contract], when: datetime) -> Terms:
    held = [each for each in contracts if not each.is_empty]
    return Terms(
        held,
        [
            (f"{contract.id}/{each.name}", each)
            for contract in held
            for each in contract.discounts
            if each.validity.holds(when)
        ],
        [
            (f"{contract.id}/{each.name}", each)
            for contract in held
            for each in contract.capacity
            if each.validity.holds(when)
        ],
    )
