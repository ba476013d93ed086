"""`flo2 prices update`, and the lists of the book."""

from __future__ import annotations

import json

import pytest

from flo2.cli.root import run
from flo2.cli.state import State
from flo2.memory_store import MemoryStore

NEWER = """
provider = "openai"
source = "https://openai.example/pricing"
read_on = 2026-12-01
evidence = "published"
[defaults]
service_tier = ["", "default"]
[[model]]
name = "gpt-4o"
  [[model.price]]
  rates = { input_tokens = "2.25", output_tokens = "10" }
[[model]]
name = "gpt-7"
  [[model.price]]
  rates = { input_tokens = "1" }
"""


@pytest.fixture
def flo2(tmp_path, capsys):
    def of(*args, config="", answer=None, monkeypatch=None):
        (tmp_path / "flo2.toml").write_text(config)
        environ = {"FLO2_DATA_DIR": str(tmp_path), "FLO2_CONFIG": str(tmp_path / "flo2.toml")}
        if answer is not None:
            monkeypatch.setattr("click.confirm", lambda *_, **__: answer)
        code = run(["prices", *args], State(environ, store=MemoryStore()))
        told = capsys.readouterr()
        return code, told.out, told.err

    return of


@pytest.fixture
def newer(tmp_path):
    file = tmp_path / "newer.toml"
    file.write_text(NEWER)
    return str(file)


def accepted(tmp_path):
    folder = tmp_path / "prices"
    return sorted(folder.iterdir()) if folder.is_dir() else []


CHANGES = [
    ("changed", "gpt-4o", "input_tokens", "2.5 / 1M", "2.25 / 1M"),
    ("added", "gpt-7", "input_tokens", None, "1 / 1M"),
]


def changes_of(found):
    return [
        (each["kind"], each["model"], each["meter"], each["old"], each["new"])
        for each in found["changes"]
    ]


def test_what_is_newer_is_shown_and_nothing_is_written_unasked(flo2, newer, tmp_path, monkeypatch):
    code, out, _ = flo2("update", newer, "--json")
    assert (code, changes_of(json.loads(out))) == (3, CHANGES)
    assert json.loads(out)["accepted"] is None
    code, out, _ = flo2("update", newer, answer=False, monkeypatch=monkeypatch)
    assert code == 3
    assert "openai/gpt-4o" in out
    assert accepted(tmp_path) == []


def test_what_is_accepted_holds_from_its_day_on_and_what_was_stays(flo2, newer, tmp_path):
    code, out, err = flo2("update", newer, "--yes", "--json", "--from", "2026-12-01")
    (file,) = accepted(tmp_path)
    assert (code, changes_of(json.loads(out))) == (0, CHANGES)
    assert json.loads(out)["accepted"] == str(file)
    assert "in force when flo2 next starts" in err

    def price(day, model="gpt-4o"):
        asked = ("--use", "input_tokens=1000000", "--at", f"{day}T12:00:00Z", "--json")
        return json.loads(flo2("explain", f"openai/{model}", *asked)[1])["total"]

    days = ("2026-11-30", "2026-12-01")
    assert [price(day) for day in days] == ["2.5", "2.25"]
    assert [price(day, "gpt-7") for day in days] == [None, "1"]
    # The model's other rows are still there: its cache, its tiers.
    shown = flo2(
        "show", "openai/gpt-4o", "--meter", "cache_read_tokens", "--at", "2026-12-02", "--json"
    )
    ids = [each["id"] for each in json.loads(shown[1])["rows"]]
    assert "accepted:openai/gpt-4o/cache_read_tokens" in ids
    assert len(ids) > 1
    # Once more changes nothing.
    code, _, err = flo2("update", newer, "--from", "2026-12-01")
    assert (code, err) == (0, "no price changes\n")


def test_only_some_models(flo2, newer, tmp_path):
    code, out, _ = flo2("update", newer, "--json", "--only", "openai/gpt-4*")
    assert (code, changes_of(json.loads(out))) == (3, CHANGES[:1])


