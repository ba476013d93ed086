"""What the bill does not have yet. Imports: common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from flo2 import BooksView, Finding, Gap
from flo2_reconcile.explainers.common import Plain, finding
from flo2_reconcile.times import LATE_US

__all__ = ["BatchNotIngested", "LateData"]


class BatchNotIngested(Plain):
    """Lines of a batch that one side has and the other is still waiting for."""

    kind: ClassVar[str] = "batch_not_ingested"
    order: ClassVar[int] = 34

    def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
        """Wait, as long as a batch may take and a bill may be late."""
        for gap in gaps:
            if gap.keys.get("processing") != "batch" or not gap.left:
                continue
            late = books.now_us - gap.end_us < LATE_US
            open_lines = any(
                each.is_open and each.intent.role == "batch_item" for each in books.within(gap)
            )
            fewer = all(count < 0 for count in gap.left.values())
            more = all(count > 0 for count in gap.left.values())
            if late and (fewer or (more and open_lines)):
                left = dict(gap.left)
                gap.take(left)
                note = (
                    "the bill does not have these lines of a batch yet"
                    if fewer
                    else "the ledger does not have the results of this batch yet"
                )
                yield finding(self.kind, gap, left, f"{note}; run it again later", waits=True)


class LateData(Plain):
    """The bill of the last three days has less than the ledger: it is not complete yet."""

    kind: ClassVar[str] = "late_data"
    order: ClassVar[int] = 80

    def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
        """Wait."""
        for gap in gaps:
            late = books.now_us - gap.end_us < LATE_US
            if late and gap.left and all(count < 0 for count in gap.left.values()):
                left = dict(gap.left)
                gap.take(left)
                note = "the bill does not have these calls yet; pull it again in a day or two"
                yield finding(self.kind, gap, left, note, waits=True)
