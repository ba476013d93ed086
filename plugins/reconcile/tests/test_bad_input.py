"""Bills that are not what they should be: a clear report, and never a guess."""

from __future__ import annotations

import gzip
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flo2 import BillingError, BillingRow, Importer
from flo2_reconcile.bill import Bill
from flo2_reconcile.catalogue import IMPORTERS
from flo2_reconcile.importers.aws import AwsReport
from flo2_reconcile.importers.azure import AzureExport
from flo2_reconcile.importers.focus import FocusFile
from flo2_reconcile.importers.gcp import GoogleBilling
from flo2_reconcile.importers.mapped import MappedFile, mapping_of
from flo2_reconcile.importers.openai import OpenAIReports
from flo2_reconcile.importers.tables import table_of, units_of
from flo2_reconcile.reading import read_bills
from flo2_reconcile.reconciler import Outcome

from .billing_fixtures import file  # noqa: TID252  # tests have no package
from .test_laws import FINAL, outcome_of  # noqa: TID252  # same
from .traffic import HOUR, START, Call, ledger_of  # noqa: TID252  # same
from .writers import aws, azure, focus, gcp, openai_costs, openai_usage  # noqa: TID252  # same

CALLS = [Call(1, START + HOUR + 10**9), Call(2, START + 30 * HOUR + 10**9, project="proj_2")]


def read(importer: Importer, body: bytes, name: str = "bill") -> Bill:
    bill = Bill()
    bill.take(importer.rows(name, io.BufferedReader(io.BytesIO(body))))  # type: ignore[arg-type]
    return bill


def only(files: Any) -> bytes:
    (body,) = files.values()
    return bytes(body)


def openai(bodies: dict[str, bytes]) -> Outcome:
    return outcome_of(ledger_of(CALLS), "openai", bodies, FINAL)


@pytest.mark.parametrize(
    ("importer", "body", "expected"),
    [
        (OpenAIReports(), b'{"object": "list", "data": []}', "no page of OpenAI's usage or costs"),
        (OpenAIReports(), b"[1]", r"bill\[0\]: expected an object, found int"),
        (OpenAIReports(), b"{", "was the download cut off"),
        (OpenAIReports(), b"[" * 100_000, "no JSON|nested too deeply"),
        (AwsReport(), b"a,b\n1,2\n", "no column 'line_item_usage_start_date'"),
        (
            AwsReport(),
            only(aws(CALLS, "1h")).replace(b"line_item_usage_type", b"line_item_usage_typ"),
            "is it 'line_item_usage_typ' now",
        ),
        (AwsReport(), only(aws(CALLS, "1h")).replace(b"1K tokens", b"kilo"), "unit 'kilo'"),
        (AwsReport(), only(aws(CALLS, "1h")).replace(b",Usage,", b",Gift,"), "'Gift' is not known"),
        (AwsReport(), only(aws(CALLS, "1h"))[:-9], "cells under|is no number"),
        (AwsReport(), "líne".encode("latin-1"), "no UTF-8"),
        (GoogleBilling(), b'{"a": 1}\n{"b": 2}', "no row of Google's billing export"),
        (
            GoogleBilling(),
            only(gcp(CALLS, "1h")).replace(b"regular", b"odd"),
            "cost_type 'odd' is not known",
        ),
        (
            GoogleBilling(),
            only(gcp(CALLS, "1h")).replace(b"00Z", b"00"),
            "has no time zone",
        ),
        (AzureExport(), b"MeterName,MeterCategory\nx,y\n", "no column for the date"),
        (FocusFile(), only(focus(CALLS, "1h")).replace(b",Usage,", b",X,"), "category 'X'"),
        (FocusFile(), only(focus(CALLS, "1h")).replace(b"Tokens", b"Bytes"), "unit 'Bytes'"),
    ],
    ids=range(16),
)
def test_what_is_no_such_bill_is_refused_with_its_place(
    importer: Importer, body: bytes, expected: str
):
    with pytest.raises(BillingError, match=expected):
        read(importer, body)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("input_cached_tokens", 10**9, "more than the whole"),
        ("output_tokens", -1, "is no count"),
        ("output_tokens", 1.5, "is no count"),
        ("output_tokens", "many", "is no number"),
        ("object", "organization.usage.dreams.result", "dreams.result' are not known"),
    ],
)
def test_a_figure_that_cannot_be_is_refused(field: str, value: Any, expected: str):
    page = json.loads(only(openai_usage(CALLS, "1d")))
    page["data"][0]["results"][0][field] = value
    with pytest.raises(BillingError, match=expected):
        read(OpenAIReports(), json.dumps(page).encode())


