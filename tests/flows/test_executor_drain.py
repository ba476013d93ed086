"""What is read on when nobody waits any more: streams left by clients, losers, and the limits."""

from __future__ import annotations

import asyncio
import math

import anyio
import anyio.lowlevel
import pytest

from flo2.canonical import Failed
from flo2.errors import Unavailable
from flo2.executor import DrainLimits
from flo2.plan import Plan
from flo2.testing.scripted import Begin, End, Raise, Say, Script, ScriptedReply, Tell, Wait, stage
from flo2.testing.virtual_time import VirtualTimeLoop

TALK = [Begin(), *([Say(), Wait(1)] * 30), End()]
TO_END = Script(TALK, semantics="runs_to_end")
STOPS = Script(TALK, semantics="stops")
FOR_EVER = Script([Begin(), Say(), Tell(), Wait(math.inf)], semantics="runs_to_end")


@pytest.fixture
def anyio_backend():
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.mark.parametrize("semantics", ["runs_to_end", "unknown"])
@pytest.mark.parametrize("moment", [0.1, 5, 5.5, 29.9])
async def test_a_stream_that_bills_to_the_end_survives_its_client(semantics, moment):
    async with stage(a=Script(TALK, semantics=semantics)) as t:
        with anyio.move_on_after(moment) as left:
            await t.serve(Plan.fallback(t.candidates()))
        assert left.cancelled_caught
        assert anyio.current_time() == pytest.approx(moment)

    assert t.notes.told() == {"a1": ("primary", "settled", "disconnected")}
    assert t.notes.ends["a1"].ended_us == pytest.approx(30_000_000)
    assert t.open == []


async def test_it_survives_asyncios_own_cancellation_too():
    async with stage(a=TO_END) as t:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.5):
                await t.serve(Plan.fallback(t.candidates()))

    assert t.notes.told() == {"a1": ("primary", "settled", "disconnected")}


async def test_it_survives_a_client_that_leaves_before_the_first_content():
    script = Script(TALK, opening=[Wait(10)], semantics="runs_to_end")
    async with stage(a=script) as t:
        with anyio.move_on_after(5):
            await t.run(Plan.fallback(t.candidates()))

    assert t.notes.told() == {"a1": ("primary", "settled", "disconnected")}


async def test_a_stream_that_stops_when_closed_is_closed_at_once():
    async with stage(a=STOPS) as t:
        with anyio.move_on_after(5.5):
            await t.serve(Plan.fallback(t.candidates()))
        assert t.open == []
        assert t.drains.running == 0

    assert t.notes.told() == {"a1": ("primary", "pend", "disconnected")}


async def test_a_reader_that_goes_between_two_pieces_leaves_the_rest_to_the_drain():
    async with stage(a=TO_END) as t:
        attempt = await t.run(Plan.fallback(t.candidates()))
        chunks = attempt.chunks()
        await anext(chunks)
        await chunks.aclose()
        await t.drains.take(attempt, "disconnected")
        assert t.drains.running == 1
        await t.drains.take(attempt, "disconnected")
        assert t.drains.running == 1

    assert t.notes.told() == {"a1": ("primary", "settled", "disconnected")}


async def test_an_answer_that_was_read_whole_by_its_runner_is_settled_when_it_is_left():
    async with stage(a=Script(semantics="runs_to_end")) as t:
        attempt = await t.run(Plan.fallback(t.candidates()))
        await anyio.sleep(1)
        assert t.open == []
        await t.drains.take(attempt, "disconnected")

    assert t.notes.told() == {"a1": ("primary", "settled", "disconnected")}


async def test_a_slow_client_slows_the_reading_down():
    talk = Script([Begin(), *([Say()] * 100), End()], semantics="runs_to_end")
    async with stage(a=talk) as t:
        attempt = await t.run(Plan.fallback(t.candidates()))
        await anyio.sleep(1)
        assert t.open == ["a"]
        assert len([chunk async for chunk in attempt.chunks()]) == 102
        attempt.finish("answered")
        await attempt.close()

    assert t.notes.told() == {"a1": ("primary", "settled", "answered")}
    assert t.open == []


async def test_closing_an_attempt_that_ended_early_stops_its_runner():
    async with stage(a=FOR_EVER) as t:
        attempt = await t.run(Plan.fallback(t.candidates()))
        attempt.finish("broken")
        await attempt.close()
        await anyio.sleep(1)
        assert t.open == []

    assert t.notes.told() == {"a1": ("primary", "pend", "broken")}


async def test_the_drain_is_bounded_in_seconds():
    async with stage(limits=DrainLimits(seconds=7), a=FOR_EVER) as t:
        with anyio.move_on_after(2):
            await t.serve(Plan.fallback(t.candidates()))
        await anyio.sleep(6.9)
        assert t.open == ["a"]
        await anyio.sleep(0.2)
        assert t.open == []

    assert t.notes.told() == {"a1": ("primary", "pend", "disconnected")}
    assert t.notes.ends["a1"].ended_us == 9_000_000


async def test_the_seconds_count_from_the_loss_also_before_any_content():
    slow = Script(TALK, opening=[Wait(5)], semantics="runs_to_end")
    async with stage(limits=DrainLimits(seconds=7), a=Script(), b=slow) as t:
        await t.serve(Plan.race(t.candidates()))

    assert t.notes.told()["b2"] == ("race", "pend", "lost")
    assert t.notes.ends["b2"].ended_us == 7_000_000


