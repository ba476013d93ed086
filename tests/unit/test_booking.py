from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from flo2.canonical import Usage
from flo2.dialects.base import Observed, Peek
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.errors import (
    ConnectFailed,
    InvalidRequest,
    ProviderError,
    ReadFailed,
    WireTimeout,
)
from flo2.executor import Booking, Tools
from flo2.executor.bounding import input_bound, output_bound
from flo2.ledger import Journal, Ledger
from flo2.memory_store import MemoryStore
from flo2.meter import Meter
from flo2.prices import Bounds, CostLine, Layer, PriceRow, build
from flo2.protocols import Facts, Inbound
from flo2.records import Pend, Settle, Void
from flo2.testing.records import an_intent


def row(dimension, price):
    return PriceRow(
        id=dimension,
        provider="sandbox",
        models=frozenset({"acme-small-1"}),
        dimension=dimension,
        unit_price=Decimal(price),
        per=1_000_000,
        source="test",
        read_on=date(2026, 11, 25),
        evidence="simulated",
    )


BOOK = build([Layer("test", [row("input_tokens", 1), row("output_tokens", 10)])])
BOOKING = Booking(Meter(lambda: BOOK))
INTENT = an_intent()
FACTS = Facts(error_rule="errors are free (docs, read 2026-11-25)", billed_errors={"billed"})
USAGE = Usage({"input_tokens": 10, "output_tokens": 5}, raw={"prompt_tokens": 10})
WHOLE = Observed(USAGE, "r1", "acme-small-1", "stop", complete=True, has_content=True)


def inbound(body=b'{"model":"m"}', *, bound=100, n=1):
    return Inbound(OpenAIChat(), body, Peek("m", max_output_tokens=bound, n=n))


def end(**changes: Any):
    given = {
        "intent": INTENT,
        "facts": FACTS,
        "outcome": "answered",
        "observed": WHOLE,
        "failure": None,
        "http_status": 200,
        "ended_us": 7,
        "first_byte_us": 5,
        "inbound": inbound(),
    }
    return BOOKING.end(**given | changes)


def line(dimension, quantity, price, amount):
    each = Decimal(amount)
    return CostLine(
        dimension, quantity, Decimal(price), 1_000_000, each, each, "USD", dimension, BOOK.version
    )


def test_a_whole_answer_is_settled_with_all_its_evidence():
    assert end() == Settle(
        entry_id="x1.1",
        ended_us=7,
        status="settled",
        outcome="answered",
        meters={"input_tokens": 10, "output_tokens": 5},
        lines=(
            line("input_tokens", 10, 1, "0.00001"),
            line("output_tokens", 5, 10, "0.00005"),
        ),
        total=Decimal("0.00006"),
        list_total=Decimal("0.00006"),
        currency="USD",
        book=BOOK.version,
        model_billed="acme-small-1",
        provider_request_id="r1",
        raw_usage={"prompt_tokens": 10},
        first_byte_us=5,
        finish="stop",
        http_status=200,
    )


def test_usage_of_a_model_without_a_row_is_unpriced_and_never_zero():
    got = end(observed=evolve_observed(model="acme-new"))
    assert (got.status, got.total, got.list_total, got.lines) == ("unpriced", None, None, ())
    assert "acme-new" in got.reason


def evolve_observed(**changes):
    fields = {name: getattr(WHOLE, name) for name in Observed.__annotations__}
    return Observed(**fields | changes)


@pytest.mark.parametrize("outcome", ["lost", "disconnected", "broken"])
def test_a_final_usage_settles_whatever_became_of_the_attempt(outcome):
    got = end(outcome=outcome, failure=ReadFailed("reset after the last frame"))
    assert (type(got), got.outcome, got.total) == (Settle, outcome, Decimal("0.00006"))


NO = ProviderError("slow down", status=429, kind="rate_limit", retryable=True)


@pytest.mark.parametrize(
    ("failure", "status", "outcome", "source"),
    [
        (NO, 429, "refused", FACTS.error_rule),
        (ProviderError("oops", status=500), 500, "refused", FACTS.error_rule),
        (ConnectFailed("no route"), None, "unreachable", "nothing was sent"),
        (WireTimeout("slow", phase="connect"), None, "unreachable", "nothing was sent"),
        (InvalidRequest("no role"), None, "refused", "nothing was sent"),
    ],
    ids=repr,
)
def test_what_is_not_billed_is_void_and_says_by_which_rule(failure, status, outcome, source):
    got = end(
        observed=None, failure=failure, http_status=status, outcome=outcome, first_byte_us=None
    )
    assert got == Void("x1.1", 7, outcome, str(failure), source, status)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"failure": ReadFailed("reset"), "http_status": None, "outcome": "broken"}, "reset"),
        ({"failure": WireTimeout("late", phase="first_byte"), "http_status": None}, "late"),
        (
            {"failure": ProviderError("no status", kind="internal"), "http_status": None},
            "no status",
        ),
        (
            {"failure": ProviderError("filtered", status=400, code="billed"), "http_status": 400},
            "filtered",
        ),
        ({"outcome": "lost"}, "it lost a race and was stopped before it told its usage"),
        ({"outcome": "disconnected"}, "the client left before the provider told the usage"),
        ({}, "the answer told no usage"),
    ],
)
def test_what_is_perhaps_billed_is_pending_with_bounds(changes, reason):
    given = {"observed": None, "first_byte_us": None, **changes}
    got = end(**given)
    assert got == Pend(
        entry_id="x1.1",
        ended_us=7,
        outcome=given.get("outcome", "answered"),
        reason=reason,
        low=Decimal(0),
        high=Decimal("0.005109"),  # 4096 tokens and one a byte at 1 USD/M; 100 at 10 USD/M
        http_status=given.get("http_status", 200),
    )


