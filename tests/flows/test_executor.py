"""One candidate after the other: fallback, retries, and what each failure means for the next."""

from __future__ import annotations

import logging
import math
from decimal import Decimal

import anyio
import pytest

from flo2.dialects.base import Chunk
from flo2.errors import (
    AllAttemptsFailed,
    ConnectFailed,
    DestinationRefused,
    InvalidHeader,
    InvalidRequest,
    ProviderError,
    ReadFailed,
    ResponseTooLarge,
    SecretError,
    SendFailed,
    StoreError,
    WireTimeout,
)
from flo2.plan import Plan, Stage
from flo2.records import Pend, Settle, Void
from flo2.testing.scripted import (
    Begin,
    End,
    Fail,
    Raise,
    Say,
    Script,
    ScriptedReply,
    Tell,
    Wait,
    stage,
)
from flo2.testing.virtual_time import VirtualTimeLoop

GOOD = Script()


@pytest.fixture
def anyio_backend():
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def no(status, kind, **more):
    return ProviderError("no", status=status, kind=kind, **more)


def refusing(error):
    return Script(opening=[Raise(error)])


async def test_an_answer_is_settled_exactly():
    async with stage(a=GOOD) as t:
        chunks = await t.serve(Plan.fallback(t.candidates()))

    assert len(chunks) == 3
    assert t.notes.told() == {"a1": ("primary", "settled", "answered")}
    assert t.notes.ends["a1"].total == Decimal("0.00006")
    assert t.open == []


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("error", "status", "outcome"),
    [
        (no(401, "authentication"), "void", "refused"),
        (no(402, "budget"), "void", "refused"),
        (no(403, "permission"), "void", "refused"),
        (no(404, "not_found"), "void", "refused"),
        (no(408, "timeout", retryable=True), "void", "refused"),
        (no(429, "rate_limit", retryable=True, retry_after_s=3), "void", "refused"),
        (no(500, "upstream", retryable=True), "void", "refused"),
        (no(503, "overloaded", retryable=True), "void", "refused"),
        (ConnectFailed("no route"), "void", "unreachable"),
        (DestinationRefused("private"), "void", "unreachable"),
        (InvalidHeader("control character"), "void", "unreachable"),
        (WireTimeout("slow", phase="connect"), "void", "unreachable"),
        (WireTimeout("slow", phase="first_byte"), "pend", "broken"),
        (SendFailed("reset"), "pend", "broken"),
        (ReadFailed("reset"), "pend", "broken"),
        (ResponseTooLarge("too much"), "pend", "broken"),
        (RuntimeError("a bug, sk-canary"), "pend", "broken"),
    ],
    ids=repr,
)
async def test_a_failure_goes_on_to_the_next_candidate(error, status, outcome, stream, caplog):
    caplog.set_level(logging.CRITICAL)
    async with stage(stream=stream, a=refusing(error), b=GOOD) as t:
        await t.serve(Plan.fallback(t.candidates()))

    assert t.notes.told() == {
        "a1": ("primary", status, outcome),
        "b2": ("fallback", "settled", "answered"),
    }
    assert "canary" not in repr(t.notes.ends)
    assert t.open == []


@pytest.mark.parametrize(
    "error", [no(400, "invalid_request"), no(413, "too_large"), no(422, "invalid_request")]
)
async def test_a_request_that_is_at_fault_itself_is_sent_to_nobody_else(error):
    async with stage(a=refusing(error), b=GOOD) as t:
        with pytest.raises(AllAttemptsFailed) as caught:
            await t.run(Plan.fallback(t.candidates(), retries=3))

    assert (caught.value.failures, caught.value.last) == ((error,), error)
    assert t.notes.told() == {"a1": ("primary", "void", "refused")}
    assert t.opened == ["a"]


async def test_a_refusal_before_sending_is_void_and_told_as_it_is():
    refusal = InvalidRequest("messages[0]: no role")
    async with stage(a=refusing(refusal), b=GOOD) as t:
        with pytest.raises(InvalidRequest) as caught:
            await t.run(Plan.fallback(t.candidates()))

    assert caught.value is refusal
    assert t.notes.ends == {
        "a1": Void("x.1", 0, "refused", "messages[0]: no role", "nothing was sent")
    }
    assert t.opened == ["a"]


async def test_a_refusal_inside_an_answer_is_a_bug_of_the_provider(caplog):
    caplog.set_level(logging.CRITICAL)
    async with stage(a=Script([Begin(), Raise(InvalidRequest("late"))]), b=GOOD) as t:
        await t.serve(Plan.fallback(t.candidates()))

    assert t.notes.told() == {
        "a1": ("primary", "pend", "broken"),
        "b2": ("fallback", "settled", "answered"),
    }


async def test_an_error_that_the_provider_bills_is_pending():
    error = no(400, "permission", code="content_filter")
    async with stage(a=refusing(error)) as t:
        made = t(t.candidates("a")[0], role="primary")
        made.facts = type(made.facts)(billed_errors=frozenset({"content_filter"}))
        with pytest.raises(ProviderError):
            await made.open()

    assert t.notes.told() == {"a1": ("primary", "pend", "refused")}


