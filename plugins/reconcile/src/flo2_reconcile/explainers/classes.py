"""Tokens of another class, fees beside tokens, prices that differ. Imports: common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import ClassVar, Final

from msgspec.structs import replace

from flo2 import REQUESTS, Booked, BooksView, Finding, Gap, Settle, Shift, money_of
from flo2.billing import is_money, meter_of
from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.money import ZERO, divide, multiply, subtract, text
from flo2_reconcile.booked import ALL_INPUT, ALL_OUTPUT
from flo2_reconcile.explainers.common import (
    Plain,
    all_keys,
    finding,
    lines_money,
    meters_of,
    minus,
    spread,
)

__all__ = ["CacheClassMoved", "PriceDiffers", "ToolFees"]

_TOKENS: Final = frozenset(INPUT_METERS) | frozenset(OUTPUT_METERS)
_SUMS: Final = frozenset({ALL_INPUT, ALL_OUTPUT})
_MILLION: Final = 1_000_000


class CacheClassMoved(Plain):
    """Tokens are billed as another class of input; their sum is the same."""

    kind: ClassVar[str] = "cache_class_moved"
    order: ClassVar[int] = 50

    def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
        """Take what adds up to nothing among input classes."""
        for gap in gaps:
            left = meters_of(gap.left)
            within = [each for each in books.within(gap) if each.measures]
            if not left or REQUESTS in gap.left or not left.keys() <= frozenset(INPUT_METERS):
                continue
            moved = sum(int(count) for count in left.values())
            if moved != 0 or not within:
                continue
            gone = {name: -int(count) for name, count in left.items() if count < 0}
            come = {name: int(count) for name, count in left.items() if count > 0}
            was = books.priced(within[0], gone, gap.keys)
            now = books.priced(within[0], come, gap.keys)
            money: dict[str, int | Decimal] = {}
            parts: dict[str, Decimal] = {}
            if was is not None and now is not None and was.total is not None is not now.total:
                money = {**minus(lines_money(was.lines)), **lines_money(now.lines)}
                amount = subtract(now.total or ZERO, was.total)
                money[money_of("")] = amount
                weights = {
                    each.entry_id: sum(int(each.measures.get(name, 0)) for name in gone)
                    for each in within
                }
                parts = spread(amount, {name: n for name, n in weights.items() if n})
            gap.take(left)
            gap.take({name: n for name, n in money.items() if name in gap.left})
            keys = all_keys(gap, within[0])
            yield finding(
                self.kind,
                gap,
                left,
                "the same tokens are billed as another class of input",
                parts=parts,
                shifts=(Shift(within[0].at_us, keys, {**left, **money}),),
            )


class ToolFees(Plain):
    """Searches and the like, which the provider counts apart from tokens and no answer told."""

    kind: ClassVar[str] = "tool_fee"
    order: ClassVar[int] = 60

    def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
        """Take uses of tools that the ledger does not have, and their money where it is told."""
        for gap in gaps:
            within = [each for each in books.within(gap) if each.measures]
            named = {meter_of(name) for name in gap.left} - _TOKENS - {REQUESTS, ""}
            for name in sorted(named) if within else ():
                if not name.startswith("item: ") and (found := self._fee(gap, name, within, books)):
                    yield found

    def _fee(
        self, gap: Gap, name: str, within: Sequence[Booked], books: BooksView
    ) -> Finding | None:
        count, stated = gap.left.get(name, 0), gap.left.get(money_of(name))
        if count < 0 or name in _SUMS or (stated is not None and stated < 0):
            return None
        used: dict[str, int | Decimal] = {name: count} if count else {}
        amount = None if stated is None else Decimal(stated)
        if amount is None and money_of(name) not in gap.measures:
            settled = books.priced(within[0], used, gap.keys)
            amount = settled.total if settled is not None else None
        money = {} if amount is None else {money_of(name): amount, money_of(""): amount}
        gap.take({**used, **{k: v for k, v in money.items() if k in gap.left}})
        note = f"{text(Decimal(count))} {name} are on the bill and in no answer"
        if amount is None:
            note += "; the price book has no price for them, the cost report tells it"
        return finding(
            self.kind,
            gap,
            used or money,
            note if count else f"the fee for {name}",
            parts={} if amount is None else spread(amount, {e.entry_id: 1 for e in within}),
            shifts=(Shift(within[0].at_us, all_keys(gap, within[0]), {**used, **money}),),
        )


class PriceDiffers(Plain):
    """What was used is beyond doubt, and its money is not what the book says: a dispute.

    The bill is what is paid, so the difference is booked; the price that it implies stands in the
    finding, to be put into the book or before the provider.
    """

    kind: ClassVar[str] = "price_differs"
    order: ClassVar[int] = 90

    def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
        """Take money where no quantity is left."""
        for gap in gaps:
            if not gap.left or not all(map(is_money, gap.left)):
                continue
            for measure in sorted(gap.left):
                if found := self._dispute(gap, measure, books):
                    yield found

    def _dispute(self, gap: Gap, measure: str, books: BooksView) -> Finding | None:
        meter = meter_of(measure)
        used = [each for each in books.within(gap) if each.measures.get(meter or REQUESTS)]
        billed = Decimal(gap.billed.get(measure, 0))
        quantity = gap.billed.get(meter, gap.booked.get(meter)) if meter else None
        if not used or measure not in gap.left or (meter and not quantity) or billed < 0:
            return None
        difference = Decimal(gap.left[measure])
        unpriced = {each.entry_id: each for each in used if money_of("") not in each.measures}
        if unpriced and (meter or len(unpriced) != len(used)):
            return None
        by = meter or REQUESTS
        parts = spread(difference, {each.entry_id: each.measures[by] for each in used})
        gap.take({measure: difference})
        dispute: dict[str, Decimal] = {}
        note = "the calls agree and their money does not"
        if quantity:
            dispute[meter] = divide(multiply(billed, _MILLION), Decimal(quantity))[0]
            booked = divide(
                multiply(Decimal(gap.booked.get(measure, 0)), _MILLION), Decimal(quantity)
            )[0]
            note = (
                f"{meter}: billed at {text(dispute[meter])} a million, booked at {text(booked)}; "
                "the quantities agree"
            )
        shift = Shift(used[0].at_us, all_keys(gap, used[0]), {measure: difference})
        ends = tuple(_stated(unpriced[name], part) for name, part in parts.items() if unpriced)
        return finding(
            self.kind,
            gap,
            {measure: difference},
            note,
            parts={} if unpriced else parts,
            ends=ends,
            shifts=(shift,),
            dispute=dispute,
        )


def _stated(entry: Booked, amount: Decimal) -> Settle:
    """Let the bill's money stand where the book has no price."""
    end = entry.end
    if not isinstance(end, Settle):
        raise TypeError(entry.entry_id)
    return replace(end, status="reported", total=amount, list_total=amount, reported_total=amount)
