"""Add up entries by whatever they can be grouped by; to the last digit.

`summarise` is the reference: it folds entries one by one. A store that keeps sums of its own must
give the very same rows. Pure. Imports: records, money.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from attrs import define, field, frozen

from flo2.money import ZERO, add
from flo2.records import Adjust, Entry, Pend, Settle

__all__ = [
    "DIMENSIONS",
    "UsageRow",
    "check_dimensions",
    "group_value",
    "in_order",
    "overall",
    "summarise",
]

DIMENSIONS: Final[tuple[str, ...]] = (
    "model",
    "provider",
    "feature",
    "team",
    "customer",
    "end_user",
    "key",
    "route",
    "experiment",
    "arm",
    "role",
)
"""What usage can be grouped by; besides these, `tag:<name>`."""


@frozen
class UsageRow:
    """The sum of the entries that share a group.

    Attributes:
        group: One value for each dimension asked for; None where an entry has none.
        currency: Of the amounts.
        entries: How many entries.
        statuses: How many of each status.
        total: Sum of the amounts that are known, adjustments included.
        adjusted: What adjustments added to them; a part of `total`.
        pending_low, pending_high: Bounds of what is pending; `pending_high` None: no finite bound.
        meters: Sum of each meter, those that are not zero; an int where it is whole.
    """

    group: tuple[str | None, ...]
    currency: str
    entries: int
    statuses: Mapping[str, int]
    total: Decimal
    adjusted: Decimal
    pending_low: Decimal
    pending_high: Decimal | None
    meters: Mapping[str, int | Decimal]


@define
class _Sum:
    entries: int = 0
    total: Decimal = ZERO
    adjusted: Decimal = ZERO
    low: Decimal = ZERO
    high: Decimal | None = ZERO
    statuses: Counter[str] = field(factory=Counter)
    meters: dict[str, Decimal] = field(factory=dict)

    def count(self, entry: Entry) -> None:
        self.entries += 1
        self.statuses[entry.status] += 1
        if entry.total is not None:
            self.total = add(self.total, entry.total)
        if isinstance(entry.end, Settle):
            self.add_meters(entry.end.meters)
        elif entry.status in {"open", "pending"}:
            bounds = entry.end if isinstance(entry.end, Pend) else entry.intent
            self.low = add(self.low, bounds.low or ZERO)
            unbounded = self.high is None or bounds.high is None
            self.high = None if unbounded else add(self.high or ZERO, bounds.high or ZERO)

    def add_meters(self, meters: Mapping[str, int | Decimal]) -> None:
        for meter, quantity in meters.items():
            self.meters[meter] = add(self.meters.get(meter, ZERO), quantity)

    def row(self, group: tuple[str | None, ...], currency: str) -> UsageRow:
        return UsageRow(
            group,
            currency,
            self.entries,
            dict(self.statuses),
            add(self.total, self.adjusted),
            self.adjusted,
            self.low,
            self.high,
            {
                meter: int(quantity) if quantity == int(quantity) else quantity
                for meter, quantity in self.meters.items()
                if quantity
            },
        )


def check_dimensions(by: Sequence[str]) -> None:
    """Refuse what usage cannot be grouped by.

    Raises:
        ValueError: an unknown dimension.
    """
    for dimension in by:
        if dimension not in DIMENSIONS and not dimension.startswith("tag:"):
            raise ValueError(
                f"unknown dimension {dimension!r}; known: {', '.join(DIMENSIONS)}, tag:<name>"
            )


def summarise(
    entries: Iterable[Entry], by: Sequence[str], adjustments: Iterable[Adjust] = ()
) -> list[UsageRow]:
    """Group entries and add them up.

    Args:
        entries: Any entries; amounts of different currencies are kept apart.
        by: Dimensions, of `DIMENSIONS` or `tag:<name>`; none gives one row for each currency.
        adjustments: Corrections. Each part counts with the entry it corrects, under the
            adjustment's own currency; parts of entries that are not given do not count.

    Returns:
        Rows, the dearest first, then by group; none that holds nothing.

    Raises:
        ValueError: an unknown dimension.
    """
    check_dimensions(by)
    parts: dict[str, list[tuple[str, Decimal]]] = {}
    for each in adjustments:
        for entry_id, amount in each.amounts.items():
            parts.setdefault(entry_id, []).append((each.currency, amount))
    sums: dict[tuple[tuple[str | None, ...], str], _Sum] = {}
    for entry in entries:
        group = tuple(group_value(entry, dimension) for dimension in by)
        sums.setdefault((group, entry.currency), _Sum()).count(entry)
        for currency, amount in parts.get(entry.intent.entry_id, ()):
            into = sums.setdefault((group, currency), _Sum())
            into.adjusted = add(into.adjusted, amount)
    return in_order(each.row(group, currency) for (group, currency), each in sums.items())


def overall(rows: Iterable[UsageRow]) -> list[UsageRow]:
    """Add rows up to one for each currency: the total of whatever they are grouped by."""
    sums: dict[str, _Sum] = {}
    for row in rows:
        into = sums.setdefault(row.currency, _Sum())
        into.entries += row.entries
        into.statuses.update(row.statuses)
        into.total = add(into.total, add(row.total, row.adjusted.copy_negate()))
        into.adjusted = add(into.adjusted, row.adjusted)
        into.low = add(into.low, row.pending_low)
        unbounded = into.high is None or row.pending_high is None
        into.high = None if unbounded else add(into.high or ZERO, row.pending_high or ZERO)
        into.add_meters(row.meters)
    return in_order(each.row((), currency) for currency, each in sums.items())


def in_order(rows: Iterable[UsageRow]) -> list[UsageRow]:
    """Put rows in the order in which they are shown, and leave out those that hold nothing."""
    kept = [row for row in rows if row.entries or row.adjusted]
    return sorted(
        kept,
        key=lambda row: (
            row.total.copy_negate(),  # unary minus would round in the host's decimal context
            [each or "" for each in row.group],
            row.currency,
        ),
    )


def group_value(entry: Entry, dimension: str) -> str | None:
    """Give an entry's value of a dimension, of `DIMENSIONS` or `tag:<name>`; None: it has none."""
    intent = entry.intent
    if dimension.startswith("tag:"):
        return intent.attribution.tags.get(dimension.removeprefix("tag:"))
    match dimension:
        case "model":
            return getattr(entry.end, "model_billed", None) or intent.model
        case "key":
            return intent.key_id
        case "feature" | "team" | "customer" | "end_user":
            value = getattr(intent.attribution, dimension)
        case _:
            value = getattr(intent, dimension)
    return value if value is None else str(value)
