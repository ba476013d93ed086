"""Decide which rows hold under which circumstances, and whether two rows could hold at once.

Pure functions over rows. Imports: prices.rows, prices.context.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Final

from flo2.errors import AmbiguousPrice
from flo2.prices.rows import ABSENT, PriceRow

__all__ = ["ONLY_ABSENT", "applies", "check_overlaps", "overlap", "unknown_values"]

ONLY_ABSENT: Final = frozenset({ABSENT})
"""What a key with no declared default allows: that nobody stated it."""

ProviderDefaults = Mapping[str, frozenset[str]]


def allowed(row: PriceRow, key: str, defaults: ProviderDefaults) -> frozenset[str]:
    """Give the values of a context key at which the row holds."""
    found = row.when.get(key)
    return found if found is not None else defaults.get(key, ONLY_ABSENT)


def applies(
    row: PriceRow,
    context: Mapping[str, str],
    defaults: ProviderDefaults,
    ignore: Iterable[str] = (),
) -> bool:
    """Say whether the row holds in this context, whatever the tier and the instant."""
    keys = context.keys() | row.when.keys() | defaults.keys()
    return all(
        context.get(key, ABSENT) in allowed(row, key, defaults) for key in keys.difference(ignore)
    )


def unknown_values(
    rows: Sequence[PriceRow], context: Mapping[str, str], defaults: ProviderDefaults
) -> list[str]:
    """Name the context values at which not one of the rows holds."""
    keys = context.keys() | defaults.keys() | {key for row in rows for key in row.when}
    problems = []
    for key in sorted(keys):
        value = context.get(key, ABSENT)
        if not any(value in allowed(row, key, defaults) for row in rows):
            problems.append(f"{key}={value!r}" if value else f"no {key}")
    return problems


def overlap(a: PriceRow, b: PriceRow, defaults: ProviderDefaults) -> bool:
    """Say whether some call could match both rows of one model and meter."""
    for key in a.when.keys() | b.when.keys():
        if allowed(a, key, defaults).isdisjoint(allowed(b, key, defaults)):
            return False
    if a.valid_until is not None and b.valid_from is not None and a.valid_until <= b.valid_from:
        return False
    if b.valid_until is not None and a.valid_from is not None and b.valid_until <= a.valid_from:
        return False
    if a.schedule is not None and b.schedule is not None and a.schedule.excludes(b.schedule):
        return False
    if a.tier is None or b.tier is None:
        return True
    return not (
        (a.tier.stop is not None and a.tier.stop <= b.tier.start)
        or (b.tier.stop is not None and b.tier.stop <= a.tier.start)
    )


def check_overlaps(
    rows: Iterable[PriceRow], defaults: Mapping[str, ProviderDefaults], layer: str
) -> None:
    """Refuse rows of one layer of which two could match the same usage.

    Rows are compared by exact name, and by pattern where two rows carry the same one; that two
    different patterns match one name is only seen when it is looked up, and prices nothing then.

    Raises:
        AmbiguousPrice: with every pair.
    """
    groups: defaultdict[tuple[str, str, str, str], list[PriceRow]] = defaultdict(list)
    for row in rows:
        for name in row.models:
            groups[row.provider, "model", name, row.dimension].append(row)
        if row.pattern is not None:
            groups[row.provider, "pattern", row.pattern, row.dimension].append(row)
    problems = {
        f"rows {a.id!r} and {b.id!r} both price {dimension} of {kind} {name!r} "
        f"of provider {provider!r}"
        for (provider, kind, name, dimension), group in groups.items()
        if len(group) > 1
        for a, b in combinations(group, 2)
        if overlap(a, b, defaults.get(provider, {}))
    }
    if problems:
        raise AmbiguousPrice(
            "\n".join(sorted(problems)) + f"\nend one of each pair (valid_until) in {layer!r}"
        )
