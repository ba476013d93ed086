"""What differs between two sets of price rows, price by price.

Pure. Imports: money, prices.rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from attrs import frozen

from flo2.money import divide, multiply
from flo2.prices.rows import PriceRow

__all__ = ["Change", "changes", "same_price"]

_MILLION: Final = 1_000_000

_Place = tuple[str, str, str, str]


@frozen
class Change:
    """One price that is new, gone or another; `old` or `new` None: it is not there.

    Attributes:
        model: The exact name, or `/pattern/`.
    """

    provider: str
    model: str
    meter: str
    old: PriceRow | None
    new: PriceRow | None

    @property
    def kind(self) -> str:
        """`added`, `removed` or `changed`."""
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"

    @property
    def ratio(self) -> Decimal | None:
        """New by old, of what changed and was not free."""
        if self.old is None or self.new is None or not self.old.unit_price:
            return None
        return divide(_each(self.new), _each(self.old))[0]


def changes(old: Iterable[PriceRow], new: Iterable[PriceRow]) -> Iterator[Change]:
    """Compare rows by what they are for: model, meter, circumstances, time; ids do not matter.

    Yields:
        In order of provider, model, meter.
    """
    before, after = _by_place(old), _by_place(new)
    for place in sorted(before.keys() | after.keys()):
        was, is_ = before.get(place), after.get(place)
        if was is None or is_ is None or not same_price(was, is_):
            yield Change(*place[:3], was, is_)


def same_price(one: PriceRow, other: PriceRow) -> bool:
    """Say whether two rows charge the same for a unit, however it is published."""
    return _each(one) == _each(other) and one.currency == other.currency


def _by_place(rows: Iterable[PriceRow]) -> dict[_Place, PriceRow]:
    found: dict[_Place, PriceRow] = {}
    for row in rows:
        names = sorted(row.models) or [f"/{row.pattern}/"]
        for name in names:
            found[row.provider, name, row.dimension, row.circumstances()] = row
    return found


def _each(row: PriceRow) -> Decimal:
    """Give the price of a million, or of one where that is what is published."""
    return divide(multiply(row.unit_price, _MILLION), row.per)[0]