def test_a_later_file_counts_and_the_earlier_one_stays(flo2, newer, tmp_path):
    flo2("update", newer, "--yes", "--from", "2026-12-01")
    (first,) = accepted(tmp_path)
    before = first.read_bytes()
    (tmp_path / "later.toml").write_text(NEWER.replace('"2.25"', '"2"'))
    code, _, err = flo2("update", str(tmp_path / "later.toml"), "--yes", "--from", "2027-01-01")
    assert code == 0, err
    assert len(accepted(tmp_path)) == 2
    assert first.read_bytes() == before
    shown = json.loads(flo2("show", "openai/gpt-4o", "--meter", "input_tokens", "--json")[1])[
        "rows"
    ]
    plain = [each for each in shown if not each["when"]]
    assert [(each["unit_price"], each["valid_from"], each["valid_until"]) for each in plain] == [
        ("2.5", None, "2026-12-01T00:00:00+00:00"),
        ("2.25", "2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        ("2", "2027-01-01T00:00:00+00:00", None),
    ]


def test_an_edited_file_is_refused(flo2, newer, tmp_path):
    flo2("update", newer, "--yes")
    (file,) = accepted(tmp_path)
    file.chmod(0o600)
    file.write_text(file.read_text().replace("2.25", "0.01"))
    code, _, err = flo2("list")
    assert code == 1
    assert "is not as `flo2 prices update` wrote it" in err


def test_without_its_table_a_configured_book_says_so(flo2, newer):
    _, _, err = flo2("update", newer, "--yes", config="[pricing.list]\n")
    assert "add an empty table [pricing.accepted] to flo2.toml" in err


def test_sources_that_are_none(flo2):
    assert "'list' has nothing newer" in flo2("update", "list")[2]
    assert "is no price file" in flo2("update", "x.yaml")[2]
    assert "is no date like" in flo2("update", "x.toml", "--from", "soon")[2]


def test_the_installed_package_changes_only_what_was_left_out(flo2):
    code, out, _ = flo2("update", "--json")
    found = json.loads(out)["changes"]
    assert code == 3
    # Meters of models that take none of it, and the output of an embedding.
    assert {(each["kind"], each["model"].partition("-preview")[0]) for each in found} == {
        ("added", "gemini-2.5-flash-image"),
        ("added", "gemini-2.5-pro-tts"),
        ("added", "gemini-2.5-pro"),
        ("added", "mistral-embed"),
        ("added", "mistral-embed-2312"),
    }


def test_lists_can_be_narrowed_down(flo2):
    _, out, _ = flo2("list", "--model", "gpt-4o-2024-11-20", "--json")
    assert json.loads(out) == [
        {"model": f"{kind}/gpt-4o-2024-11-20", "input_usd_per_million": "2.5",
         "output_usd_per_million": "10"}
        for kind in ("azure", "openai")
    ]  # fmt: skip
    assert flo2("list", "openai", "--model", "x*")[2].startswith("no model 'x*' has a price\n")
    code, _, err = flo2("list", "openai/gpt-4o")
    assert (code, "write: flo2 prices list openai --model 'gpt-4o'" in err) == (1, True)
    code, _, err = flo2("list", "nobody")
    assert (code, "it knows: anthropic, arcee" in err) == (1, True)


def test_the_overview_counts(flo2):
    found = json.loads(flo2("list", "--json")[1])
    counts = {each["name"]: each for each in found["providers"]}
    assert counts["deepinfra"] == {
        "name": "deepinfra", "models": 118, "rows": 287, "newest_read_on": "2026-11-23",
    }  # fmt: skip
    assert found["rows"] == sum(each["rows"] for each in counts.values())


def test_show_is_short_and_whole_where_asked(flo2):
    model = "bedrock/eu.anthropic.claude-opus-5-5"
    _, short, err = flo2("show", model, "--meter", "input_tokens")
    assert "region=|eu-central-1|eu-central-2|… (9)" in short
    assert "[1] genai-prices 0.2.3 and the price map of LiteLLM" in err
    _, whole, _ = flo2("show", model, "--meter", "input_tokens", "--ids")
    assert "|eu-west-3" in whole
    assert "bedrock/eu.anthropic.claude-opus-5-5/input_tokens[region=" in whole
    assert "no such row" in flo2("show", model, "--meter", "input_pages")[2]
