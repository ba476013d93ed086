"""Past calls priced anew: what is written, what stays, and that nothing is written twice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flo2.canonical import SubUsage, Usage
from flo2.canonical.charge import Charge
from flo2.errors import StoreError
from flo2.ledger import (
    CORRECTIONS,
    Corrections,
    adjusted_entries,
    verify,
)
from flo2.memory_store import MemoryStore
from flo2.money import total
from flo2.prices import Layer, PriceRow, build
from flo2.prices.charged import charged
from flo2.records import Adjust, Settle, SubMeters, fold_entry
from flo2.repricing import (
    Scenario,
    compare_books,
    context_of,
    corrections,
    differences,
    overall,
    price_anew,
    reprice,
    usage_of,
)
from flo2.stores import EntryFilter
from flo2.testing.records import an_intent, linked, pend_of, settle_of, void_of
from flo2_store_sql import SqlStore

ALL = EntryFilter("default")
NOW = 1_800_000_000_000_000


def row(model, meter, price, **more):
    return PriceRow(
        f"t:acme/{model}/{meter}{more.get('currency', '')}",
        "acme",
        frozenset({model}),
        meter,
        Decimal(price),
        1_000_000,
        "https://acme.example/prices",
        date(2026, 11, 20),
        "published",
        **more,
    )


def book(**prices):
    """Give a book of input prices by model; outputs cost four times as much."""
    return build(
        [
            Layer(
                "t",
                [
                    each
                    for model, price in prices.items()
                    for each in (
                        row(model, "input_tokens", price),
                        row(model, "output_tokens", str(Decimal(price) * 4)),
                    )
                ],
            )
        ]
    )


def booked(number, priced_by, *, model="small", usage=None, reported=None, **more):
    """Give the records of a call, booked as the executor books it."""
    intent = an_intent(number, model=model, provider_kind="acme", **more)
    usage = usage or Usage({"input_tokens": 1000, "output_tokens": 100 * number})
    settle = settle_of(
        intent,
        meters=usage.quantities,
        model_billed=model,
        subcalls=tuple(SubMeters(sub.model, sub.quantities) for sub in usage.subcalls),
    )
    cost = priced_by.price(usage, context_of(intent, settle))
    if reported is not None:
        cost = charged(cost, Charge(Decimal(reported)))
    listed = None if cost.total is None else total(line.list_amount for line in cost.lines)
    return intent, replace(
        settle,
        status=cost.status,
        lines=cost.lines,
        total=cost.total,
        list_total=listed,
        book=cost.book,
        reason=cost.reason,
        reported_total=cost.total if reported is not None else None,
    )


OLD = book(small="1", big="10")
NEW = book(small="1.5", big="10", odd="2")


def applied(store, priced_by, now=NOW):
    """Reprice a store; give what was written."""
    into = Corrections(store)
    made = []
    for adjusted in adjusted_entries(store, ALL):
        for record in corrections(reprice(adjusted, priced_by.price), now, "book"):
            into.add(record)
            made.append(record)
    into.flush()
    assert into.written == len(made)
    return made


def stored(*records):
    store = MemoryStore()
    store.append(linked(*records))
    return store


def totals(store):
    return {each.entry.intent.entry_id: each.total for each in adjusted_entries(store, ALL)}


def test_a_difference_is_adjusted_and_the_lines_that_hold_are_kept():
    intent, settle = booked(1, OLD)
    store = stored(intent, settle)
    (adjust,) = applied(store, NEW)
    cost = NEW.price(usage_of(settle), context_of(intent, settle))
    assert (settle.total, cost.total) == (Decimal("0.0014"), Decimal("0.0021"))
    assert adjust == Adjust(
        adjust.entry_id,
        "default",
        NOW,
        "reprice",
        "book",
        {"x1.1": Decimal("0.0007")},
        "USD",
        NEW.version,
        cost.lines,
    )
    assert totals(store) == {"x1.1": Decimal("0.0021")}
    assert list(store.entries(ALL)) == [fold_entry([intent, settle])]


def test_what_was_unpriced_is_settled_once_it_has_a_price():
    intent, settle = booked(1, OLD, model="odd")
    assert (settle.status, settle.total) == ("unpriced", None)
    store = stored(intent, settle)
    (closing,) = applied(store, NEW)
    cost = NEW.price(usage_of(settle), context_of(intent, settle))
    assert closing == replace(
        settle,
        status="settled",
        lines=cost.lines,
        total=Decimal("0.0028"),
        list_total=Decimal("0.0028"),
        book=NEW.version,
        reason=f"unpriced when it ended ({settle.reason}); priced later by book",
    )
    (entry,) = store.entries(ALL)
    assert (entry.status, entry.total, entry.ends) == ("settled", cost.total, (settle, closing))


def test_a_second_run_writes_nothing_and_the_way_back_is_found():
    store = stored(*booked(1, OLD), *booked(2, OLD, model="odd"), *booked(3, OLD, model="big"))
    before = totals(store)
    assert len(applied(store, NEW)) == 2
    assert applied(store, NEW, NOW + 1) == []
    assert len(applied(store, OLD, NOW + 2)) == 1
    assert totals(store) == {**before, "x2.1": Decimal("0.0036")}
    assert len(applied(store, NEW, NOW + 3)) == 1
    assert len(applied(store, OLD, NOW + 4)) == 1
    assert totals(store) == {**before, "x2.1": Decimal("0.0036")}
    assert verify(store.chain(CORRECTIONS)) == []


def test_what_no_price_bears_on_stays():
    reported = booked(1, OLD, reported="0.5")
    two, three, four = (an_intent(number, provider_kind="acme") for number in (2, 3, 4))
    hit = booked(5, OLD, role="cache_hit")
    gone = booked(6, OLD, model="big")
    store = stored(
        *reported, two, pend_of(two), three, void_of(three), four, *hit, *gone,
    )  # fmt: skip
    assert applied(store, book(small="7")) == []
    compared = [
        reprice(each, book(small="7").price).compared for each in adjusted_entries(store, ALL)
    ]
    assert [(each.before, each.after) for each in compared] == [
        (Decimal("0.5"), Decimal("0.5")),
        (None, None),
        (Decimal(0), Decimal(0)),
        (None, None),
        (hit[1].total, hit[1].total),
        (gone[1].total, gone[1].total),
    ]
    assert compared[-1].reason == "no price row for model 'big' of provider 'acme'"


def test_another_currency_is_no_correction():
    store = stored(*booked(1, OLD))
    euros = build(
        [
            Layer(
                "t",
                [row("small", m, "1", currency="EUR") for m in ("input_tokens", "output_tokens")],
            )
        ]
    )
    assert applied(store, euros) == []
    (adjusted,) = adjusted_entries(store, ALL)
    compared = reprice(adjusted, euros.price).compared
    assert compared.reason == "booked in USD, this book is in EUR"
    assert compare_books(adjusted.entry, OLD.price, euros.price).after is None


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("late_data", "0.0031"),
        ("tier_served", "0.0031"),
        ("price_differs", "0.0021"),
        ("reprice", "0.0021"),
    ],
)
def test_a_correction_of_the_price_is_replaced_and_one_of_the_use_stays(cause, expected):
    intent, settle = booked(1, OLD)
    earlier = Adjust("adj-bill", "default", NOW, cause, "a bill", {"x1.1": Decimal("0.001")})
    store = stored(intent, settle, earlier)
    applied(store, NEW)
    assert totals(store) == {"x1.1": Decimal(expected)}
    assert applied(store, NEW, NOW + 1) == []


def test_other_models_inside_an_answer_are_priced_as_such():
    beside = SubUsage("big", "advisor", {"input_tokens": 5}, {})
    usage = Usage(
        {"input_tokens": 1},
        subcalls=(beside, SubUsage(None, "compaction", {"output_tokens": 2}, {})),
    )
    intent, settle = booked(1, OLD, usage=usage)
    assert price_anew(fold_entry([intent, settle]), OLD.price).lines == settle.lines
    assert [line.model for line in settle.lines] == ["", "big", "small"]


def test_a_price_takes_the_place_of_what_was_corrected_while_there_was_none():
    intent, settle = booked(1, OLD, model="odd")
    early = Adjust("a1", "default", 1, "price_differs", "bill", {"x1.1": Decimal("0.5")})
    used = Adjust("a2", "default", 2, "late_data", "bill", {"x1.1": Decimal("0.25")})
    store = stored(intent, settle, early, used)

    written = applied(store, NEW)

    assert [type(each) for each in written] == [Settle, Adjust]
    assert written[1].amounts == {"x1.1": Decimal("-0.5")}
    (adjusted,) = adjusted_entries(store, ALL)
    assert (adjusted.priced, adjusted.total) == (
        written[0].total,
        written[0].total + Decimal("0.25"),
    )
    assert applied(store, NEW) == []


def test_what_was_corrected_is_taken_back_in_its_own_currency():
    intent, settle = booked(1, OLD, model="odd")
    early = Adjust("a1", "default", 1, "price_differs", "bill", {"x1.1": Decimal("0.5")})
    euros = build(
        [
            Layer(
                "t", [row("odd", m, "1", currency="EUR") for m in ("input_tokens", "output_tokens")]
            )
        ]
    )
    store = stored(intent, settle, early)

    closing, back = applied(store, euros)

    assert (closing.total, closing.currency) == (Decimal("0.0011"), "EUR")
    assert (back.amounts, back.currency) == ({"x1.1": Decimal("-0.5")}, "USD")
    assert [(each.currency, each.total) for each in store.usage(ALL, [])] == [
        ("EUR", Decimal("0.0011"))
    ]
    assert applied(store, euros) == []


def test_what_no_condition_bears_on_keeps_its_currency():
    intent = an_intent(1, role="fee")
    settle = replace(settle_of(intent, total=Decimal(7)), currency="EUR")
    (adjusted,) = adjusted_entries(stored(intent, settle), ALL)
    compared = Scenario(OLD.price, batch=True).apply(adjusted)
    assert (compared.before, compared.after, compared.currency) == (7, 7, "EUR")


def test_two_who_correct_at_once_cannot_both_write():
    store = stored(*booked(1, OLD))
    first, second = Corrections(store), Corrections(store)
    (adjusted,) = adjusted_entries(store, ALL)
    first.add(*corrections(reprice(adjusted, NEW.price), NOW, "book"))
    second.add(*corrections(reprice(adjusted, NEW.price), NOW + 1, "book"))
    first.flush()
    with pytest.raises(StoreError, match="somebody else has corrected entries"):
        second.flush()
    assert totals(store) == {"x1.1": Decimal("0.0021")}


@pytest.fixture(params=["memory", "sql"])
def any_store(request, tmp_path):
    made = {"memory": MemoryStore, "sql": lambda: SqlStore(SqlStore.Config(path=f"{tmp_path}/db"))}
    store = made[request.param]()
    store.open()
    yield store
    store.close()


def test_corrections_go_in_batches_while_the_ledger_is_read(any_store):
    """More than a page: what is written meanwhile neither hides an entry nor shows one twice."""
    models = ["small", "odd", "big"]
    calls = [booked(number, OLD, model=models[number % 3]) for number in range(1, 1203)]
    any_store.append(linked(*[record for call in calls for record in call]))
    records = applied(any_store, NEW)
    assert len(records) == 801
    found = list(adjusted_entries(any_store, ALL))
    assert [each.entry.status for each in found] == ["settled"] * 1202
    assert sum(len(each.adjustments) for each in found) == 400
    assert applied(any_store, NEW, NOW + 1) == []
    assert verify(any_store.chain(CORRECTIONS)) == []


MODELS = st.sampled_from(["small", "big", "odd"])
PRICES = st.decimals(min_value=0, max_value=100, places=4)
BOOKS = st.builds(
    lambda prices: book(**{model: str(price) for model, price in prices.items()}),
    st.dictionaries(MODELS, PRICES, max_size=3),
)


@st.composite
def ledgers(draw):
    """Give a store of calls booked by a book, and the book."""
    priced_by = draw(BOOKS)
    records = []
    for number in range(1, draw(st.integers(0, 5)) + 1):
        meters = draw(
            st.dictionaries(
                st.sampled_from(["input_tokens", "output_tokens"]),
                st.integers(1, 10**6),
                min_size=1,
            )
        )
        records += booked(number, priced_by, model=draw(MODELS), usage=Usage(meters))
    return stored(*records), priced_by


@given(ledgers())
def test_the_stored_book_gives_the_stored_lines_digit_by_digit(given_):  # P22
    store, priced_by = given_
    for entry in store.entries(ALL):
        cost = price_anew(entry, priced_by.price)
        assert (cost.lines, cost.total, cost.book) == (
            entry.end.lines,
            entry.end.total,
            entry.end.book,
        )
        assert [str(line.amount) for line in cost.lines] == [
            str(line.amount) for line in entry.end.lines
        ]
    assert applied(store, priced_by) == []


@given(ledgers(), st.lists(BOOKS, min_size=1, max_size=3))
def test_after_a_repricing_each_entry_costs_what_the_book_says(given_, books):  # P33, P34
    store, _ = given_
    original = {writer: list(store.chain(writer)) for writer in store.writers()}
    for step, each in enumerate(books):
        before = totals(store)
        records = applied(store, each, NOW + 2 * step)
        after = totals(store)
        for entry in store.entries(ALL):
            entry_id = entry.intent.entry_id
            cost = price_anew(entry, each.price)
            assert after[entry_id] == (before[entry_id] if cost.total is None else cost.total)
        # Adjustments add up to what changed; what has got a price is no adjustment.
        changed = [after[e] - before[e] for e in before if before[e] is not None]
        assert total(changed) == total(r.amount for r in records if isinstance(r, Adjust))
        assert applied(store, each, NOW + 2 * step + 1) == []
    # No record was changed: new ones refer to the old.
    assert {writer: list(store.chain(writer)) for writer in original} == original
    assert all(verify(store.chain(writer)) == [] for writer in store.writers())


@given(ledgers(), BOOKS, BOOKS)
def test_differences_add_up(given_, old, new):
    store, _ = given_
    compared = [compare_books(entry, old.price, new.price) for entry in store.entries(ALL)]
    rows = differences(compared, ["model", "feature"])
    for each in rows:
        assert each.after == each.before + each.change + each.gained - each.lost
    assert overall(rows) == differences(compared, [])
    assert sum(each.entries for each in rows) == len(compared)
