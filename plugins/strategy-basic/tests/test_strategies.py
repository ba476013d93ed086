"""What each strategy decides, whole plans."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from flo2 import Bounds, Candidate, Health, Inbound, Latency, Peek, Plan, Services, Stage, Wire
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing.suites.strategy import FakeView
from flo2_strategy_basic import Cheapest, Fallback, Fastest, Hedge, Race, Weighted

RESTING = Health(available=False, failures=5, retry_at=2000.0)


def candidate(name, **facts):
    return Candidate(id=f"{name}/m@-", provider=name, model="m", **facts)


A, B, C = candidate("a"), candidate("b"), candidate("c")


def plan(strategy, candidates, view=None, *, stream=False, **options):
    inbound = Inbound(OpenAIChat(), b"", Peek("route", stream=stream))
    made = strategy(strategy.Config(**options), Services(wire=Wire()))
    return made.plan(inbound, candidates, view or FakeView())


def order(made):
    return [each.provider for each in made.candidates]


def test_fallback_keeps_the_written_order_and_puts_the_resting_last():
    view = FakeView(health_of={A.id: RESTING})
    assert plan(Fallback, [A, B, C], view, retries=2) == Plan(
        (Stage((B,), retries=2), Stage((C,), retries=2), Stage((A,), retries=2)),
        why="b/m is the first of the route that works; after it: c/m, a/m",
        reasons={A.id: "it rests after failures, so it comes last"},
    )


def test_when_everything_rests_the_plan_says_so():
    view = FakeView(health_of={A.id: RESTING})
    assert plan(Fallback, [A], view) == Plan(
        (Stage((A,)),),
        why="every target rests after failures, so they are tried nevertheless: "
        "a/m is the first of the route that works; after it: nothing else",
    )


def test_cheapest_compares_the_most_this_call_may_cost():
    dear = candidate("dear", bounds=Bounds(Decimal(0), Decimal("0.0200")), expected=Decimal(1))
    cheap = candidate("cheap", bounds=Bounds(Decimal(0), Decimal("0.0012")), expected=Decimal(2))
    free = candidate("unknown")
    assert plan(Cheapest, [free, dear, cheap]) == Plan(
        (Stage((cheap,)), Stage((dear,)), Stage((free,))),
        why="cheap/m costs least for this call: at most $0.0012; dear/m $0.02, unknown/m unpriced",
    )


def test_cheapest_compares_the_usual_cost_where_nothing_bounds_the_answer():
    open_end = Bounds(Decimal(0), None)
    dear = candidate("dear", bounds=open_end, expected=Decimal("0.01"))
    cheap = candidate("cheap", bounds=open_end, expected=Decimal("0.0025"))
    unpriced = candidate("unpriced", bounds=open_end)
    assert plan(Cheapest, [unpriced, dear, cheap]) == Plan(
        (Stage((cheap,)), Stage((dear,)), Stage((unpriced,))),
        why="cheap/m costs least for this call: usually $0.0025; dear/m $0.01, unpriced/m unpriced",
    )


def test_cheapest_without_any_price_keeps_the_order_and_says_so():
    assert plan(Cheapest, [B, A]) == Plan(
        (Stage((B,)), Stage((A,))), why="b/m: no target that works has a price; a/m unpriced"
    )


def test_cheapest_that_rests_comes_last():
    cheap = candidate("cheap", expected=Decimal(1))
    dear = candidate("dear", expected=Decimal(2))
    made = plan(Cheapest, [cheap, dear], FakeView(health_of={cheap.id: RESTING}))
    assert order(made) == ["dear", "cheap"]
    assert made.why == "dear/m costs least for this call: usually $2; cheap/m $1"


def test_weighted_draws_in_proportion():
    heavy, light = candidate("heavy", weight=Decimal(3)), candidate("light", weight=Decimal(1))
    never = candidate("never", weight=Decimal(0))
    firsts: Counter[str] = Counter()
    for seed in range(2000):
        made = order(plan(Weighted, [never, light, heavy], FakeView(seed=seed)))
        assert made[2] == "never"
        firsts[made[0]] += 1
    assert firsts["heavy"] + firsts["light"] == 2000
    assert 0.72 < firsts["heavy"] / 2000 < 0.78


def test_weighted_rests_and_explains():
    heavy = candidate("heavy", weight=Decimal(99))
    made = plan(Weighted, [heavy, B], FakeView(health_of={heavy.id: RESTING}))
    assert order(made) == ["b", "heavy"]
    assert made.why == "b/m was drawn with weight 1 of 1"


@pytest.mark.parametrize(("stream", "first"), [(True, "a"), (False, "b")])
def test_fastest_looks_at_what_the_caller_waits_for(stream, first):
    view = FakeView(latency_of={A.id: Latency(0.2, 9.0, 3), B.id: Latency(0.5, 2.0, 3)})
    made = plan(Fastest, [C, A, B], view, stream=stream, explore=0.0)
    assert order(made)[0] == first
    assert order(made)[2] == "c"
    assert (
        made.why
        == {
            "a": "a/m has answered fastest: a/m 0.20 s, b/m 0.50 s, c/m not measured",
            "b": "b/m has answered fastest: b/m 2.00 s, a/m 9.00 s, c/m not measured",
        }[first]
    )


def test_fastest_explores_what_was_never_measured_and_else_the_slower():
    view = {A.id: Latency(1, 1, 1), B.id: Latency(2, 2, 1)}
    made = plan(Fastest, [A, B, C], FakeView(latency_of=view), explore=1.0)
    assert order(made) == ["c", "a", "b"]
    assert made.why.startswith("c/m is measured again (explore 1): ")
    assert order(plan(Fastest, [A, B], FakeView(latency_of=view), explore=1.0)) == ["b", "a"]


def test_fastest_explores_as_often_as_it_says():
    latencies = {A.id: Latency(1, 1, 1)}
    firsts = Counter(
        order(plan(Fastest, [A, B], FakeView(latency_of=latencies, seed=seed), explore=0.1))[0]
        for seed in range(2000)
    )
    assert 0.07 < firsts["b"] / 2000 < 0.13


def test_race_runs_some_at_once_and_keeps_the_rest():
    view = FakeView(health_of={A.id: RESTING})
    d = candidate("d")
    assert plan(Race, [A, B, C, d], view) == Plan(
        (Stage((B, C)), Stage((d,)), Stage((A,))),
        why="b/m, c/m run at once, the first content wins; each one started is billed",
        reasons={A.id: "it rests after failures, so it comes last"},
    )


def test_race_does_not_send_many_to_what_rests():
    view = FakeView(health_of={A.id: RESTING, B.id: RESTING})
    made = plan(Race, [A, B], view)
    assert [stage.candidates for stage in made.stages] == [(A,), (B,)]


def test_hedge_staggers():
    assert plan(Hedge, [A, B, C], delay_s=0.5) == Plan(
        (Stage((A, B), delay_s=0.5), Stage((C,))),
        why="a/m, b/m: the next one starts after 0.5 s without content",
    )


@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        (Fallback, {"retries": -1}),
        (Fastest, {"explore": 1.5}),
        (Hedge, {"delay_s": 0}),
        (Race, {"width": 1}),
    ],
)
def test_settings_that_make_no_sense_are_refused(strategy, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        strategy.Config(**options)
