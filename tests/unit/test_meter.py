from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from flo2.canonical import Charge, Usage
from flo2.dialects.base import Observed
from flo2.meter import Meter, is_final, outcome
from flo2.prices import Bounds, Cost, Layer, PriceRow, PricingContext, Tier, build
from flo2.prices.charged import charged

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)


def row(dimension, price, **kw):
    return PriceRow(
        id=kw.pop("id", dimension),
        provider="acme",
        models=frozenset({"m"}),
        dimension=dimension,
        unit_price=Decimal(price),
        per=1_000_000,
        source="test",
        read_on=date(2026, 11, 25),
        evidence="simulated",
        **kw,
    )


BOOK = build(
    [
        Layer(
            "test",
            [
                row("input_tokens", "1", tier=Tier(stop=1001)),
                row("input_tokens", "2", id="in+", tier=Tier(start=1001)),
                row("cache_read_tokens", "0.1"),
                row("output_tokens", "10", tier=Tier(stop=1001)),
                row("output_tokens", "15", id="out+", tier=Tier(start=1001)),
            ],
        )
    ]
)
METER = Meter(lambda: BOOK)
CONTEXT = PricingContext("acme", "chat", "m", "m", AT)


def test_no_usage_is_pending():
    assert METER.cost(None, CONTEXT) == Cost(
        (), "pending", None, "USD", BOOK.version, "the answer told no usage"
    )


def test_usage_is_priced_with_the_book_of_the_moment():
    assert METER.book is BOOK
    assert METER.cost(Usage({"output_tokens": 100}), CONTEXT).total == Decimal("0.001")
    assert METER.bounds(CONTEXT, 0, 100, 10) == Bounds(Decimal(0), Decimal("0.0002"))


def test_a_hold_covers_the_tier_that_only_the_answer_decides():
    fast = row("output_tokens", "90", id="fast", when={"speed": frozenset({"fast"})})
    base = row("output_tokens", "10")
    meter = Meter(lambda: build([Layer("test", [base, fast])]))
    assert meter.bounds(CONTEXT, 0, 0, 100) == Bounds(Decimal(0), Decimal("0.001"))
    assert meter.bounds(CONTEXT, 0, 0, 100, undecided=["speed"]) == Bounds(
        Decimal(0), Decimal("0.009")
    )


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (Observed(), False),
        (Observed(complete=True), True),
        (Observed(usage=Usage({})), False),
        (Observed(finish="stop"), False),
        (Observed(usage=Usage({}), finish="stop"), True),
    ],
)
def test_usage_is_final_at_the_end_or_after_the_finish_reason(observed, expected):
    assert is_final(observed) is expected


SETTLED = BOOK.price(Usage({"input_tokens": 1}), CONTEXT)
UNPRICED = BOOK.price(Usage({"pages": 1}), CONTEXT)
REPORTED = charged(SETTLED, Charge(Decimal(7)))
PENDING = BOOK.price(Usage({}, problem="no"), CONTEXT)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"status": None, "sent": False}, "void"),  # connection refused
        ({"status": None, "sent": True}, "pending"),  # timeout after sending
        ({"status": 400, "sent": True}, "void"),
        ({"status": 401, "sent": True}, "void"),
        ({"status": 429, "sent": True, "error_code": "rate_limited"}, "void"),
        ({"status": 500, "sent": True}, "void"),
        ({"status": 504, "sent": True}, "void"),
        (
            {
                "status": 400,
                "sent": True,
                "error_code": "content_filter",
                "billed_errors": {"content_filter"},
            },
            "pending",
        ),
        (
            {"status": 400, "sent": True, "error_code": "x", "billed_errors": {"content_filter"}},
            "void",
        ),
        ({"status": 200, "sent": True, "final": False, "cost": SETTLED}, "pending"),  # cut short
        ({"status": 200, "sent": True, "final": False, "cost": REPORTED}, "pending"),
        ({"status": 200, "sent": True, "final": True, "cost": None}, "pending"),  # no usage
        ({"status": 200, "sent": True, "final": True, "cost": SETTLED}, "settled"),
        ({"status": 200, "sent": True, "final": True, "cost": UNPRICED}, "unpriced"),
        ({"status": 200, "sent": True, "final": True, "cost": PENDING}, "pending"),
        ({"status": 200, "sent": True, "final": True, "cost": REPORTED}, "reported"),
        ({"status": 500, "sent": True, "final": True, "cost": REPORTED}, "void"),
    ],
)
def test_outcome(facts, expected):
    assert outcome(**facts) == expected


@pytest.mark.parametrize(
    ("meters", "input_high", "output_high", "expected"),
    [
        # Nothing heard: perhaps nothing was billed, at most all of it.
        (None, 1000, 10, ("0", "0.0011")),
        (None, None, 10, ("0", None)),
        # The prompt is counted, the answer had one token so far.
        ({"input_tokens": 400, "output_tokens": 1}, 9999, 10, ("0.00041", "0.0005")),
        ({"input_tokens": 400, "cache_read_tokens": 100}, 9, 10, ("0.00041", "0.00051")),
        # The whole prompt is in the upper tier.
        ({"input_tokens": 2000}, 9999, 10, ("0.004", "0.00415")),
        ({"input_tokens": 400, "output_tokens": 1}, 9999, None, ("0.00041", None)),
    ],
)
def test_pending_bounds(meters, input_high, output_high, expected):
    usage = None if meters is None else Usage(meters)
    low, high = expected
    assert METER.pending_bounds(usage, CONTEXT, input_high, output_high) == Bounds(
        Decimal(low), None if high is None else Decimal(high)
    )


def test_pending_bounds_of_usage_the_book_cannot_price():
    got = METER.pending_bounds(Usage({"input_tokens": 400, "pages": 3}), CONTEXT, 500, 10)
    assert got == Bounds(Decimal("0.00004"), None)
