from __future__ import annotations

from random import Random

import pytest

from flo2.errors import (
    ConnectFailed,
    DestinationRefused,
    InvalidHeader,
    ProviderError,
    ReadFailed,
    ResponseTooLarge,
    WireTimeout,
)
from flo2.executor import HealthModel, View
from flo2.executor.health import is_callers_fault
from flo2.plan import Candidate, Health, Latency

DOWN = ProviderError("down", status=503, kind="overloaded", retryable=True)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def model(clock):
    return HealthModel(clock)


def fail(model, times, error=DOWN):
    for _ in range(times):
        model.failed("a", error)


def test_of_a_stranger_nothing_is_known(model):
    assert model.health("a") == Health()
    assert model.latency("a") == Latency()


def test_four_failures_are_counted_and_forgiven(model):
    fail(model, 4)
    assert model.health("a") == Health(available=True, failures=4)
    model.succeeded("a", None, 1.0)
    assert model.health("a") == Health()


def test_the_fifth_failure_in_a_row_makes_it_rest_for_30_seconds(model, clock):
    fail(model, 5)
    assert model.health("a") == Health(available=False, failures=0, retry_at=1030.0)
    clock.now = 1029.9
    assert not model.health("a").available
    clock.now = 1030.0
    assert model.health("a") == Health()


def test_each_further_time_it_rests_twice_as_long_up_to_five_minutes(model, clock):
    rests = []
    for _ in range(2000):  # as often as a process that runs for weeks may see
        fail(model, 5)
        rests.append(model.health("a").retry_at - clock.now)
        clock.now = model.health("a").retry_at
    assert rests[:6] == [30, 60, 120, 240, 300, 300]
    assert set(rests[6:]) == {300}
    model.succeeded("a", None, None)
    fail(model, 5)
    assert model.health("a").retry_at == clock.now + 30


@pytest.mark.parametrize(
    ("asked", "until"), [(7, 1007.0), (10_000, 1300.0), (0.5, 1000.5), (0, None), (-3, None)]
)
def test_one_that_says_when_to_come_back_rests_that_long_and_has_not_failed(model, asked, until):
    error = ProviderError(
        "slow down", status=429, kind="rate_limit", retryable=True, retry_after_s=asked
    )
    fail(model, 9, error)
    assert model.health("a") == Health(available=until is None, failures=0, retry_at=until)


def test_a_short_pause_does_not_end_a_long_rest(model):
    fail(model, 5)
    error = ProviderError("slow", status=429, kind="rate_limit", retryable=True, retry_after_s=1)
    model.failed("a", error)
    assert model.health("a").retry_at == 1030.0


@pytest.mark.parametrize(
    ("error", "callers"),
    [
        (ProviderError("x", status=400, kind="invalid_request"), True),
        (ProviderError("x", status=413, kind="too_large"), True),
        (InvalidHeader("x"), True),
        (ResponseTooLarge("x"), True),
        (ProviderError("x", status=401, kind="authentication"), False),
        (ProviderError("x", status=402, kind="budget"), False),
        (ProviderError("x", status=403, kind="permission"), False),
        (ProviderError("x", status=404, kind="not_found"), False),
        (ProviderError("x", kind="internal", retryable=True), False),
        (DOWN, False),
        (ConnectFailed("x"), False),
        (DestinationRefused("x"), False),
        (ReadFailed("x"), False),
        (WireTimeout("x", phase="first_byte"), False),
    ],
    ids=repr,
)
def test_only_what_the_caller_is_not_to_blame_for_counts(model, error, callers):
    assert is_callers_fault(error) is callers
    fail(model, 5, error)
    assert model.health("a").available is callers


def test_latencies_are_smoothed_and_an_unmeasured_one_changes_nothing(model):
    model.succeeded("a", 1.0, 10.0)
    assert model.latency("a") == Latency(1.0, 10.0, 1)
    model.succeeded("a", 2.0, None)
    assert model.latency("a") == Latency(pytest.approx(1.2), 10.0, 2)
    model.succeeded("a", None, 5.0)
    assert model.latency("a") == Latency(pytest.approx(1.2), pytest.approx(9.0), 3)


def test_candidates_are_apart(model):
    fail(model, 5)
    assert model.health("b") == Health()


def test_names_that_callers_invent_do_not_fill_the_memory(model):
    fail(model, 5)
    for number in range(20_000):
        model.failed(f"x{number}", DOWN)
    assert len(model._tracks) == 10_000
    assert model.health("a") == Health()  # the oldest are forgotten
    assert model.health("x19999").failures == 1


def test_a_view_shows_the_model_the_time_and_luck(model):
    fail(model, 5)
    model.succeeded("b", 0.5, 1.0)
    view = View(model, 1000.0, Random(7))
    assert view.health(Candidate("a", "acme", "m")) == model.health("a")
    assert view.latency(Candidate("b", "acme", "m")) == Latency(0.5, 1.0, 1)
    assert (view.now, view.rng.random()) == (1000.0, Random(7).random())
