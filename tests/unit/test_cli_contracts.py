"""`flo2 contracts`: declaring, a month's statement, and closing it, over a ledger of last month."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from flo2.cli.bench import Bench
from flo2.cli.checks import checks
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.ledger import chain_links, verify
from flo2.ledger.corrections import CORRECTIONS
from flo2.memory_store import MemoryStore
from flo2.prices import CostLine
from flo2.records import Attribution, Intent, Pend, Settle
from flo2.stored import Account, Declaration
from flo2.stores import EntryFilter
from flo2_store_sql import SqlStore

FIRST = datetime(2025, 11, 1, tzinfo=UTC)
PRICES = """
provider = "acme"
source = "https://acme.example/pricing"
read_on = 2026-11-25
evidence = "published"

[[model]]
name = "big"
aliases = ["big-2026-01-15"]

[[model.price]]
rates = { input_tokens = "2", output_tokens = "10" }
"""
CONTRACT = """
valid_from = 2025-01-01
source = "order form 4711"

[[rates]]
provider = "acme"
models = ["big"]
prices = { input_tokens = 1.50 }

[[allowances]]
name = "first"
meters = ["output_tokens"]
quantity = 1_000_000

[[volume_tiers]]
name = "volume"
meters = ["output_tokens"]
steps = [{ over = 0 }, { over = 2_000_000, percent = 50 }]

[[commitments]]
name = "spend"
amount = 100

[[capacity]]
name = "ptu"
providers = ["acme"]
models = ["reserved"]
hourly = "0.5"

