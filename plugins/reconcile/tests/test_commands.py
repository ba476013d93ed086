"""`flo2 reconcile`, `statement` and `audit` as people run them."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from flo2 import Adjust, PriceRow
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.ledger import Adjusted
from flo2.prices import Layer, build
from flo2.records import fold_entry
from flo2.testing.records import an_intent, settle_of
from flo2_reconcile.audit import audited

from .billing_fixtures import file, ledger_of_the_log  # noqa: TID252  # tests have no package

START = 1_794_787_200_000_000


@pytest.fixture
def state(tmp_path: Path) -> State:
    config = tmp_path / "flo2.toml"
    config.write_text('[plugins]\nonly = ["reconcile"]\n')
    environ = {"FLO2_DATA_DIR": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "conf")}
    store, _ = ledger_of_the_log()
    return State({**environ, "FLO2_CONFIG": str(config)}, store=store)


def bills(*names: str) -> list[str]:
    return [word for name in names for word in ("--bill", str(file(name)))]


PLAIN = ("openai_usage_completions.json", "openai_usage_web_search_calls.json", "openai_costs.json")
DRIFTED = ("drift_openai_usage_completions.json", "drift_openai_costs.json", PLAIN[1])


def test_a_bill_that_agrees_is_code_0_and_says_both_sides(state: State, capsys: Any):
    code = run(["reconcile", "--provider", "openai", *bills(*PLAIN)], state)

    out, err = capsys.readouterr()
    assert code == 0
    assert "nothing is unexplained" in err
    lines = [line.split() for line in out.splitlines()]
    assert ["openai.usage.completions", "requests", "6", "6"] in lines
    assert ["openai.costs", "USD", "web_search_requests", "0.02", "0.02"] in lines


def test_what_nobody_explains_stands_first_and_is_code_3(state: State, capsys: Any):
    # Without its pending entry the cancelled stream is nothing that the ledger knows of.
    code = run(["reconcile", "--provider", "openai", *bills(*DRIFTED)], state)

    out = capsys.readouterr().out
    assert code == 3
    assert out.startswith("UNEXPLAINED\n")
    assert "gpt-4o" in out.partition("explained by")[0]


def test_json_csv_and_the_page_say_the_same(state: State, tmp_path: Path, capsys: Any):
    page = tmp_path / "page.html"
    args = ["reconcile", "--provider", "openai", *bills(*DRIFTED), "--html", str(page)]
    assert run([*args, "--json"], state) == 3
    told = json.loads(capsys.readouterr().out)
    state.as_json = False
    assert run([*args, "--csv"], state) == 3
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))

    # The last ones because no prices are installed here: without a price, a tier has no money.
    causes = [each["cause"] for each in told["findings"]]
    assert causes[:2] == ["bucket_boundary", "served_tier_differs"]
    assert set(causes[2:]) <= {"price_differs"}
    assert told["unexplained"][0]["difference"]["requests"] == 2
    assert {row["cause"] for row in rows if row["kind"] == "explained"} == {
        each["cause"] for each in told["findings"]
    }
    assert rows[0]["kind"] == "unexplained"
    text = page.read_text()
    assert "<svg" in text
    assert "served_tier_differs" in text
    assert "<script" not in text
    assert "http" not in text


def test_applying_writes_once(state: State, capsys: Any):
    args = ["reconcile", "--provider", "openai", *bills(*DRIFTED), "--apply", "--json"]
    keys = ["--key", "none=none"]
    assert run([*args, *keys], state) == 3
    first = json.loads(capsys.readouterr().out)
    assert run([*args, *keys], state) == 3
    second = json.loads(capsys.readouterr().out)

    assert (first["applied"], first["written"] > 0, second["written"]) == (True, True, 0)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--bill", "nothing.csv"], "no importer knows"),
        ([], "give the bill"),
        (["--fetch"], "--fetch needs --since"),
        (["--fetch", "--since", "3d"], "no admin credential for 'openai'"),
        (["--bill", "cut.json"], "was the download cut off?"),
        (["--bill", "empty.json"], "it is empty"),
    ],
)
def test_what_cannot_be_read_is_told_and_nothing_is_written(
    words: list[str],
    expected: str,
    state: State,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
):
    monkeypatch.chdir(tmp_path)
    Path("nothing.csv").write_text("a,b\n1,2\n")
    Path("empty.json").write_text("\n")
    Path("cut.json").write_bytes(file(PLAIN[0]).read_bytes()[:-300])
    assert state.store is not None
    before = list(state.store.writers())

    assert run(["reconcile", "--provider", "openai", *words, "--apply"], state) in {1, 2}
    assert expected in capsys.readouterr().err
    assert list(state.store.writers()) == before


def test_a_bill_of_another_provider_is_refused(state: State, capsys: Any):
    words = ["reconcile", "--provider", "anthropic", *bills(*PLAIN)]
    assert run(words, state) == 1
    assert "holds nothing of 'anthropic'" in capsys.readouterr().err


def test_the_statement_of_a_month_adds_up(state: State, capsys: Any):
    assert run(["statement", "--month", "2026-11", "--json"], state) == 0
    made = json.loads(capsys.readouterr().out)

    paid = {row["provider"]: row["paid"] for row in made["providers"]}
    assert paid == {"openai": "0.03964", "anthropic": "0.1182982"}
    assert (made["markup"], made["platform_fee"]) == ("0.00", None)
    openai = next(row for row in made["providers"] if row["provider"] == "openai")
    # 1000 reads of gpt-5-mini, 1920 of gpt-4o; the batch read 4000 at half price.
    assert openai["cache_savings"] == "0.003075"
    assert run(["statement", "--month", "2026-13"], state) == 2
    state.as_json = False
    assert run(["statement", "--month", "2026-11"], state) == 0
    assert "markup on tokens: 0.00" in capsys.readouterr().out


def test_the_audit_shows_what_a_reseller_takes(state: State, capsys: Any):
    intent = an_intent(1, provider="router", started_us=START, model="maker/big")
    end = replace(
        settle_of(intent),
        meters={"input_tokens": 1000, "output_tokens": 500},
        total=Decimal("0.0079"),
        model_billed="maker/big",
        status="reported",
        lines=(),
    )
    rows = [
        PriceRow(
            f"maker/big/{meter}",
            "maker",
            frozenset({"big"}),
            meter,
            Decimal(price),
            1_000_000,
            "a page",
            date(2026, 11, 1),
            "published",
        )
        for meter, price in (("input_tokens", "2.5"), ("output_tokens", "10"))
    ]
    book = build([Layer("list", rows, {})])
    entry = fold_entry([intent, end])
    other = fold_entry([an_intent(2, provider="maker")])
    refund = Adjust("adj-1", "default", 0, "refund", "a mail", {"x1.1": Decimal("-0.0001")})

    (spread,) = audited([Adjusted(entry, (refund,)), Adjusted(other)], {"router"}, book)
    assert (spread.model, spread.maker, spread.calls) == ("maker/big", "maker", 1)
    assert (spread.paid, spread.at_list) == (Decimal("0.0078"), Decimal("0.0075"))
    assert (spread.spread, spread.percent) == (Decimal("0.0003"), Decimal("4.00"))
    (unknown,) = audited([Adjusted(entry)], {"router"}, build([]))
    assert (unknown.maker, unknown.percent, unknown.paid_unpriced) == ("", None, Decimal("0.0079"))

    assert run(["audit", "--since", "2026-11-01"], state) == 0
    assert "no calls through a reseller (configured: none)" in capsys.readouterr().err