def test_an_answer_that_broke_off_is_pending_from_what_it_told():
    error = ProviderError("overloaded", status=200)
    seen = evolve_observed(complete=False, finish=None, error=error)
    assert end(observed=seen, outcome="broken") == Pend(
        entry_id="x1.1",
        ended_us=7,
        outcome="broken",
        reason="overloaded",
        low=Decimal("0.00006"),
        high=Decimal("0.00101"),
        model_billed="acme-small-1",
        provider_request_id="r1",
        raw_usage={"prompt_tokens": 10},
        first_byte_us=5,
        http_status=200,
    )


def test_usage_that_cannot_be_trusted_is_pending():
    seen = evolve_observed(usage=evolve(USAGE, problem="the meters do not add up"))
    got = end(observed=seen)
    assert (type(got), got.reason) == (Pend, "the meters do not add up")


def test_without_a_bound_on_the_answer_there_is_no_upper_bound():
    got = end(observed=None, inbound=inbound(bound=None))
    assert (got.low, got.high) == (Decimal(0), None)
    assert end(observed=None, inbound=None).high is None


@pytest.mark.parametrize(
    "quantities", [{"input_tokens": "10"}, {"input_tokens": None}, {"input_tokens": 10**70}, None]
)
@pytest.mark.parametrize("complete", [True, False])
def test_garbage_for_usage_is_pending_and_never_raises(quantities, complete):
    seen = evolve_observed(
        usage=Usage(quantities), complete=complete, finish="stop" if complete else None
    )
    got = end(observed=seen)
    assert (type(got), got.entry_id, got.outcome) == (Pend, "x1.1", "answered")


@pytest.mark.parametrize(
    ("body", "bound"),
    [
        (b"", None),
        (b'{"model":"m"}', 4096 + 13),
        (b'{"type":"image_url"}', None),
        (b'{"type":"input_audio"}', None),
        (b'{"previous_response_id":"r"}', None),
        (b'{"vector_store_ids":["v"]}', None),
        (b'{"tools":[{"container":"auto"}]}', None),
        (b'{"type":"own_container"}', None),
        (b'{"type":"file"}', None),
        (b'{"type":"document"}', None),
        (b'{"url":"u"}', None),
        (b'{"content":"a container for an image, a file, an idea, a url_"}', 4096 + 63),
    ],
)
def test_the_prompts_bound_is_its_bytes_where_bytes_bound_it(body, bound):
    assert input_bound(inbound(body)) == bound


@pytest.mark.parametrize(
    ("given", "n", "bound"), [(None, 1, None), (100, 1, 100), (100, 3, 300), (100, 0, 100)]
)
def test_the_answers_bound_is_over_all_choices(given, n, bound):
    assert output_bound(inbound(bound=given, n=n)) == bound


def test_a_call_is_bounded_before_it_runs():
    got = BOOKING.bounds("sandbox", "acme-small-1", 0, inbound())
    assert got == Bounds(Decimal(0), Decimal("0.005109"))


@pytest.mark.parametrize(
    ("dialect", "call", "expected"),
    [
        (OpenAIChat(), inbound(b"x" * 4000, bound=None), "0.006"),
        (OpenAIChat(), inbound(b"x" * 4000, bound=100), "0.002"),
        (OpenAIChat(), inbound(b"", bound=None), "0.006"),
        (OpenAIEmbeddings(), inbound(b"x" * 4000, bound=None), "0.001"),
    ],
)
def test_targets_are_compared_by_a_usual_call(dialect, call, expected):
    got = BOOKING.expected("sandbox", dialect, "acme-small-1", 0, call)
    assert got == Decimal(expected)


@pytest.mark.parametrize(
    ("model", "call"),
    [
        ("unknown", inbound()),
        ("acme-small-1", inbound(bound=None)),
        ("acme-small-1", inbound(b'{"type":"image_url"}')),
    ],
)
def test_what_nothing_bounds_has_no_bound(model, call):
    assert BOOKING.bounds("sandbox", model, 0, call) == Bounds(Decimal(0), None)


def test_an_unpriced_target_has_no_expected_cost():
    assert BOOKING.expected("sandbox", OpenAIChat(), "other", 0, inbound()) is None


def test_evidence_that_has_no_json_form_costs_the_evidence_and_not_the_end(tmp_path, caplog):
    journal = Journal(tmp_path, "w1")
    ledger = Ledger(journal, MemoryStore(), lambda: 0)
    tools = Tools(ledger, BOOKING, None, lambda: 0.0, lambda: 0)
    ledger.intent(INTENT)

    tools.write_end(end(observed=evolve_observed(usage=evolve(USAGE, raw={"x": object()}))))

    assert ledger.open_entries == 0
    assert [record for _, record in journal.read(0, 10)] == [
        INTENT,
        Pend("x1.1", 7, "answered", "what the answer told cannot be written down: TypeError"),
    ]
    assert "entry x1.1 cannot be written as it is" in caplog.text
    journal.close(remove=True)
