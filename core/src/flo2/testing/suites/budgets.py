# ruff: noqa: S101  # asserting is what a suite does
"""What every store must do about budgets: lease what fits, and count what the ledger says.

A part of `StoreSuite`. Imports: spending, money, stores, records, testing.records, pytest.
"""

from __future__ import annotations

from decimal import Decimal
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from flo2.errors import StoreError
from flo2.money import text
from flo2.records import Adjust
from flo2.spending import LeaseAsk, Standing
from flo2.testing.records import an_intent, linked, pend_of, settle_of, unpriced_of, void_of

if TYPE_CHECKING:
    from flo2.records import Intent, Record
    from flo2.stores import Store

__all__ = ["BudgetsSuite"]

_TEN = Decimal(10)


def _ask(least: str, wanted: str | None = None, **changes: Any) -> LeaseAsk:
    fields: dict[str, Any] = {
        "account": "default",
        "counter": "monthly:2026-11",
        "label": None,
        "least": Decimal(least),
        "wanted": Decimal(wanted or least),
        "limit": _TEN,
        "spare": Decimal("0.5"),
    }
    return LeaseAsk(**fields | changes)


def _held(number: int, hold: str = "1", *more: str, **changes: Any) -> Intent:
    budgets = ("monthly:2026-11", *more)
    return an_intent(number, budgets=budgets, hold=Decimal(hold), high=Decimal(hold), **changes)


