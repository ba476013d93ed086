"""Reading contracts: everything that is wrong is told at once, contradictions by both names."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from flo2.contracts import AccountContracts, as_json, contract_id, read_contract
from flo2.errors import ContractError

BASE = {"valid_from": "2026-01-01", "valid_until": "2027-01-01"}
RATE = {"provider": "acme", "models": ["big"], "prices": {"input_tokens": "1"}}
ID = "deal@"


def problems(document, name="deal"):
    with pytest.raises(ContractError) as caught:
        read_contract(name, document)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


def test_all_problems_are_told_at_once_with_their_paths_and_suggestions():
    document = {
        "valid_from": "2026-01-01",
        "curency": "USD",
        "zone": "Mars/Olympus",
        "rates": [{"provider": "acme", "models": [], "prices": {}}, 7],
        "discounts": [
            {"name": "a", "percent": "120"},
            {"name": "b", "percent": "-1", "stacks": "multipy"},
            {"name": "c"},
            {"name": "c", "percent": "1", "surcharge": "2", "order": -1},
        ],
        "allowances": [{"name": "free", "quantity": 0, "period": "year"}],
        "volume_tiers": [
            {"name": "v", "meters": "input_tokens", "steps": [{"over": 5}, {"over": 5}]}
        ],
        "commitments": [{"name": "k", "amount": 1.5, "period": "term"}],
        "credits": [{"name": "x", "amount": "1e999999999", "valid_until": "2025-01-01"}],
    }
    where = "@ deal: "
    assert problems(document) == [
        f"unknown key 'curency'; did you mean 'currency'? {where}curency",
        f"there is no time zone 'Mars/Olympus' {where}zone",
        f"name at least one model {where}rates[0].models",
        f"expected a table, got 7 {where}rates[1]",
        f"missing text 'provider' {where}rates[1].provider",
        f"name at least one model {where}rates[1].models",
        f"120 is more than 100 {where}discounts[0].percent",
        (
            f"expected one of multiply, add, best_only, got 'multipy'; did you mean 'multiply'? "
            f"{where}discounts[1].stacks"
        ),
        f"-1 is negative {where}discounts[1].percent",
        f"give either 'percent' (off) or 'surcharge' (on top) {where}discounts[2].percent",
        f"missing number 'percent' {where}discounts[2].percent",
        f"give either 'percent' (off) or 'surcharge' (on top) {where}discounts[3].percent",
        f"expected a whole number of 0 or more, got -1 {where}discounts[3].order",
        f"missing 'meters': say what is free {where}allowances[0].meters",
        f"'quantity' must be more than 0 {where}allowances[0].quantity",
        f"expected one of day, month, got 'year' {where}allowances[0].period",
        f"the first step must be over 0: below it there is a gap {where}volume_tiers[0].steps",
        f"steps ascend: it is not over the one before {where}volume_tiers[0].steps[1].over",
        (
            "money from 1.5 (float) is refused; pass text, int or Decimal "
            f"{where}commitments[0].amount"
        ),
        f"a commitment over a term needs the term's end {where}commitments[0].valid_until",
        f"2025-01-01 is not after valid_from 2026-01-01 {where}credits[0].valid_until",
        f"'1e999999999' is no decimal number; write it like '0.125' {where}credits[0].amount",
        f"'c' is discounts[2] as well {where}discounts[3].name",
    ]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], ["a contract is a table, got list @ deal: "]),
        ({}, ["missing date 'valid_from': every contract is dated @ deal: valid_from"]),
        (
            {"valid_from": "2026-02-30"},
            [
                (
                    "expected a date (of UTC) or an instant with its zone, got '2026-02-30' "
                    "@ deal: valid_from"
                )
            ],
        ),
        (
            {"valid_from": "2026-02-03T04:05:06"},
            [
                (
                    "expected a date (of UTC) or an instant with its zone, got "
                    "'2026-02-03T04:05:06' @ deal: valid_from"
                )
            ],
        ),
        (
            {"valid_from": "0001-01-01T00:00:00+14:00"},
            ["'0001-01-01T00:00:00+14:00' is not between 2000 and 9998 @ deal: valid_from"],
        ),
        (
            BASE | {"currency": "dollars"},
            ["'dollars' is no ISO 4217 code such as USD @ deal: currency"],
        ),
        (
            BASE | {"rates": [RATE | {"valid_from": "2028-01-01", "valid_until": "2029-01-01"}]},
            [
                (
                    "from 2028-01-01 on it lies outside the contract and would never hold "
                    "@ deal: rates[0].valid_from"
                )
            ],
        ),
        (
            BASE | {"discounts": [{"name": "s", "surcharge": 5, "stacks": "best_only"}]},
            [
                (
                    "a surcharge is never the best of several; use 'multiply' "
                    "@ deal: discounts[0].stacks"
                )
            ],
        ),
        (
            BASE
            | {
                "discounts": [{"name": "d", "percent": 1, "meters": ["ouput_tokens", "pages"]}],
                "rates": [RATE | {"prices": {"cache_raed_tokens": 1}}],
            },
            [
                (
                    "unknown meter 'cache_raed_tokens'; did you mean 'cache_read_tokens'? "
                    "@ deal: rates[0].prices.cache_raed_tokens"
                ),
                (
                    "unknown meter 'ouput_tokens'; did you mean 'output_tokens'? "
                    "@ deal: discounts[0].meters"
                ),
            ],
        ),
        (
            BASE | {"capacity": [{"name": "ptu", "hourly": 1}]},
            ["missing 'providers': say whose capacity it is @ deal: capacity[0].providers"],
        ),
        (
            BASE | {"discounts": {"name": "x"}},
            ["expected a list of tables, got {'name': 'x'} @ deal: discounts"],
        ),
    ],
)
def test_each_problem_has_its_reason(document, said):
    assert problems(document) == said


def test_a_name_is_a_name():
    assert problems(BASE, "a/b") == [
        "'a/b' is no name: letters, digits, dots, dashes, underscores @ a/b: "
    ]


def discount(name, **more):
    return {"name": name, "percent": "10"} | more


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        (
            {"discounts": [discount("a", stacks="best_only"), discount("b", stacks="best_only")]},
            (
                "discounts 'deal/a' and 'deal/b' have the order 0 and may meet in one line, but "
                "best_only and best_only depend on which comes first; give them different orders"
            ),
        ),
        (
            {"discounts": [discount("a", stacks="add"), discount("b")]},
            (
                "discounts 'deal/a' and 'deal/b' have the order 0 and may meet in one line, but "
                "add and multiply depend on which comes first; give them different orders"
            ),
        ),
        (
            {"discounts": [discount(n, stacks="add", percent=60) for n in ("a", "b")]},
            "discounts 'deal/a' and 'deal/b' add up to 120 %, more than 100 %",
        ),
        (
            {"capacity": [{"name": n, "providers": ["acme"], "hourly": 1} for n in ("a", "b")]},
            "capacity 'deal/a' and 'deal/b' overlap: both would pay for one call",
        ),
        (
            {"commitments": [{"name": "a", "amount": 1}, {"name": "b", "amount": 2}]},
            "commitments 'deal/a' and 'deal/b' overlap: one line draws on one of them",
        ),
        (
            {
                "volume_tiers": [
                    {"name": n, "meters": m, "steps": [{"over": 0}]}
                    for n, m in (("a", ["*_tokens"]), ("b", ["input_*"]))
                ]
            },
            "volume tiers 'deal/a' and 'deal/b' overlap: one line has one tier",
        ),
        (
            {"commitments": [{"name": "a", "amount": 1, "valid_from": "2026-02-02"}]},
            (
                "commitment 'deal/a' is for whole months, and begins and ends with one in UTC; "
                "give it dates of its own"
            ),
        ),
    ],
)
def test_a_contradiction_names_both(terms, said):
    assert problems(BASE | terms) == [said]


def test_rates_that_overlap_or_leave_a_gap_are_named():
    until, since = {"valid_until": "2026-03-01"}, {"valid_from": "2026-02-01"}
    one, two = problems(
        BASE
        | {
            "rates": [
                RATE | until,
                RATE | since,
                RATE | {"models": ["old"]} | until,
                RATE | {"models": ["old"], "valid_from": "2026-04-01"},
            ]
        }
    )
    id_ = one.split("'")[1].partition("/")[0]
    assert one == (
        f"rates '{id_}/acme/big/input_tokens@2026-01-01' and "
        f"'{id_}/acme/big/input_tokens@2026-02-01' overlap: both price input_tokens"
    )
    assert two == (
        f"between rates '{id_}/acme/old/input_tokens@2026-01-01' and "
        f"'{id_}/acme/old/input_tokens@2026-04-01' there is a gap, "
        "2026-03-01T00:00:00+00:00 to 2026-04-01T00:00:00+00:00"
    )


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ([{"at_least": 5}], "begins at 5: below it there is a gap"),
        ([{"below": 5}], "ends below 5: past it there is a gap"),
        ([{"below": 5}, {"at_least": 7}], "there is a gap, 5 to 7"),
    ],
)
def test_tiers_of_a_rate_leave_no_gap(tiers, said):
    (found,) = problems(BASE | {"rates": [RATE | tier for tier in tiers]})
    assert found.endswith(said)


def test_terms_that_never_meet_go_together():
    contract = read_contract(
        "deal",
        BASE
        | {
            "rates": [RATE, RATE | {"when": {"processing": ["batch"]}}],
            "discounts": [
                discount("a", stacks="best_only", models=["gpt-*"]),
                discount("b", stacks="best_only", models=["claude-*"]),
                discount("c", stacks="add", on="rates"),
                discount("d", models=["x"], valid_until="2026-06-01"),
                discount("e", models=["x"], valid_from="2026-06-01", stacks="add"),
            ],
        },
    )
    assert [each.name for each in contract.discounts] == ["a", "b", "c", "d", "e"]


def test_two_contracts_of_an_account_are_checked_together():
    one = read_contract("one", BASE | {"discounts": [discount("a", stacks="best_only")]})
    two = read_contract(
        "two", BASE | {"zone": "Asia/Tokyo", "discounts": [discount("b", stacks="best_only")]}
    )
    assert AccountContracts([one, two]).problems({}) == [
        (
            "contracts 'one' and 'two' differ in zone: 'UTC' and 'Asia/Tokyo'; an account has one "
            "at a time"
        ),
        (
            "discounts 'one/a' and 'two/b' have the order 0 and may meet in one line, but "
            "best_only and best_only depend on which comes first; give them different orders"
        ),
    ]


def test_two_versions_need_two_dates():
    one, two = (read_contract("deal", BASE | {"credits": [{"name": n, "amount": 1}]}) for n in "ab")
    with pytest.raises(ContractError, match="both begin 2026-01-01T00:00:00"):
        AccountContracts([one, two])


def test_a_version_takes_over_at_its_first_instant_and_the_older_one_never_comes_back():
    first = read_contract("deal", {"valid_from": "2026-01-01", "discounts": [discount("a")]})
    last = read_contract("deal", {"valid_from": "2026-06-01", "valid_until": "2026-07-01"})
    found = AccountContracts([last, first])
    spans = [(each.validity.since.month, each.validity.until.month) for each in found.versions]
    assert spans == [(1, 6), (6, 7)]
    terms = [found.at(datetime(2026, month, 1, tzinfo=UTC)) for month in (1, 5, 6, 8)]
    assert [None if each is None else each.id for each in terms] == [first.id, first.id, None, None]


def test_toml_json_and_the_store_give_one_id():
    toml = {"valid_from": date(2026, 1, 1), "discounts": [discount("a", percent=Decimal("7.50"))]}
    kept = json.loads(json.dumps(as_json(toml)))
    assert kept == {"valid_from": "2026-01-01", "discounts": [discount("a", percent="7.5")]}
    assert contract_id("deal", toml) == contract_id("deal", kept) == read_contract("deal", kept).id
    assert as_json({"a": Decimal("1e999999999"), "b": Decimal("NaN")}) == {
        "a": "1E+999999999",
        "b": "NaN",
    }


def test_the_contract_of_the_documentation_is_one():
    page = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text(encoding="utf-8")
    written = page.split("```toml\n")[1].partition("```")[0]
    contract = read_contract("acme", tomllib.loads(written, parse_float=Decimal))
    kinds = ("discounts", "capacity", "allowances", "volume_tiers", "commitments", "credits")
    assert (len(contract.rates), *(len(getattr(contract, kind)) for kind in kinds)) == (
        4, 1, 1, 1, 1, 1, 1,
    )  # fmt: skip
