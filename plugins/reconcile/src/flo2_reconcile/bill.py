"""A bill's rows, gathered into sheets that can be laid beside the ledger.

Figures of one report that are split by the same keys make a sheet. A figure told twice (a page that
was delivered twice) counts once; told twice with different numbers, it is refused.
Imports: nothing of flo2_reconcile.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Final

from attrs import define, field, frozen

from flo2 import BILLING_KEYS, COVERED, EVERY_METER, REQUESTS, BillingError, BillingRow, money_of
from flo2.billing import is_money, plus
from flo2.money import ZERO, add, divide, multiply
from flo2_reconcile.times import DAY_US, HOUR_US, MINUTE_US, stamp

__all__ = ["Bill", "Charges", "Sheet"]

_NOISE: Final = Decimal("1e-9")
"""How far a sum of binary floats may be off, as a part of it."""

Key = tuple[str, ...]
Measures = dict[str, int | Decimal]


@define
class Charges:
    """Money of one kind on one invoice, in its own currency."""

    report: str
    invoice: str
    charge: str
    currency: str
    amount: Decimal = ZERO


@frozen
class Sheet:
    """Figures of one report that are split by the same keys.

    Attributes:
        dims: The keys, in the order of `BILLING_KEYS`; always with `provider`.
        starts, ends: The buckets it covers, in order.
        cells: (start, values of `dims`) → figures.
        measures: What it tells.
        whole: A meter it does not name was not used.
        slack: (start, values) → how far noisy measures may be off.
    """

    report: str
    dims: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    cells: Mapping[tuple[int, Key], Measures]
    measures: frozenset[str]
    whole: bool
    slack: Mapping[tuple[int, Key], Mapping[str, Decimal]]

    def bucket(self, at_us: int) -> int | None:
        """Give the start of the bucket that holds an instant; None: it is not covered."""
        place = bisect_right(self.starts, at_us) - 1
        return self.starts[place] if place >= 0 and at_us < self.ends[place] else None

    def end_of(self, start_us: int) -> int:
        """Give the end of a bucket."""
        return self.ends[bisect_right(self.starts, start_us) - 1]

    @property
    def unit_us(self) -> int:
        """The widest of minute and hour that every bucket is made of."""
        edges = (*self.starts, *self.ends)
        return HOUR_US if all(edge % HOUR_US == 0 for edge in edges) else MINUTE_US

    @property
    def counts_requests(self) -> bool:
        """Whether it tells how many calls there were."""
        return REQUESTS in self.measures


@define
class _Report:
    cells: dict[tuple[int, int, Key], Measures] = field(factory=dict)
    noise: dict[tuple[int, int, Key], dict[str, Decimal]] = field(factory=dict)
    dims: dict[str, set[str]] = field(factory=dict)
    spans: set[tuple[int, int]] = field(factory=set)
    covered: set[tuple[int, int]] = field(factory=set)
    whole: bool = False


class Bill:
    """Takes rows, in any order, and gives sheets.

    Args:
        rates: Currency → units of it for one US dollar, for bills that do not say.
        span_us: What is asked about; without it, what the bill's own buckets span.

    Attributes:
        notices: What people should know of this bill, each once.
        charges: Money that belongs to no call, and what each invoice comes to.
    """

    def __init__(
        self, rates: Mapping[str, Decimal] | None = None, span_us: tuple[int, int] | None = None
    ) -> None:
        self.notices: dict[str, int] = {}
        self.charges: dict[tuple[str, str, str, str], Charges] = {}
        self._rates = dict(rates or {})
        self._span = span_us
        self._reports: dict[str, _Report] = {}
        self._anywhere: dict[str, set[tuple[int, int]]] = {}
        self._seen: dict[bytes, tuple[object, ...]] = {}

    def note(self, text: str) -> None:
        """Keep a notice; said again, it is counted."""
        self.notices[text] = self.notices.get(text, 0) + 1

    def take(self, rows: Iterable[BillingRow]) -> None:
        """Take the rows of a file.

        Raises:
            BillingError: two rows contradict each other, or a row's span is none.
        """
        for row in rows:
            self._take(row)

    def _take(self, row: BillingRow) -> None:
        if row.end_us <= row.start_us or row.start_us % MINUTE_US or row.end_us % MINUTE_US:
            raise BillingError(
                f"{row.pointer}: {stamp(row.start_us)}/{stamp(row.end_us)} is no span of whole "
                "minutes; is this the file, and are these its columns?"
            )
        if self._span is not None and not self._span[0] <= row.start_us < self._span[1]:
            self.note("rows outside of the period asked for were left out")
            return
        if row.identity and self._told_before(row):
            return
        if row.amount is not None and (row.invoice or row.charge != "usage"):
            self._charge(row)
        if row.charge != "usage":
            return
        span = (row.start_us, row.end_us)
        if row.report.endswith("*"):
            self._anywhere.setdefault(row.report[:-1], set()).add(span)
            return
        report = self._reports.setdefault(row.report, _Report())
        report.spans.add(span)
        if row.meter in {COVERED, EVERY_METER}:
            report.whole = report.whole or row.meter == EVERY_METER
            report.covered.add(span) if row.meter == COVERED else None
            return
        place = (*span, tuple(row.keys.get(name, "") for name in BILLING_KEYS))
        cell = report.cells.setdefault(place, {})
        if row.quantity is not None:
            self._tell(report, row.meter, row.keys)
            cell[row.meter] = plus(cell.get(row.meter, 0), row.quantity)
        amount = self._in_dollars(row)
        if amount is not None:
            name = money_of(row.meter)
            self._tell(report, name, row.keys)
            cell[name] = plus(cell.get(name, 0), amount)
            if row.noisy:
                noise = report.noise.setdefault(place, {})
                noise[name] = add(noise.get(name, ZERO), amount.copy_abs())

    def _told_before(self, row: BillingRow) -> bool:
        """Say whether a figure was told already.

        Raises:
            BillingError: with another number.
        """
        digest = blake2b(
            f"{row.report}|{row.start_us}|{row.end_us}|{row.meter}|{row.identity}".encode(),
            digest_size=12,
        ).digest()
        figures = (row.quantity, row.amount)
        known = self._seen.setdefault(digest, (*figures, row.pointer))
        if known[-1] == row.pointer:
            return False
        if known[:2] != figures:
            raise BillingError(
                f"{row.pointer} and {known[-1]} tell {row.meter} of {stamp(row.start_us)} "
                f"differently ({known[0]} and {row.quantity}): one of them was pulled earlier; "
                "give the newer one alone"
            )
        return True

    def _charge(self, row: BillingRow) -> None:
        place = (row.report, row.invoice, row.charge, row.currency)
        into = self.charges.setdefault(place, Charges(*place))
        into.amount = add(into.amount, row.amount or ZERO)

    def _in_dollars(self, row: BillingRow) -> Decimal | None:
        if row.amount is None or row.currency == "USD":
            return row.amount
        rate = row.rate or self._rates.get(row.currency)
        if rate is None:
            self.note(
                f"{row.report} is in {row.currency} and states no rate: its money is not "
                f"compared; give --rate {row.currency}=UNITS-FOR-A-DOLLAR"
            )
            return None
        amount, rounded = divide(row.amount, rate)
        if rounded:
            self.note(f"{row.report}: amounts in {row.currency} are rounded to 1e-12 dollars")
        return amount

    def _tell(self, report: _Report, measure: str, keys: Mapping[str, str]) -> None:
        report.dims.setdefault(measure, set()).update(keys)

    def sheets(self) -> list[Sheet]:
        """Give the sheets: those that count calls first, then the finest split."""
        found = [
            sheet for name, report in self._reports.items() for sheet in self._sheets(name, report)
        ]
        found.sort(
            key=lambda each: (
                not each.counts_requests,
                any(map(is_money, each.measures)),
                -len(each.dims),
                each.report,
            )
        )
        return found

    def _sheets(self, name: str, report: _Report) -> Iterable[Sheet]:
        widths = {end - start for start, end in report.spans}
        if report.covered:
            report.covered.update(
                (start, end)
                for prefix, spans in self._anywhere.items()
                for start, end in spans
                if name.startswith(prefix) and end - start in widths
            )
        starts, ends = self._buckets(name, report)
        by_dims: dict[tuple[str, ...], set[str]] = {}
        for measure, told in report.dims.items():
            dims: tuple[str, ...] = tuple(key for key in BILLING_KEYS if key in told)
            by_dims.setdefault(dims, set()).add(measure)
        for dims, measures in by_dims.items():
            places = [BILLING_KEYS.index(key) for key in dims]
            cells: dict[tuple[int, Key], Measures] = {}
            slack: dict[tuple[int, Key], dict[str, Decimal]] = {}
            bare = Sheet(name, dims, starts, ends, cells, frozenset(measures), report.whole, slack)
            for (start, end, values), figures in report.cells.items():
                bucket = bare.bucket(start)
                if bucket is None or end > bare.end_of(bucket):
                    raise BillingError(
                        f"{name}: {stamp(start)}/{stamp(end)} lies across the others' buckets"
                    )
                place = (bucket, tuple(values[each] for each in places))
                mine = {key: count for key, count in figures.items() if key in measures}
                if mine:
                    into = cells.setdefault(place, {})
                    for key, count in mine.items():
                        into[key] = plus(into.get(key, 0), count)
                for key, noise in report.noise.get((start, end, values), {}).items():
                    if key in measures:
                        kept = slack.setdefault(place, {})
                        kept[key] = add(kept.get(key, ZERO), multiply(noise, _NOISE))
            yield bare

    def _buckets(self, name: str, report: _Report) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Lay out what a report covers; says what is missing in it."""
        spans = sorted(report.covered or report.spans)
        widths = {end - start for start, end in report.spans}
        width = max(widths)
        if len(widths) > 1 or any(start % width for start, _ in spans):
            if any(width % each for each in widths):
                raise BillingError(
                    f"{name} mixes buckets of {sorted(widths)} microseconds, none of which is made "
                    "of the others; reconcile them one by one"
                )
            if width >= DAY_US and len(widths) == 1:
                offset = stamp(spans[0][0])
                self.note(
                    f"{name}: days begin at {offset[11:16]} UTC, so they are days of another time "
                    "zone; the ledger is cut the same way"
                )
        origin = spans[0][0] % width if len(widths) == 1 else 0
        held = {start - (start - origin) % width for start, _ in spans}
        first, last = min(held), max(held)
        if self._span is not None and not report.covered:
            first = min(first, self._span[0] - (self._span[0] - origin) % width)
            last = max(last, self._span[1] - 1 - (self._span[1] - 1 - origin) % width)
        whole = range(first, last + 1, width)
        if report.covered:
            missing = [start for start in whole if start not in held]
            for start in missing:
                self.note(f"{name}: {stamp(start)} is missing in the bill; it is not compared")
            starts = tuple(sorted(held))
        else:
            starts = tuple(whole)
        return starts, tuple(start + width for start in starts)
