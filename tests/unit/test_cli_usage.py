"""`flo2 usage`, `calls` and `ledger`: sums to the last digit, and unknown never shown as zero."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from attrs import evolve
from msgspec.structs import replace

from flo2.cli.root import run
from flo2.cli.state import State
from flo2.ledger import chain_links
from flo2.memory_store import MemoryStore
from flo2.prices import CostLine
from flo2.records import Adjust, Attribution, Exchange, Intent, Pend, Settle, Void
from flo2.stored import Account, IssuedKey
from flo2.stores import WriterHead

T0 = 1_700_000_000_000_000
ROW = "acme/big/input_tokens"


def intent(exchange, attempt, **more):
    given = {"model": "big", "attribution": Attribution(feature="search", team="web")} | more
    return Intent(
        f"{exchange}.{attempt}",
        exchange,
        attempt,
        "primary",
        "default",
        "key_1",
        None,
        "acme",
        "acme",
        "chat",
        "acme/big",
        started_us=T0 + attempt,
        why="the only target",
        low=Decimal("0.1"),
        high=Decimal("0.5"),
        **given,
    )


def settle(entry, total, **more):
    amount = None if total is None else Decimal(total)
    lines = ()
    if amount is not None:
        price = Decimal("0.000001")
        lines = (CostLine("input_tokens", 10, price, 1, amount, amount, "USD", ROW, "sha256:b"),)
    given = {"status": "unpriced" if total is None else "settled"} | more
    return Settle(
        entry,
        T0 + 5000,
        outcome="answered",
        meters={"input_tokens": 10, "output_tokens": 3},
        lines=lines,
        total=amount,
        list_total=amount,
        currency="USD",
        book="sha256:b",
        model_billed="big",
        first_byte_us=T0 + 2000,
        **given,
    )


def exchange(id_, attempts, **more):
    return Exchange(
        id_,
        "default",
        "key_1",
        "openai.chat",
        "acme/big",
        stream=False,
        status=200,
        started_us=T0,
        ended_us=T0 + 6000,
        overhead_us=42,
        attempts=attempts,
        client="served",
        plan="the only target",
        **more,
    )


RECORDS = [
    intent("a", 1),
    settle("a.1", "0.000000000001"),
    exchange("a", 1),
    intent("b", 1),
    Pend("b.1", T0 + 9, "broken", "broke off", Decimal("0.1"), Decimal("0.5")),
    intent("b", 2),
    settle("b.2", "0.1"),
    exchange("b", 2, losses=("tools[0].strict: not known there",)),
    intent("c", 1, model="odd", attribution=Attribution(feature="chat")),
    replace(settle("c.1", None), model_billed="odd", reason="no price row for model 'odd'"),
    exchange("c", 1),
    intent("d", 1),
    Void("d.1", T0 + 9, "refused", "HTTP 500", "errors are not billed (acme.example, 2026-11-01)"),
    exchange("d", 1, error="HTTP 500"),
]


@pytest.fixture
def state(tmp_path):
    store = MemoryStore()
    store.put_account(Account("default", "default", T0))
    store.put_key(IssuedKey("key_1", "default", "app", "h", "flo2_sk_abcd", "wxyz", T0))
    head = WriterHead("w1", 0, "")
    store.append(chain_links(head, enumerate(RECORDS, start=1), b"salt of a test"))
    environ = {"FLO2_DATA_DIR": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path)}
    return State(environ, store=store)


def test_sums_are_exact_and_what_is_not_known_stands_beside_them(state, capsys):
    assert run(["usage"], state) == 0
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert [[cell.strip() for cell in line if cell.strip()] for line in lines] == [
        ["model", "calls", "input", "output", "cost", "not known"],
        ["big", "4", "20", "6", "0.100000000001 USD", "+ 1 pending: 0.1 to 0.5"],
        ["odd", "1", "10", "3", "not known", "+ 1 unpriced"],
        ["total", "5", "30", "9", "0.100000000001 USD", "+ 1 pending: 0.1 to 0.5; + 1 unpriced"],
    ]


def test_usage_by_two_dimensions_in_json(state, capsys):
    assert run(["usage", "--by", "feature,team", "--json"], state) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(row["feature"], row["team"], row["cost"]) for row in told["data"]] == [
        ("search", "web", "0.100000000001"),
        ("chat", None, "0"),
    ]
    assert told["data"][1]["statuses"] == {"unpriced": 1}
    (total,) = told["total"]
    assert (total["cost"], total["pending"]) == ("0.100000000001", {"low": "0.1", "high": "0.5"})


def test_usage_by_key_shows_its_name(state, capsys):
    run(["usage", "--by", "key"], state)
    assert "key_1 (app)" in capsys.readouterr().out


def test_csv_leaves_an_unknown_cost_empty(state, capsys):
    assert run(["usage", "--csv"], state) == 0
    head, big, odd = (line.split(",") for line in capsys.readouterr().out.splitlines())
    assert head[:9] == [
        "model",
        "currency",
        "entries",
        "settled",
        "reported",
        "pending",
        "unpriced",
        "void",
        "open",
    ]
    cost = head.index("cost")
    assert (big[cost], odd[cost]) == ("0.100000000001", "")


def test_since_leaves_out_what_began_before(state, capsys):
    assert run(["usage", "--since", "2024-01-01", "--json"], state) == 0
    assert json.loads(capsys.readouterr().out)["data"] == []


def test_a_time_without_calls_is_not_told_to_make_the_first_one(state, capsys):
    assert run(["usage", "--since", "2099-01-01"], state) == 0
    assert capsys.readouterr().err == "no calls in that time\n"


def test_an_unknown_dimension_is_a_usage_error(state, capsys):
    assert run(["usage", "--by", "colour"], state) == 2
    assert "unknown dimension 'colour'" in capsys.readouterr().err


def test_calls_are_listed_with_what_they_cost(state, capsys):
    assert run(["calls", "--json"], state) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {call["id"]: call["cost"]["total_usd"] for call in listed} == {
        "a": "0.000000000001",
        "b": None,
        "c": None,
        "d": "0",
    }
    run(["calls"], State(state.environ, store=state.store))
    shown = capsys.readouterr().out
    assert "0.1 USD + not known" in shown
    assert "pending, settled" in shown


def test_a_receipt_says_what_happened_why_and_what_it_cost(state, capsys):
    assert run(["calls", "show", "b"], state) == 0
    assert capsys.readouterr().out.splitlines() == [
        "call       b",
        "asked for  acme/big (openai.chat)",
        "answer     HTTP 200, served",
        "time       2023-11-14T22:13:20Z, 6.0 ms, of these",
        "           0.042 ms flo2's own before the first byte",
        "why        the only target",
        "key        key_1",
        "lost       tools[0].strict: not known there",
        "cost       0.1 USD + not known (pending, settled)",
        "",
        "attempt 1  acme/big  primary, broken, pending",
        "  why      the only target",
        "  time     0.0 ms",
        "  bounds   0.1 to 0.5 USD",
        "  reason   broke off",
        "",
        "attempt 2  acme/big  primary, answered, settled",
        "  why      the only target",
        "  time     5.0 ms, first byte after 2.0 ms",
        "  input_tokens: 10 × 0.000001 / 1 = 0.1 USD",
        "    row acme/big/input_tokens",
        "  book     sha256:b",
        "  sum      0.1 USD",
    ]


def test_a_void_attempt_names_its_rule(state, capsys):
    run(["calls", "show", "d"], state)
    shown = capsys.readouterr().out
    assert "  rule     errors are not billed (acme.example, 2026-11-01)\n  sum      0 USD" in shown


def test_another_account_sees_nothing(state, capsys):
    state.store.put_account(Account("other", "other", 0))
    assert run(["calls", "show", "a", "--account", "other"], state) == 1
    assert "account 'other' has no call 'a'" in capsys.readouterr().err


def test_a_sound_ledger_verifies(state, capsys):
    assert run(["ledger", "verify"], state) == 0
    assert capsys.readouterr().out == (
        "✓ 14 records of 1 writers are as they were written\n"
        "✓ the sums are what the records come to\n"
    )


def test_an_edited_record_is_found_and_the_exit_code_says_so(state, capsys):
    chain = state.store._chains["w1"]
    chain[1] = evolve(chain[1], record=replace(chain[1].record, total=Decimal("0.2")))
    assert run(["ledger", "verify", "--json"], state) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    (problem,) = told["writers"][0]["problems"]
    assert problem.startswith("writer 'w1', record 2: ")
    assert problem.endswith("it was edited")


def test_a_chain_cut_short_is_found_against_kept_heads(state, capsys, tmp_path):
    run(["ledger", "heads", "--json"], state)
    kept = tmp_path / "heads.json"
    kept.write_text(capsys.readouterr().out)
    del state.store._chains["w1"][-2:]
    again = State(state.environ, store=state.store)
    assert run(["ledger", "verify"], again) == 0
    assert run(["ledger", "verify", "--against", str(kept)], again) == 3
    assert "its end was cut off or rewritten" in capsys.readouterr().out


def test_a_receipt_shows_what_was_stated_corrected_and_possible_elsewhere(state, capsys):
    ours, more, price = Decimal("0.2"), Decimal("0.05"), Decimal("0.000001")
    lines = (
        CostLine("input_tokens", 10, price, 1, ours, ours, "USD", ROW, "sha256:b"),
        CostLine("provider_difference", 1, more, 1, more, Decimal(0), "USD", "", "sha256:b"),
    )
    candidates = ("acme/big", "openai/gpt-4o", "acme/other")
    records = [
        intent("e", 1),
        replace(settle("e.1", "0.25", status="reported"), lines=lines, reported_total=ours + more),
        replace(exchange("e", 1), candidates=candidates),
        Adjust("adj", "default", T0, "late_data", "bill 7", {"e.1": Decimal("-0.01")}),
    ]
    head = state.store.writer_head("w1")
    links = chain_links(head, enumerate(records, start=head.seq + 1), b"salt of a test")
    state.store.append(links)
    assert run(["calls", "show", "e"], state) == 0
    shown = capsys.readouterr().out.splitlines()
    assert "cost       0.24 USD (reported)" in shown
    assert shown[shown.index("  book     sha256:b") + 1 :] == [
        "  sum      0.25 USD",
        "  stated   0.25 USD by the provider, of that 0.05 beside our lines",
        "  adjusted -0.01 USD, 2023-11-14T22:13:20Z: late_data, bill 7",
        "  costs    0.24 USD, corrections included",
        "  instead  openai/gpt-4o: 0.000055 USD (-0.239945)",
        "  instead  acme/other: unpriced (no price row for provider 'acme')",
    ]
