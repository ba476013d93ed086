"""Files of an operator's own: CSV says all that TOML can; what is wrong is refused and named."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.errors import PricingError
from flo2.prices import Schedule, Tier, Window, build
from flo2_pricing_list import UserFile

HEAD = (
    "provider,model,aliases,pattern,dimension,unit_price,per,when,over,at_least,up_to,below,graduated,"
    "valid_from,valid_until,days,hours,windows,zone,holidays,outside,minimum,step,source,read_on,"
    "evidence"
)


def line(**cells):
    usual = {
        "provider": "acme", "model": "m", "dimension": "input_tokens", "unit_price": "1",
        "source": "ours", "read_on": "2026-11-01",
    }  # fmt: skip
    return ",".join((usual | cells).get(column, "") for column in HEAD.split(","))


def table(*lines):
    return "\n".join([HEAD, *lines]) + "\n"


def source(tmp_path, text, name="x.csv"):
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return UserFile(UserFile.Config(str(tmp_path / name)))


def refused(tmp_path, text, name="x.csv"):
    with pytest.raises(PricingError) as caught:
        source(tmp_path, text, name).rows()
    return str(caught.value)


def test_a_line_of_csv_can_say_all_of_a_row(tmp_path):
    said = {
        "model": "m-1", "aliases": "m-2|m-3", "pattern": "m-[0-9]", "dimension": "input_seconds",
        "unit_price": "0.36", "per": "3600", "when": "service_tier=flex|fast;speed=", "over": "5",
        "below": "10", "valid_from": "2026-01-01", "valid_until": "2027-01-01T12:00:00+02:00",
        "days": "mon|sun", "hours": "00:00-01:30", "zone": "Asia/Shanghai",
        "holidays": "2026-10-01|2026-10-02", "outside": "true", "minimum": "10", "step": "0.5",
        "evidence": "contract",
    }  # fmt: skip
    text = table(line(**said), line(**said | {"outside": "false"}))
    row, _ = source(tmp_path, text).rows()
    assert row.models == {"m-1", "m-2", "m-3"}
    assert row.when == {
        "service_tier": frozenset({"flex", "fast"}),
        "speed": frozenset({""}),
    }
    assert (row.pattern, row.per, row.evidence, row.currency) == (
        "m-[0-9]", 3600, "contract", "USD",
    )  # fmt: skip
    assert row.tier == Tier(6, 10)
    assert row.valid_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert row.valid_until == datetime(2027, 1, 1, 10, tzinfo=UTC)
    assert (row.minimum, row.step) == (Decimal(10), Decimal("0.5"))
    assert row.schedule == Schedule(
        [Window(0, 0, 5400), Window(6, 0, 5400)],
        "Asia/Shanghai",
        frozenset({date(2026, 10, 1), date(2026, 10, 2)}),
        outside=True,
    )


def test_graduated_tiers_and_windows_in_csv(tmp_path):
    rows = source(
        tmp_path,
        table(
            line(graduated="true", up_to="100"),
            line(graduated="true", over="100", unit_price="0.5"),
            line(dimension="output_tokens", windows="mon 00:00-24:00"),
            line(dimension="output_tokens", windows="mon 00:00-24:00", outside="true"),
        ),
    ).rows()
    tiers = [Tier(0, 101, graduated=True), Tier(101, None, graduated=True)]
    assert [row.tier for row in rows][:2] == tiers
    assert [row.schedule.outside for row in rows[2:]] == [False, True]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        # Two rows for one call, and rows that leave some call without one.
        ([line(), line(over="5")], "both price input_tokens of model 'm' of provider 'acme'"),
        (
            [line(up_to="5"), line(over="9")],
            "no price for 6 to 9 units, between rows 'file:acme/m/input_tokens(0..6)' and 'f",
        ),
        (
            [line(graduated="true", over="9")],
            "no price for the first 9 units, before row 'file:acme/m/input_tokens(10..)'",
        ),
        (
            [line(valid_until="2026-01-01"), line(valid_from="2026-02-01")],
            "no price from 2026-01-01T00:00:00+00:00 to 2026-02-01T00:00:00+00:00, between rows 'f",
        ),
        (
            [
                line(days="mon|tue|wed|thu|fri"),
                line(days="sat|sun", hours="00:00-23:00"),
            ],
            "no price on Sat from 23:00 to 24:00, beside row",
        ),
        ([line(holidays="2026-10-01")], "no price on the holidays of row"),
        # Numbers that are none.
        ([line(unit_price="-1")], "unit_price Decimal('-1') must be a Decimal of 0 or more"),
        ([line(unit_price="1e30")], "'1e30' is no number that a price or a count of units has"),
        ([line(unit_price="1e-30")], "'1e-30' is no number that a price or a count of units has"),
        ([line(unit_price="9" * 70)], "does not fit into 60 digits @ x.csv: line 2 model[0]"),
        ([line(unit_price="nan")], "'nan' is no decimal number"),
        ([line(unit_price="1_000")], "'1_000' is no decimal number"),
        ([line(unit_price="٣")], "is no decimal number"),
        ([line(unit_price="")], "'' is no decimal number"),
        ([line(per="1e6")], "'1e6' is no whole number @ x.csv: line 2"),
        ([line(per="9" * 5000)], "is no whole number"),
        ([line(per="999999999999999")], "expected a whole number of units"),
        ([line(per="0")], "per 0 must be 1 or more"),
        ([line(over="-1")], "'-1' is no whole number"),
        ([line(over="999999999999999")], "expected a count of tokens"),
        ([line(over="9", up_to="5")], "tier 10..6 holds no total"),
        ([line(over="9", at_least="9")], "give 'over' or 'at_least', not both"),
        ([line(minimum="-1")], "minimum Decimal('-1') must be a Decimal above 0"),
        ([line(step="0")], "step Decimal('0') must be a Decimal above 0"),
        ([line(graduated="true", minimum="1")], "with a minimum or a step has no one meaning"),
        # Words that nobody knows.
        ([line(dimension="input_tokenz")], "did you mean 'input_tokens'?"),
        ([line(dimension="input_acres")], "unknown meter 'input_acres'"),
        ([line(graduated="yes")], "'yes' is neither true nor false"),
        ([line(evidence="hearsay")], "'hearsay' is none of"),
        ([line(when="flex")], "is not KEY=VALUE|VALUE;KEY=VALUE"),
        ([line(when="a=1;a=2")], "each key once"),
        ([line(when="a=*")], "no wildcards"),
        ([line(pattern="(")], "pattern '('"),
        ([line(provider="a b")], "'a b' is no name of a provider"),
        ([line(provider="")], "missing text 'provider'"),
        ([line(model="")], "missing text 'name'"),
        ([line(source="")], "missing text 'source'"),
        ([line(), line()], "row 'file:acme/m/input_tokens' is there twice @ x.csv: line 3"),
        # Days and hours that are none.
        ([line(valid_from="2026-02-30")], "line 2"),
        ([line(valid_from="0001-01-01T00:00:00+14:00")], "expected a date"),
        ([line(valid_from="2026-01-01T00:00:00")], "expected a date"),
        ([line(valid_from="2026-01-02", valid_until="2026-01-01")], "is not after valid_from"),
        ([line(read_on="")], "line 2"),
        ([line(days="moon")], "expected a list of mon"),
        ([line(hours="25:00-26:00")], "is no stretch of a day"),
        ([line(zone="Mars/Base")], "there is no time zone 'Mars/Base'"),
        ([line(windows="mon 01:00-02:00", days="mon")], "alone"),
        # Tables that are none.
        (["acme,m"], "fewer cells than columns; is the file cut short? @ x.csv: line 2"),
        ([line() + ",more"], "more cells than columns @ x.csv: line 2"),
        ([line(source='"ours')], "unexpected end of data @ x.csv: line 2"),
        ([line(source="x" * 200_000)], "field larger than field limit"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(tmp_path, lines, problem):
    assert problem in refused(tmp_path, table(*lines))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"\xff\xfe", "cannot be read"),
        ("", "missing column 'provider' @ x.csv: line 1"),
        (HEAD + ",source\n", "a column is there twice"),
        (HEAD + ",currency\n" + line() + ",EUR\n", "prices are in USD, got 'EUR'"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, text, problem):
    assert problem in refused(tmp_path, text)


TOML = """
provider = "acme"
source = "ours"
read_on = 2026-11-01
evidence = "operator"
[[model]]
name = "m"
  [[model.price]]
  rates = { input_tokens = "1" }
