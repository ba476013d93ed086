from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from flo2.cli.root import run
from flo2.cli.state import State
from flo2.memory_store import MemoryStore
from flo2.prices import PriceRow
from flo2.prices.diff import changes

ALLOWED = Path(__file__).parents[2] / "plugins/pricing-list/disagreements.toml"
FILE = """
provider = "openai"
source = "our contract"
read_on = 2026-11-01
evidence = "contract"
[[model]]
name = "gpt-4o"
  [[model.price]]
  rates = { input_tokens = "2.00", output_tokens = "10", input_pages = "1" }
"""


@pytest.fixture
def call(tmp_path, capsys):
    def of(*args, config=""):
        (tmp_path / "flo2.toml").write_text(config)
        environ = {"FLO2_DATA_DIR": str(tmp_path), "FLO2_CONFIG": str(tmp_path / "flo2.toml")}
        code = run(["prices", *args], State(environ, store=MemoryStore()))
        told = capsys.readouterr()
        return code, told.out, told.err

    return of


def test_our_sources_disagree_only_where_somebody_has_looked(call):
    config = '[pricing.list]\n[pricing.genai-prices]\ninstalled = true\nskip = ["sandbox"]\n'
    code, out, err = call("check", "--allow", str(ALLOWED), "--soon", "1s", config=config)
    assert (code, out) == (0, "")
    assert "rows of 2 sources load" in err


def two_files(tmp_path, other):
    (tmp_path / "a.toml").write_text(FILE)
    (tmp_path / "b.toml").write_text(other)
    paths = [f"[pricing.{n}]\nkind = 'file'\npath = '{tmp_path / n}.toml'\n" for n in "ab"]
    return "".join(paths)


def renamed(text):
    """Give row ids of its own to a second file, which a source of one kind would not have."""
    return text.replace('name = "gpt-4o"', 'name = "gpt-4o-copy"\naliases = ["gpt-4o"]')


def test_a_disagreement_is_named_with_both_prices(call, tmp_path):
    config = two_files(tmp_path, renamed(FILE.replace('"2.00"', '"2.50"')))
    code, out, _ = call("check", "--json", config=config)
    found = json.loads(out)
    assert code == 3
    assert found["disagreements"] == [
        {
            "provider": "openai",
            "model": "gpt-4o",
            "meter": "input_tokens",
            "context": {},
            "input_total": 1000,
            "per_million": {"a": "2", "b": "2.5"},
            "rows": ["file:openai/gpt-4o/input_tokens", "file:openai/gpt-4o-copy/input_tokens"],
        }
    ]
    code, out, _ = call("check", config=config)
    line = "openai/gpt-4o input_tokens at 1000 input tokens: a 2, b 2.5 a million\n"
    assert (code, out) == (3, line)


def test_a_reason_without_a_disagreement_is_told(call, tmp_path):
    allowed = tmp_path / "allow.toml"
    allowed.write_text('[[accept]]\nprovider = "openai"\nmodel = "gpt-4*"\nreason = "so it is"\n')
    config = two_files(tmp_path, renamed(FILE))
    code, out, _ = call("check", "--allow", str(allowed), config=config)
    assert (code, out) == (3, "no disagreement any more: openai/gpt-4* *\n")
    config = two_files(tmp_path, renamed(FILE.replace('"2.00"', '"2.50"')))
    assert call("check", "--allow", str(allowed), config=config)[:2] == (0, "")


@pytest.mark.parametrize(
    "text", ["[[accept]]\nprovider = 'x'\n", "[[accept]]\nprovider = 5\n", "accept = [5]", "="]
)
def test_a_list_of_reasons_that_is_none_is_refused(call, tmp_path, text):
    allowed = tmp_path / "allow.toml"
    allowed.write_text(text)
    code, out, err = call("check", "--allow", str(allowed))
    assert (code, out) == (1, "")
    assert "allow.toml" in err


def test_a_price_that_ends_with_nothing_after_it_is_named(call, tmp_path):
    ends = FILE.replace("  rates", "  valid_until = 2026-12-01\n  rates")
    config = two_files(tmp_path, renamed(ends))
    code, out, _ = call("check", "--at", "2026-11-25", config=config)
    assert code == 0
    assert out.splitlines() == [
        f"ends 2026-12-01 with nothing after it: file:openai/gpt-4o-copy/{meter}"
        for meter in ("input_tokens", "output_tokens", "input_pages")
    ]
    assert call("check", "--at", "2026-10-01", config=config)[1] == ""
    goes_on = ends + ends[ends.index("  [[model.price]]") :].replace("valid_until", "valid_from")
    config = two_files(tmp_path, renamed(goes_on))
    assert call("check", "--at", "2026-11-25", config=config)[1] == ""


def test_a_diff_of_the_book_with_a_file_shows_what_the_file_would_change(call, tmp_path):
    (tmp_path / "new.toml").write_text(FILE)
    code, out, _ = call(
        "diff", "book", str(tmp_path / "new.toml"), "--json", config="[pricing.list]"
    )
    found = {(each["kind"], each["meter"]): each for each in json.loads(out) if not each["when"]}
    assert code == 3
    assert found["changed", "input_tokens"] == {
        "kind": "changed",
        "provider": "openai",
        "model": "gpt-4o",
        "meter": "input_tokens",
        "when": "",
        "old": "2.5 / 1M",
        "new": "2 / 1M",
        "ratio": "0.8",
    }
    assert found["added", "input_pages"]["new"] == "1 / 1M"
    assert found["removed", "cache_read_tokens"]["old"] == "1.25 / 1M"
    assert ("changed", "output_tokens") not in found  # it costs the same


def test_a_diff_of_equal_files_is_empty(call, tmp_path):
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(FILE)
    code, out, err = call("diff", str(tmp_path / "a.toml"), str(tmp_path / "b.toml"))
    assert (code, out, err) == (0, "", "no price changes\n")


def test_a_diff_with_what_is_no_price_file_is_refused(call, tmp_path):
    code, _, err = call("diff", "book", str(tmp_path / "prices.pdf"))
    assert code == 1
    assert "is no price file; it ends in .csv, .json, .toml" in err


def test_prices_of_other_units_are_compared_by_what_they_come_to():
    def row(price, per):
        return PriceRow(
            "r", "p", frozenset({"m"}), "input_tokens", Decimal(price), per, "s",
            date(2026, 11, 25), "operator",
        )  # fmt: skip

    assert list(changes([row("2.5", 1_000_000)], [row("0.0025", 1000)])) == []
    (change,) = changes([row("2", 1_000_000)], [row("0.003", 1000)])
    assert (change.kind, change.ratio) == ("changed", Decimal("1.5"))


def test_a_price_by_pattern_that_another_follows_does_not_end(call):
    asked = ("check", "--json", "--soon", "60d", "--at", "2026-11-25T12:00:00Z")
    _, out, _ = call(*asked, config="[pricing.genai-prices]\n")
    assert json.loads(out)["ending"] == []
    _, out, _ = call(*asked, config="[pricing.list]\n")
    ending = {row["id"].partition("/")[0] for row in json.loads(out)["ending"]}
    # DeepSeek's holidays of 2027, the end of a fast mode, and tiers that nobody says what follows.
    assert ending == {"anthropic", "deepseek", "google", "google-vertex"}
