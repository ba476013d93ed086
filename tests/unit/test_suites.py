"""The suites find what they are for: a plugin with one fault fails the test that names it."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest
from attrs import evolve, frozen
from hypothesis import Phase, settings

from flo2.dialects.base import Chunk
from flo2.errors import ProviderError
from flo2.http_provider import HttpReply
from flo2.openai_compatible import OpenAICompatible
from flo2.plan import Candidate, Plan, Stage
from flo2.testing import PluginSuite, ProviderSuite, StrategySuite
from flo2.testing.suites.selecting import Selecting, needs


@pytest.fixture(autouse=True)
def _no_shrinking():
    """A fault is to be found here, not to be made small: that takes a hundred times as long."""
    name = settings.get_current_profile_name()
    quick = settings(
        settings.get_profile(name), phases=[Phase.explicit, Phase.generate], database=None
    )
    settings.register_profile("flo2-faults", quick)
    settings.load_profile("flo2-faults")
    yield
    settings.load_profile(name)


class Sound(OpenAICompatible):
    kind = "sound"
    base_url = "https://api.sound.example/v1"
    facts = evolve(OpenAICompatible.facts, priced_by_name=False)


class KeyInTheUrl(Sound):
    def url(self, call):
        return f"{super().url(call)}?key={call.credential.secret.reveal()}"


class KeyInTheError(Sound):
    def error(self, call, status, headers, body):
        return ProviderError(f"refused {call.credential.secret.reveal()}", status=status)


class KeyInTheLog(Sound):
    def headers(self, call):
        headers = super().headers(call)
        logging.getLogger("sound").debug("sending %s", headers)
        return headers


class ForwardsEverything(Sound):
    def headers(self, call):
        return {**call.inbound.headers, **super().headers(call)}


class NoKey(Sound):
    def headers(self, call):
        return {"content-type": "application/json"}


class RewritesBodies(Sound):
    def body(self, call):
        return call.body().replace(b'"stream"', b' "stream"')


class LosesFrames(Sound):
    def decoder(self, call):
        decoder = super().decoder(call)
        feed = decoder.feed
        decoder.feed = lambda data: Chunk(feed(data).raw[:-1])
        return decoder


class ChunksMatter(Sound):
    def decoder(self, call):
        decoder = super().decoder(call)
        feed = decoder.feed
        decoder.feed = lambda data: feed(data.replace(b"Gr", b"gr"))
        return decoder


class AnyEndIsGood(Sound):
    def decoder(self, call):
        decoder = super().decoder(call)
        close = decoder.close

        def closed():
            chunk = close()
            decoder.observed.complete = True
            return chunk

        decoder.close = closed
        return decoder


class NeverLetsGo(Sound):
    kept: ClassVar[list] = []

    @asynccontextmanager
    async def chat(self, call):
        response = await self.endpoint.send(
            "POST", self.url(call), list(self.headers(call).items()), self.body(call)
        )
        self.kept.append(response)
        decoder = self.decoder(call)
        yield HttpReply(response, decoder, {}, tuple, response.status, decoder.observed)


class CountsTwice(Sound):
    def usage_reader(self, call):
        read = call.dialect.read_usage

        def twice(raw):
            usage = read(raw)
            total = usage.quantities.get("input_tokens", 0) + usage.quantities.get(
                "cache_read_tokens", 0
            )
            return evolve(usage, quantities={**usage.quantities, "input_tokens": total})

        return twice


class ForgetsStatuses(Sound):
    def error(self, call, status, headers, body):
        return ProviderError("it failed", status=status, provider=self.kind, body=body)


class NoSource(Sound):
    facts = evolve(Sound.facts, cancel_semantics="stops")


class OddProfile(Sound):
    def profile(self, model):
        return {}[model]


def failures(suite, names=None):
    """Run a suite's tests by hand; give the names of those that fail."""
    failed = set()
    for name in sorted(dir(suite)):
        test = getattr(suite, name)
        # What looks for an installed package has its own test below.
        if not name.startswith("test_") or test is None or name in _OF_PACKAGES:
            continue
        try:
            getattr(suite(), name)()
        except (AssertionError, KeyError, BaseExceptionGroup, pytest.fail.Exception, TimeoutError):
            failed.add(name)
    return failed


_OF_PACKAGES = {name for name in dir(PluginSuite) if name.startswith("test_")} | {
    "test_it_satisfies_the_protocol_and_is_registered"
}


def suite_of(provider_):
    return type("Suite", (ProviderSuite,), {"provider": provider_})


def test_a_sound_provider_passes():
    assert failures(suite_of(Sound)) == set()