async def test_when_all_fail_each_cause_is_kept_in_order():
    first, second = no(503, "overloaded", retryable=True), no(401, "authentication")
    async with stage(a=refusing(first), b=refusing(second)) as t:
        with pytest.raises(AllAttemptsFailed) as caught:
            await t.run(Plan.fallback(t.candidates()))

    assert (caught.value.failures, caught.value.last) == ((first, second), second)


@pytest.mark.parametrize(
    ("error", "waits", "tries"),
    [
        (no(503, "overloaded", retryable=True), 0.5 + 1 + 2, 4),
        (no(429, "rate_limit", retryable=True, retry_after_s=4), 12, 4),
        (no(429, "rate_limit", retryable=True, retry_after_s=0), 0, 4),
        (no(429, "rate_limit", retryable=True, retry_after_s=-1), 0, 4),
        (no(429, "rate_limit", retryable=True, retry_after_s=60), 0, 1),
        (no(401, "authentication"), 0, 1),
        (ConnectFailed("refused"), 0.5 + 1 + 2, 4),
    ],
    ids=repr,
)
@pytest.mark.parametrize("semantics", ["stops", "runs_to_end"])
async def test_retries_wait_as_asked_and_give_up_where_that_is_too_long(
    error, waits, tries, semantics
):
    script = Script(opening=[Raise(error)], semantics=semantics)
    async with stage(a=script, b=GOOD) as t:
        begun = anyio.current_time()
        plan = Plan((Stage(tuple(t.candidates("a")), retries=3), Stage(tuple(t.candidates("b")))))
        await t.serve(plan)
        took = anyio.current_time() - begun

    assert took == pytest.approx(waits)
    roles = [intent.role for intent in t.notes.intents]
    assert roles == ["primary", *["retry"] * (tries - 1), "fallback"]
    assert len(t.notes.ends) == tries + 1


async def test_many_retries_do_not_overflow_the_pause():
    script = refusing(ConnectFailed("refused"))
    async with stage(a=script) as t:
        with pytest.raises(AllAttemptsFailed):
            await t.run(Plan.fallback(t.candidates(), retries=1100))

    assert len(t.notes.ends) == 1101


async def test_an_error_inside_a_200_before_content_goes_on_and_is_pending():
    error = no(200, "overloaded", retryable=True)
    async with stage(a=Script([Begin(), Fail(error)]), b=GOOD) as t:
        await t.serve(Plan.fallback(t.candidates()))

    assert t.notes.told() == {
        "a1": ("primary", "pend", "broken"),
        "b2": ("fallback", "settled", "answered"),
    }


@pytest.mark.parametrize("semantics", ["stops", "runs_to_end"])
@pytest.mark.parametrize(
    "last",
    [
        Fail(no(200, "overloaded")),
        Raise(ReadFailed("reset")),
        Raise(KeyError("bug")),
        Raise(no(200, "upstream")),
    ],
    ids=repr,
)
async def test_after_content_there_is_no_fallback_the_answer_ends_in_a_failure(
    last, semantics, caplog
):
    caplog.set_level(logging.CRITICAL)
    script = Script([Begin(), Say(), Tell(), last], semantics=semantics)
    async with stage(a=script, b=GOOD) as t:
        chunks = await t.serve(Plan.fallback(t.candidates()))

    assert type(chunks[-1].events[0]).__name__ == "Failed"
    assert t.notes.told() == {"a1": ("primary", "pend", "broken")}
    end = t.notes.ends["a1"]
    assert isinstance(end, Pend)
    # At least what the usage so far costs; at most the longest answer that was asked for.
    assert (end.low, end.high) == (Decimal("0.00006"), Decimal("0.00101"))
    assert t.opened == ["a"]
    assert t.open == []


@pytest.mark.parametrize("stream", [True, False])
async def test_an_empty_but_complete_answer_is_an_answer(stream):
    async with stage(stream=stream, a=Script([Begin(), End(Tell(10, 0))]), b=GOOD) as t:
        await t.serve(Plan.fallback(t.candidates()))

    assert t.notes.told() == {"a1": ("primary", "settled", "answered")}
    assert t.notes.ends["a1"].total == Decimal("0.00001")


@pytest.mark.parametrize(("others", "seconds"), [({}, 0), ({"b": GOOD}, 2)])
async def test_a_stream_is_held_until_its_first_content_while_there_is_another_to_try(
    others, seconds
):
    script = Script([Begin(), Wait(2), Say(), Wait(100), End()])
    async with stage(a=script, **others) as t:
        attempt = await t.run(Plan.fallback(t.candidates()))
        handed_over = anyio.current_time()
        assert [len(c.events) async for c in attempt.chunks()] == [1, 1, 0]
        attempt.finish("answered")
        await attempt.close()

    assert handed_over == pytest.approx(seconds)
    assert t.tools.health.latency("a").time_to_first_token_s == pytest.approx(2)
    assert t.tools.health.latency("a").total_s == pytest.approx(102)