class BudgetsSuite:
    """The tests of budgets; `store` is open and has the account `default`."""

    def _stands(self, store: Store, counter: str = "monthly:2026-11") -> tuple[str, str, str]:
        """Give spent, pending and leased."""
        (found,) = store.standings("default", [counter])
        return text(found.spent), text(found.pending), text(found.leased)

    def test_money_is_leased_as_long_as_it_fits(self, store: Store) -> None:
        """Never more than the limit to all workers together, to the last digit."""
        digit = Decimal("0.000000000001")
        (first,) = store.lease("w1", [_ask("1", "4")])
        assert first.granted == 4
        assert first.standing == Standing(
            "default", "monthly:2026-11", None, Decimal(0), Decimal(0), {"w1": Decimal(4)}
        )
        assert [each.granted for each in store.lease("w2", [_ask("1", "5")])] == [5]
        (little,) = store.lease("w2", [_ask("0.25", "0.75")])
        assert little.granted == Decimal("0.25")  # the rest would be less than is kept in spare
        (last,) = store.lease("w3", [_ask("0.75")])
        assert last.granted == Decimal("0.75")
        (none,) = store.lease("w1", [_ask(f"{digit:f}")])
        assert none.granted == 0
        assert none.standing.leased == _TEN
        assert self._stands(store) == ("0", "0", "10")
        (more,) = store.lease("w1", [_ask(f"{digit:f}", limit=_TEN + digit)])
        assert more.granted == digit

    def test_each_ask_is_answered_for_itself(self, store: Store) -> None:
        """In the order asked, over counters and accounts."""
        asks = [
            _ask("3", counter="z:1", label="customer=\u00fc"),
            _ask("11", counter="b:1"),
            _ask("2", counter="z:1"),
            _ask("5", counter="z:1", account="other"),
        ]
        assert [each.granted for each in store.lease("w1", asks)] == [3, 0, 2, 5]
        assert [(each.counter, each.label) for each in store.standings("default")] == [
            ("b:1", None),
            ("z:1", "customer=\u00fc"),
        ]
        assert [each.leased for each in store.standings("other")] == [5]
        assert list(store.standings("default", [])) == []
        store.erase_attribution("default", customer="\u00fc")
        assert [each.label for each in store.standings("default")] == [None, None]

    def test_what_a_call_cost_goes_from_the_lease_to_spent(self, store: Store) -> None:
        """In the very transaction that stores its end, and once only."""
        store.lease("w1", [_ask("4"), _ask("2", counter="team:2026-11:x")])
        one, two, free = _held(1, "1", "team:2026-11:x"), _held(2), an_intent(3)
        links = linked(one, two, free, settle_of(one), settle_of(free))
        store.append(links[:3])
        assert self._stands(store) == ("0", "0", "4")
        store.append(links)
        store.append(links)
        assert self._stands(store) == ("0.000123", "0", "3.999877")
        assert self._stands(store, "team:2026-11:x") == ("0.000123", "0", "1.999877")
        store.append(linked(void_of(two), writer="w2"))
        assert self._stands(store) == ("0.000123", "0", "3.999877")
        store.give_back("w1", {("default", "monthly:2026-11"): Decimal("3.999877")})
        assert self._stands(store) == ("0.000123", "0", "0")

    def test_what_is_not_known_counts_at_its_upper_bound(self, store: Store) -> None:
        """Until somebody closes it; whoever writes that, it is paid by who began it."""
        store.lease("w1", [_ask("4")])
        one, two, three, four = (_held(number, "0.5") for number in range(1, 5))
        store.append(linked(one, two, three, four, unpriced_of(four), writer="w1"))
        pends = [replace(pend_of(one), high=Decimal("0.4")), replace(pend_of(two), high=None)]
        store.append(linked(*pends, writer="adopter"))
        assert self._stands(store) == ("0", "1.4", "2.6")
        settled = settle_of(one, total=Decimal("0.1"))
        closing: list[Record] = [
            settled,
            void_of(two),
            settle_of(four, total=Decimal("0.2")),
            settled,
        ]
        store.append(linked(*closing, writer="reconcile"))
        assert self._stands(store) == ("0.3", "0", "2.6")
        again = [replace(pend_of(three), high=Decimal(high)) for high in ("0.5", "0.25")]
        store.append(linked(*again, writer="late"))
        assert self._stands(store) == ("0.3", "0.25", "2.1")

    def test_an_adjustment_counts_where_its_entries_do(self, store: Store) -> None:
        """Also over the limit, and only for the account whose entries they are."""
        one, two = _held(1), an_intent(2)
        amounts = {"x1.1": Decimal("20.5"), "x2.1": Decimal(7), "x9.1": Decimal(1)}
        adjust = Adjust("a1", "default", 99, "late_data", "bill 7", amounts)
        strange = Adjust("a2", "other", 99, "late_data", "bill 7", {"x1.1": Decimal(3)})
        store.append(linked(one, two, settle_of(one), settle_of(two)))
        store.append(linked(adjust, strange, writer="w2"))
        store.append(linked(adjust, strange, writer="w2"))
        assert self._stands(store) == ("20.500123", "0", "0")
        assert [each.granted for each in store.lease("w1", [_ask("1")])] == [0]

    @pytest.mark.parametrize("apart", [False, True])
    def test_a_repeated_adjustment_counts_once(self, store: Store, *, apart: bool) -> None:
        """As in the sums: two who find the same correction due have both written it down."""
        one, two = _held(1), _held(2)
        first = Adjust("a1", "default", 99, "late_data", "bill 7", {"x1.1": Decimal(3)})
        other = replace(first, at_us=100, amounts={"x1.1": Decimal(3), "x2.1": Decimal(1)})
        begun = linked(one, two, settle_of(one), settle_of(two))
        told = linked(first, writer="w2"), linked(other, first, writer="w3")
        for links in [begun, *told] if apart else [[*begun, *told[0], *told[1]]]:
            store.append(links)
        assert self._stands(store) == ("3.000246", "0", "0")

    def test_a_call_that_cost_more_than_was_held_frees_nothing(self, store: Store) -> None:
        """What a worker owes is in what is spent; its next lease pays it back first."""
        store.lease("w1", [_ask("1")])
        one = _held(1)
        store.append(linked(one, settle_of(one, total=Decimal(3))))
        assert self._stands(store) == ("3", "0", "0")
        assert [each.granted for each in store.lease("w2", [_ask("7.5")])] == [0]
        assert [each.granted for each in store.lease("w2", [_ask("6")])] == [6]
        assert [each.granted for each in store.lease("w1", [_ask("3")])] == [3]
        assert self._stands(store) == ("3", "0", "7")

    def test_the_lease_of_a_worker_that_ended_is_free(self, store: Store) -> None:
        """All of it, on every counter, and nobody else's."""
        store.lease("w1", [_ask("4"), _ask("2", counter="b:1")])
        store.lease("w2", [_ask("5")])
        store.end_leases("w1")
        store.end_leases("w1")
        store.end_leases("nobody")
        assert self._stands(store) == ("0", "0", "5")
        assert self._stands(store, "b:1") == ("0", "0", "0")

    def test_what_is_pending_for_long_counts_at_a_share(self, store: Store) -> None:
        """Of its upper bound; closed, that share is taken out again."""
        store.lease("w1", [_ask("4")])
        old, new = _held(1, started_us=10), _held(2, started_us=1_000_000)
        pends = [replace(pend_of(each), high=Decimal(1)) for each in (old, new)]
        store.append(linked(old, new, *pends))
        before = pends[0].ended_us + 1
        store.age_pending("default", "monthly:2026-11", before, Decimal("0.25"))
        store.age_pending("default", "monthly:2026-11", before, Decimal("0.25"))
        assert self._stands(store) == ("0", "1.25", "2")
        store.age_pending("default", "monthly:2026-11", before, Decimal("0.3"))
        assert self._stands(store) == ("0", "1.3", "2")
        store.append(linked(void_of(old), writer="w2"))
        assert self._stands(store) == ("0", "1", "2")
        store.age_pending("default", "nothing:1", before, Decimal(0))

    def test_a_threshold_is_claimed_once(self, store: Store) -> None:
        """By one worker, and never a lower one after a higher one."""
        assert not store.claim_alert("default", "monthly:2026-11", 50)
        store.lease("w1", [_ask("1")])
        told = [store.claim_alert("default", "monthly:2026-11", each) for each in (50, 50, 80, 50)]
        assert told == [True, False, True, False]
        assert [each.alerted for each in store.standings("default")] == [80]

    def test_workers_that_lease_at_once_get_no_more_than_there_is(self, store: Store) -> None:
        """However they meet."""
        barrier, granted = Barrier(4), [Decimal(0)] * 4

        def work(number: int) -> None:
            barrier.wait(10)
            for _ in range(6):
                try:
                    (lease,) = store.lease(f"w{number}", [_ask("0.7", "0.9")])
                except StoreError:
                    continue
                granted[number] += lease.granted

        threads = [Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert Decimal("9.3") < sum(granted) <= _TEN
        assert self._stands(store) == ("0", "0", text(sum(granted, Decimal(0))))

    def test_text_of_any_kind_names_a_counter(self, store: Store) -> None:
        """What a client calls its customer cannot stop a record from being stored."""
        name = "m:\0\ud800'"
        store.lease("w1", [_ask("1", counter=name, label=name)])
        intent = replace(_held(1), budgets=("m:a\ufffd'",))
        store.append(linked(intent, settle_of(intent)))
        assert len(store.standings("default")) == 2
