"""Traffic of keys and projects that flo2 has never used. Imports: common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from flo2 import BooksView, Finding, Gap
from flo2_reconcile.explainers.common import Plain, finding

__all__ = ["OutsideGateway"]


class OutsideGateway(Plain):
    """The bill counts calls of a key or project that the ledger knows nothing of.

    Nothing is written: these calls are no account's of flo2, and their cost is not its.
    """

    kind: ClassVar[str] = "outside_gateway"
    order: ClassVar[int] = 10

    def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
        """Take cells that are foreign as a whole."""
        for gap in gaps:
            for key in ("project", "api_key"):
                value = gap.keys.get(key, "")
                if value and gap.left and not gap.booked and not books.knows(key, value):
                    left = dict(gap.left)
                    gap.take(left)
                    note = (
                        f"{key} {value!r} is used outside of the gateway: flo2 has no credential "
                        "of it. Give each account of flo2 keys or a project of its own"
                    )
                    yield finding(self.kind, gap, left, note)