async def test_a_complete_answer_without_usage_is_pending():
    async with stage(a=Script([Say(), End(None)])) as t:
        await t.serve(Plan.fallback(t.candidates()))

    assert t.notes.told() == {"a1": ("primary", "pend", "answered")}


async def test_a_ledger_that_refuses_means_that_nothing_is_sent():
    async with stage(refuse=0, a=GOOD, b=GOOD) as t:
        with pytest.raises(StoreError):
            await t.run(Plan.fallback(t.candidates()))

    assert (t.opened, t.notes.records) == ([], [])


async def test_a_ledger_that_refuses_in_the_middle_stops_the_plan():
    async with stage(refuse=1, a=refusing(ConnectFailed("no")), b=GOOD) as t:
        with pytest.raises(StoreError):
            await t.run(Plan.fallback(t.candidates()))

    assert t.opened == ["a"]
    assert t.notes.told() == {"a1": ("primary", "void", "unreachable")}


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("together", [True, False])
async def test_a_credential_that_does_not_open_is_passed_over(names, together):
    async with stage(a=GOOD, b=GOOD) as t:
        make = t.__call__

        class Make:
            outlives = t.outlives

            def __call__(self, candidate, *, role):
                if candidate.provider == "a":
                    raise SecretError("credential 'cred_1' does not open")
                return make(candidate, role=role)

        plan = (Plan.race if together else Plan.fallback)(t.candidates(*names))
        attempt = await t.executor.run(plan, Make())
        attempt.finish("answered")
        await attempt.close()

    assert [(i.provider, t.notes.ends["b1"].outcome) for i in t.notes.intents] == [
        ("b", "answered")
    ]


async def test_without_any_credential_that_opens_the_reason_is_told():
    async with stage(a=GOOD) as t:

        class Make:
            outlives = t.outlives

            def __call__(self, candidate, *, role):
                raise SecretError("credential 'cred_1' does not open")

        with pytest.raises(AllAttemptsFailed, match="credential 'cred_1' does not open"):
            await t.executor.run(Plan.fallback(t.candidates()), Make())

    assert t.notes.records == []


@pytest.mark.parametrize("closing", [Raise(RuntimeError("close")), Raise(ReadFailed("close"))])
async def test_what_closing_raises_stays_in_the_log(closing, caplog):
    async with stage(a=Script(closing=[closing])) as t:
        await t.serve(Plan.fallback(t.candidates()))

    assert t.notes.told() == {"a1": ("primary", "settled", "answered")}
    assert [record.getMessage() for record in caplog.records] == [
        f"provider 'a' raised {type(closing.error).__name__}"
    ]


async def test_closing_an_unread_answer_takes_five_seconds_at_most():
    script = Script([Begin(), Say(), Wait(math.inf)], closing=[Wait(math.inf)])
    async with stage(a=script) as t:
        attempt = await t.run(Plan.fallback(t.candidates()))
        begun = anyio.current_time()
        await t.drains.take(attempt, "disconnected")
        took = anyio.current_time() - begun

    assert took == pytest.approx(5)
    assert t.open == []
    assert t.notes.told() == {"a1": ("primary", "pend", "disconnected")}


async def test_usage_that_is_no_usage_ends_the_attempt_all_the_same():
    async with stage(a=Script([Say(), End(Tell("many", "few"))])) as t:
        await t.serve(Plan.fallback(t.candidates()))

    assert t.notes.ends == {
        "a1": Pend(
            "x.1",
            0,
            "answered",
            "what the answer told cannot be booked: TypeError",
            low=Decimal(0),
            first_byte_us=0,
            http_status=200,
        )
    }


async def test_finish_and_close_may_be_called_again():
    async with stage(a=GOOD) as t:
        attempt = await t.run(Plan.fallback(t.candidates()))
        async for _ in attempt.chunks():
            pass
        for outcome in ("answered", "lost"):
            attempt.finish(outcome)
            await attempt.close()
        await t.drains.take(attempt, "disconnected")

    assert t.notes.told() == {"a1": ("primary", "settled", "answered")}
    assert isinstance(attempt.end, Settle)


@pytest.mark.parametrize("fails", [None, no(200, "overloaded", retryable=True)])
async def test_a_plain_answer_is_taken_whole_where_the_provider_can(fails, monkeypatch):
    asked = []

    async def whole(reply):
        chunks = [chunk async for chunk in reply.chunks()]
        asked.append(reply)
        return Chunk(b"", tuple(event for chunk in chunks for event in chunk.events))

    monkeypatch.setattr(ScriptedReply, "whole", whole, raising=False)
    steps = [Begin(), Fail(fails)] if fails else [Begin(), Say(), End()]
    async with stage(stream=False, a=Script(steps), b=GOOD) as t:
        (chunk,) = await t.serve(Plan.fallback(t.candidates()))

    assert asked == t.replies
    assert len(chunk.events) == 2
    outcomes = ["broken", "answered"] if fails else ["answered"]
    assert [end.outcome for end in t.notes.ends.values()] == outcomes
