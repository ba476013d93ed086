"""Rows that are written read back as they were; what was accepted is never written over."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import evolve

from flo2 import Services, Wire
from flo2.errors import PricingError
from flo2.prices import PriceRow, Schedule, Tier, Window, row_id
from flo2_pricing_list import AcceptedPrices
from flo2_pricing_list.schema import parse
from flo2_pricing_list.tables import read_tables
from flo2_pricing_list.write import write_rows

AT = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)


def renamed(row, name):
    """Give a row as a file of its own has it: for one name, and named so."""
    conditions = {
        "when": row.when,
        "tier": row.tier,
        "valid_from": row.valid_from,
        "schedule": row.schedule,
    }
    return evolve(
        row,
        id=row_id(row.provider, name, row.dimension, **conditions),
        models=frozenset({name}),
        pattern=None,
    )


def read(text):
    return parse(tomllib.loads(text, parse_float=Decimal), file="x.toml").rows


def test_curated_rows_are_written_and_read_back():
    rows = {}
    for row in read_tables().rows[::5]:  # of every provider, and of each kind of condition
        there = renamed(row, min(row.models))
        rows.setdefault(there.id, there)
    assert {row.provider for row in rows.values()} >= {"azure", "bedrock", "deepseek", "openai"}
    assert {row.id: row for row in read(write_rows(rows.values()))} == rows


def test_odd_rows_are_written_and_read_back():
    row = PriceRow(
        id="",
        provider="acme",
        models=frozenset({"m", 'x/ü\\"\n\x7f'}),
        dimension="input_seconds",
        unit_price=Decimal("0.1"),
        per=3600,
        source="a [b] # 'c'",
        read_on=date(2026, 1, 2),
        evidence="contract",
        when={"key": frozenset({"", "v w"})},
        tier=Tier(5, 10, graduated=False),
        valid_from=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        valid_until=datetime(2027, 1, 1, tzinfo=UTC),
        schedule=Schedule(
            [Window(0, 3600, 7200), Window(6, 0, 86400)],
            "Asia/Shanghai",
            frozenset({date(2026, 10, 1)}),
            outside=True,
        ),
        minimum=Decimal(10),
        step=Decimal("0.5"),
    )
    (back,) = read(write_rows([row], ["remark\n[[x]]"]))
    assert evolve(back, id="") == row


def test_hours_with_seconds_are_not_written():
    row = renamed(read_tables().rows[0], "m")
    with pytest.raises(PricingError, match="61 s is no minute"):
        write_rows([evolve(row, schedule=Schedule([Window(0, 61, 120)]))])


def source(tmp_path):
    return AcceptedPrices(services=Services(wire=Wire(), data_dir=tmp_path))


def test_what_is_accepted_is_read_from_the_newest_file_of_a_model(tmp_path):
    first, second = (renamed(read_tables().rows[0], name) for name in ("a", "b"))
    assert source(tmp_path).rows() == ()
    one = Path(source(tmp_path).accept([first, second], ["first"], AT))
    dearer = evolve(first, unit_price=Decimal(9))
    two = Path(source(tmp_path).accept([dearer], ["second"], AT.replace(minute=31)))
    assert [file.name for file in sorted((tmp_path / "prices").iterdir())] == [one.name, two.name]
    assert one.name.startswith("2026-11-25T123000.000000Z-")
    expected = [evolve(row, id=f"accepted:{row.id}") for row in (dearer, second)]
    assert sorted(source(tmp_path).rows(), key=lambda row: row.id) == expected
    assert source(tmp_path).layer().defaults == {}


def test_nothing_is_written_over_or_without_a_folder(tmp_path):
    row = renamed(read_tables().rows[0], "a")
    source(tmp_path).accept([row], [], AT)
    with pytest.raises(PricingError, match="cannot be written"):
        source(tmp_path).accept([row], [], AT)
    with pytest.raises(PricingError, match=r"give \[pricing.accepted\] a path"):
        AcceptedPrices().accept([row], [], AT)


@pytest.mark.parametrize("name", ["mine.toml", "2026-11-25T123000.000000Z-0123456789abcdef.toml"])
def test_a_file_that_is_none_of_ours_is_refused(tmp_path, name):
    (tmp_path / name).write_text("")
    with pytest.raises(PricingError, match="is not as `flo2 prices update` wrote it"):
        AcceptedPrices(AcceptedPrices.Config(str(tmp_path))).rows()


def test_a_folder_inside_is_refused(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(PricingError, match="cannot be read"):
        AcceptedPrices(AcceptedPrices.Config(str(tmp_path))).rows()