def test_a_page_that_came_twice_counts_once_and_one_that_contradicts_is_refused():
    usage = openai_usage(CALLS, "1d")
    assert openai({**usage, "again.json": only(usage)}).unexplained == []
    other = only(usage).replace(b'"output_tokens": 10', b'"output_tokens": 11')
    with pytest.raises(
        BillingError, match="tell output_tokens of 2026-11-16T00:00:00Z differently"
    ):
        openai({**usage, "other.json": other})


def test_a_bucket_that_is_missing_is_named_and_not_compared():
    page = json.loads(only(openai_usage(CALLS, "1d")))
    hours = json.loads(only(openai_usage(CALLS, "1h", 48)))
    del hours["data"][10]
    whole = openai({"0.json": json.dumps(hours).encode()})
    assert whole.unexplained == []
    assert list(whole.notices) == [
        "openai.usage.completions: 2026-11-16T10:00:00Z is missing in the bill; it is not compared"
    ]
    del page["data"][0]
    late = openai({"0.json": json.dumps(page).encode()})
    assert late.unexplained == []  # the day that is there agrees


def test_days_of_another_time_zone_are_cut_alike_and_said():
    shift = 8 * HOUR
    pacific = [Call(c.number, c.at_us + shift, project=c.project) for c in CALLS]
    page = json.loads(only(openai_usage(CALLS, "1d")))
    for bucket in page["data"]:
        bucket["start_time"] += shift // 1_000_000
        bucket["end_time"] += shift // 1_000_000
    bill = Bill()
    bill.take(OpenAIReports().rows("0.json", io.BytesIO(json.dumps(page).encode())))
    bill.sheets()
    assert any("days begin at 08:00 UTC" in notice for notice in bill.notices)
    outcome = outcome_of(ledger_of(pacific), "openai", {"0.json": json.dumps(page).encode()})
    assert outcome.unexplained == []


def test_noise_of_floats_is_no_difference_and_a_cent_is():
    calls = [
        Call(n, START + HOUR + n * 10**6, meters={"input_tokens": 1, "output_tokens": n + 1})
        for n in range(20)
    ]
    costs = json.loads(only(openai_costs(calls, "1d")))
    for result in costs["data"][0]["results"]:
        result["amount"]["value"] += 1e-18
    store = ledger_of(calls)
    assert outcome_of(store, "openai", {"0.json": json.dumps(costs).encode()}).unexplained == []
    costs["data"][0]["results"][0]["amount"]["value"] += 0.01
    found = outcome_of(store, "openai", {"0.json": json.dumps(costs).encode()})
    assert [each.cause for each in found.findings] == ["price_differs"]


def test_another_currency_is_converted_by_the_bills_own_rate_or_not_compared():
    body = only(azure(CALLS, "1d"))
    assert read(AzureExport(), body).notices == {}
    bare = read(AzureExport(), body.replace(b"exchangeRatePricingToBilling", b"x"))
    assert [notice for notice in bare.notices if "give --rate EUR" in notice]
    assert not any(name.startswith("$") for sheet in bare.sheets() for name in sheet.measures)
    rated = Bill({"EUR": Decimal(2)})
    changed = body.replace(b"exchangeRatePricingToBilling", b"x")
    rated.take(AzureExport().rows("a.csv", io.BytesIO(changed)))
    assert rated.notices == {}


def test_credits_taxes_and_roundings_stand_beside_and_never_inside():
    bill = read(GoogleBilling(), file("gcp_billing_export.jsonl").read_bytes())
    assert {(each.charge, each.amount) for each in bill.charges.values()} == {
        ("usage", Decimal("0.000675")),
        ("credit", Decimal("-0.000375")),
        ("rounding", Decimal("-0.000675")),
    }
    (sheet,) = bill.sheets()
    assert {name: n for cell in sheet.cells.values() for name, n in cell.items()} == {
        "input_tokens": Decimal(1000),
        "$ input_tokens": Decimal("0.0003"),
        "output_tokens": Decimal(150),
        "$ output_tokens": Decimal("0.000375"),
    }
    assert sheet.cells.keys() == {(START + 10 * HOUR, ("google", "proj-gw", "gemini-2.5-flash", "standard", "online"))}  # fmt: skip  # noqa: E501


