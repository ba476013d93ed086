# ruff: noqa: S101  # asserting is what a suite does
"""What every provider must do.

    class TestAcme(ProviderSuite):
        provider = Acme

Tests over HTTP run for subclasses of `HttpProvider`; a provider that makes its answers in process
runs the others. Imports: protocols, dialects, testing.suites.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import anyio
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flo2.canonical import Finish, Message, Request, Start, Text
from flo2.dialects.base import Peek, Profile
from flo2.dialects.openai_chat import OpenAIChat
from flo2.errors import ReadFailed
from flo2.http_provider import HttpProvider
from flo2.model_facts import ModelFacts, facts_of, load_facts
from flo2.operations import CountsTokens, Embeds
from flo2.plugins import Plugins
from flo2.protocols import (
    Call,
    Credential,
    DescribesModels,
    Facts,
    Inbound,
    KnowsModels,
    ListsModels,
    ModelInfo,
    Profiles,
    Provider,
    Reply,
)
from flo2.services import Services
from flo2.testing.suites.http_calls import Seen, run
from flo2.testing.suites.plugin import PluginSuite
from flo2.testing.suites.provider_answers import AnswerTests
from flo2.testing.suites.provider_requests import RequestTests
from flo2.testing.suites.sample import Sample
from flo2.testing.suites.selecting import needs
from flo2.wire import Wire

__all__ = ["ProviderSuite"]

_ABILITIES: Mapping[str, type] = {
    "embed": Embeds,
    "count_tokens": CountsTokens,
    "models": ListsModels,
    "knows": KnowsModels,
    "describe": DescribesModels,
    "profile": Profiles,
}


class ProviderSuite(AnswerTests, RequestTests, PluginSuite):
    """The tests; set `provider`, and what a line below says where the default does not fit.

    Attributes:
        provider: The class.
        options: Fields of its `Config`.
        model: A model it serves.
        samples: Samples of dialects of its own, by name.
    """

    package: ClassVar[str]
    provider: ClassVar[type[Any]]
    options: ClassVar[Mapping[str, Any]] = {}
    model: ClassVar[str] = "a-model"
    samples: ClassVar[Mapping[str, Sample]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take the package from the class under test."""
        if "provider" in vars(cls):
            cls.package = cls.provider.__module__.partition(".")[0]
        super().__init_subclass__(**kwargs)

    @classmethod
    def abilities(cls) -> frozenset[str] | None:
        """Say what the provider can do, by what it is."""
        provider = getattr(cls, "provider", None)
        if provider is None:
            return None
        have = {name for name in _ABILITIES if hasattr(provider, name)}
        have.add("http" if issubclass(provider, HttpProvider) else "in process")
        return frozenset(have)

    def make(self) -> Provider:
        """Make the provider with nothing behind it."""
        item = self.provider(self.provider.Config(**self.options), Services(wire=Wire()))
        assert isinstance(item, Provider)
        return item

    # Facts ------------------------------------------------------------------------------------

    def test_it_satisfies_the_protocol_and_is_registered(self) -> None:
        """It has a kind and a config class, and its plugin registers this very class."""
        provider = self.make()
        assert attrs.has(self.provider.Config)
        assert provider.kind == provider.kind.lower().strip()
        plugins = Plugins.load(only=[self.entry_point().name], strict=True)
        assert plugins.get("provider", provider.kind) is self.provider

    def test_its_facts_have_sources(self) -> None:
        """What decides about money is stated with where it is known from."""
        facts = self.make().facts
        assert isinstance(facts, Facts)
        assert facts.error_rule
        if facts.cancel_semantics != "unknown":
            assert facts.cancel_source
        assert len({dialect.name for dialect in facts.dialects}) == len(facts.dialects)

    def test_its_abilities_fit_its_dialects(self) -> None:
        """It has a method for the operation of each dialect it speaks, and chats."""
        provider = self.make()
        operations = {dialect.operation for dialect in provider.facts.dialects}
        for name, protocol in _ABILITIES.items():
            assert isinstance(provider, protocol) == hasattr(self.provider, name)
        if operations:
            assert "chat" in operations
            # The method may be inherited: without a dialect of its own nothing leads to it.
            for name, protocol in _ABILITIES.items():
                assert name not in operations or isinstance(provider, protocol)

    @needs("profile")
    def test_any_name_has_a_profile(self) -> None:
        """Facts about a model it has never heard of are defaults, never an error."""
        self._for_any_name(lambda provider, name: _is_profile(provider.profile(name)))

    @needs("knows")
    def test_it_can_tell_any_name(self) -> None:
        """Whether a bare name is its own is a yes or a no."""
        self._for_any_name(lambda provider, name: provider.knows(name) in {True, False})

    @needs("describe")
    def test_any_name_has_facts_or_none(self) -> None:
        """What a model can do is told with its source, or not at all; never an error."""
        self._for_any_name(lambda provider, name: _has_source(provider.describe(name)))

    @needs("http")
    def test_each_family_of_its_models_can_be_reached(self) -> None:
        """A pattern that an earlier one hides says nothing to anybody."""
        for package in self.provider.facts_in:
            families = load_facts(package)
            assert families
            for family in families:
                sample = re.sub(r"\[(.)[^]]*\]", r"\1", family.match).replace("*", "")
                spread = re.sub(r"\[(.)[^]]*\]", r"\1", family.match).replace("*", "-x")
                assert family in {facts_of(sample, families), facts_of(spread, families)}

    def _for_any_name(self, law: Callable[[Any, str], bool]) -> None:
        provider = self.make()

        @settings(deadline=None)
        @given(st.text(max_size=40))
        def test(name: str) -> None:
            assert law(provider, name)
            assert law(provider, f"{self.model}{name}")

        test()

    # Answers made in process ------------------------------------------------------------------

    def canonical_call(self, *, stream: bool) -> Call:
        """Make a call in the canonical form, for a provider that takes it."""
        request = Request(
            self.model, (Message("user", (Text("Grüß dich 🌍, wie geht es?"),)),), stream=stream
        )
        peek = Peek(self.model, stream=stream)
        inbound = Inbound(OpenAIChat(), b"", peek, request=request)
        return Call(inbound, OpenAIChat(), self.model, Credential(None), entry_id="entry_1")

    @needs("in process")
    def test_an_answer_is_whole_and_counted(self) -> None:
        """Plain or streamed: a start, text, a finish, and sound usage at the end."""

        async def test() -> None:
            for stream in (False, True):
                async with self.make().chat(self.canonical_call(stream=stream)) as reply:
                    assert reply.status == 200
                    seen = await Seen.of(reply)
                observed = seen.observed
                assert observed.complete
                assert observed.error is None
                assert observed.has_content
                assert observed.model == self.model
                assert isinstance(seen.events[0], Start)
                assert any(isinstance(event, Finish) for event in seen.events)
                assert seen.text
                assert observed.usage is not None
                assert observed.usage.problem is None
                assert observed.usage.input_total > 0
                assert observed.usage.output_total > 0

        run(test)

    @needs("in process")
    def test_the_first_words_come_before_the_last(self) -> None:
        """A stream is one: its content is seen before the answer is complete."""

        async def test() -> None:
            async with self.make().chat(self.canonical_call(stream=True)) as reply:
                async for _ in reply.chunks():
                    if reply.observed.has_content:
                        break
                assert not reply.observed.complete

        run(test)

    @needs("in process")
    def test_aborting_ends_the_answer(self) -> None:
        """`abort` from another task ends whoever reads with `ReadFailed`."""

        async def read(reply: Reply) -> None:
            with pytest.raises(ReadFailed):
                await Seen.of(reply)

        async def test() -> None:
            async with (
                self.make().chat(self.canonical_call(stream=True)) as reply,
                anyio.create_task_group() as group,
            ):
                group.start_soon(read, reply)
                await anyio.sleep(0.001)
                reply.abort()

        run(test)

    @needs("in process")
    @needs("models")
    def test_its_models_are_its_own(self) -> None:
        """Each model it lists names it as the provider."""

        async def test() -> None:
            provider: Any = self.make()
            models = await provider.models(Credential(None))
            assert models
            for model in models:
                assert isinstance(model, ModelInfo)
                assert model.provider == provider.kind

        run(test)


def _has_source(value: object) -> bool:
    return value is None or (isinstance(value, ModelFacts) and bool(value.source))


def _is_profile(value: object) -> bool:
    return isinstance(value, Profile)
