from __future__ import annotations

from decimal import Decimal, localcontext

import pytest

from flo2 import money


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0.125", Decimal("0.125")),
        ("2.8e-9", Decimal("2.8e-9")),
        (".5", Decimal("0.5")),
        ("-3", Decimal(-3)),
        (7, Decimal(7)),
        (Decimal("1.10"), Decimal("1.10")),
    ],
)
def test_exact_keeps_what_was_written(written, expected):
    assert money.exact(written) == expected


@pytest.mark.parametrize("value", [0.1, 1.0, True, None, b"1"])
def test_exact_refuses_what_has_lost_digits(value):
    with pytest.raises(TypeError, match="is refused; pass text, int or Decimal"):
        money.exact(value)


@pytest.mark.parametrize(
    "value", ["", " 1", "1_000", "NaN", "inf", "1,5", "\u0661", "1.", "0x1", "--1", "1e9999"]
)
def test_exact_refuses_what_is_no_plain_number(value):
    with pytest.raises(ValueError, match="is no decimal number"):
        money.exact(value)


@pytest.mark.parametrize("value", ["1e999", "1" * 61, Decimal("1e-200")])
def test_exact_refuses_what_does_not_fit(value):
    with pytest.raises(ValueError, match="does not fit into 60 digits"):
        money.exact(value)


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")])
def test_exact_refuses_what_is_not_finite(value):
    with pytest.raises(ValueError, match="is not finite"):
        money.exact(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", "0"),
        ("-0.00", "0"),
        ("1e3", "1000"),
        ("1.500", "1.5"),
        ("100", "100"),
        ("2.8e-9", "0.0000000028"),
        ("-0.10", "-0.1"),
    ],
)
def test_text_is_plain_and_one(value, expected):
    assert money.text(Decimal(value)) == expected


def test_divide_says_when_it_rounds():
    assert money.divide(Decimal("0.111"), 3600) == (Decimal("0.000030833333"), True)
    assert money.divide(Decimal("0.36"), 3600) == (Decimal("0.0001"), False)


def test_ambient_context_changes_nothing():
    with localcontext() as ambient:
        ambient.prec = 3
        got = (
            money.multiply(123456789, Decimal("0.15")),
            money.total([Decimal("18.51851895"), Decimal("0.00000001")]),
            money.divide(Decimal("0.111"), 3600)[0],
            money.exact("18.51851895"),
            money.text(Decimal("18.51851895")),
        )
    assert got == (
        Decimal("18518518.35"),
        Decimal("18.51851896"),
        Decimal("0.000030833333"),
        Decimal("18.51851895"),
        "18.51851895",
    )
