"""Lay a bill beside the ledger, sheet by sheet, and let explainers take what they can.

What they leave is unexplained. Reads only; `applying` writes. Imports: bill, booked, books, match.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from attrs import evolve, field, frozen

from flo2 import (
    BILLING_KEYS,
    Adjust,
    BillingError,
    EntryFilter,
    Explainer,
    Finding,
    Gap,
    PluginError,
    Store,
)
from flo2.billing import is_money
from flo2_reconcile.bill import Bill, Charges, Sheet
from flo2_reconcile.booked import OURS, Names, Tally
from flo2_reconcile.books import Books, Pricer, repriced_by_others
from flo2_reconcile.match import Compared, compare
from flo2_reconcile.quickly import count_rows
from flo2_reconcile.times import stamp

__all__ = ["Outcome", "Reconciler"]

_EVERY: Final = 1000
"""Progress is told after so many entries."""

_RUN: Final = 8
"""Buckets whose entries are held at once."""

_MOVERS: Final = 21
"""Explainers below this order look at the bucket beside, too."""

_ALWAYS: Final = frozenset({"provider", "model", "context_window"})


@frozen
class Outcome:
    """What came of it.

    Attributes:
        provider: Its name in the configuration.
        account: Whose ledger.
        now_us: When the bill was pulled.
        since_us, until_us: What the bill covers.
        compared: The sheets, in the order compared.
        findings: Explained, in the order found.
        unexplained: What is left.
        notices: What to know of the bill; text → how often.
        charges: Money that belongs to no call.
        entries: How many entries were read.
        ours: Reconciliation's own adjustments of these entries, as they stand.
    """

    provider: str
    account: str
    now_us: int
    since_us: int
    until_us: int
    compared: Sequence[Compared]
    findings: Sequence[Finding]
    unexplained: Sequence[Gap]
    notices: Mapping[str, int]
    charges: Sequence[Charges]
    entries: int
    ours: Sequence[Adjust] = field(factory=tuple, repr=False)

    @property
    def is_proven(self) -> bool:
        """Whether nothing is left unexplained."""
        return not self.unexplained


class Reconciler:
    """Reconciles one provider of one account.

    Args:
        store: Where the ledger is.
        explainers: Asked in their order.
        price: Prices a usage as the account's calls are priced.
        names: What the provider calls the account's credentials.
        progress: Told how many entries were read.
    """

    def __init__(
        self,
        store: Store,
        explainers: Iterable[Explainer],
        price: Pricer,
        names: Names | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._explainers = sorted(explainers, key=lambda each: (each.order, each.kind))
        self._price = price
        self._names = names or Names()
        self._progress = progress

    def run(
        self, bill: Bill, account: str, provider: str, now_us: int, billed_as: str | None = None
    ) -> Outcome:
        """Reconcile; writes nothing.

        Args:
            bill: All of its rows are taken.
            account: Whose ledger.
            provider: The provider's name in the configuration, or its kind.
            now_us: When the bill was pulled.
            billed_as: Its name on the bill; None: the same.

        Raises:
            BillingError: the bill holds nothing of this provider.
            PluginError: an explainer took more than was left.
            StoreError: the ledger cannot be read.
        """
        named = billed_as or provider
        sheets = [sheet for each in bill.sheets() if (sheet := _of(each, named)) is not None]
        if not sheets:
            raise BillingError(
                f"the bill holds nothing of {named!r}; is it another provider's or month's?"
            )
        since = min(sheet.starts[0] for sheet in sheets)
        until = max(sheet.ends[-1] for sheet in sheets)
        where = EntryFilter(account, since_us=since, until_us=until)
        adjustments = list(self._store.adjustments(where))
        books = Books(
            self._store,
            where,
            provider=provider,
            billed_as=named,
            names=self._names,
            price=self._price,
            now_us=now_us,
            repriced=repriced_by_others(adjustments),
        )
        unit = min(sheet.unit_us for sheet in sheets)
        tally = Tally(unit)
        entries = self._count(tally, books, sheets)
        known = dict(tally.known())
        known["project"] |= frozenset(self._names.projects.values())
        known["api_key"] |= frozenset(self._names.api_keys.values())
        untold = {key for key in BILLING_KEYS if not known[key]} - _ALWAYS
        for key in sorted(untold & {name for sheet in sheets for name in sheet.dims}):
            bill.note(
                f"the ledger has no {key} of {provider!r}, so the bill is added up over it; say "
                "which credential it is: flo2 reconcile --key CREDENTIAL=ID"
            )
        books.learn(known)
        compared: list[Compared] = []
        findings: list[Finding] = []
        unexplained: list[Gap] = []
        for sheet in sheets:
            one = compare(sheet, tally, untold)
            compared.append(one)
            for found in self._explain(one.gaps, books):
                findings.append(found)
                books.close(found)
                for shift in found.shifts:
                    tally.shift(shift)
            unexplained += [gap for gap in one.gaps if gap.left]
        ours = [each for each in adjustments if each.entry_id.startswith(OURS)]
        return Outcome(
            provider,
            account,
            now_us,
            since,
            until,
            compared,
            findings,
            unexplained,
            dict(bill.notices),
            list(bill.charges.values()),
            entries,
            ours,
        )

    def _count(self, tally: Tally, books: Books, sheets: Sequence[Sheet]) -> int:
        # Money by meter is in the cost lines, the longest part of a row.
        money = any(map(is_money, (name for sheet in sheets for name in sheet.measures)))
        rows = books.rows(lines=money)
        if rows is not None:
            return count_rows(
                tally,
                rows,
                self._names,
                books.billed_as,
                apart=books.repriced,
                again=lambda some: self._count_again(tally, books, some),
                progress=self._progress,
            )
        count = 0
        for booked in books.read():
            tally.count(booked)
            count += 1
            if count % _EVERY == 0:
                self._progress(_EVERY)
        self._progress(count % _EVERY)
        return count

    def _count_again(self, tally: Tally, books: Books, some: Collection[str]) -> None:
        for booked in books.read() if some else ():
            if booked.entry_id in some:
                tally.count(booked)

    def _explain(self, gaps: Sequence[Gap], books: Books) -> Iterable[Finding]:
        """Let explainers take what they can, so many buckets at a time."""
        chunks, seams = _chunks(gaps)
        movers = [each for each in self._explainers if each.order < _MOVERS]
        for seam in seams:
            yield from self._ask(movers, seam, books)
        for chunk in chunks:
            yield from self._ask(self._explainers, chunk, books)

    def _ask(
        self, explainers: Sequence[Explainer], gaps: Sequence[Gap], books: Books
    ) -> Iterable[Finding]:
        books.gather(gaps)
        for explainer in explainers:
            before = [dict(gap.left) for gap in gaps]
            found = list(explainer.explain(gaps, books))
            for gap, left in zip(gaps, before, strict=True):
                _check(explainer, gap, left)
            yield from found


def _chunks(gaps: Sequence[Gap]) -> tuple[list[list[Gap]], list[list[Gap]]]:
    """Cut gaps into runs of buckets whose entries fit into memory together.

    Returns:
        The runs, and what lies on both sides of each cut between buckets that touch.
    """
    buckets: dict[int, list[Gap]] = {}
    for gap in gaps:
        buckets.setdefault(gap.start_us, []).append(gap)
    chunks: list[list[Gap]] = []
    seams: list[list[Gap]] = []
    run, last = 0, None
    for start in sorted(buckets):
        touches = last is not None and last[0].end_us == start
        if chunks and run < _RUN:
            chunks[-1] += buckets[start]
            run += 1
        else:
            if touches and last is not None:
                seams.append([*last, *buckets[start]])
            chunks.append(list(buckets[start]))
            run = 1
        last = buckets[start]
    return chunks, seams


def _check(explainer: Explainer, gap: Gap, before: Mapping[str, int | Decimal]) -> None:
    """Refuse an explanation of more than there was.

    Raises:
        PluginError: what is left grew, or turned over.
    """
    for name, left in gap.left.items():
        was = before.get(name, 0)
        if not min(0, was) <= left <= max(0, was):
            raise PluginError(
                f"explainer {explainer.kind!r} took more {name} than was left in {gap.report} "
                f"{stamp(gap.start_us)} {dict(gap.keys)}: {was} became {left}"
            )


def _of(sheet: Sheet, provider: str) -> Sheet | None:
    """Give what a sheet tells of one provider."""
    place = sheet.dims.index("provider")
    cells = {cell: told for cell, told in sheet.cells.items() if cell[1][place] == provider}
    return evolve(sheet, cells=cells) if cells or not sheet.cells else None
