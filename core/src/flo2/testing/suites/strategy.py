# ruff: noqa: S101  # asserting is what a suite does
"""What every routing strategy must do.

    class TestMine(StrategySuite):
        strategy = Mine

Imports: plan, protocols, dialects (to make a request), testing.suites.plugin, hypothesis.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any, ClassVar

import attrs
from attrs import field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from flo2.dialects.base import Peek
from flo2.dialects.openai_chat import OpenAIChat
from flo2.plan import Candidate, Health, Latency, Plan
from flo2.plugins import Plugins
from flo2.prices import Bounds
from flo2.protocols import Inbound, Strategy
from flo2.services import Services
from flo2.testing.suites.plugin import PluginSuite
from flo2.wire import Wire

__all__ = ["FakeView", "StrategySuite", "candidates", "views"]

_WHY_CHARS = 2000
_BODY = b'{"model":"route","messages":[{"role":"user","content":"hello"}],"max_tokens":100}'


@frozen
class FakeView:
    """A `RouteView` of facts given in a test; what is not given is unknown.

    Attributes:
        health_of: Candidate id → health.
        latency_of: Candidate id → latency.
        seed: Of `rng`, which begins anew for each view.
    """

    now: float = 1000.0
    health_of: Mapping[str, Health] = field(factory=dict)
    latency_of: Mapping[str, Latency] = field(factory=dict)
    seed: int = 0
    rng: Random = field(init=False, eq=False)

    @rng.default
    def _rng(self) -> Random:
        return Random(self.seed)  # noqa: S311  # routing is no cryptography

    def health(self, candidate: Candidate) -> Health:
        """Say whether it works."""
        return self.health_of.get(candidate.id, Health())

    def latency(self, candidate: Candidate) -> Latency:
        """Say how fast it has been."""
        return self.latency_of.get(candidate.id, Latency())


def candidates(most: int = 6) -> st.SearchStrategy[list[Candidate]]:
    """Draw from one to `most` candidates, priced and unpriced, weighted and not."""
    money = st.decimals(0, 10, places=6, allow_nan=False)

    @st.composite
    def one(draw: st.DrawFn, number: int) -> Candidate:
        bounds = None
        if draw(st.booleans()):
            low = draw(money)
            bounds = Bounds(low, draw(st.none() | money.map(lambda extra: low + extra)))
        return Candidate(
            id=f"p{number}/m@c",
            provider=f"p{number}",
            model="m",
            credential_id=draw(st.none() | st.just("c")),
            weight=draw(st.none() | st.decimals(0, 100, places=1, allow_nan=False)),
            bounds=bounds,
            expected=draw(st.none() | money),
        )

    return st.integers(1, most).flatmap(lambda count: st.tuples(*map(one, range(count)))).map(list)


def views(given_: Sequence[Candidate]) -> st.SearchStrategy[FakeView]:
    """Draw what may be known of these candidates."""
    ids = [candidate.id for candidate in given_]
    seconds = st.none() | st.floats(0.001, 100)
    return st.builds(
        FakeView,
        now=st.floats(0, 1e6),
        health_of=st.fixed_dictionaries(
            {each: st.builds(Health, st.booleans(), st.integers(0, 9)) for each in ids}
        ),
        latency_of=st.fixed_dictionaries(
            {each: st.builds(Latency, seconds, seconds, st.integers(0, 9)) for each in ids}
        ),
        seed=st.integers(0, 2**32),
    )


class StrategySuite(PluginSuite):
    """The tests; set `strategy`, and `options` where its `Config` needs some."""

    package: ClassVar[str]
    strategy: ClassVar[type[Any]]
    options: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take the package from the class under test."""
        if "strategy" in vars(cls):
            cls.package = cls.strategy.__module__.partition(".")[0]
        super().__init_subclass__(**kwargs)

    def make(self) -> Strategy:
        """Make the strategy."""
        item = self.strategy(self.strategy.Config(**self.options), Services(wire=Wire()))
        assert isinstance(item, Strategy)
        return item

    def inbound(self, *, stream: bool = False) -> Inbound:
        """Make a request; override for a strategy that reads more of it."""
        return Inbound(OpenAIChat(), _BODY, Peek("route", stream=stream, max_output_tokens=100))

    def holds(self, law: Callable[[Strategy, list[Candidate], FakeView, Inbound], None]) -> None:
        """Try a law over many candidates and views."""
        strategy = self.make()

        @settings(deadline=None)
        @given(st.data(), candidates(), st.booleans())
        def test(data: st.DataObject, given_: list[Candidate], stream: bool) -> None:  # noqa: FBT001
            law(strategy, given_, data.draw(views(given_)), self.inbound(stream=stream))

        test()

    def test_it_satisfies_the_protocol_and_is_registered(self) -> None:
        """It has a kind and a config class, and its plugin registers this very class."""
        strategy = self.make()
        assert attrs.has(self.strategy.Config)
        plugins = Plugins.load(only=[self.entry_point().name], strict=True)
        assert plugins.get("strategy", strategy.kind) is self.strategy

    def test_it_plans_over_the_given_candidates_only(self) -> None:
        """No candidate of its own, and none that runs twice at the same moment."""

        def law(
            strategy: Strategy, given_: list[Candidate], view: FakeView, inbound: Inbound
        ) -> None:
            plan = strategy.plan(inbound, tuple(given_), view)
            assert isinstance(plan, Plan)
            assert all(candidate in given_ for candidate in plan.candidates)
            for stage in plan.stages:
                assert len({c.id for c in stage.candidates}) == len(stage.candidates)

        self.holds(law)

    def test_the_same_inputs_give_the_same_plan(self) -> None:
        """It is pure: no luck but the view's, nothing remembered, nothing changed."""

        def law(
            strategy: Strategy, given_: list[Candidate], view: FakeView, inbound: Inbound
        ) -> None:
            luck = random.getstate()
            kept = list(given_)
            first = strategy.plan(inbound, given_, view)
            again = strategy.plan(inbound, given_, attrs.evolve(view))
            another = self.make().plan(inbound, given_, attrs.evolve(view))
            assert first == again == another
            assert given_ == kept
            assert random.getstate() == luck

        self.holds(law)

    def test_it_explains_itself(self) -> None:
        """Each plan says why in one line, and reasons name candidates that are in it."""

        def law(
            strategy: Strategy, given_: list[Candidate], view: FakeView, inbound: Inbound
        ) -> None:
            plan = strategy.plan(inbound, given_, view)
            ids = {candidate.id for candidate in plan.candidates}
            assert plan.why
            assert set(plan.reasons) <= ids
            for reason in (plan.why, *plan.reasons.values()):
                assert reason.strip() == reason
                assert "\n" not in reason
                assert len(reason) <= _WHY_CHARS

        self.holds(law)

    def test_it_tries_something_that_works_first(self) -> None:
        """As long as any candidate works, the first stage has one that does."""

        def law(
            strategy: Strategy, given_: list[Candidate], view: FakeView, inbound: Inbound
        ) -> None:
            plan = strategy.plan(inbound, given_, view)
            if any(view.health(candidate).available for candidate in given_):
                assert any(view.health(c).available for c in plan.stages[0].candidates)

        self.holds(law)

    def test_it_plans_when_nothing_works_and_nothing_is_known(self) -> None:
        """Resting, unpriced and unmeasured candidates still make a plan: trying beats refusing."""
        strategy = self.make()
        for count in (1, 2, 5):
            given_ = [Candidate(id=f"p{n}/m@-", provider=f"p{n}", model="m") for n in range(count)]
            resting = {c.id: Health(available=False, failures=5, retry_at=1e9) for c in given_}
            assert strategy.plan(self.inbound(), given_, FakeView(health_of=resting)).stages
            assert strategy.plan(self.inbound(), given_, FakeView()).stages

    def test_weights_of_zero_are_no_error(self) -> None:
        """A route may switch every target off by its weight; a plan must still come."""
        given_ = [
            Candidate(id=f"p{n}/m@-", provider=f"p{n}", model="m", weight=Decimal(0))
            for n in range(3)
        ]
        assert self.make().plan(self.inbound(), given_, FakeView()).stages
