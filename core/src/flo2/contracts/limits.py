"""The least and the most that a call can cost under a contract, before it runs.

For holds: what the list asks or what the contract asks, whichever is dearer, since a line that the
contract does not reach stays at list price. Pure. Imports: contracts.pricing, prices, money.
"""

from __future__ import annotations

from decimal import Decimal

from flo2.contracts.pricing import Terms
from flo2.errors import PricingError
from flo2.money import ZERO, add, multiply
from flo2.prices import Bounds, PriceBook, PricingContext

__all__ = ["agreed_bounds"]


def agreed_bounds(
    terms: Terms,
    book: PriceBook,
    listed: Bounds,
    context: PricingContext,
    sizes: tuple[int, int | None, int | None],
    undecided: frozenset[str],
) -> Bounds:
    """Bound a call; see `AccountContracts.bounds`."""
    provider, model = context.provider, context.model_billed
    try:
        cards = terms.cards(book)
    except PricingError:
        return Bounds(ZERO, None, listed.currency)  # nothing is priced by such a contract
    high = listed.high
    if cards.rows_for(provider, model):
        ways = [
            _most(cards, book, context, part, undecided)
            for part in ((sizes[0], sizes[1], 0), (0, 0, sizes[2]))
        ]
        high = None if ways[0] is None or ways[1] is None else add(ways[0], ways[1])
    if high is not None:
        high = multiply(high, terms.surcharge(provider, model))
    # A discount may take all of it.
    return Bounds(ZERO, high, listed.currency)


def _most(
    cards: PriceBook,
    book: PriceBook,
    context: PricingContext,
    sizes: tuple[int, int | None, int | None],
    undecided: frozenset[str],
) -> Decimal | None:
    """Give the most that a prompt, or an answer, can cost by list or by rate."""
    found = [
        each.bounds(context, *sizes, undecided=undecided).high
        for each in (book, cards)
        if each.resolve(context.provider, context.model_billed, context.context, undecided).problem
        is None
    ]
    known = [each for each in found if each is not None]
    return max(known, default=None)