"""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (TOML[:-20], "is no TOML"),
        ("x = " + "[" * 100_000, "is no TOML"),
        ("x = " + "9" * 5000, "is no TOML"),
        (TOML.replace('"1"', "nan"), "is not finite"),
        (TOML.replace('"1"', "1e999999"), "does not fit"),
        (TOML.replace('"1"', "true"), "money from True (bool) is refused"),
        ("providers = 1", "expected tables, got 1"),
        ("providers = [1]", "a provider is a table, got 1"),
        ("", "no [[model]] in the table"),
        ('currency = "USDT"' + TOML, "prices are in USD, got 'USDT'"),
        (TOML.replace("2026-11-01", "0"), "expected a date like 2026-11-25, got 0"),
    ],
)
def test_toml_that_is_cut_short_or_hostile_is_refused(tmp_path, text, problem):
    assert problem in refused(tmp_path, text, "x.toml")


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("pipe.csv", "", "none.csv"):
        with pytest.raises(PricingError, match="cannot be read: it is no file"):
            UserFile(UserFile.Config(str(tmp_path / name))).rows()


def test_a_file_past_all_measure_is_refused(tmp_path):
    with (tmp_path / "x.csv").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    with pytest.raises(PricingError, match="is past 67108864 bytes"):
        UserFile(UserFile.Config(str(tmp_path / "x.csv"))).rows()


def test_a_mark_of_byte_order_is_none_of_the_first_column(tmp_path):
    assert len(source(tmp_path, "\ufeff" + table(line())).rows()) == 1


@given(
    st.one_of(
        st.binary(max_size=400),
        st.text(max_size=400).map(str.encode),
        st.integers(0, len(TOML)).map(lambda end: TOML[:end].encode()),
        st.lists(st.text(max_size=12), max_size=26).map(
            lambda cells: table(",".join(cells)).encode("utf-8", "surrogatepass")
        ),
    ),
    st.sampled_from(["x.csv", "x.toml"]),
)
def test_whatever_a_file_holds_it_is_rows_or_a_named_error(tmp_path_factory, data, name):
    folder = tmp_path_factory.getbasetemp()
    try:
        layer = source(folder, data, name).layer()
        build([layer])
    except PricingError as exc:
        assert str(exc)  # noqa: PT017  # either is right
