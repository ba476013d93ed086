"""Several candidates at once or staggered: who wins, and what becomes of the others."""

from __future__ import annotations

import logging
from decimal import Decimal

import anyio
import anyio.lowlevel
import pytest

from flo2.errors import AllAttemptsFailed, ConnectFailed, ProviderError, ReadFailed, StoreError
from flo2.executor import DrainLimits
from flo2.plan import Plan, Stage
from flo2.records import Pend
from flo2.testing.scripted import Begin, End, Fail, Raise, Say, Script, Tell, Wait, stage
from flo2.testing.virtual_time import VirtualTimeLoop

BAD_REQUEST = ProviderError("no", status=400, kind="invalid_request")
OVERLOADED = ProviderError("no", status=503, kind="overloaded", retryable=True)


@pytest.fixture
def anyio_backend():
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def content_at(seconds, semantics="stops", *, ends_after=1.0):
    """Begin at once, give content after some seconds, and end a while later."""
    return Script([Begin(), Wait(seconds), Say(), Wait(ends_after), End()], semantics=semantics)


@pytest.mark.parametrize("winner", ["stops", "runs_to_end", "unknown"])
@pytest.mark.parametrize("stream", [True, False])
async def test_the_first_content_wins_not_the_first_byte(winner, stream):
    early_byte = content_at(9)
    early_content = Script([Begin(), Say(), Wait(1), End()], opening=[Wait(2)], semantics=winner)
    async with stage(stream=stream, a=early_byte, b=early_content) as t:
        await t.serve(Plan.race(t.candidates()))

    assert t.notes.told() == {
        "a1": ("primary", "pend", "lost"),
        "b2": ("race", "settled", "answered"),
    }
    assert t.open == []


async def test_a_loser_that_stops_when_closed_is_stopped_at_once_with_bounds():
    async with stage(a=content_at(1), b=content_at(5)) as t:
        await t.run(Plan.race(t.candidates()))
        await anyio.lowlevel.checkpoint()
        assert t.open == ["a"]
        loser = t.attempts[1]
        assert loser.lost
        t.attempts[0].finish("answered")
        await t.attempts[0].close()

    assert t.notes.ends["b2"] == Pend(
        "x.2",
        1_000_000,
        "lost",
        "it lost a race and was stopped before it told its usage",
        low=Decimal(0),
        high=Decimal("0.005109"),  # 4096 tokens and one for each byte; the longest answer
        model_billed="m",
        provider_request_id="r1",
        first_byte_us=0,
        http_status=200,
    )


