"""Rows in an artefact: the same rows, found the same way, and refused when something is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from attrs import evolve

from flo2.errors import AmbiguousPrice, CurrencyMismatch, PricingError
from flo2.prices import Layer, PackedRows, PriceRow, Schedule, Tier, Window, build, pack, row_id
from flo2.prices.names import NameIndex, literal_names
from flo2.prices.shelf import About

DAY = datetime(2026, 10, 1, tzinfo=UTC)
HOURS = Schedule([Window(0, 3600, 7200)], "Asia/Shanghai", frozenset({date(2026, 10, 1)}))
DEFAULTS = {"acme": {"service_tier": frozenset({"", "default"})}}


def row(name="m", dimension="input_tokens", price="0.125", *, prefix="", tail="", **kw):
    given = {key: kw.get(key) for key in ("tier", "valid_from", "schedule")}
    provider = kw.pop("provider", "acme")
    return PriceRow(
        id=prefix
        + row_id(provider, name, dimension, when=kw.get("when", {}), **given)
        + tail,
        provider=provider,
        models=kw.pop("models", frozenset({name})),
        dimension=dimension,
        unit_price=Decimal(price),
        per=kw.pop("per", 1_000_000),
        source=kw.pop("source", "https://acme.example/pricing"),
        read_on=kw.pop("read_on", date(2026, 11, 1)),
        evidence="published",
        **kw,
    )  # fmt: skip


ROWS = (
    row(),
    row(dimension="output_tokens", price="1e-7", per=1, tier=Tier(0, 10, graduated=True)),
    row(when={"service_tier": frozenset({"flex"})}, valid_from=DAY, valid_until=None),
    row(when={"service_tier": frozenset({"batch"})}, schedule=HOURS, tail="[x]", prefix="fees:"),
    row("vendor/a/b", models=frozenset({"a", "b"}), pattern="(?i:a|b\\-c)", source="elsewhere"),
    row("s", "input_seconds", "0.36", per=3600, minimum=Decimal(10), step=Decimal("0.5")),
    row("m", provider="other", currency="EUR", read_on=date(2026, 12, 1)),
)
PACKED = PackedRows(pack(ROWS, DEFAULTS, {"made_by": "a test"}))


def test_rows_come_back_as_they_went_in():
    assert {each.id: each for each in PACKED} == {each.id: each for each in ROWS}
    assert (len(PACKED), PACKED.origin) == (7, {"made_by": "a test"})
    assert PACKED.about == {
        "acme": About("USD", 6, 4, date(2026, 11, 1)),
        "other": About("EUR", 1, 1, date(2026, 12, 1)),
    }
    assert PACKED.defaults() == DEFAULTS
    assert PACKED.prefixes == {"", "fees:"}


def test_any_order_gives_the_same_bytes():
    about = {"made_by": "a test"}
    assert pack(reversed(ROWS), DEFAULTS, about) == pack(ROWS, DEFAULTS, about)


@pytest.mark.parametrize("name", ["m", "a", "b", "A", "B-C", "s", "vendor/a/b", "S", "\u017f", ""])
def test_models_are_found_as_in_plain_rows(name):
    plain = build([Layer("x", ROWS, DEFAULTS)])
    packed = build([Layer("x", PACKED, DEFAULTS)])
    for provider in ("acme", "other", "nobody"):
        expected = {each.id: each for each in plain.rows_for(provider, name)}
        assert {each.id: each for each in packed.rows_for(provider, name)} == expected
        assert packed.models(provider) == plain.models(provider)
    assert packed.version == plain.version
    assert packed.newest == plain.newest == date(2026, 12, 1)
    assert packed.about("other") == plain.about("other")


def test_rows_are_found_by_their_ids():
    for each in ROWS:
        assert PACKED.get(each.id) == each
    for unknown in ("", "acme", "acme/m", "acme/x/input_tokens", "new:acme/m/input_tokens", "/"):
        assert PACKED.get(unknown) is None
    rows = build([Layer("x", PACKED, DEFAULTS)]).rows
    assert (set(rows), len(rows)) == ({each.id for each in ROWS}, 7)
    assert "acme/x/input_tokens" not in rows
    with pytest.raises(KeyError):
        rows["acme/x/input_tokens"]


def test_two_layers_with_one_id_are_refused():
    mine = Layer("mine", [row()])
    packed = Layer("packed", PACKED, DEFAULTS)
    for layers in ([mine, packed], [packed, mine], [packed, packed], [mine, mine]):
        with pytest.raises(PricingError, match="two price rows have the id 'acme/"):
            build(layers)
    other = Layer("other", PackedRows(pack([row(prefix="mine:")], {}, {})))
    assert len(build([other, packed]).rows) == 8


def test_another_layer_s_defaults_are_checked_against_packed_rows():
    looser = {"acme": {"service_tier": ["", "default", "flex"]}}
    with pytest.raises(AmbiguousPrice, match=r"both price input_tokens of model 'm'.*\n.*'packed'"):
        build([Layer("mine", [row("own", prefix="mine:")], looser), Layer("packed", PACKED, {})])


def test_what_no_book_would_take_is_not_packed():
    with pytest.raises(AmbiguousPrice, match="both price input_tokens"):
        pack([row(), row(tail="[again]")], {}, {})
    with pytest.raises(CurrencyMismatch, match="is in 'EUR'"):
        pack([row(), row("n", currency="EUR")], {}, {})
    with pytest.raises(PricingError, match="does not say what it is for"):
        pack([evolve(row(), id="row 7")], {}, {})


def test_layers_in_two_currencies_are_refused():
    with pytest.raises(CurrencyMismatch, match="'mine' prices provider 'other' in 'USD', and"):
        build([Layer("x", PACKED, DEFAULTS), Layer("mine", [row("q", provider="other")])])


def test_a_damaged_artefact_is_refused_and_named():
    data = pack(ROWS, DEFAULTS, {})
    head, _, body = data.partition(b"\n")
    wrong = [
        b"", b"\n", b"[]", head, data[:-1], data[:-20], data + b"\n", head + b"\n\n" + body,
        data.replace(b"0.125", b"0.126"), data.replace(b"prices/1", b"prices/2"), b"\xff" + data,
    ]  # fmt: skip
    for each in wrong:
        with pytest.raises(PricingError, match=r"^my prices (cannot be read|is not what was)"):
            PackedRows(each, name="my prices")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (r"(?i:gpt\-4o|A b)", ("gpt-4o", "a b")),
        (r"(?i:a\|b)", ("a|b",)),
        (r"(?i:a.b)", None),
        (r"(?i:a\d)", None),
        (r"(?i:)", None),
        (r"(?i:a|)", None),
        ("a", None),
    ],
)
def test_patterns_of_nothing_but_names(pattern, names):
    assert literal_names(pattern) == names


def test_a_name_finds_each_pattern_it_matches_once():
    index = NameIndex([((), "(?i:a|A|b)", 1), ((), "a.*", 2), (["b"], "(?i:c)", 3)])
    assert [index.find(each) for each in ("a", "A", "b", "ab", "B", "C", "x")] == [
        (1, 2), (1,), (3,), (2,), (1,), (3,), (),
    ]  # fmt: skip
    assert NameIndex([((), "(?i:s)", 1)]).find("\u017f") == (1,)  # as `re` folds it
