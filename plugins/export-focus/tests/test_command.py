"""`flo2 export focus` as people run it: CSV, Parquet, and what may go wrong."""

from __future__ import annotations

import csv
import io
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pytest
from pyarrow import parquet

from flo2 import Account, EntryFilter, MemoryStore, StoreError
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.ledger import chain_links
from flo2.stores import WriterHead
from flo2.testing.records import an_intent
from flo2_export_focus import flo2_register_commands
from flo2_export_focus.columns import COLUMNS
from flo2_export_focus.exporting import FocusExport

from .focus_ledger import (  # noqa: TID252  # tests have no package
    START_US,
    line_of,
    rich_ledger,
    settled,
    store_of,
)

ALL = ("export", "focus", "--since", "2026-01-01", "--until", "2027-01-01")
LEFT_OUT = "left out, as their cost is not known: 1 open, 1 pending, 1 unpriced"


@pytest.fixture
def state(tmp_path: Path) -> State:
    config = tmp_path / "flo2.toml"
    config.write_text('[plugins]\nonly = ["export-focus"]\n')
    environ = {"FLO2_DATA_DIR": str(tmp_path / "data"), "FLO2_CONFIG": str(config)}
    return State(environ, store=rich_ledger())


def texts(state: State) -> list[dict[str, str]]:
    """Give the rows as CSV should have them."""
    assert state.store is not None
    export = FocusExport(state.store, Account("default", "", 0), EntryFilter("default"))
    names = ("x_EntryId", "BilledCost", "SkuMeter", "Tags", "x_AdjustmentId")
    return [
        {name: "" if (value := row.get(name)) is None else str(value) for name in names}
        for row in export.rows()
    ]


def test_csv_goes_to_standard_output_and_remarks_beside_it(state: State, capsys: Any):
    assert run(ALL, state) == 0
    out, err = capsys.readouterr()
    found = list(csv.DictReader(io.StringIO(out)))
    assert list(found[0]) == list(COLUMNS)
    expected = texts(state)
    assert [{**{n: row[n] for n in expected[0]}, "BilledCost": ""} for row in found] == [
        {**row, "BilledCost": ""} for row in expected
    ]
    assert [Decimal(row["BilledCost"]) for row in found] == [
        Decimal(row["BilledCost"]) for row in expected
    ]
    assert [row for row in found if "e" in row["BilledCost"].lower()] == []
    assert err.splitlines()[0] == f"{len(expected)} rows"
    assert LEFT_OUT in err


def test_a_file_is_there_when_it_is_complete(state: State, tmp_path: Path, capsys: Any):
    assert run(ALL, state) == 0
    assert run([*ALL, "--out", str(tmp_path / "out.csv")], state) == 0
    assert (tmp_path / "out.csv").read_bytes().decode() == capsys.readouterr().out
    assert not list(tmp_path.glob("*.part"))


def test_only_the_time_asked_for_is_written(state: State, capsys: Any):
    assert run(["export", "focus", "--since", "2025-01-01", "--until", "2025-02-01"], state) == 0
    out, err = capsys.readouterr()
    assert (out.splitlines(), err) == ([",".join(COLUMNS)], "0 rows\n")


def test_parquet_holds_the_same_in_exact_decimals(state: State, tmp_path: Path):
    file = tmp_path / "out.parquet"
    assert run([*ALL, "--out", str(file), "--format", "parquet"], state) == 0
    table = parquet.read_table(file)
    assert table.schema.field("BilledCost").type == pa.decimal128(38, 18)
    assert table.schema.field("ChargePeriodStart").type == pa.timestamp("ms", tz="UTC")
    assert table.column_names == list(COLUMNS)
    assert [str(value) for value in table["x_EntryId"].to_pylist()] == [
        row["x_EntryId"] for row in texts(state)
    ]
    assert table["BilledCost"].to_pylist() == [Decimal(row["BilledCost"]) for row in texts(state)]


def test_parquet_needs_a_file(state: State, capsys: Any):
    assert run([*ALL, "--format", "parquet"], state) == 2
    assert "--format parquet needs --out FILE" in capsys.readouterr().err


def test_parquet_without_pyarrow_says_what_to_install(
    state: State, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    file = tmp_path / "out.parquet"
    assert run([*ALL, "--out", str(file), "--format", "parquet"], state) == 1
    assert 'pip install "flo2-export-focus[parquet]"' in capsys.readouterr().err
    assert not file.exists()


def test_a_number_that_parquet_would_round_is_refused(tmp_path: Path, state: State, capsys: Any):
    intent = an_intent(1, started_us=START_US)
    tiny = line_of("input_tokens", 1, Decimal("0.0000000000000001"))
    state.store = store_of([intent, settled(intent, tiny)])
    file = tmp_path / "out.parquet"
    assert run([*ALL, "--out", str(file), "--format", "parquet"], state) == 1
    assert "does not fit into decimal128(38, 18)" in capsys.readouterr().err
    assert list(tmp_path.glob("out*")) == []
    assert run([*ALL, "--out", str(tmp_path / "out.csv")], state) == 0
    assert "0.000000000000000000000125" in (tmp_path / "out.csv").read_text()


def test_a_folder_that_is_not_there_is_named(state: State, tmp_path: Path, capsys: Any):
    assert run([*ALL, "--out", str(tmp_path / "none" / "out.csv")], state) == 1
    assert "out.csv" in capsys.readouterr().err


class Failing(MemoryStore):
    """A store that breaks off while it is read."""

    def scan(self, where: EntryFilter) -> Any:
        yield from list(super().scan(where))[:1]
        raise StoreError("the disk is gone")


def test_half_an_export_is_no_file(state: State, tmp_path: Path, capsys: Any):
    state.store = Failing()
    state.store.put_account(Account("default", "default", 0))
    assert run([*ALL, "--out", str(tmp_path / "out.csv")], state) == 1
    assert "the disk is gone" in capsys.readouterr().err
    assert list(tmp_path.glob("out*")) == []


class Counting(MemoryStore):
    """A store that counts what is taken out of it."""

    taken = 0

    def scan(self, where: EntryFilter) -> Any:
        for entry in super().scan(where):
            self.taken += 1
            yield entry


def test_entries_are_read_as_rows_are_written():
    store = Counting()
    account = Account("default", "default", 0)
    store.put_account(account)
    intents = [an_intent(n, started_us=START_US + n) for n in range(1, 3001)]
    line = line_of("input_tokens", 1)
    records = [record for intent in intents for record in (intent, settled(intent, line))]
    store.append(chain_links(WriterHead("w", 0, ""), enumerate(records, 1), b""))
    export = FocusExport(store, account, EntryFilter("default"))
    rows = export.rows()
    next(rows)
    assert store.taken < len(intents)
    assert (sum(1 for _ in rows), store.taken) == (len(intents) - 1, len(intents))


def test_another_plugins_group_is_used():
    root, there = click.Group("flo2"), click.Group("export")
    root.add_command(there)
    flo2_register_commands(root)
    assert (root.commands["export"], list(there.commands)) == (there, ["focus"])