[[credits]]
name = "welcome"
amount = 5
"""


def us(at):
    return round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000


def call(name, hours, tokens, *, pending=False):
    at = us(FIRST + timedelta(hours=hours))
    entry_id = f"{name}.1"
    intent = Intent(
        entry_id, name, 1, "primary", "default", "key_1", None, "acme", "acme", "chat", "big",
        "big", at, Attribution(team="web"),
    )  # fmt: skip
    if pending:
        return [intent, Pend(entry_id, at, "broken", "cut", Decimal(0), Decimal(1))]
    return [intent, settled(entry_id, at, tokens)]


def settled(entry_id, at, tokens):
    amount = Decimal(tokens) / 100_000
    line = CostLine(
        "output_tokens", tokens, Decimal(10), 1_000_000, amount, amount, "USD", "row", "sha256:b"
    )
    return Settle(
        entry_id, at, "settled", "answered", {"output_tokens": tokens}, (line,), amount, amount,
        "USD", "sha256:b",
    )  # fmt: skip


@pytest.fixture(params=["memory", "sql"])
def store(request, tmp_path):
    store = MemoryStore()
    if request.param == "sql":
        store = SqlStore(SqlStore.Config(path=str(tmp_path / "flo2.db")))
    store.open()
    store.put_account(Account("default", "default", 0))
    yield store
    store.close()


@pytest.fixture
def flo2(store, tmp_path, capsys):
    prices, config = tmp_path / "prices.toml", tmp_path / "flo2.toml"
    prices.write_text(PRICES)
    config.write_text(f'[pricing.file]\npath = "{prices}"\n')
    environ = {"FLO2_DATA_DIR": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "conf")}

    def call_(*args, group="contracts"):
        code = run([group, *args], State(environ, store=store, config_path=config))
        store.open()  # a command closes it
        out, err = capsys.readouterr()
        return code, out, err

    return call_


@pytest.fixture
def contract(flo2, tmp_path):
    file = tmp_path / "deal.toml"
    file.write_text(CONTRACT)
    code, out, _ = flo2("set", "deal", str(file), "--json")
    assert code == 0
    return json.loads(out)


def book(store, writer, *calls):
    records = [record for each in calls for record in each]
    head = store.writer_head(writer)
    store.append(chain_links(head, enumerate(records, head.seq + 1), b"salt"))


def asked(flo2, *args):
    code, out, err = flo2(*args, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_contract_is_declared_once_listed_shown_and_ended(flo2, contract, tmp_path):
    assert contract["new"] is True
    assert contract["advice"] == [
        (
            "the list prices 'big-2026-01-15' as it does 'big' of 'acme', and the contract does "
            "not name it: calls billed by that name pay list price"
        )
    ]
    code, _, err = flo2("set", "deal", str(tmp_path / "deal.toml"))
    assert (code, err.splitlines()[0]) == (
        0,
        f"{contract['id']} was already in force from 2025-01-01",
    )
    (listed,) = asked(flo2, "list")
    (shown,) = asked(flo2, "show", "deal")
    assert listed == shown
    assert (listed["id"], listed["in_force_until"]) == (contract["id"], None)
    assert listed["terms"] == {
        "rates": ["acme/big/input_tokens@2025-01-01"],
        "capacity": ["ptu"],
        "allowances": ["first"],
        "volume_tiers": ["volume"],
        "commitments": ["spend"],
        "credits": ["welcome"],
    }
    assert listed["document"]["rates"][0]["prices"] == {"input_tokens": "1.5"}
    ended = asked(flo2, "remove", "deal")["ended"]
    assert [each["in_force_until"] for each in asked(flo2, "list")] == [ended, None]


def test_what_is_wrong_is_told_and_nothing_is_declared(flo2, tmp_path):
    file = tmp_path / "bad.json"
    file.write_text('{"valid_from": "2025-01-01", "discounts": [{"name": "x", "percent": 101}]}')
    code, _, err = flo2("set", "deal", str(file))
    assert (code, err) == (1, "error: 101 is more than 100 @ deal: discounts[0].percent\n")
    file.write_text("{")
    assert flo2("check", "deal", str(file))[0] == 1
    euro = tmp_path / "euro.toml"
    euro.write_text(CONTRACT.replace("[[rates]]", 'currency = "EUR"\n[[rates]]', 1))
    code, _, err = flo2("check", "deal", str(euro))
    assert (code, err) == (
        1,
        (
            "error: contract 'deal' is in EUR, the prices of 'acme' are in USD; state the "
            "contract in USD\n"
        ),
    )
    assert asked(flo2, "list") == []
    assert flo2("show", "deal")[0] == 1


def test_a_month_is_folded_in_order_and_closed_once(flo2, contract, store):
    assert contract["id"].startswith("deal@")
    book(store, "w1", call("c", 3, 3_000_000), call("a", 1, 1_500_000))
    book(store, "w2", call("b", 2, 500_000), call("p", 4, 0, pending=True))
    before = asked(flo2, "statement", "--month", "2025-11")
    terms = {each["kind"]: each for each in before["terms"]}
    # 5 million tokens at 10 a million: the first is free, 2 are paid whole, 2 at half price.
    assert (before["list"], before["calls"], before["changes"]) == ("50", "50", "-20")
    assert terms["allowance"] == {
        "kind": "allowance", "name": "deal/first", "amount": "-10", "free": "1000000", "left": "0",
    }  # fmt: skip
    assert (terms["volume_tier"]["counted"], terms["volume_tier"]["amount"]) == ("4000000", "-10")
    assert (terms["commitment"]["drawn"], terms["commitment"]["left"]) == ("30", "70")
    assert (terms["credit"]["used"], terms["credit"]["left"]) == ("5", "0")
    assert [(fee["kind"], fee["amount"]) for fee in before["fees"]] == [
        ("capacity", "360"),  # 30 days of 24 hours
        ("shortfall", "70"),
    ]
    assert (before["cost"], before["cash"], before["not_known"]) == ("460", "455", 1)

    closed = asked(flo2, "close", "--month", "2025-11")
    assert closed["written"] == 6  # an adjustment each for two terms, two fees of two records
    assert {key: closed[key] for key in before if key != "invoice"} == {
        key: each for key, each in before.items() if key != "invoice"
    }
    where = EntryFilter("default")
    parts = {}
    for each in store.adjustments(where):
        assert each.source in {"contract deal/first, 2025-11", "contract deal/volume, 2025-11"}
        for entry, amount in each.amounts.items():
            parts[entry, each.cause] = amount
    assert parts == {
        ("a.1", "allowance"): Decimal(-10),
        ("c.1", "volume_tier"): Decimal(-10),
    }
    fees = [each for each in store.entries(where) if each.intent.role == "fee"]
    assert [(fee.intent.model, fee.total) for fee in fees] == [
        ("deal/ptu", Decimal(360)),
        ("deal/spend", Decimal(70)),
    ]
    (line,) = fees[0].end.lines
    assert (line.dimension, line.quantity, line.unit_price, line.per, line.contract) == (
        "capacity_seconds", Decimal(2_592_000), Decimal("0.5"), 3600, contract["id"],
    )  # fmt: skip
    assert verify(store.chain(CORRECTIONS)) == []
    again = asked(flo2, "close", "--month", "2025-11")
    assert (again["written"], again["cost"]) == (0, "460")


def test_a_month_is_booked_in_the_currency_it_was_agreed_in(flo2, store, tmp_path):
    for name, head in (
        ("before", "valid_from = 2024-01-01\nvalid_until = 2025-01-01"),
        ("now", 'valid_from = 2025-01-01\ncurrency = "EUR"'),
    ):
        allowance = '[[allowances]]\nname = "f"\nmeters = ["output_tokens"]\nquantity = 100_000'
        (tmp_path / "c.toml").write_text(f'{head}\nsource = "order form"\n{allowance}\n')
        asked(flo2, "set", name, str(tmp_path / "c.toml"))
    intent, settle = call("a", 1, 300_000)
    book(store, "w1", [intent, replace(settle, currency="EUR")])
    closed = asked(flo2, "close", "--month", "2025-11")
    assert (closed["currency"], closed["cost"], closed["written"]) == ("EUR", "2", 1)
    (adjust,) = store.adjustments(EntryFilter("default"))
    assert (adjust.amounts, adjust.currency) == ({"a.1": Decimal(-1)}, "EUR")
    assert asked(flo2, "close", "--month", "2025-11")["written"] == 0


def test_what_came_late_is_booked_when_a_month_is_closed_again(flo2, contract, store):
    assert contract["new"]
    book(store, "w1", call("b", 2, 1_000_000), call("a", 1, 0, pending=True))
    asked(flo2, "close", "--month", "2025-11")
    book(store, "w1", [settled("a.1", us(FIRST), 400_000)])
    statement = asked(flo2, "close", "--month", "2025-11")
    # The earlier call takes its part of what is free; the later one pays for it.
    assert (statement["calls"], statement["changes"], statement["cost"]) == ("14", "-10", "460")
    sums = {}
    for each in store.adjustments(EntryFilter("default")):
        for entry, amount in each.amounts.items():
            entry_ = entry if entry in {"a.1", "b.1"} else each.cause
            sums[entry_] = sums.get(entry_, 0) + amount
    assert sums == {"a.1": Decimal(-4), "b.1": Decimal(-6), "shortfall": Decimal(-4)}
    assert asked(flo2, "close", "--month", "2025-11")["written"] == 0


def test_a_contract_that_began_in_the_past_is_followed_by_a_repricing(flo2, store, tmp_path):
    book(store, "w1", call("a", 1, 1_000_000))
    file = tmp_path / "deal.toml"
    file.write_text(
        "valid_from = 2025-11-01\n"
        '[[discounts]]\nname = "half"\npercent = "50"\n'
        '[[commitments]]\nname = "spend"\namount = 4\noverage = "list"\n'
    )
    code, _, err = flo2("set", "deal", str(file))
    assert (code, err.splitlines()[-1]) == (
        0,
        (
            "calls made since then keep their lines; to correct them: flo2 ledger reprice --since "
            "2025-11-01"
        ),
    )
    assert asked(flo2, "statement", "--month", "2025-11")["cost"] == "10"
    code, _, err = flo2("reprice", "--since", "2025-11-01", "--apply", group="ledger")
    assert (code, err.splitlines()[-1].partition(",")[0]) == (0, "1 record written")
    (adjust,) = store.adjustments(EntryFilter("default"))
    (line,) = adjust.lines
    assert (adjust.amount, line.amount, line.list_amount) == (-5, 5, 10)
    assert [factor for _, factor in line.factors] == [Decimal("0.5")]
    # 4 are committed; what half price left of the fifth costs list price.
    closed = asked(flo2, "close", "--month", "2025-11")
    assert (closed["calls"], closed["changes"], closed["cost"]) == ("5", "1", "6")
    # A repricing leaves what closing has booked, and closing what a repricing has.
    assert flo2("reprice", "--since", "2025-11-01", "--apply", group="ledger")[0] == 0
    assert asked(flo2, "close", "--month", "2025-11")["written"] == 0
    total = sum(each.amount for each in store.adjustments(EntryFilter("default")))
    assert total == -4


def test_a_statement_in_another_currency_states_its_rate(flo2, contract, store):
    assert contract["new"]
    book(store, "w1", call("a", 1, 2_000_000))
    said = ("--in", "EUR", "--rate", "0.861", "--rate-on", "2025-11-30", "--rate-source", "ECB")
    invoice = asked(flo2, "statement", "--month", "2025-11", *said)["invoice"]
    assert invoice == {
        "currency": "EUR",
        "lines": [
            {"text": "calls", "amount": "17.22"},
            {"text": "allowance deal/first", "amount": "-8.61"},
            {"text": "capacity deal/ptu", "amount": "309.96"},
            {"text": "shortfall deal/spend", "amount": "77.49"},
            {"text": "credits", "amount": "-4.305"},
        ],
        "exact": "391.755",
        "due": "391.76",
        "rate": {"of": "USD", "rate": "0.861", "on": "2025-11-30", "source": "ECB"},
    }
    assert flo2("statement", "--in", "EUR")[0] == 2
    code, out, err = flo2("statement", "--month", "2025-11")
    assert code == 0
    assert out.splitlines()[-1].split() == ["due", "455.00"]
    assert "cost 460 USD, cash 455 USD" in err


def test_the_doctor_tells_of_contracts_where_there_are_any(contract, store, tmp_path):
    environ = {"FLO2_DATA_DIR": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "conf")}
    state = State(environ, store=store, config_path=tmp_path / "flo2.toml")

    def said():
        with Bench(state) as bench:
            found = {each.name: (each.ok, each.detail) for each in checks(bench, online=False)}
        store.open()
        return found

    assert contract["new"]
    assert said()["contracts"] == (True, "1 in all, and they go together")
    store.put_declaration(Declaration("default", "contract", "bad@0", {"rates": 1}, 0))
    ok, detail = said()["contracts"]
    assert (ok, detail.partition(":")[0]) == (False, "default")
    for each in ("bad@0", contract["id"]):
        store.delete_declaration("default", "contract", each)
    assert "contracts" not in said()


def test_a_month_that_is_not_over_is_not_closed(flo2, contract, store):
    assert contract["new"]
    code, _, err = flo2("close", "--month", "2999-01")
    assert code == 1
    assert err.startswith("error: 2999-01 is not over before 2999-02-01T00:00:00+00:00; ")
    assert flo2("close", "--month", "2025-13")[0] == 2
    assert store.writer_head(CORRECTIONS).seq == 0
