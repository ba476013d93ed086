"""Attempts whose usage nobody told: the bill does. Imports: common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar, Final

from msgspec.structs import replace

from flo2 import (
    REQUESTS,
    Booked,
    BooksView,
    CostLine,
    Finding,
    Gap,
    Pend,
    Settle,
    Shift,
    Void,
    money_of,
)
from flo2.money import ZERO, add, divide, multiply, subtract, total
from flo2_reconcile.explainers.common import (
    Plain,
    all_keys,
    brief,
    counted,
    finding,
    lines_money,
    meters_of,
    only_money,
    spread,
)
from flo2_reconcile.times import LATE_US, stamp

__all__ = ["PendingClosed", "VoidBilled"]

_NOISE: Final = Decimal("1e-9")
_MILLION: Final = 1_000_000
_CAUSES: Final = {
    "disconnected": "cancelled_stream_billed",
    "lost": "race_loser_billed",
    "crashed": "crashed_call_billed",
}


class PendingClosed(Plain):
    """What is left is what the pending attempts of the cell used.

    With one of them, it is settled exactly. With several, only their sum is known: it is laid on
    them by one adjustment and they stay pending. Where the bill is final and has none, they are
    void.
    """

    kind: ClassVar[str] = "pending_billed"
    order: ClassVar[int] = 35

    def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
        """Close what can be closed."""
        for gap in gaps:
            waiting = [each for each in books.within(gap) if each.is_open]
            if not waiting:
                continue
            surplus = gap.left.get(REQUESTS, 0)
            told = REQUESTS in gap.measures
            if not gap.left:
                if told and books.now_us - gap.end_us >= LATE_US:
                    yield self._void(gap, waiting, books)
            elif any(count < 0 for count in gap.left.values()):
                continue
            elif (surplus == len(waiting) if told else len(waiting) == 1) and (
                found := self._close(gap, waiting, books)
            ):
                yield found

    def _close(self, gap: Gap, waiting: Sequence[Booked], books: BooksView) -> Finding | None:
        left = dict(gap.left)
        settled = books.priced(waiting[0], meters_of(left), gap.keys)
        amount = settled.total if settled is not None else None
        stated = _stated(left)
        if not meters_of(left) and stated is None:
            return None
        if stated is not None and not _agrees(amount, stated):
            # What the bill says is what is paid, whatever the book makes of it.
            settled, amount = None, stated
        if amount is not None and not _within_bounds(amount, waiting):
            return None
        gap.take(left)
        money = lines_money(settled.lines) if settled is not None else only_money(left)
        shift = Shift(waiting[0].at_us, all_keys(gap, waiting[0]), {**counted(left), **money})
        if len(waiting) > 1:
            note = (
                f"{brief(waiting)}: together they used this; what each of them used is not on the "
                "bill, so they stay pending and their sum is booked"
            )
            parts = {} if amount is None else spread(amount, {e.entry_id: 1 for e in waiting})
            return finding(self.kind, gap, left, note, parts=parts, shifts=(shift,))
        entry = waiting[0]
        outcome = entry.end.outcome if isinstance(entry.end, Pend) else "crashed"
        note = f"{entry.entry_id} ({outcome}) was billed; the bill tells what it used"
        end = _settle(entry, left, settled, amount, gap)
        return finding(
            _CAUSES.get(outcome, self.kind), gap, left, note, ends=(end,), shifts=(shift,)
        )

    def _void(self, gap: Gap, waiting: Sequence[Booked], books: BooksView) -> Finding:
        source = f"{gap.report} as of {stamp(books.now_us)}"
        ends = tuple(
            Void(
                each.entry_id,
                books.now_us,
                each.end.outcome if isinstance(each.end, Pend) else "crashed",
                "the bill counts no such call",
                source,
            )
            for each in waiting
        )
        note = f"{brief(waiting)}: not on the bill, which is final for this bucket"
        return finding("not_billed", gap, {}, note, ends=ends)


class VoidBilled(Plain):
    """The bill has an attempt that the provider says it does not bill (an error, a refusal)."""

    kind: ClassVar[str] = "error_billed"
    order: ClassVar[int] = 36

    def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
        """Lay what is left on the one void attempt of the cell."""
        for gap in gaps:
            voids = [each for each in books.within(gap) if each.is_void]
            left = dict(gap.left)
            if (
                gap.left.get(REQUESTS) != 1
                or len(voids) != 1
                or any(count < 0 for count in left.values())
            ):
                continue
            settled = books.priced(voids[0], meters_of(left), gap.keys)
            cost = settled.total if settled is not None else None
            gap.take(left)
            note = f"{voids[0].entry_id} was taken for not billed: {_why(voids[0])}"
            money = lines_money(settled.lines) if settled is not None else {}
            yield finding(
                self.kind,
                gap,
                left,
                note,
                parts={} if not cost else {voids[0].entry_id: cost},
                shifts=(
                    Shift(voids[0].at_us, all_keys(gap, voids[0]), {**counted(left), **money}),
                ),
            )


def _why(entry: Booked) -> str:
    return entry.end.reason if isinstance(entry.end, Void) else ""


def _within_bounds(amount: Decimal, waiting: Sequence[Booked]) -> bool:
    """Whether an amount is one that these attempts can have cost together."""
    low, high = ZERO, ZERO
    for each in waiting:
        bounds = each.end if isinstance(each.end, Pend) else each.intent
        if bounds.high is None:
            return True
        low, high = add(low, bounds.low or ZERO), add(high, bounds.high)
    return low <= amount <= high


def _stated(left: Mapping[str, int | Decimal]) -> Decimal | None:
    """Give the money that the bill states, of all meters together."""
    money = only_money(left)
    if money_of("") in money:
        return Decimal(money[money_of("")])
    return total(map(Decimal, money.values())) if money else None


def _agrees(amount: Decimal | None, stated: Decimal) -> bool:
    return amount is not None and subtract(amount, stated).copy_abs() <= multiply(
        stated.copy_abs(), _NOISE
    )


def _settle(
    entry: Booked,
    left: dict[str, int | Decimal],
    settled: Settle | None,
    amount: Decimal | None,
    gap: Gap,
) -> Settle:
    """Settle by the book's prices, or else by the bill's own money."""
    reason = f"closed by {gap.report} {stamp(gap.start_us)}/{stamp(gap.end_us)}"
    if settled is not None:
        return replace(settled, reason=reason)
    pend = entry.end if isinstance(entry.end, Pend) else None
    meters = meters_of(left)
    lines = tuple(
        _line(meter, count, Decimal(left[money_of(meter)]), gap.report)
        for meter, count in meters.items()
        if money_of(meter) in left and count
    )
    return Settle(
        entry.entry_id,
        entry.at_us if pend is None else pend.ended_us,
        "unpriced" if amount is None else "reported",
        "crashed" if pend is None else pend.outcome,
        meters,
        lines,
        amount,
        amount,
        "USD",
        "",
        model_billed=gap.keys.get("model"),
        provider_request_id=None if pend is None else pend.provider_request_id,
        context=_context(gap),
        reported_total=amount,
        reason=reason,
    )


def _line(meter: str, count: int | Decimal, amount: Decimal, report: str) -> CostLine:
    """Write a line of the bill as a line of the entry."""
    price, rounded = divide(multiply(amount, _MILLION), count)
    return CostLine(meter, count, price, _MILLION, amount, amount, "USD", "", report, rounded)


def _context(gap: Gap) -> dict[str, str]:
    """Give the circumstances that the bill tells and that are not the usual ones."""
    told = {"service_tier": "standard", "inference_geo": "global"}
    context = {
        name: gap.keys[name]
        for name, usual in told.items()
        if gap.keys.get(name, usual) not in {usual, ""}
    }
    return context | ({"processing": "batch"} if gap.keys.get("processing") == "batch" else {})
