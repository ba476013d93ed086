# ruff: noqa: S101  # asserting is what a suite does
"""What every store must do.

    class TestMyStore(StoreSuite):
        def make_store(self, tmp_path): return MyStore(MyStore.Config(path=tmp_path / "db"))

Imports: stores, stored, records, ledger, errors, testing.records, pytest.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import evolve
from msgspec.structs import replace

from flo2.errors import StoreError
from flo2.ledger.chain import verify
from flo2.records import Adjust, Attribution, Record, fold_entry
from flo2.stores import EntryFilter, Store, WriterHead
from flo2.testing.records import (
    an_exchange,
    an_intent,
    linked,
    pend_of,
    settle_of,
    unpriced_of,
    void_of,
)
from flo2.testing.suites.budgets import BudgetsSuite
from flo2.testing.suites.declared import ACCOUNT, DeclaredSuite
from flo2.testing.suites.usage import UsageSuite

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StoreSuite"]


class StoreSuite(BudgetsSuite, DeclaredSuite, UsageSuite):
    """The tests; override `make_store`."""

    def make_store(self, tmp_path: Path) -> Store:
        """Make a new, empty store that is not open yet."""
        raise AssertionError(f"{type(self).__name__} must override make_store")

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """Open an empty store with one account."""
        store = self.make_store(tmp_path)
        store.open()
        store.put_account(ACCOUNT)
        yield store
        store.close()

    def test_it_satisfies_the_protocol(self, store: Store) -> None:
        """It has every method and a kind."""
        assert isinstance(store, Store)
        assert store.kind

    # The ledger -----------------------------------------------------------------------------

    def test_an_unknown_writer_has_an_empty_chain(self, store: Store) -> None:
        """Nothing is said of a writer nobody knows."""
        assert store.writer_head("nobody") == WriterHead("nobody", 0, "")
        assert list(store.chain("nobody")) == []
        assert list(store.writers()) == []

    def test_links_come_back_as_they_were_stored(self, store: Store) -> None:
        """A chain is kept whole, in order, for each writer apart."""
        intent = an_intent(
            1, attribution=Attribution("red", "chat", "acme corp", "u\u00fc\0", {"env": "dev"})
        )
        first = linked(intent, settle_of(intent), an_exchange(1), writer="w1")
        second = linked(void_of(an_intent(2)), writer="w2")
        store.append(first)
        store.append(second)
        assert list(store.chain("w1")) == first
        assert list(store.chain("w2")) == second
        assert list(store.writers()) == ["w1", "w2"]
        assert store.writer_head("w1") == WriterHead("w1", 3, first[-1].hash)
        assert verify([*store.chain("w1"), *store.chain("w2")]) == []

    def test_a_long_chain_comes_back_in_order(self, store: Store) -> None:
        """Paging loses and repeats nothing."""
        links = linked(*(an_intent(number) for number in range(1, 2502)))
        store.append(links)
        assert list(store.chain("w1")) == links

    def test_appending_again_changes_nothing(self, store: Store) -> None:
        """A batch whose answer was lost is sent again."""
        intent = an_intent(1)
        links = linked(intent, pend_of(intent), an_exchange(1))
        store.append(links[:2])
        store.append(links)
        store.append(links)
        assert list(store.chain("w1")) == links
        assert list(store.entries(EntryFilter("default"))) == [
            fold_entry([intent, pend_of(intent)])
        ]
        assert list(store.exchanges(EntryFilter("default"))) == [an_exchange(1)]

    def test_another_record_in_the_same_place_is_refused(self, store: Store) -> None:
        """Two workers with one writer id would overwrite each other's records."""
        links = linked(an_intent(1))
        store.append(links)
        with pytest.raises(StoreError, match="w1"):
            store.append([*linked(an_intent(7)), *linked(an_intent(8), writer="w2")])
        assert list(store.chain("w1")) == links
        assert list(store.writers()) == ["w1"]

    def test_entries_are_folded_from_records_of_any_writer(self, store: Store) -> None:
        """A pend of the adopter and a later settle close what a dead worker began."""
        one, two, three, four, five = (an_intent(number) for number in range(1, 6))
        dear, cheap = unpriced_of(five), settle_of(five, reason="priced later")
        store.append(linked(one, two, three, four, settle_of(one), writer="dead"))
        assert [each.intent for each in store.open_entries("dead")] == [two, three, four]
        store.append(linked(pend_of(two), pend_of(three), five, dear, writer="adopter"))
        later: list[Record] = [
            settle_of(two),
            void_of(one),
            pend_of(five),
            void_of(five),
            dear,
            cheap,
            dear,
        ]
        store.append(linked(*later, settle_of(five), writer="reconcile"))
        expected = [
            fold_entry([one, settle_of(one), void_of(one)]),
            fold_entry([two, pend_of(two), settle_of(two)]),
            fold_entry([three, pend_of(three)]),
            fold_entry([four]),
            fold_entry(
                [five, dear, pend_of(five), void_of(five), dear, cheap, dear, settle_of(five)]
            ),
        ]
        assert list(store.entries(EntryFilter("default"))) == expected
        statuses = ["settled", "settled", "pending", "open", "settled"]
        assert [each.status for each in expected] == statuses
        assert expected[-1].end == cheap
        for entry in expected:
            where = EntryFilter("default", status=entry.status)
            assert list(store.entries(where)) == [
                each for each in expected if each.status == entry.status
            ]
        assert list(store.open_entries("dead")) == [expected[3]]
        assert list(store.open_entries("adopter")) == []

    def test_a_scan_pages_through_entries_of_one_instant(self, store: Store) -> None:
        """No page repeats or loses an entry, in either direction."""
        intents = [an_intent(number, started_us=7) for number in range(1, 2502)]
        store.append(linked(*intents))
        ids = sorted(each.entry_id for each in intents)
        assert [each.intent.entry_id for each in store.scan(EntryFilter("default"))] == ids
        back = EntryFilter("default", newest_first=True, limit=2100)
        assert [each.intent.entry_id for each in store.scan(back)] == ids[::-1][:2100]

    def test_adjustments_are_found_by_their_entries(self, store: Store) -> None:
        """Each with the parts of the entries found; they change no entry."""
        one, two = an_intent(1, started_us=10), an_intent(2, started_us=20)
        foreign = an_intent(3, account="other", started_us=10)
        half = Decimal("-0.0000005")
        both = Adjust("a1", "default", 99, "late_data", "bill 7", {"x1.1": half, "x2.1": half})
        again = Adjust("a2", "default", 100, "reprice", "book b2", {"x2.1": Decimal(3)}, book="b2")
        strange = Adjust("a3", "other", 101, "reprice", "book b2", {"x1.1": Decimal(9)})
        store.append(linked(one, two, foreign, settle_of(one), both, again, strange))
        store.append(linked(one, two, foreign, settle_of(one), both, again, strange))
        assert list(store.adjustments(EntryFilter("default"))) == [both, again]
        assert list(store.adjustments(EntryFilter("default", until_us=20))) == [
            replace(both, amounts={"x1.1": half})
        ]
        assert list(store.adjustments(EntryFilter("other"))) == []
        assert [each.ends for each in store.entries(EntryFilter("default"))] == [
            (settle_of(one),),
            (),
        ]
        assert both.amount == Decimal("-0.000001")

    def test_entries_and_exchanges_are_filtered(self, store: Store) -> None:
        """Each condition narrows; `since` is inclusive, `until` is not."""
        intents = [
            an_intent(number, started_us=number * 10, key_id=f"key_{number % 2}")
            for number in range(1, 6)
        ]
        exchanges = [
            an_exchange(number, started_us=number * 10, key_id=f"key_{number % 2}")
            for number in range(1, 6)
        ]
        foreign = an_intent(9, account="other", started_us=30)
        store.append(linked(*intents, *exchanges, foreign, an_exchange(9, account="other")))
        cases = {
            EntryFilter("default"): [1, 2, 3, 4, 5],
            EntryFilter("nobody"): [],
            EntryFilter("other"): [9],
            EntryFilter("default", exchange_id="x2"): [2],
            EntryFilter("default", exchange_id="x9"): [],
            EntryFilter("default", key_id="key_1"): [1, 3, 5],
            EntryFilter("default", since_us=20, until_us=40): [2, 3],
            EntryFilter("default", limit=2): [1, 2],
            EntryFilter("default", limit=2, newest_first=True): [5, 4],
            EntryFilter("default", newest_first=True): [5, 4, 3, 2, 1],
            EntryFilter("default", limit=0): [],
        }
        for where, numbers in cases.items():
            ids = [f"x{number}" for number in numbers]
            assert [each.intent.exchange_id for each in store.entries(where)] == ids, where
            assert [each.intent.exchange_id for each in store.scan(where)] == ids, where
            assert [each.exchange_id for each in store.exchanges(where)] == ids, where

    def test_an_entry_is_found_by_the_providers_id_of_its_answer(self, store: Store) -> None:
        """Whoever goes on from an answer is sent to where it was given."""
        mine, also, foreign = an_intent(1), an_intent(2), an_intent(3, account="other")
        ends = [
            settle_of(intent, provider_request_id=answer)
            for intent, answer in ((mine, "resp_1"), (also, "resp_2"), (foreign, "resp_1"))
        ]
        store.append(linked(mine, also, foreign, *ends, an_intent(4)))
        for answer, numbers in (("resp_1", [1]), ("resp_2", [2]), ("resp_3", [])):
            found = store.entries(EntryFilter("default", answer_id=answer))
            assert [each.intent.exchange_id for each in found] == [f"x{n}" for n in numbers]

    def test_money_keeps_every_digit(self, store: Store) -> None:
        """No amount goes through a float, and none is normalised."""
        intent = an_intent(1, hold=Decimal("1E+2"), high=Decimal("0.10"))
        amount = Decimal("12345678901234567890.123456789012345678900")
        settle = settle_of(intent, total=amount, meters={"seconds": Decimal("0.30"), "output": 7})
        store.append(linked(intent, settle))
        (entry,) = store.entries(EntryFilter("default"))
        assert entry == fold_entry([intent, settle])
        assert str(entry.total) == str(amount)
        assert str(entry.intent.hold) == "1E+2"

    def test_text_of_any_kind_is_kept(self, store: Store) -> None:
        """What a client wrote cannot stop a record from being stored."""
        intent = an_intent(1, model_requested="a\0b\u2028'; DROP TABLE x; --\U0001f600")
        hostile = settle_of(intent, finish="\0", raw_usage={"k\0": ["'", '"', "\\", 10**30]})
        store.append(linked(intent, hostile))
        assert list(store.entries(EntryFilter("default"))) == [fold_entry([intent, hostile])]

    def test_erasing_an_attribution_leaves_the_chain_sound(self, store: Store) -> None:
        """Personal data goes; amounts and proof stay."""
        ada = Attribution(customer="c1", end_user="ada@example.org", team="red")
        bob = Attribution(customer="c1", end_user="bob@example.org")
        mine, his = an_intent(1, attribution=ada), an_intent(2, attribution=bob)
        foreign = an_intent(3, attribution=ada, account="other")
        links = linked(mine, settle_of(mine), an_exchange(1, attribution=ada), his, foreign)
        store.append(links)
        assert store.erase_attribution("default") == 0
        assert store.erase_attribution("default", end_user="ada@example.org") == 2
        assert store.erase_attribution("default", end_user="ada@example.org") == 0
        bare = replace(mine, attribution=Attribution())
        assert list(store.entries(EntryFilter("default"))) == [
            fold_entry([bare, settle_of(mine)]),
            fold_entry([his]),
        ]
        assert list(store.exchanges(EntryFilter("default"))) == [an_exchange(1)]
        assert list(store.entries(EntryFilter("other"))) == [fold_entry([foreign])]
        chain = list(store.chain("w1"))
        assert verify(chain) == []
        assert [(each.hash, each.attribution_digest) for each in chain] == [
            (each.hash, each.attribution_digest) for each in links
        ]
        assert [bool(each.attribution_salt) for each in chain] == [False, False, False, True, True]
        assert store.erase_attribution("default", customer="c1") == 1

    def test_an_edited_record_does_not_verify(self, store: Store) -> None:
        """The chain that a store gives is the chain that was made."""
        links = linked(an_intent(1), an_intent(2))
        forged = linked(an_intent(1), an_intent(2, provider="elsewhere"))[1]
        store.append([links[0], evolve(links[1], payload=forged.payload, record=forged.record)])
        assert verify(store.chain("w1")) == [
            "writer 'w1', record 2: does not match its hash: it was edited"
        ]
