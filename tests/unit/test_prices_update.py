"""What a newer source changes, and the rows that make it so: nothing before the day is touched."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from flo2.canonical import Usage
from flo2.prices import Layer, PriceRow, PricingContext, build
from flo2.prices.gaps import gaps
from flo2.prices.update import accepted_rows, proposed

DAY = date(2026, 12, 1)
START = datetime(2026, 12, 1, tzinfo=UTC)
DEFAULTS = {"acme": {"service_tier": ["", "default"]}}


def row(price, *, id_="old", name="m", **kw):
    return PriceRow(
        id=id_,
        provider="acme",
        models=kw.pop("models", frozenset({name})),
        dimension=kw.pop("dimension", "input_tokens"),
        unit_price=Decimal(price),
        per=kw.pop("per", 1_000_000),
        source="s",
        read_on=date(2026, 11, 1),
        evidence="operator",
        **kw,
    )


def changes(old, new, *, defaults=DEFAULTS, theirs=DEFAULTS):
    book = build([Layer("old", old, defaults)])
    source = Layer("new", new, theirs)
    found = list(proposed(book, source, DAY))
    return book, found, list(accepted_rows(book, source, found, DAY))


def cost(rows, at, name="m", **said):
    book = build([Layer("x", [evolve(r, id=str(n)) for n, r in enumerate(rows)], DEFAULTS)])
    context = PricingContext("acme", "chat", name, name, at, said)
    return book.price(Usage({"input_tokens": 1_000_000}), context).total


def test_the_same_price_however_it_is_published_is_no_change():
    _, found, rows = changes([row("1")], [row("0.001", id_="new", per=1000)])
    assert (found, rows) == ([], [])


def test_what_the_source_does_not_know_is_no_change():
    old = [row("1"), row("2", id_="other", dimension="output_tokens"), row("3", id_="n", name="n")]
    assert changes(old, [row("1", id_="new")])[1] == []


def test_a_change_ends_the_old_row_and_begins_the_new_one():
    _, (change,), rows = changes([row("1")], [row("2", id_="new")])
    assert (change.kind, change.old.unit_price, change.new.unit_price) == ("changed", 1, 2)
    assert [(r.unit_price, r.valid_from, r.valid_until) for r in rows] == [
        (1, None, START),
        (2, START, None),
    ]


def test_a_price_that_a_source_has_for_later_begins_then():
    later = START + timedelta(days=40)
    new = [
        row("1", id_="now", valid_until=later),
        row("2", id_="later", valid_from=later),
    ]
    _, found, rows = changes([row("1")], new)
    assert [cost(rows, at) for at in (START, later - timedelta(1), later)] == [1, 1, 2]
    assert [each.new.valid_from for each in found] == [later]


def test_other_rows_of_the_model_stay_as_they_are():
    flex = row("0.5", id_="flex", when={"service_tier": frozenset({"flex"})})
    _, _, rows = changes([row("1"), flex], [row("2", id_="new")])
    assert [cost(rows, START, service_tier=tier) for tier in ("default", "flex")] == [
        2,
        Decimal("0.5"),
    ]


def test_a_row_with_conditions_that_met_the_new_one_ends_too():
    regional = row("1", when={"region": frozenset({"", "eu"})})
    _, (change,), rows = changes([regional], [row("2", id_="new")])
    assert change.old.id == "old"
    assert cost(rows, START) == 2
    assert cost(rows, START - timedelta(1), region="eu") == 1


def test_usual_values_of_the_source_that_are_none_of_the_book_s_are_written_out():
    theirs = {"acme": {"service_tier": ["", "default", "standard"]}}
    _, (change,), rows = changes([row("1")], [row("2", id_="new")], theirs=theirs)
    assert change.new.when == {"service_tier": frozenset({"", "default", "standard"})}
    assert cost(rows, START, service_tier="standard") == 2


def test_a_shared_row_is_changed_for_the_one_model_alone():
    shared = row("1", models=frozenset({"m", "n"}), pattern="[mn]-.*")
    _, _, rows = changes([shared], [row("2", id_="new")])
    assert {frozenset(r.models) for r in rows} == {frozenset({"m"})}
    assert all(r.pattern is None for r in rows)


days = st.dates(date(2026, 11, 1), date(2027, 1, 31))
prices = st.integers(0, 5).map(str)


@st.composite
def histories(draw):
    """Rows of one model that follow each other without a hole."""
    cuts = sorted(draw(st.sets(days, max_size=4)))
    instants = [None, *(datetime(d.year, d.month, d.day, tzinfo=UTC) for d in cuts), None]
    return [
        row(draw(prices), id_=f"r{n}", valid_from=begin, valid_until=end)
        for n, (begin, end) in enumerate(pairwise(instants))
    ]


@given(old=histories(), new=histories(), at=days)
def test_before_the_day_it_costs_what_it_did_and_after_it_what_the_source_says(old, new, at):
    _, found, rows = changes(old, [evolve(each, id=f"new{each.id}") for each in new])
    instant = datetime(at.year, at.month, at.day, 12, tzinfo=UTC)
    if found:
        assert list(gaps(rows)) == []
        assert cost(rows, instant) == cost(old if instant < START else new, instant)
    else:
        assert cost(old, max(instant, START)) == cost(new, max(instant, START))
