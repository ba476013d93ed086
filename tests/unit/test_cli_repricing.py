"""`flo2 ledger reprice`, `prices diff --since` and `whatif`: past calls under other prices."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from flo2.cli.root import run
from flo2.cli.state import State
from flo2.contracts.read import contract_id
from flo2.ledger import adjusted_entries
from flo2.memory_store import MemoryStore
from flo2.records import Attribution
from flo2.stored import Account, Declaration
from flo2.stores import EntryFilter
from flo2.testing.records import an_intent, linked, pend_of, settle_of, unpriced_of

PRICES = """
provider = "acme"
source = "https://acme.example/prices"
read_on = 2026-11-01
evidence = "contract"
[[model]]
name = "small"
  [[model.price]]
  rates = { input_tokens = "1", output_tokens = "4", cache_read_tokens = "0.1" }
  [[model.price]]
  when = { processing = ["batch"] }
  rates = { input_tokens = "0.5", output_tokens = "2" }
[[model]]
name = "big"
  [[model.price]]
  rates = { input_tokens = "10", output_tokens = "40" }
"""
CHANGED = (
    PRICES.replace('input_tokens = "1",', 'input_tokens = "2",')
    + """
[[model]]
name = "odd"
  [[model.price]]
  rates = { input_tokens = "3", output_tokens = "3" }
