"""The same calls under another tier, model, place or project than the ledger has them.

Imports: common.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from flo2 import REQUESTS, Booked, BooksView, Finding, Gap, Shift, money_of
from flo2.billing import plus
from flo2_reconcile.explainers.common import (
    Plain,
    brief,
    choose,
    counted,
    finding,
    lines_money,
    meters_of,
    minus,
    only_money,
)

__all__ = [
    "AliasResolved",
    "CredentialDiffers",
    "GeoDiffers",
    "ProcessingDiffers",
    "ProjectDiffers",
    "TierDiffers",
    "WindowDiffers",
]


class _Moved(Plain):
    """Calls that the bill has under another value of one key; their price follows that value."""

    kind: ClassVar[str]
    order: ClassVar[int] = 21
    key: ClassVar[str]
    what: ClassVar[str]

    def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
        """Find cells that differ in this key alone, one short of what the other has too much."""
        beside: dict[object, list[Gap]] = {}
        for gap in gaps:
            if self.key in gap.keys:
                rest = {name: value for name, value in gap.keys.items() if name != self.key}
                place = (gap.start_us, gap.end_us, tuple(sorted(rest.items())))
                beside.setdefault(place, []).append(gap)
        for cells in beside.values():
            for short in cells:
                for over in cells:
                    if short is not over and (found := self._between(short, over, books)):
                        yield found

    def _between(self, short: Gap, over: Gap, books: BooksView) -> Finding | None:
        if not any(count < 0 for count in short.left.values()):
            return None
        before = dict(over.left)
        # What a call cost is no evidence of where it is billed: calls and tokens are.
        fitting = [e for e in books.within(short) if _holds(short, e, -1) and _holds(over, e, 1)]
        missing = short.left.get(REQUESTS)
        wanted = None if missing is None else -int(missing)
        moved = []
        # All that is short must have moved: a part of it may be another's.
        for each in choose(short, fitting, wanted, sign=-1) or ():
            if _holds(short, each, -1) and _holds(over, each, 1):
                short.take(counted(each.measures), -1)
                over.take(counted(each.measures))
                moved.append(each)
        if not moved:
            return None
        value = over.keys[self.key]
        parts: dict[str, Decimal] = {}
        shifts: list[Shift] = []
        unpriced = False
        for each in moved:
            keys = {**each.keys, self.key: value}
            settled = books.priced(each, meters_of(each.measures), {self.key: value})
            money = lines_money(settled.lines) if settled and settled.lines else {}
            unpriced = unpriced or not money
            shifts.append(Shift(each.at_us, each.keys, minus(each.measures)))
            shifts.append(Shift(each.at_us, keys, {**counted(each.measures), **money}))
            if settled is not None and settled.total is not None:
                difference = plus(settled.total, each.measures.get(money_of(""), 0), -1)
                if difference:
                    parts[each.entry_id] = Decimal(difference)
        if over.left.keys() & only_money(before).keys():
            _take_money(short, over, moved, shifts)
        note = f"{brief(moved)}: {self.what} {value!r}, in the ledger {short.keys[self.key]!r}"
        if unpriced:
            note += "; the price book has no price for that"
        return finding(self.kind, over, _sum(moved), note, parts=parts, shifts=tuple(shifts))


class TierDiffers(_Moved):
    """Served and billed at another tier than was asked for or answered."""

    kind: ClassVar[str] = "served_tier_differs"
    key: ClassVar[str] = "service_tier"
    what: ClassVar[str] = "billed at tier"


class AliasResolved(_Moved):
    """An alias was resolved to another model than the answer named."""

    kind: ClassVar[str] = "alias_resolved"
    order: ClassVar[int] = 22
    key: ClassVar[str] = "model"
    what: ClassVar[str] = "billed as model"


class ProcessingDiffers(_Moved):
    """Billed as a batch, or not as one."""

    kind: ClassVar[str] = "processing_differs"
    order: ClassVar[int] = 23
    key: ClassVar[str] = "processing"
    what: ClassVar[str] = "billed as"


class GeoDiffers(_Moved):
    """Billed for another geography."""

    kind: ClassVar[str] = "geo_differs"
    order: ClassVar[int] = 24
    key: ClassVar[str] = "inference_geo"
    what: ClassVar[str] = "billed for geography"


class WindowDiffers(_Moved):
    """Billed for another class of prompt length."""

    kind: ClassVar[str] = "context_window_differs"
    order: ClassVar[int] = 25
    key: ClassVar[str] = "context_window"
    what: ClassVar[str] = "billed for context window"


class CredentialDiffers(_Moved):
    """Billed to another key."""

    kind: ClassVar[str] = "api_key_differs"
    order: ClassVar[int] = 26
    key: ClassVar[str] = "api_key"
    what: ClassVar[str] = "billed to key"


class ProjectDiffers(_Moved):
    """Billed to another project."""

    kind: ClassVar[str] = "project_differs"
    order: ClassVar[int] = 27
    key: ClassVar[str] = "project"
    what: ClassVar[str] = "billed to project"


def _holds(gap: Gap, entry: Booked, sign: int) -> bool:
    return gap.holds(counted(entry.measures), sign)


def _sum(entries: Iterable[Booked]) -> Mapping[str, int | Decimal]:
    found: dict[str, int | Decimal] = {}
    for each in entries:
        for name, count in counted(each.measures).items():
            found[name] = plus(found.get(name, 0), count)
    return found


def _take_money(short: Gap, over: Gap, moved: Sequence[Booked], shifts: Sequence[Shift]) -> None:
    """Take the money that moved with the calls, where this very report tells both."""
    for each in moved:
        short.take(only_money(each.measures), -1)
    for shift in shifts[1::2]:
        over.take(only_money(shift.measures))
