"""Whatever providers, clients and clocks do: one intent and one end for each attempt, no leaks."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
from collections import Counter
from decimal import Decimal

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.errors import (
    ConnectFailed,
    Flo2Error,
    InvalidRequest,
    ProviderError,
    ReadFailed,
    WireTimeout,
)
from flo2.executor import DrainLimits
from flo2.plan import Plan, Stage
from flo2.records import Settle
from flo2.testing.scripted import Begin, End, Fail, Raise, Say, Script, Tell, Wait, stage
from flo2.testing.virtual_time import VirtualTimeLoop

NAMES = ("a", "b", "c")


@pytest.fixture(autouse=True, scope="module")
def _quick_collections():
    """Leave what was there before these tests out of the many collections they make."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


LOOP = {"loop_factory": VirtualTimeLoop}
# Few different times, so that things often happen in the same tick.
TIMES = st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
WAITS = st.builds(Wait, TIMES | st.just(math.inf))
ERRORS = st.sampled_from(
    [
        lambda: ProviderError("no", status=400, kind="invalid_request"),
        lambda: ProviderError("no", status=401, kind="authentication"),
        lambda: ProviderError("no", status=429, kind="rate_limit", retryable=True, retry_after_s=1),
        lambda: ProviderError("no", status=500, kind="upstream", retryable=True),
        lambda: ConnectFailed("no"),
        lambda: ReadFailed("no"),
        lambda: WireTimeout("no", phase="first_byte"),
        lambda: InvalidRequest("no"),
        lambda: KeyError("bug"),
    ]
)
RAISES = ERRORS.map(lambda make: Raise(make()))
FAILS = st.builds(lambda: Fail(ProviderError("no", status=200, kind="overloaded")))
TALK = st.builds(Begin) | st.builds(Say) | st.builds(Tell) | WAITS
ENDS = st.builds(End) | st.just(End(None)) | RAISES | FAILS | st.just(Wait(math.inf))
SEMANTICS = st.sampled_from(["stops", "runs_to_end", "unknown"])


@st.composite
def scripts(draw):
    return Script(
        steps=[*draw(st.lists(TALK, max_size=5)), *draw(st.lists(ENDS, max_size=1))],
        opening=draw(st.lists(WAITS | RAISES, max_size=1)),
        closing=draw(st.lists(WAITS | RAISES, max_size=1)),
        semantics=draw(SEMANTICS),
    )


@st.composite
def stages(draw):
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3))
    return names, draw(st.sampled_from([0.0, 0.5, 1.0])), draw(st.integers(0, 2))


LIMITS = st.builds(
    DrainLimits,
    number=st.sampled_from([0, 1, 256]),
    seconds=st.sampled_from([0.0, 1.0, 300.0]),
    bytes=st.sampled_from([0, 20, 1 << 20]),
)


class Client:
    """Serves one plan and leaves at some time, by one of the two ways to cancel."""

    def __init__(self, theatre, shape, leaves_at, *, natively):
        self.theatre = theatre
        self.leaves_at = leaves_at
        self.natively = natively
        self.plan = Plan(
            tuple(
                Stage(tuple(theatre.candidates(*names)), delay_s=delay, retries=retries)
                for names, delay, retries in shape
            )
        )

    async def serve(self):
        try:
            await self.theatre.serve(self.plan)
        except Flo2Error:
            return

    async def run(self):
        if self.natively:
            try:
                async with asyncio.timeout(self.leaves_at):
                    await self.serve()
            except TimeoutError:
                return
        else:
            with anyio.move_on_after(self.leaves_at):
                await self.serve()


def check(theatre):
    intents = [intent.entry_id for intent in theatre.notes.intents]
    ends = Counter(r.entry_id for r in theatre.notes.records if hasattr(r, "ended_us"))
    assert ends == Counter(intents)  # each began once and ended once
    assert len(set(intents)) == len(intents)
    # Nobody was called without an intent, and nothing stays open.
    assert Counter(theatre.opened) == Counter(i.provider for i in theatre.notes.intents)
    assert theatre.open == []
    assert theatre.drains.running == 0
    answered = [end for end in theatre.notes.ends.values() if end.outcome == "answered"]
    assert len(answered) <= 1
    for end in theatre.notes.ends.values():
        if isinstance(end, Settle):
            assert (end.status, end.total) == ("settled", Decimal("0.00006"))
    gc.collect()  # an unclosed stream warns here, and a warning is an error


@given(
    by_name=st.fixed_dictionaries(dict.fromkeys(NAMES, scripts())),
    shape=st.lists(stages(), min_size=1, max_size=3),
    leaves_at=TIMES | st.just(50.0),
    natively=st.booleans(),
    options=st.fixed_dictionaries(
        {
            "stream": st.booleans(),
            "limits": LIMITS,
            "grace_s": st.sampled_from([0.0, 1.0, 1000.0]),
            "refuse": st.none() | st.integers(0, 2),
        }
    ),
)
def test_each_attempt_has_one_intent_and_one_end(by_name, shape, leaves_at, natively, options):
    async def main():
        async with stage(**options, **by_name) as theatre:
            await Client(theatre, shape, leaves_at, natively=natively).run()
        check(theatre)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    logging.disable(logging.CRITICAL)  # the bugs are logged, thousands of times
    try:
        anyio.run(main, backend_options=LOOP)
    finally:
        logging.disable(logging.NOTSET)


HONEST = st.builds(
    lambda waits, opening, semantics: Script(
        [Begin(), *(step for wait in waits for step in (Wait(wait), Say())), End()],
        [Wait(opening)],
        semantics=semantics,
    ),
    st.lists(TIMES, min_size=1, max_size=4),
    TIMES,
    st.sampled_from(["runs_to_end", "unknown"]),
)


@given(
    by_name=st.fixed_dictionaries(dict.fromkeys(NAMES, HONEST)),
    shape=st.lists(stages(), min_size=1, max_size=2),
    leaves_at=TIMES | st.just(50.0),
    natively=st.booleans(),
)
def test_a_stream_that_is_billed_to_its_end_is_settled_whoever_leaves(
    by_name, shape, leaves_at, natively
):
    async def main():
        async with stage(**by_name) as theatre:
            await Client(theatre, shape, leaves_at, natively=natively).run()
        check(theatre)
        assert {status for _, status, _ in theatre.notes.told().values()} <= {"settled"}

    anyio.run(main, backend_options=LOOP)


@given(
    by_name=st.fixed_dictionaries(dict.fromkeys(NAMES, scripts())),
    shape=st.lists(stages(), min_size=1, max_size=2),
    stream=st.booleans(),
    stops_at=TIMES,
)
def test_a_shutdown_in_the_middle_of_a_call_ends_the_call_and_each_attempt(
    by_name, shape, stream, stops_at
):
    async def main():
        house = stage(stream=stream, grace_s=0, **by_name)
        async with anyio.create_task_group() as outside, house as theatre:
            client = Client(theatre, shape, 50.0, natively=False)
            outside.start_soon(client.run)
            await anyio.sleep(stops_at)
        check(theatre)

    logging.disable(logging.CRITICAL)
    try:
        anyio.run(main, backend_options=LOOP)
    finally:
        logging.disable(logging.NOTSET)
