"""Calls that the provider counts in the bucket beside ours. Imports: common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from flo2 import REQUESTS, Booked, BooksView, Finding, Gap, Shift
from flo2_reconcile.explainers.common import Plain, brief, choose, finding, minus

__all__ = ["BucketBoundary"]

_NEAR_US: Final = 5 * 60 * 1_000_000
"""A call is counted when it begins or when it ends; few run for longer."""


class BucketBoundary(Plain):
    """A call near a bucket's edge is missing in its own bucket and too many in the next.

    Nothing is written: over both buckets the sums agree.
    """

    kind: ClassVar[str] = "bucket_boundary"
    order: ClassVar[int] = 20

    def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
        """Move what fits, entry by entry."""
        starts = {(gap.start_us, _keys(gap)): gap for gap in gaps}
        ends = {(gap.end_us, _keys(gap)): gap for gap in gaps}
        for gap in gaps:
            if not any(count < 0 for count in gap.left.values()):
                continue
            after, before = (
                starts.get((gap.end_us, _keys(gap))),
                ends.get((gap.start_us, _keys(gap))),
            )
            for other, moment in ((after, gap.end_us), (before, gap.start_us - 1)):
                if other is not None and (moved := self._move(gap, other, moment, books)):
                    shifts = [
                        Shift(at, each.keys, measures)
                        for each in moved
                        for at, measures in (
                            (each.at_us, minus(each.measures)),
                            (moment, each.measures),
                        )
                    ]
                    told = moved[0].measures if len(moved) == 1 else {}
                    note = (
                        f"{brief(moved)} began near the edge of the bucket and is billed in the "
                        f"{'next' if other is after else 'previous'} one; over both nothing differs"
                    )
                    yield finding(self.kind, gap, minus(told), note, shifts=tuple(shifts))

    def _move(self, gap: Gap, other: Gap, moment: int, books: BooksView) -> list[Booked]:
        near = [
            each
            for each in books.within(gap)
            if abs(each.at_us - moment) <= _NEAR_US
            and gap.holds(each.measures, -1)
            and other.holds(each.measures)
        ]
        near.sort(key=lambda entry: abs(entry.at_us - moment))
        missing = gap.left.get(REQUESTS)
        wanted = None if missing is None else -int(missing)
        moved = []
        for each in choose(gap, near, wanted, sign=-1) or near:
            if gap.holds(each.measures, -1) and other.holds(each.measures):
                gap.take(each.measures, -1)
                other.take(each.measures)
                moved.append(each)
        return moved


def _keys(gap: Gap) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(gap.keys.items()))