@pytest.mark.parametrize("semantics", ["runs_to_end", "unknown"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_loser_that_bills_to_the_end_is_read_to_the_end_and_settled(semantics, stream):
    slow = content_at(50, semantics, ends_after=100)
    async with stage(stream=stream, a=content_at(1), b=slow) as t:
        await t.serve(Plan.race(t.candidates()))
        assert t.open == ["b"]
        assert t.drains.running == 1

    assert t.notes.told() == {
        "a1": ("primary", "settled", "answered"),
        "b2": ("race", "settled", "lost"),
    }
    assert t.notes.ends["b2"].ended_us == 150_000_000
    assert t.notes.ends["b2"].total == Decimal("0.00006")
    assert t.open == []
    assert t.drains.running == 0


@pytest.mark.parametrize("semantics", ["stops", "runs_to_end"])
@pytest.mark.parametrize("stream", [True, False])
async def test_two_answers_in_the_same_tick_make_one_winner(semantics, stream):
    script = content_at(1, semantics)
    async with stage(stream=stream, a=script, b=script, c=script) as t:
        await t.serve(Plan.race(t.candidates()))

    outcomes = [end.outcome for end in t.notes.ends.values()]
    assert sorted(outcomes) == ["answered", "lost", "lost"]
    if semantics == "runs_to_end" or not stream:
        assert {status for _, status, _ in t.notes.told().values()} == {"settled"}
    assert t.open == []


@pytest.mark.parametrize("plan", [Plan.race, Plan.fallback])
async def test_for_a_client_that_is_gone_already_nothing_is_begun(plan):
    async with stage(a=Script(), b=Script()) as t:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await t.run(plan(t.candidates()))

    assert (t.opened, t.notes.records, t.attempts) == ([], [], [])


async def test_a_hedge_starts_only_after_its_delay():
    async with stage(a=content_at(5), b=content_at(1), c=content_at(1)) as t:
        await t.serve(Plan.race(t.candidates(), delay_s=3))

    assert [(i.provider, i.role, i.started_us) for i in t.notes.intents] == [
        ("a", "primary", 0),
        ("b", "hedge", 3_000_000),
    ]
    assert t.notes.told()["a1"] == ("primary", "pend", "lost")
    assert t.notes.told()["b2"] == ("hedge", "settled", "answered")


async def test_a_hedge_that_is_not_needed_is_never_sent():
    async with stage(a=content_at(1), b=Script()) as t:
        await t.serve(Plan.race(t.candidates(), delay_s=3))

    assert t.notes.told() == {"a1": ("primary", "settled", "answered")}


async def test_a_hedge_starts_at_once_when_the_first_one_fails():
    failing = Script(opening=[Wait(1), Raise(OVERLOADED)])
    async with stage(a=failing, b=content_at(9), c=content_at(1)) as t:
        await t.serve(Plan.race(t.candidates(), delay_s=3))

    assert [(i.provider, i.started_us) for i in t.notes.intents] == [
        ("a", 0),
        ("b", 1_000_000),
        ("c", 4_000_000),
    ]
    assert {n: o for n, (_, _, o) in t.notes.told().items()} == {
        "a1": "refused",
        "b2": "lost",
        "c3": "answered",
    }


async def test_a_request_at_fault_starts_no_further_hedge_and_no_further_stage():
    late = Script(opening=[Wait(3), Raise(OVERLOADED)])
    bad = Script(opening=[Wait(1), Raise(BAD_REQUEST)])
    async with stage(a=late, b=bad, c=Script(), d=Script()) as t:
        together = Stage(tuple(t.candidates("a", "b", "c")), delay_s=1.5)
        with pytest.raises(AllAttemptsFailed) as caught:
            await t.run(Plan((together, Stage(tuple(t.candidates("d"))))))

    # b says at 2.5 what c would say at 3; a, which was running, fails at 3.
    assert t.opened == ["a", "b"]
    # What the client hears is its own mistake, though another one failed later.
    assert caught.value.last is BAD_REQUEST
    assert caught.value.failures == (OVERLOADED, BAD_REQUEST)


async def test_a_request_at_fault_lets_finish_who_is_running():
    async with stage(a=Script(opening=[Raise(BAD_REQUEST)]), b=content_at(2)) as t:
        await t.serve(Plan.race(t.candidates()))

    assert {n: o for n, (_, _, o) in t.notes.told().items()} == {"a1": "refused", "b2": "answered"}


async def test_a_race_is_retried_as_its_stage_says():
    async with stage(a=Script(opening=[Raise(OVERLOADED)]), b=content_at(2)) as t:
        plan = Plan((Stage(tuple(t.candidates()), retries=1),))
        await t.serve(plan)

    assert {n: (r, o) for n, (r, _, o) in t.notes.told().items()} == {
        "a1": ("primary", "refused"),
        "b2": ("race", "answered"),
        "a3": ("retry", "refused"),
    }


@pytest.mark.parametrize("semantics", ["stops", "runs_to_end"])
async def test_a_loser_that_waits_to_try_again_does_not(semantics):
    slow_down = ProviderError("no", status=429, kind="rate_limit", retryable=True, retry_after_s=9)
    loser = Script(opening=[Raise(slow_down)], semantics=semantics)
    async with stage(a=loser, b=content_at(2)) as t:
        await t.serve(Plan((Stage(tuple(t.candidates()), retries=5),)))
        assert t.drains.running == 0
        await anyio.sleep(100)

    assert len(t.notes.intents) == 2


async def test_a_loser_that_fails_after_it_lost_is_void():
    loser = Script(opening=[Wait(5), Raise(OVERLOADED)], semantics="runs_to_end")
    async with stage(a=content_at(1), b=loser) as t:
        await t.serve(Plan.race(t.candidates()))

    assert t.notes.told()["b2"] == ("race", "void", "refused")


async def test_when_all_contenders_fail_the_next_stage_begins():
    failing = Script(opening=[Raise(OVERLOADED)])
    unreachable = Script(opening=[Raise(ConnectFailed("no"))])
    async with stage(a=failing, b=unreachable, c=Script()) as t:
        plan = Plan((Stage(tuple(t.candidates("a", "b"))), Stage((t.candidates("c")[0],))))
        await t.serve(plan)

    assert t.notes.told() == {
        "a1": ("primary", "void", "refused"),
        "b2": ("race", "void", "unreachable"),
        "c3": ("fallback", "settled", "answered"),
    }


async def test_a_ledger_that_refuses_a_contender_ends_the_call_and_not_the_gateway():
    async with stage(refuse=1, a=content_at(5, "runs_to_end"), b=content_at(1)) as t:
        with pytest.raises(StoreError):
            await t.run(Plan.race(t.candidates()))
        assert t.opened == ["a"]
        t.notes.refuse = None
        await t.serve(Plan.fallback(t.candidates("b")))  # the group lives

    assert t.notes.told() == {
        "a1": ("primary", "settled", "lost"),
        "b3": ("primary", "settled", "answered"),
    }


@pytest.mark.parametrize(
    "bug", [RuntimeError("bug"), KeyError("x"), ExceptionGroup("g", [OSError()])]
)
@pytest.mark.parametrize("where", ["opening", "steps", "closing"])
@pytest.mark.parametrize("semantics", ["stops", "runs_to_end"])
async def test_a_bug_in_a_contender_ends_neither_the_call_nor_the_gateway(
    bug, where, semantics, caplog
):
    caplog.set_level(logging.CRITICAL)
    broken = Script(**{"steps": [Begin(), Say(), End()], where: [Raise(bug)]}, semantics=semantics)
    async with stage(a=broken, b=content_at(1)) as t:
        await t.serve(Plan.race(t.candidates()))
        await t.serve(Plan.fallback(t.candidates("b")))

    assert len(t.notes.ends) == 3
    assert t.open == []


async def test_a_contender_whose_maker_raises_ends_the_call_and_stops_the_others():
    async with stage(a=content_at(5)) as t:
        plan = Plan.race([*t.candidates("a"), *t.candidates("unknown")])
        with pytest.raises(KeyError, match="unknown"):
            await t.run(plan)

    assert t.notes.told() == {"a1": ("primary", "pend", "lost")}
    assert t.open == []


@pytest.mark.parametrize("semantics", ["stops", "runs_to_end"])
@pytest.mark.parametrize("moment", [0.5, 1.5, 2.5])
async def test_a_client_that_leaves_during_a_race_loses_no_settlement(semantics, moment):
    a, b = content_at(2, semantics), content_at(4, semantics)
    async with stage(a=a, b=b) as t:
        with anyio.move_on_after(moment):
            await t.serve(Plan.race(t.candidates()))
    told = t.notes.told()
    status = "pend" if semantics == "stops" else "settled"
    assert told["a1"] == ("primary", status, "disconnected")
    assert told["b2"] == ("race", status, "lost" if moment > 2 else "disconnected")
    assert t.open == []


async def test_losing_says_nothing_about_the_health_of_the_loser():
    async with stage(a=content_at(1), b=content_at(5)) as t:
        for _ in range(6):
            await t.serve(Plan.race(t.candidates()))

        assert t.tools.health.health("b").available
        assert t.tools.health.health("b").failures == 0
        assert t.tools.health.latency("b").samples == 0


async def test_a_loser_that_breaks_while_it_is_drained_counts_as_broken():
    loser = Script([Begin(), Wait(2), Say(), Raise(ReadFailed("reset"))], semantics="runs_to_end")
    async with stage(a=content_at(1), b=loser) as t:
        await t.serve(Plan.race(t.candidates()))

    assert t.notes.told()["b2"] == ("race", "pend", "lost")
    assert t.tools.health.health("b").failures == 1


async def test_a_loser_that_fails_inside_its_answer_while_drained_is_pending():
    error = ProviderError("no", status=200, kind="overloaded", retryable=True)
    loser = Script([Begin(), Wait(2), Say(), Tell(), Fail(error)], semantics="runs_to_end")
    async with stage(a=content_at(1), b=loser, limits=DrainLimits()) as t:
        await t.serve(Plan.race(t.candidates()))

    end = t.notes.ends["b2"]
    assert isinstance(end, Pend)
    assert (end.outcome, end.reason, end.low) == ("lost", "no", Decimal("0.00006"))


async def test_a_hedge_that_falls_due_with_the_answer_is_not_sent():
    # Within the resolution of the clock: the loop sees both in one turn, the answer first.
    async with stage(a=content_at(3 - 5e-10), b=Script()) as t:
        await t.serve(Plan.race(t.candidates(), delay_s=3))

    assert t.notes.told() == {"a1": ("primary", "settled", "answered")}


async def test_contenders_whose_intents_were_refused_have_no_end():
    async with stage(refuse=0, a=Script(), b=Script()) as t:
        with pytest.raises(StoreError):
            await t.run(Plan.race(t.candidates()))

    assert (t.opened, t.notes.records) == ([], [])


async def test_a_loser_that_fails_while_it_is_drained_is_not_tried_again():
    loser = Script(opening=[Wait(5), Raise(OVERLOADED)], semantics="runs_to_end")
    async with stage(a=content_at(1), b=loser) as t:
        await t.serve(Plan((Stage(tuple(t.candidates()), retries=3),)))
        await anyio.sleep(100)

    assert t.opened == ["a", "b"]
