"""What is compiled is what its sources give, to the byte."""

from __future__ import annotations

from importlib import resources

import pytest

from flo2.errors import PricingError
from flo2.prices import Layer, PackedRows, build
from flo2_pricing_list import GenaiPrices, PriceList
from flo2_pricing_list.artefacts import path_of
from flo2_pricing_list.compile import main
from flo2_pricing_list.tables import read_tables


def test_rebuilding_gives_the_same_bytes(capsys):
    assert (main(["--check"]), capsys.readouterr().out) == (0, "")


def test_the_compiled_rows_are_those_of_the_sources():
    tables = read_tables()
    theirs = GenaiPrices(GenaiPrices.Config(installed=True))
    for compiled, rows in ((PriceList(), tables.rows), (GenaiPrices(), theirs.rows())):
        assert {row.id: row for row in compiled.rows()} == {row.id: row for row in rows}
    stated = {provider: keys for provider, keys in tables.defaults.items() if keys}
    assert PriceList().defaults() == stated
    assert GenaiPrices().defaults() == theirs.defaults()


def test_a_book_of_compiled_rows_has_the_version_of_a_book_of_the_rows():
    layers = [PriceList().layer(), GenaiPrices().layer()]
    plain = [Layer(each.name, tuple(each.rows), each.defaults) for each in layers]
    assert build(layers).version == build(plain).version


def test_it_says_where_it_comes_from():
    origin = GenaiPrices().rows().origin
    assert origin["made_from"] == "genai-prices 0.2.3"
    assert origin["read_on"] == "2026-11-23"
    licence = (
        resources.files("flo2_pricing_list") / "compiled" / "genai-prices.LICENSE"
    ).read_text()
    assert licence.startswith("The MIT License (MIT)\n\nCopyright (c) Pydantic Services Inc.")


def test_providers_can_be_left_out_of_the_compiled_copy():
    source = GenaiPrices(GenaiPrices.Config(skip=("openrouter",)))
    assert "openrouter" not in {row.provider for row in source.rows()} | set(source.defaults())
    assert len(source.rows()) < len(GenaiPrices().rows())


def test_checking_prints_what_is_stale(capsys, monkeypatch):
    monkeypatch.setattr("flo2_pricing_list.compile.compile_all", lambda: {"list": b"other"})
    assert main(["--check"]) == 1
    assert capsys.readouterr().out == (
        "list.jsonl is not what its sources give; run: python -m flo2_pricing_list.compile\n"
    )


@pytest.mark.parametrize("name", ["list", "genai-prices"])
def test_a_changed_or_cut_artefact_is_refused(name):
    data = (resources.files("flo2_pricing_list") / path_of(name)).read_bytes()
    for wrong in (b"", b"{}", data[:-1], data[:-2] + b"\n", data.replace(b'"0.1"', b'"0.2"', 1)):
        with pytest.raises(PricingError, match=r"cannot be read|not what was written"):
            PackedRows(wrong)
