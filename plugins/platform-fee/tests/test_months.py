"""Months as they are invoiced: days, trials, keys, clocks, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from flo2 import ConfigError, InvalidRequest, IssuedKey, NotFound, StoreError
from flo2.instants import microseconds
from flo2_platform_fee.assigning import assign, assignments, put_plan
from flo2_platform_fee.documents import credit, document, documents, issue, verify
from flo2_platform_fee.fees import Assignment
from flo2_platform_fee.months import month_body
from flo2_platform_fee.page import as_csv, as_html
from flo2_platform_fee.plans import read_plan

from .ledgers import (  # noqa: TID252  # tests have no package
    DECEMBER_2,
    FLAT,
    NOVEMBER,
    a_store,
    at,
    calls,
    charged,
)


def lines(body: Any) -> list[tuple[Any, ...]]:
    keys = ("plan", "charge", "quantity", "days", "amount")
    return [tuple(line[key] for key in keys) for line in body["lines"]]


def test_a_change_of_plan_charges_each_its_days():
    store = a_store()
    charged(store, FLAT, name="small")
    charged(store, {"subscription": "90"}, date(2026, 11, 21), name="big")

    body = month_body(store, "default", NOVEMBER, DECEMBER_2)

    assert lines(body) == [
        ("big", "subscription", 1, 10, "30.00"),
        ("small", "subscription", 1, 20, "20.00"),
    ]
    assert body["total"] == "50.00"
    assert body["tokens"] == {
        "paid_to": "the providers, directly",
        "providers": [],
        "markup": "0.00",
    }


def test_a_trial_costs_nothing_and_counts_nothing():
    store = a_store()
    calls(store, [at(9), at(10), at(11), at(12)])
    charged(store, {**FLAT, "trial_days": 10, "requests": {"price": "1"}})

    assert lines(month_body(store, "default", NOVEMBER, DECEMBER_2)) == [
        ("plan", "subscription", 1, 20, "20.00"),
        ("plan", "requests", 2, 30, "2.00"),
    ]


def test_a_free_plan_is_invoiced_at_nothing_and_shows_what_the_providers_got():
    store = a_store()
    calls(store, [at(3)], paid="0.25")
    charged(store, {"free": True})

    body = issue(store, "default", NOVEMBER, DECEMBER_2).body

    assert (body["lines"], body["total"]) == ([], "0.00")
    assert body["tokens"]["providers"] == [
        {
            "provider": "acme",
            "currency": "USD",
            "entries": 1,
            "paid": "0.25",
            "not_known_yet": 0,
            "unpriced": 0,
        }
    ]


def test_seats_are_charged_by_their_days():
    store = a_store()
    charged(store, {"seats": {"price": "10"}}, seats=3)
    assign(store, "default", Assignment("plan", date(2026, 11, 16), None, 5), 0)

    assert lines(month_body(store, "default", NOVEMBER, DECEMBER_2)) == [
        ("plan", "seats", 3, 15, "15.00"),
        ("plan", "seats", 5, 15, "25.00"),
    ]


def test_a_key_and_what_it_was_rotated_into_is_one_active_key():
    store = a_store()
    for name, lineage in (("key_1", None), ("key_2", "key_1")):
        store.put_key(IssuedKey(name, "default", name, name, "p", "l4", 0, lineage=lineage))
    charged(store, {"active_keys": {"price": "4"}})
    calls(store, [at(3)], key_id="key_1")
    first = month_body_of(store)
    calls(store, [at(4)], key_id="key_2", first=2)
    assert month_body_of(store) == first == [("plan", "active_keys", 1, 30, "4.00")]


def month_body_of(store: Any) -> list[tuple[Any, ...]]:
    return lines(month_body(store, "default", NOVEMBER, DECEMBER_2))


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({}, 1),
        ({"client": "disconnected"}, 1),
        ({"client": "refused", "status": 402}, 0),
        ({"client": "failed", "status": 502}, 0),
        ({"status": 400}, 0),
        ({"attempts": 0}, 1),
    ],
)
def test_only_answered_requests_are_counted(changes: dict[str, Any], number: int):
    store = a_store()
    calls(store, [at(3)], **changes)
    charged(store, {"requests": {"price": "1"}})
    body = month_body(store, "default", NOVEMBER, DECEMBER_2)
    assert body["lines"][0]["quantity"] == number


def test_a_month_begins_and_ends_by_its_zones_clocks():
    # Berlin: the clocks go back on 25 October 2026, so this month has 745 hours and 31 days.
    store = a_store()
    charged(
        store,
        {**FLAT, "zone": "Europe/Berlin", "requests": {"price": "1"}},
        date(2026, 10, 25),
    )
    inside = [at(24, 22, 10), at(31, 22, 10)]  # the 25th, 00:00 and the 31st, 23:00 in Berlin
    calls(store, [at(24, 21, 10), *inside, at(31, 23, 10)])
    end = microseconds(datetime(2026, 10, 31, 23, tzinfo=UTC))

    with pytest.raises(InvalidRequest, match="2026-10 is not over"):
        issue(store, "default", date(2026, 10, 1), end - 1)
    found = issue(store, "default", date(2026, 10, 1), end).body

    assert lines(found) == [
        ("plan", "subscription", 1, 7, "6.77"),
        ("plan", "requests", 2, 31, "2.00"),
    ]


def test_what_was_issued_never_changes():
    store = a_store()
    charged(store, {"requests": {"price": "1"}})
    calls(store, [at(3)])
    first = issue(store, "default", NOVEMBER, DECEMBER_2)
    calls(store, [at(4)], first=2)

    assert issue(store, "default", NOVEMBER, DECEMBER_2 + 10**9) == first
    assert document(store, 1) == first
    with pytest.raises(InvalidRequest, match="2026-11 of account 'default' is invoiced"):
        charged(store, FLAT, date(2026, 11, 30), name="late")
    with pytest.raises(InvalidRequest, match="is assigned to default and does not change"):
        put_plan(store, "plan", FLAT)


def test_an_interrupted_issue_is_finished_with_the_number_it_would_have_had():
    store = a_store("a", "b")
    for name in "ab":
        charged(store, FLAT, account=name)
    offered = store.first_setting

    def interrupted(name: str, value: str) -> str:
        if name.startswith("platform_fee/document"):
            raise StoreError("the lights went out")
        return offered(name, value)

    store.first_setting = interrupted  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        issue(store, "a", NOVEMBER, DECEMBER_2)
    store.first_setting = offered  # type: ignore[method-assign]

    assert issue(store, "b", NOVEMBER, DECEMBER_2).number == 1
    assert issue(store, "a", NOVEMBER, DECEMBER_2).number == 2
    assert verify(store) == 2


def test_a_changed_document_is_found():
    store = a_store()
    charged(store, FLAT)
    issue(store, "default", NOVEMBER, DECEMBER_2)
    held = store.setting("platform_fee/document/1") or ""
    store.put_setting("platform_fee/document/1", held.replace('"30.00"', '"3.00"'))
    with pytest.raises(StoreError, match="document 1 is not what was issued"):
        verify(store)


def test_a_credit_note_corrects_once_and_leaves_the_invoice():
    store = a_store()
    charged(store, FLAT)
    invoice = issue(store, "default", NOVEMBER, DECEMBER_2)
    note = credit(store, 1, Decimal("10.5"), "outage", "T-1", DECEMBER_2)

    assert credit(store, 1, Decimal("10.5"), "outage", "T-1", DECEMBER_2 + 9) == note
    assert list(documents(store)) == [invoice, note]
    assert (note.number, note.prev_hash) == (2, invoice.hash)
    assert note.body["amount"] == "10.50"
    for amount, reference, said in (
        ("20", "T-2", "more than the 19.5 USD"),
        ("9", "T-1", "stands for credit note 2 already"),
        ("0", "T-3", "no amount to credit"),
        ("0.001", "T-3", "at most 2 decimals"),
    ):
        with pytest.raises(InvalidRequest, match=said):
            credit(store, 1, Decimal(amount), "outage", reference, DECEMBER_2)
    with pytest.raises(InvalidRequest, match="document 2 is no invoice"):
        credit(store, 2, Decimal(1), "outage", "T-4", DECEMBER_2)
    with pytest.raises(InvalidRequest, match="set the clock right"):
        credit(store, 1, Decimal(1), "outage", "T-5", at(30))


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({}, "it charges nothing: give it a price, or say free = true"),
        ({"free": True, "subscription": "1"}, "a free plan charges nothing"),
        ({"free": True, "trial_days": 3}, "a free plan needs no trial"),
        ({"subscription": "-1"}, "-1 is negative"),
        ({"subscription": 1.5}, "float"),
        ({"subscription": "1", "trial_days": 400}, "400 is more than 366"),
        ({"subscription": "1", "currency": "usd"}, "'usd' is no currency code"),
        ({"subscription": "1", "zone": "Mars/Base"}, "'Mars/Base' is no time zone"),
        ({"tokens": {"price": "1"}}, "unknown key 'tokens'"),
        ({"requests": {"price": "1", "steps": []}}, "either one price or steps"),
        ({"requests": {"steps": [{"over": 5, "price": "1"}]}}, "the first step must be over 0"),
        (
            {"requests": {"steps": [{"over": 0, "price": "1"}, {"over": 0, "price": "2"}]}},
            "each step must begin over more units",
        ),
    ],
)
def test_a_wrong_plan_is_refused_with_what_is_wrong(plan: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        read_plan("plan", plan)


def test_a_plan_is_one_however_it_was_written():
    short = read_plan("plan", {"requests": {"price": "0.10"}})
    long = {"mode": "graduated", "per": 1, "steps": [{"over": 0, "price": "0.1"}]}
    assert read_plan("plan", {"currency": "USD", "requests": long}) == short
    assert read_plan("plan", short.document) == short


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (Assignment("no", NOVEMBER), "there is no fee plan 'no'"),
        (Assignment("flat", NOVEMBER, NOVEMBER), "no day lies between"),
        (Assignment("flat", date(1999, 1, 1)), "no day to begin"),
        (Assignment("flat", NOVEMBER, None, 3), "has no price for seats"),
        (Assignment("flat", NOVEMBER), "overlaps plan 'flat'"),
        (Assignment("flat", date(2027, 1, 5), date(2027, 1, 9)), "overlaps plan 'flat'"),
        (Assignment("euro", date(2028, 1, 1)), "in EUR and UTC"),
    ],
)
def test_a_wrong_assignment_is_refused_and_changes_nothing(new: Assignment, said: str):
    store = a_store()
    put_plan(store, "flat", FLAT)
    put_plan(store, "euro", {**FLAT, "currency": "EUR"})
    held = [
        Assignment("flat", date(2026, 11, 10), date(2026, 12, 1)),
        Assignment("flat", date(2027, 1, 1), date(2027, 1, 6)),
        Assignment("flat", date(2027, 1, 8), date(2027, 2, 1)),
    ]
    for each in held:
        assign(store, "default", each, 0)
    with pytest.raises((InvalidRequest, NotFound), match=said):
        assign(store, "default", new, 0)
    assert assignments(store, "default") == held


def test_a_month_without_a_plan_or_before_its_time_is_no_month():
    store = a_store()
    charged(store, FLAT, date(2026, 12, 1))
    with pytest.raises(NotFound, match="no fee plan in 2026-11"):
        issue(store, "default", NOVEMBER, DECEMBER_2)
    with pytest.raises(NotFound, match="no account 'other'"):
        issue(store, "other", NOVEMBER, DECEMBER_2)
    with pytest.raises(InvalidRequest, match="2027-01 has not begun"):
        month_body(store, "default", date(2027, 1, 1), DECEMBER_2)


def test_months_whose_calls_were_pruned_are_not_counted_too_low():
    store = a_store()
    charged(store, {"requests": {"price": "1"}})

    def pruned(*_: object) -> Any:
        raise StoreError("entries begun before 2026-12-01 were pruned")

    store.usage = pruned  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="were pruned"):
        issue(store, "default", NOVEMBER, DECEMBER_2)
    assert list(documents(store)) == []


def test_csv_and_page_say_what_the_invoice_says_and_escape_it():
    store = a_store()
    calls(store, [at(3)], paid="0.25")
    charged(store, FLAT, name="=<b>plan")
    found = issue(store, "default", NOVEMBER, DECEMBER_2).as_json()
    note = credit(store, 1, Decimal(1), "+sorry", "T-1", DECEMBER_2).as_json()

    assert as_csv([found, note]).splitlines()[1:] == [
        "1,invoice,default,2026-11,'=<b>plan,subscription,1,30,30,USD,30.00",
        "2,credit_note,default,2026-11,,'+sorry,,,,USD,-1.00",
    ]
    page = as_html(found)
    assert "<td>=&lt;b&gt;plan</td>" in page
    assert "<b>" not in page
    assert "Tokens, paid directly to the providers" in page
    assert "<td class=n>0.00</td>" in page
    assert "@media print" in page
    assert "<script" not in page
    assert "http" not in page
    assert "+sorry" in as_html(note)
