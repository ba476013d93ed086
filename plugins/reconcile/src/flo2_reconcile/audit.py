"""What a reseller's traffic would have cost at the list price of the model's own provider.

Imports: nothing of flo2_reconcile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Final

from attrs import define, frozen

from flo2 import Entry, PriceBook, Settle, Usage
from flo2.instants import instant
from flo2.ledger import Adjusted
from flo2.money import ZERO, add, divide, multiply, subtract
from flo2.prices import PricingContext

__all__ = ["Spread", "audited"]

_HUNDRED: Final = Decimal(100)


@frozen
class Spread:
    """What one model cost through a reseller, and at list.

    Attributes:
        reseller, model: As in the ledger.
        maker: The provider whose list price it is held against; "" where none has one.
        calls: How many; `priced`: how many of them have a list price.
        paid: What those that have one cost; `paid_unpriced` the others.
        at_list: Their list price.
    """

    reseller: str
    model: str
    maker: str
    calls: int
    priced: int
    paid: Decimal
    paid_unpriced: Decimal
    at_list: Decimal

    @property
    def spread(self) -> Decimal:
        """What the reseller took above the list price; negative: below it."""
        return subtract(self.paid, self.at_list)

    @property
    def percent(self) -> Decimal | None:
        """The spread as a part of the list price, in percent, to two places."""
        if not self.at_list:
            return None
        part = divide(multiply(self.spread, _HUNDRED), self.at_list)[0]
        return Decimal(f"{part:.2f}")


@define
class _Sum:
    calls: int = 0
    priced: int = 0
    paid: Decimal = ZERO
    paid_unpriced: Decimal = ZERO
    at_list: Decimal = ZERO


def audited(
    entries: Iterable[Adjusted], resellers: Collection[str], book: PriceBook
) -> list[Spread]:
    """Hold a reseller's charges against list prices, model by model.

    Args:
        entries: Any; those of other providers and those whose cost is not known are passed over.
        resellers: Names of the providers that are resellers.
        book: List prices.

    Returns:
        The dearest first.
    """
    sums: dict[tuple[str, str, str], _Sum] = {}
    for adjusted in entries:
        entry, end, paid = adjusted.entry, adjusted.entry.end, adjusted.total
        if entry.intent.provider not in resellers or not isinstance(end, Settle) or paid is None:
            continue
        model = end.model_billed or entry.intent.model
        maker, listed = _at_list(entry, end, model, book)
        into = sums.setdefault((entry.intent.provider, model, maker), _Sum())
        into.calls += 1
        if listed is None:
            into.paid_unpriced = add(into.paid_unpriced, paid)
        else:
            into.priced += 1
            into.paid = add(into.paid, paid)
            into.at_list = add(into.at_list, listed)
    rows = [
        Spread(*key, each.calls, each.priced, each.paid, each.paid_unpriced, each.at_list)
        for key, each in sums.items()
    ]
    return sorted(
        rows, key=lambda row: (-add(row.paid, row.paid_unpriced), row.reseller, row.model)
    )


def _at_list(entry: Entry, end: Settle, model: str, book: PriceBook) -> tuple[str, Decimal | None]:
    """Price what was used at the maker's list: `maker/model`, in one of its spellings."""
    maker, slash, name = model.partition("/")
    if not slash or maker not in book.providers():
        return "", None
    at = instant(entry.intent.started_us)
    for spelt in dict.fromkeys((name, name.partition(":")[0], name.replace(".", "-"))):
        context = PricingContext(maker, entry.intent.api, spelt, spelt, at, {})
        cost = book.price(Usage(end.meters), context)
        if cost.total is not None and cost.status == "settled":
            return maker, cost.total
    return maker, None