@pytest.mark.parametrize(
    ("fault", "finds"),
    [
        (KeyInTheUrl, "test_the_credential_is_in_one_header_and_nowhere_else"),
        (KeyInTheError, "test_the_credential_never_shows"),
        (KeyInTheLog, "test_the_credential_never_shows"),
        (ForwardsEverything, "test_the_client_s_own_headers_stay_here"),
        (NoKey, "test_the_credential_is_in_one_header_and_nowhere_else"),
        (RewritesBodies, "test_a_request_passes_with_the_model_replaced"),
        (LosesFrames, "test_bytes_pass_as_they_came"),
        (ChunksMatter, "test_any_chunking_gives_the_same_answer"),
        (AnyEndIsGood, "test_a_cut_stream_is_never_a_success"),
        (NeverLetsGo, "test_leaving_early_closes_the_upstream"),
        (CountsTwice, "test_usage_is_disjoint_and_adds_up"),
        (ForgetsStatuses, "test_statuses_become_errors"),
        (ForgetsStatuses, "test_retry_after_is_read"),
        (NoSource, "test_its_facts_have_sources"),
        (OddProfile, "test_any_name_has_a_profile"),
    ],
)
def test_a_fault_of_a_provider_is_found(fault, finds):
    suite = suite_of(fault)
    assert finds in dir(suite)
    with pytest.raises((AssertionError, KeyError, TimeoutError)):
        getattr(suite(), finds)()


class First:
    """Takes the first candidate; what is wrong is added by its subclasses."""

    kind: ClassVar[str] = "first"

    @frozen
    class Config:
        pass

    def __init__(self, config, services):
        self.calls = 0

    def plan(self, inbound, candidates, view):
        working = [c for c in candidates if view.health(c).available] or candidates
        return Plan.fallback(working[:1], why="the first that works")


class ItsOwnCandidate(First):
    def plan(self, inbound, candidates, view):
        return Plan.fallback([Candidate("x", "x", "x")], why="mine")


class TwiceAtOnce(First):
    def plan(self, inbound, candidates, view):
        return Plan((Stage((candidates[0], candidates[0])),), why="surely")


class GlobalLuck(First):
    def plan(self, inbound, candidates, view):
        random.random()
        return super().plan(inbound, candidates, view)


class Remembers(First):
    def plan(self, inbound, candidates, view):
        self.calls += 1
        return evolve(super().plan(inbound, candidates, view), why=f"call {self.calls}")


class SaysNothing(First):
    def plan(self, inbound, candidates, view):
        return evolve(super().plan(inbound, candidates, view), why="")


class IgnoresHealth(First):
    def plan(self, inbound, candidates, view):
        return Plan.fallback(candidates[:1], why="the first")


class RefusesToRest(First):
    def plan(self, inbound, candidates, view):
        working = [c for c in candidates if view.health(c).available]
        return Plan.fallback(working[:1], why="the first that works")


def strategy_suite(strategy_):
    return type("Suite", (StrategySuite,), {"strategy": strategy_})


def test_a_sound_strategy_passes():
    assert failures(strategy_suite(First)) == set()


@pytest.mark.parametrize(
    ("fault", "finds"),
    [
        (ItsOwnCandidate, "test_it_plans_over_the_given_candidates_only"),
        (TwiceAtOnce, "test_it_plans_over_the_given_candidates_only"),
        (GlobalLuck, "test_the_same_inputs_give_the_same_plan"),
        (Remembers, "test_the_same_inputs_give_the_same_plan"),
        (SaysNothing, "test_it_explains_itself"),
        (IgnoresHealth, "test_it_tries_something_that_works_first"),
        (RefusesToRest, "test_it_plans_when_nothing_works_and_nothing_is_known"),
    ],
)
def test_a_fault_of_a_strategy_is_found(fault, finds):
    with pytest.raises((AssertionError, IndexError, ValueError)):
        getattr(strategy_suite(fault)(), finds)()


def test_a_package_that_is_no_plugin_is_found():
    suite = type("Suite", (PluginSuite,), {"package": "flo2"})()
    with pytest.raises(AssertionError, match="has 0 entry points"):
        suite.test_it_loads_without_an_error()


def test_a_heavy_import_is_found(tmp_path, monkeypatch):
    (tmp_path / "scipy.py").write_text("")
    (tmp_path / "flo2_heavy.py").write_text("import scipy\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    suite = type("Suite", (PluginSuite,), {"package": "flo2_heavy"})()
    with pytest.raises(AssertionError, match="scipy"):
        suite.test_it_imports_quickly_and_without_heavy_libraries()


def test_tests_are_selected_by_what_a_plugin_is():
    class Suite(Selecting):
        thing: ClassVar[Mapping[str, bool] | None] = None

        @classmethod
        def abilities(cls):
            return None if cls.thing is None else frozenset(cls.thing)

        @needs("a")
        @needs("b")
        def test_both(self):
            pass

        @needs("a")
        def test_a(self):
            pass

        def test_always(self):
            pass

    class OnlyA(Suite):
        thing: ClassVar[Mapping[str, bool]] = {"a": True}

    class Both(Suite):
        thing: ClassVar[Mapping[str, bool]] = {"a": True, "b": True}

    assert (OnlyA.test_both, OnlyA.test_a is not None, OnlyA.test_always is not None) == (
        None,
        True,
        True,
    )
    assert Both.test_both is not None
    assert Suite.test_both is not None
