"""What entries cost before and after a change, and the sums of that.

Pure. Imports: ledger, money, records.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from attrs import define, frozen

from flo2.ledger import check_dimensions, group_value
from flo2.money import ZERO, add, subtract
from flo2.records import Entry

__all__ = ["Compared", "Difference", "differences", "overall"]


@frozen
class Compared:
    """One entry's cost before and after; None: not known.

    Attributes:
        currency: Of both.
        reason: Why there is no `after`, or what is special about it.
    """

    entry: Entry
    before: Decimal | None
    after: Decimal | None
    currency: str
    reason: str | None = None


@frozen
class Difference:
    """The sums of the entries that share a group.

    `after = before + change + gained - lost`, exactly.

    Attributes:
        group: One value for each dimension asked for.
        entries: How many entries.
        before, after: Sum of what is known before, and after.
        touched: Entries whose known cost changes.
        change: By how much, those together.
        priced: Entries that had no price and get one; `gained`: what they cost.
        unpriced: Entries that had a price and lose it; `lost`: what they cost.
        unknown: Entries whose cost is known neither before nor after.
    """

    group: tuple[str | None, ...]
    currency: str
    entries: int
    before: Decimal
    after: Decimal
    touched: int
    change: Decimal
    priced: int
    gained: Decimal
    unpriced: int
    lost: Decimal
    unknown: int


@define
class _Sum:
    entries: int = 0
    before: Decimal = ZERO
    after: Decimal = ZERO
    touched: int = 0
    change: Decimal = ZERO
    priced: int = 0
    gained: Decimal = ZERO
    unpriced: int = 0
    lost: Decimal = ZERO
    unknown: int = 0

    def count(self, each: Compared) -> None:
        """Count an entry in."""
        self.entries += 1
        before, after = each.before, each.after
        if before is not None:
            self.before = add(self.before, before)
        if after is not None:
            self.after = add(self.after, after)
        if before is None and after is None:
            self.unknown += 1
        elif before is None:
            self.priced += 1
            self.gained = add(self.gained, after or ZERO)
        elif after is None:
            self.unpriced += 1
            self.lost = add(self.lost, before)
        elif before != after:
            self.touched += 1
            self.change = add(self.change, subtract(after, before))

    def take(self, row: Difference) -> None:
        """Count a whole row in."""
        self.entries += row.entries
        self.touched += row.touched
        self.priced += row.priced
        self.unpriced += row.unpriced
        self.unknown += row.unknown
        self.before = add(self.before, row.before)
        self.after = add(self.after, row.after)
        self.change = add(self.change, row.change)
        self.gained = add(self.gained, row.gained)
        self.lost = add(self.lost, row.lost)

    def row(self, group: tuple[str | None, ...], currency: str) -> Difference:
        """Give the sums as they stand."""
        return Difference(
            group,
            currency,
            self.entries,
            self.before,
            self.after,
            self.touched,
            self.change,
            self.priced,
            self.gained,
            self.unpriced,
            self.lost,
            self.unknown,
        )


def differences(compared: Iterable[Compared], by: Sequence[str]) -> list[Difference]:
    """Group and add up.

    Args:
        compared: Entries, read once.
        by: Dimensions as `flo2 usage` has them; none gives one row for each currency.

    Returns:
        Rows, the largest difference first, then by group.

    Raises:
        ValueError: an unknown dimension.
    """
    check_dimensions(by)
    sums: dict[tuple[tuple[str | None, ...], str], _Sum] = {}
    for each in compared:
        group = tuple(group_value(each.entry, dimension) for dimension in by)
        sums.setdefault((group, each.currency), _Sum()).count(each)
    rows = [each.row(group, currency) for (group, currency), each in sums.items()]
    return sorted(
        rows,
        key=lambda row: (
            # Not by operators: they would round in the host's decimal context.
            subtract(row.after, row.before).copy_abs().copy_negate(),
            [each or "" for each in row.group],
        ),
    )


def overall(rows: Iterable[Difference]) -> list[Difference]:
    """Add rows up to one for each currency."""
    sums: dict[str, _Sum] = {}
    for row in rows:
        sums.setdefault(row.currency, _Sum()).take(row)
    return [each.row((), currency) for currency, each in sorted(sums.items())]