def test_the_other_fixtures_are_read():
    bill = read(AwsReport(), file("aws_cur2.csv").read_bytes())
    (sheet,) = bill.sheets()
    assert next(iter(sheet.cells.values())) == {
        "input_tokens": Decimal(1000),
        "$ input_tokens": Decimal("0.0033"),
        "cache_read_tokens": Decimal(20_000),
        "$ cache_read_tokens": Decimal("0.0066"),
        "output_tokens": Decimal(500),
        "$ output_tokens": Decimal("0.00825"),
    }
    whole = read(FocusFile(), file("focus_1_2.csv").read_bytes())
    assert {
        (each.report, each.amount) for each in whole.charges.values() if each.charge == "usage"
    } == {("focus.openai", Decimal("0.03964")), ("focus.anthropic", Decimal("0.1182982"))}


def test_an_item_that_no_table_knows_stays_an_item():
    body = only(gcp(CALLS, "1h")).replace(b"Generate content input", b"Something new")
    names = {name for sheet in read(GoogleBilling(), body).sheets() for name in sheet.measures}
    assert "$ item: Something new token count gemini big text" in names


def test_files_are_known_by_their_content_and_read_once(tmp_path: Path):
    importers = [each() for each in IMPORTERS]
    packed = tmp_path / "usage.json.gz"
    packed.write_bytes(gzip.compress(only(openai_usage(CALLS, "1d"))))
    again = tmp_path / "copy.json.gz"
    again.write_bytes(packed.read_bytes())
    bill = Bill()
    read_bills(bill, [packed, again], importers)
    assert list(bill.notices) == ["copy.json.gz has the same content as usage.json.gz: read once"]
    cut = tmp_path / "cut.gz"
    cut.write_bytes(packed.read_bytes()[:40])
    with pytest.raises(BillingError, match="cannot be read"):
        read_bills(Bill(), [cut], importers)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"provider": "a"}, "lacks 'time'"),
        ({"provider": "a", "time": "t", "colour": "red"}, "'colour' is not known"),
        ({"provider": "a", "time": "t"}, "names no meter and no amount"),
        ({"provider": "a", "time": "t", "width": "2h", "meters": {"x": "y"}}, "width '2h'"),
        ({"provider": "a", "time": "t", "keys": {"x": "y"}, "meters": {"m": "c"}}, "key 'x'"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(document: Any, expected: str):
    with pytest.raises(BillingError, match=expected):
        mapping_of(document, "mapping.toml")


def test_a_mapped_file_needs_its_zone_and_its_numbers():
    importer = MappedFile()
    importer.mapping = mapping_of(
        {"provider": "acme", "time": "when", "meters": {"requests": "n"}, "width": "1h"}, "m"
    )
    with pytest.raises(BillingError, match="has no time zone"):
        read(importer, b"when,n\n2026-11-16T01:00:00,1\n")
    with pytest.raises(BillingError, match="below zero"):
        read(importer, b"when,n\n2026-11-16T01:00:00Z,-1\n")
    with pytest.raises(BillingError, match="'x' is no number"):
        read(importer, b"when,n\n2026-11-16T01:00:00Z,x\n")


def test_tables_and_units_are_checked():
    with pytest.raises(BillingError, match=r"line\[0\] needs a text `meter`"):
        table_of({"line": [{"text": "a"}]}, "t.toml")
    with pytest.raises(BillingError, match="unit 'furlong' is not known"):
        units_of("furlong", "x")
    with pytest.raises(BillingError, match="no span of whole minutes"):
        Bill().take([BillingRow("r", "p", 1, 2, {"provider": "x"}, "requests", 1)])
    bill = Bill()
    for width in (2 * 60_000_000, 3 * 60_000_000):
        bill.take([BillingRow("r", "p", START, START + width, {"provider": "x"}, "requests", 1)])
    with pytest.raises(BillingError, match="mixes buckets"):
        bill.sheets()
