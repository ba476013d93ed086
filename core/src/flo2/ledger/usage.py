"""Add up entries by whatever they can be grouped by; to the last digit.

Pure. Imports: records, money.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from attrs import define, field, frozen

from flo2.money import add
from flo2.records import Entry, Settle

__all__ = ["DIMENSIONS", "UsageRow", "check_dimensions", "group_value", "summarise"]

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
        currency: Of the total.
        entries: How many entries.
        statuses: How many of each status.
        total: Sum of the amounts that are known.
        pending_low, pending_high: Bounds of what is pending; `pending_high` None: no finite bound.
        meters: Sum of each meter.
    """

    group: tuple[str | None, ...]
    currency: str
    entries: int
    statuses: Mapping[str, int]
    total: Decimal
    pending_low: Decimal
    pending_high: Decimal | None
    meters: Mapping[str, int | Decimal]


@define
class _Sum:
    entries: int = 0
    total: Decimal = Decimal(0)
    low: Decimal = Decimal(0)
    high: Decimal | None = Decimal(0)
    statuses: Counter[str] = field(factory=Counter)
    meters: dict[str, int | Decimal] = field(factory=dict)


def summarise(entries: Iterable[Entry], by: Sequence[str]) -> list[UsageRow]:
    """Group entries and add them up.

    Args:
        entries: Any entries; amounts of different currencies are kept apart.
        by: Dimensions, of `DIMENSIONS` or `tag:<name>`; none gives one row for each currency.

    Returns:
        Rows, the dearest first, then by group.

    Raises:
        ValueError: an unknown dimension.
    """
    check_dimensions(by)
    sums: dict[tuple[tuple[str | None, ...], str], _Sum] = {}
    for entry in entries:
        end = entry.end
        currency = end.currency if isinstance(end, Settle) else "USD"
        group = tuple(group_value(entry, dimension) for dimension in by)
        _count(sums.setdefault((group, currency), _Sum()), entry)
    rows = [
        UsageRow(
            group, currency, s.entries, dict(s.statuses), s.total, s.low, s.high, dict(s.meters)
        )
        for (group, currency), s in sums.items()
    ]
    return sorted(rows, key=lambda row: (-row.total, [each or "" for each in row.group]))


def _count(into: _Sum, entry: Entry) -> None:
    into.entries += 1
    into.statuses[entry.status] += 1
    if entry.total is not None:
        into.total = add(into.total, entry.total)
    if isinstance(entry.end, Settle):
        for meter, quantity in entry.end.meters.items():
            before = into.meters.get(meter, 0)
            whole = isinstance(before, int) and isinstance(quantity, int)
            into.meters[meter] = before + quantity if whole else add(before, quantity)
    elif entry.status in {"open", "pending"}:
        bounds = entry.intent if entry.end is None else entry.end
        low = getattr(bounds, "low", None)
        high = getattr(bounds, "high", None)
        into.low = add(into.low, low or Decimal(0))
        into.high = None if into.high is None or high is None else add(into.high, high)


def check_dimensions(by: Sequence[str]) -> None:
    """Refuse what nothing can be grouped by.

    Raises:
        ValueError: an unknown dimension.
    """
    for dimension in by:
        if dimension not in DIMENSIONS and not dimension.startswith("tag:"):
            raise ValueError(
                f"unknown dimension {dimension!r}; known: {', '.join(DIMENSIONS)}, tag:<name>"
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