async def test_the_drain_is_bounded_in_bytes():
    size = len(repr(Say()))
    async with stage(limits=DrainLimits(bytes=10 * size), a=TO_END) as t:
        with anyio.move_on_after(2.5):
            await t.serve(Plan.fallback(t.candidates()))

    assert t.notes.told() == {"a1": ("primary", "pend", "disconnected")}
    assert t.notes.ends["a1"].ended_us == pytest.approx(13_000_000)
    assert t.open == []


async def test_the_drain_is_bounded_in_number():
    async with stage(limits=DrainLimits(number=1), a=TO_END, b=TO_END, c=TO_END) as t:
        with anyio.move_on_after(2.5):
            await t.serve(Plan.race(t.candidates()))
        assert t.drains.running == 1

    statuses = sorted(status for _, status, _ in t.notes.told().values())
    assert statuses == ["pend", "pend", "settled"]
    assert t.open == []


async def test_a_full_drain_takes_more_once_there_is_room():
    async with stage(limits=DrainLimits(number=1), a=TO_END) as t:
        for _ in range(2):
            with anyio.move_on_after(2.5):
                await t.serve(Plan.fallback(t.candidates()))
            await anyio.sleep(100)

    assert [status for _, status, _ in t.notes.told().values()] == ["settled", "settled"]


async def test_shutdown_waits_for_what_ends_in_time_and_cuts_off_the_rest():
    async with stage(grace_s=60, a=TO_END, b=FOR_EVER) as t:
        for name in "ab":
            with anyio.move_on_after(2):
                await t.serve(Plan.fallback(t.candidates(name)))
        left_at = anyio.current_time()
    took = anyio.current_time() - left_at

    assert t.notes.told() == {
        "a1": ("primary", "settled", "disconnected"),
        "b2": ("primary", "pend", "disconnected"),
    }
    assert took == pytest.approx(60)
    assert t.open == []


async def test_shutdown_also_waits_for_losers_without_content():
    slow = Script(TALK, opening=[Wait(20)], semantics="runs_to_end")
    async with stage(grace_s=60, a=Script(), b=slow) as t:
        await t.serve(Plan.race(t.candidates()))

    assert t.notes.told()["b2"] == ("race", "settled", "lost")


async def test_after_shutdown_nothing_is_read_on():
    async with stage(grace_s=0, a=TO_END) as t:
        attempt = await t.run(Plan.fallback(t.candidates()))
        await t.drains.close(0)
        await t.drains.take(attempt, "disconnected")
        await anyio.lowlevel.checkpoint()
        assert t.drains.running == 0

    assert t.notes.told() == {"a1": ("primary", "pend", "disconnected")}


async def test_a_reader_learns_that_flo2_stopped_reading():
    got = []

    async def read(t):
        attempt = await t.run(Plan.fallback(t.candidates()))
        got.extend([chunk async for chunk in attempt.chunks()])
        attempt.finish("broken")
        await attempt.close()

    async with anyio.create_task_group() as outside, stage(grace_s=0, a=TO_END) as t:
        outside.start_soon(read, t)
        await anyio.sleep(5)

    (event,) = got[-1].events
    assert isinstance(event, Failed)
    assert "shutting down" in str(event.error)
    assert t.notes.told() == {"a1": ("primary", "pend", "broken")}


async def test_a_call_that_waits_for_its_race_learns_it_too():
    async def call(t):
        with pytest.raises(Unavailable):
            await t.run(Plan.race(t.candidates()))

    slow = Script(opening=[Wait(math.inf)])
    async with anyio.create_task_group() as outside, stage(grace_s=0, a=slow, b=slow) as t:
        outside.start_soon(call, t)
        await anyio.sleep(5)

    assert {status for _, status, _ in t.notes.told().values()} == {"pend"}
    assert t.open == []


async def test_closing_goes_on_for_one_that_is_cancelled_before_its_first_content(caplog):
    script = Script([Begin(), Wait(math.inf)], closing=[Wait(1), Raise(RuntimeError("late"))])
    async with stage(a=script) as t:
        with anyio.move_on_after(5.5):
            await t.serve(Plan.fallback(t.candidates()))

    assert [record.getMessage() for record in caplog.records] == [
        "provider 'a' raised RuntimeError"
    ]
    assert t.notes.told() == {"a1": ("primary", "pend", "disconnected")}


async def test_an_unread_answer_is_aborted_first():
    async with stage(a=STOPS) as t:
        attempt = await t.run(Plan.fallback(t.candidates()))
        await t.drains.take(attempt, "disconnected")

    assert t.replies[0].aborted


async def test_an_iterator_that_takes_its_time_is_closed_before_its_connection(monkeypatch):
    order = []
    steps = ScriptedReply.chunks

    class Iterator:
        def __init__(self, reply):
            self.steps = steps(reply)

        def __aiter__(self):
            return self

        async def __anext__(self):
            return await anext(self.steps)

        async def aclose(self):
            await self.steps.aclose()
            await anyio.sleep(1)
            order.append("iterator")

    monkeypatch.setattr(ScriptedReply, "chunks", lambda reply: Iterator(reply))  # noqa: PLW0108  # a class would not be bound
    async with stage(a=Script([Begin(), Wait(math.inf)]), b=STOPS) as t:
        with anyio.move_on_after(2):
            await t.run(Plan.fallback(t.candidates()))
        order.append("call")

    assert order == ["iterator", "call"]
