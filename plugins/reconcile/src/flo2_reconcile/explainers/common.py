"""What explainers share: findings out of gaps, and amounts laid on entries.

Imports: nothing of flo2_reconcile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any, Final

from attrs import frozen

from flo2 import BILLING_KEYS, REQUESTS, Booked, CostLine, Finding, Gap, Services, money_of
from flo2.billing import is_money, plus
from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.money import QUANTUM, ZERO, add, divide, multiply, subtract, total
from flo2_reconcile.booked import ALL_INPUT, ALL_OUTPUT

__all__ = [
    "Plain",
    "all_keys",
    "attempt",
    "brief",
    "choose",
    "counted",
    "finding",
    "lines_money",
    "meters_of",
    "minus",
    "only_money",
    "spread",
]


_SUMS: Final = {
    ALL_INPUT: ("input_tokens", INPUT_METERS),
    ALL_OUTPUT: ("output_tokens", OUTPUT_METERS),
}
_STEPS: Final = 5000
_MOST: Final = 50
_DOWN: Final = Context(prec=60, rounding=ROUND_DOWN)


class Plain:
    """An explainer with nothing to configure."""

    @frozen
    class Config:
        """Nothing to configure."""

    def __init__(self, config: Config, services: Services) -> None:
        """Keep nothing."""


def counted(measures: Mapping[str, int | Decimal]) -> dict[str, int | Decimal]:
    """Give what is counted: without money."""
    return {name: count for name, count in measures.items() if not is_money(name)}


def only_money(measures: Mapping[str, int | Decimal]) -> dict[str, int | Decimal]:
    """Give the money alone."""
    return {name: amount for name, amount in measures.items() if is_money(name)}


def meters_of(measures: Mapping[str, int | Decimal]) -> dict[str, int | Decimal]:
    """Give the meters alone: without calls and money, and sums only where nothing splits them."""
    found = {
        name: count for name, count in counted(measures).items() if name not in {REQUESTS, *_SUMS}
    }
    for whole, (meter, classes) in _SUMS.items():
        if whole in measures and not found.keys() & set(classes):
            found[meter] = measures[whole]
    return found


def minus(measures: Mapping[str, int | Decimal]) -> dict[str, int | Decimal]:
    """Give the same with the other sign."""
    return {name: plus(0, count, -1) for name, count in measures.items()}


def lines_money(lines: Iterable[CostLine]) -> dict[str, int | Decimal]:
    """Give what cost lines come to, as measures: by meter and in all."""
    found: dict[str, int | Decimal] = {}
    for line in lines:
        for name in (money_of(line.dimension), money_of("")):
            found[name] = plus(found.get(name, 0), line.amount)
    return found


def all_keys(gap: Gap, like: Booked | None = None) -> dict[str, str]:
    """Give the keys of a gap; what it does not tell is taken from an entry."""
    keys = {} if like is None else dict(like.keys)
    return {name: keys.get(name, "") for name in BILLING_KEYS} | dict(gap.keys)


def finding(
    cause: str, gap: Gap, quantities: Mapping[str, int | Decimal], note: str, **more: Any
) -> Finding:
    """Make a finding that lies in a gap's cell."""
    told = gap.told(quantities)
    return Finding(cause, gap.report, gap.start_us, gap.end_us, dict(gap.keys), told, note, **more)


def spread(amount: Decimal, weights: Mapping[str, int | Decimal]) -> dict[str, Decimal]:
    """Lay an amount on entries by weight: exact in all, each part whole in 1e-12.

    The last entry takes what rounding leaves. Without any weight the first takes all.
    """
    names = sorted(weights)
    whole = ZERO
    for name in names:
        whole = add(whole, weights[name])
    parts: dict[str, Decimal] = {}
    for name in names[:-1]:
        share = ZERO
        if whole:
            share = divide(multiply(amount, weights[name]), whole)[0].quantize(
                QUANTUM, context=_DOWN
            )
        parts[name] = share
    if names:
        parts[names[-1]] = subtract(amount, total(parts.values()))
    return {name: part for name, part in parts.items() if part}


@contextmanager
def attempt(*gaps: Gap) -> Iterator[list[bool]]:
    """Try to explain; where the first item of the list is not set to True, all is put back."""
    kept = [dict(gap.left) for gap in gaps]
    done = [False]
    yield done
    if not done[0]:
        for gap, left in zip(gaps, kept, strict=True):
            gap.left.clear()
            gap.left.update(left)


def choose(
    gap: Gap,
    fitting: Sequence[Booked],
    wanted: int | None,
    *,
    sign: int = 1,
    again: bool = False,
) -> list[Booked] | None:
    """Find entries that add up to exactly what is left of a gap.

    Looks at a bounded number of choices, so that a strange bill takes no strange time.

    Args:
        gap: Left as it was.
        fitting: Entries that each fit into what is left; the likelier, the earlier.
        wanted: How many; None: the report does not count calls.
        sign: -1 where the ledger has more than the bill.
        again: One entry may be chosen more than once.

    Returns:
        The first choice that leaves nothing; None: there is none, or it was not found.
    """
    told = [gap.told(each.measures) for each in fitting]
    if not again and wanted in {None, len(fitting)}:
        with attempt(gap):
            for measures in told:
                gap.take(measures, sign)
            if not gap.left:
                return list(fitting)
    if wanted is None:
        single = next((e for e, m in zip(fitting, told, strict=True) if _ends(gap, m, sign)), None)
        return None if single is None else [single]
    if not 0 < wanted <= _MOST:
        return None
    chosen: list[int] = []
    steps = 0
    stack = [iter(range(len(fitting)))]
    with attempt(gap):
        while stack and steps < _STEPS:
            steps += 1
            place = next(stack[-1], None)
            if place is None:
                stack.pop()
                if chosen:
                    gap.take(told[chosen.pop()], -sign)
                continue
            if not gap.holds(told[place], sign):
                continue
            gap.take(told[place], sign)
            chosen.append(place)
            if len(chosen) == wanted:
                if not gap.left:
                    return [fitting[each] for each in chosen]
                gap.take(told[chosen.pop()], -sign)
            else:
                stack.append(iter(range(place + (not again), len(fitting))))
    return None


def _ends(gap: Gap, measures: Mapping[str, int | Decimal], sign: int) -> bool:
    with attempt(gap):
        gap.take(measures, sign)
        return not gap.left


def brief(entries: Sequence[Booked]) -> str:
    """Name entries, not all where they are many."""
    shown = ", ".join(each.entry_id for each in entries[:3])
    return shown if len(entries) <= 3 else f"{shown} and {len(entries) - 3} more"
