# ruff: noqa: S101  # asserting is what a suite does
"""What every store must do about usage: give what its entries come to, however it adds up.

A part of `StoreSuite`. Imports: stores, sums, records, testing.records, pytest.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from flo2.records import Adjust, Attribution
from flo2.stores import EntryFilter
from flo2.sums import DIMENSIONS, summarise
from flo2.testing.records import an_intent, linked, pend_of, settle_of

if TYPE_CHECKING:
    from flo2.stores import Store

__all__ = ["UsageSuite"]


class UsageSuite:
    """Tests of `usage`, `check_usage` and `rebuild_usage`."""

    def test_usage_is_what_entries_and_corrections_come_to(self, store: Store) -> None:
        """To the last digit, by every dimension; a part of a correction goes with its entry."""
        who = Attribution(
            team="red", feature="search", customer="c1", end_user="u1", tags={"e": "1"}
        )
        one, two = an_intent(1, attribution=who), an_intent(2, started_us=9 * 10**12)
        three, foreign = an_intent(3, model="other"), an_intent(4, account="other")
        fine = settle_of(two, total=Decimal("123456789012345678901.1234567890123456789"))
        store.append(linked(one, two, three, foreign, pend_of(one), fine))
        amounts = {"x1.1": Decimal("-0.0000005"), "x2.1": Decimal("0.1")}
        both = Adjust("a1", "default", 99, "late_data", "bill 7", amounts)
        store.append(linked(settle_of(one, model_billed="m"), both, writer="w2"))
        for where in (
            EntryFilter("default"),
            EntryFilter("default", since_us=1_000_002),
            EntryFilter("default", status="settled", key_id="key_1"),
            EntryFilter("default", exchange_id="x1"),
        ):
            for by in ([], ["tag:e"], ["model", "customer"], *([each] for each in DIMENSIONS)):
                expected = summarise(store.entries(where), by, store.adjustments(where))
                assert list(store.usage(where, by)) == expected, (where, by)
        with pytest.raises(ValueError, match="colour"):
            store.usage(EntryFilter("default"), ["colour"])
        assert list(store.check_usage()) == []
        store.rebuild_usage()
        assert store.usage(EntryFilter("default"), [])[0].adjusted == Decimal("0.0999995")

    @pytest.mark.parametrize("apart", [False, True])
    def test_of_adjustments_with_one_id_the_first_counts(
        self, store: Store, *, apart: bool
    ) -> None:
        """Whole, and alone: two who find the same correction due have both written it down."""
        one, two = an_intent(1), an_intent(2)
        parts = {"x1.1": Decimal("0.5")}
        first = Adjust("a1", "default", 99, "late_data", "bill 7", parts)
        other = Adjust("a1", "default", 100, "late_data", "bill 7", {**parts, "x2.1": Decimal(2)})
        begun = linked(one, two, settle_of(one), settle_of(two))
        told = linked(first, writer="w2"), linked(other, first, writer="w3")
        for links in [begun, *told] if apart else [[*begun, *told[0], *told[1]]]:
            store.append(links)
        everything = EntryFilter("default")
        assert list(store.adjustments(everything)) == [first]
        assert store.usage(everything, [])[0].adjusted == Decimal("0.5")
        assert list(store.check_usage()) == []
        store.rebuild_usage()
        assert store.usage(everything, [])[0].adjusted == Decimal("0.5")
        assert [link.record for link in store.chain("w3")] == [other, first]