"""
)
ASSUMED = """\
assumed: the same calls and tokens; what no condition bears on costs what it did
assumed: another model would have used as many tokens of each kind: tokenisers differ
assumed: at another provider: its standard tier and region
assumed: 12.5 % of the prompt tokens not read from a provider's cache would have been; the ledger \
keeps no prompts, so this share is yours, and what writing to the cache costs is left out
assumed: every one of these calls, streams too, could have waited for a batch
1 entry: no price for a batch: left as it is
1 entry: no price row for provider 'elsewhere'
1 entry: no price row for model 'odd' of provider 'acme'
"""
MILLION = 1_000_000
T0 = 1_794_000_000_000_000  # in November 2026


def used(number, model, total, feature, **meters):
    intent = an_intent(
        number,
        model=model,
        provider="acme",
        provider_kind="acme",
        started_us=T0 + number,
        attribution=Attribution(feature=feature),
    )
    make = settle_of if total is not None else unpriced_of
    amount = {} if total is None else {"total": Decimal(total), "list_total": Decimal(total)}
    return intent, make(intent, meters=meters, model_billed=model, **amount)


@pytest.fixture
def flo2(tmp_path, capsys):
    (tmp_path / "acme.toml").write_text(PRICES)
    (tmp_path / "new.toml").write_text(CHANGED)
    (tmp_path / "flo2.toml").write_text(
        f"[pricing.file]\npath = '{tmp_path}/acme.toml'\n[store]\nkind = 'memory'\n"
    )
    store = MemoryStore()
    store.put_account(Account("default", "default", 0))
    pending = an_intent(4, model="small", provider="acme", provider_kind="acme")
    store.append(
        linked(
            *used(1, "small", "5", "chat", input_tokens=MILLION, output_tokens=MILLION),
            *used(2, "big", "50", "search", input_tokens=MILLION, output_tokens=MILLION),
            *used(3, "odd", None, "chat", input_tokens=MILLION),
            pending,
            pend_of(pending),
        )
    )
    environ = {"FLO2_DATA_DIR": str(tmp_path), "FLO2_CONFIG": str(tmp_path / "flo2.toml")}

    def of(*args):
        code = run([*args], State(environ, store=store))
        told = capsys.readouterr()
        return code, told.out, told.err

    of.new = str(tmp_path / "new.toml")
    of.store = store
    return of


def cells(out):
    return [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in out.splitlines()
    ]


def test_a_dry_run_shows_what_would_be_written_and_writes_nothing(flo2):
    code, out, err = flo2("ledger", "reprice", "--book", flo2.new)
    assert code == 3
    assert cells(out) == [
        ["model", "calls", "booked", "anew", "difference", "touched", "price found or lost"],
        ["odd", "1", "0 USD", "3 USD", "+3", "0", "1 get one: + 3"],
        ["small", "2", "5 USD", "6 USD", "+1", "1", "1 not known"],
        ["big", "1", "50 USD", "50 USD", "0", "0"],
        ["total", "4", "55 USD", "59 USD", "+4", "1", "1 get one: + 3; 1 not known"],
    ]
    assert "2 records would be written, by price book sha256:" in err
    assert "with new.toml; to write: --apply" in err
    assert list(flo2.store.writers()) == ["w1"]


def test_it_is_written_once(flo2):
    code, out, _ = flo2("ledger", "reprice", "--book", flo2.new, "--apply", "--json")
    told = json.loads(out)
    assert (code, told["applied"], told["records"]) == (0, True, 2)
    assert told["total"] == [
        {
            "currency": "USD",
            "entries": 4,
            "before": "55",
            "after": "59",
            "difference": "4",
            "touched": {"entries": 1, "change": "1"},
            "priced": {"entries": 1, "amount": "3"},
            "unpriced": {"entries": 0, "amount": "0"},
            "unknown": 1,
        }
    ]
    found = adjusted_entries(flo2.store, EntryFilter("default"))
    assert [each.total for each in found] == [None, Decimal(6), Decimal(50), Decimal(3)]
    code, _, err = flo2("ledger", "reprice", "--book", flo2.new, "--apply")
    assert code == 0
    assert err.endswith("with new.toml says; nothing to write\n")
    assert flo2("ledger", "verify")[0] == 0


def test_only_some_calls_of_some_time(flo2):
    code, out, _ = flo2(
        "ledger", "reprice", "--book", flo2.new, "--only", "*/odd", "--by", "feature"
    )
    assert (code, cells(out)[1]) == (
        3,
        ["chat", "1", "0 USD", "3 USD", "+3", "0", "1 get one: + 3"],
    )
    code, out, _ = flo2("ledger", "reprice", "--book", flo2.new, "--until", "1970-01-01", "--json")
    assert (code, json.loads(out)["data"]) == (0, [])
    code, _, err = flo2("ledger", "reprice", "--by", "colour")
    assert code == 2
    assert "unknown dimension 'colour'" in err


def test_a_diff_tells_what_it_does_to_the_calls_of_a_time(flo2):
    code, out, err = flo2("prices", "diff", "book", flo2.new, "--since", "1970-01-01")
    assert code == 3
    rows, effect = out.split("\n\n")
    assert cells(rows) == [
        ["change", "model", "meter", "when", "old", "new"],
        ["added", "acme/odd", "input_tokens", "3 / 1M"],
        ["added", "acme/odd", "output_tokens", "3 / 1M"],
        ["changed", "acme/small", "input_tokens", "1 / 1M", "2 / 1M"],
    ]
    assert cells(effect)[0][2:4] == ["old", "new"]
    assert (
        cells(effect)[-1]
        == cells("total  4  55 USD  59 USD  +4  1  1 get one: + 3; 1 not known")[0]
    )
    assert "nothing is written" in err
    code, out, _ = flo2("prices", "diff", flo2.new, "book", "--since", "1970-01-01", "--json")
    told = json.loads(out)
    assert told["effect"]["total"][0]["unpriced"] == {"entries": 1, "amount": "3"}
    assert told["effect"]["remarks"] == {"no price row for model 'odd' of provider 'acme'": 1}
    assert len(told["changes"]) == 3
    code, out, _ = flo2("prices", "diff", "book", flo2.new, "--json")
    assert [each["kind"] for each in json.loads(out)] == ["added", "added", "changed"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (["--fee", "5.5%"], {"small": "5.275", "big": "52.75"}),
        (["--prices", "{new}"], {"small": "6", "big": "50", "odd": "3"}),
        (["--batch"], {"small": "2.5", "big": "50"}),
        (["--cache-reads", "50"], {"small": "4.55", "big": "50"}),
        (["--model", "acme/big=acme/small"], {"small": "5", "big": "5"}),
        (["--model", "acme/*=acme/small"], {"small": "5", "big": "5", "odd": "1"}),
        (
            ["--model", "acme/*=acme/small", "--batch", "--fee", "10"],
            {"small": "2.75", "big": "2.75", "odd": "0.55"},
        ),
        (["--model", "acme/big=elsewhere/huge"], {"small": "5"}),
    ],
)  # fmt: skip
def test_what_would_have_been(flo2, condition, expected):
    args = [each.format(new=flo2.new) for each in condition]
    code, out, _ = flo2("whatif", *args, "--since", "1970-01-01", "--json")
    told = json.loads(out)
    assert code == 0
    assert {
        each["model"]: each["after"] for each in told["data"] if each["after"] != "0"
    } == expected
    assert list(flo2.store.writers()) == ["w1"]


def test_what_is_assumed_is_said(flo2):
    code, out, err = flo2(
        "whatif", "--cache-reads", "12.5%", "--batch", "--model", "acme/big=elsewhere/huge",
        "--since", "1970-01-01", "--by", "feature",
    )  # fmt: skip
    assert code == 0
    assert cells(out)[1:] == [
        ["search", "1", "50 USD", "0 USD", "-50", "0", "1 lose theirs: - 50"],
        ["chat", "2", "5 USD", "4.8875 USD", "-0.1125", "1", "1 not known"],
        ["–", "1", "0 USD", "0 USD", "0", "0", "1 not known"],
        ["total", "4", "55 USD", "4.8875 USD", "-50.1125", "1", "1 lose theirs: - 50; 2 not known"],
    ]
    assert err == ASSUMED


def test_without_a_cache_its_tokens_are_plain(flo2):
    flo2.store.append(
        linked(
            *used(9, "small", "0.2", "chat", cache_read_tokens=MILLION, input_tokens=100_000),
            writer="w2",
        )
    )
    _, out, _ = flo2("whatif", "--cache-reads", "0", "--since", "1970-01-01", "--json")
    assert json.loads(out)["total"][0]["after"] == "56.1"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ([], "name a condition"),
        (["--fee", "much"], "'much' is no percentage"),
        (["--cache-reads", "101%"], "'101%' is no percentage"),
        (["--model", "small=acme/big"], "is not PROVIDER/MODEL=PROVIDER/MODEL"),
        (["--model", "acme/small"], "is not NAME=VALUE"),
    ],
)
def test_a_condition_that_is_none_is_refused(flo2, args, told):
    code, _, err = flo2("whatif", *args)
    assert code == 2
    assert told in err


def test_the_contract_in_force_when_a_call_began_bears_on_its_price(flo2):
    discount = {"name": "partner", "percent": "20", "order": 1}
    terms = {"valid_from": "2026-11-01", "valid_until": "2026-12-01", "discounts": [discount]}
    later = {"valid_from": "2026-12-01", "discounts": [discount | {"percent": "90"}]}
    for name, document in (("old", terms), ("new", later)):
        version = contract_id(name, document)
        flo2.store.put_declaration(Declaration("default", "contract", version, document, 0))
    code, out, _ = flo2("ledger", "reprice", "--apply", "--json")
    assert code == 0
    assert {each["model"]: each["after"] for each in json.loads(out)["data"]} == {
        "small": "4",
        "big": "40",
        "odd": "0",
    }
    (adjust, _) = flo2.store.adjustments(EntryFilter("default"))
    assert [(line.list_amount, line.amount) for line in adjust.lines] == [
        (Decimal(1), Decimal("0.8")),
        (Decimal(4), Decimal("3.2")),
    ]
    assert flo2("ledger", "reprice")[0] == 0
