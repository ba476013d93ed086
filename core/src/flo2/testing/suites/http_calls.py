# ruff: noqa: S101  # asserting is what a suite does
"""How the provider suite calls a provider over a scripted upstream, and reads what comes out.

Imports: wire, protocols, testing.upstream, testing.suites.samples and .sample.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar

import anyio
from attrs import evolve, frozen
from msgspec.structs import replace

from flo2.canonical import Event, fold
from flo2.dialects.base import Observed, Profile
from flo2.errors import Flo2Error
from flo2.protocols import Call, Credential, Inbound, Profiles, Provider, Reply
from flo2.secrets import Secret
from flo2.services import Services
from flo2.testing.suites.gemini_samples import GEMINI_SAMPLES
from flo2.testing.suites.sample import Sample
from flo2.testing.suites.samples import SAMPLES
from flo2.testing.upstream import Ending, FakeUpstream, Piece, Received
from flo2.wire import Wire

__all__ = ["KEY", "HttpCalls", "Script", "Seen", "replies", "run"]

KEY = "sk-conformance-7d1f5a3b9c2e4680"
"""The credential of every call here."""

Script = Callable[[FakeUpstream], None]
_PATIENCE_S = 5.0


def replies(status: int, **answer: Any) -> Script:
    """Script one answer; see `FakeUpstream.reply`."""

    def script(upstream: FakeUpstream) -> None:
        upstream.reply(status, **answer)

    return script


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run an asynchronous test, whatever pytest plugins are installed; it must end in time."""

    async def bounded() -> None:
        with anyio.fail_after(_PATIENCE_S):
            await test()

    anyio.run(bounded)


@frozen
class Seen:
    """A whole answer as it came out of a provider."""

    raw: bytes
    events: tuple[Event, ...]
    observed: Observed

    @classmethod
    async def of(cls, reply: Reply) -> Seen:
        """Read a reply to its end."""
        chunks = [chunk async for chunk in reply.chunks()]
        raw = b"".join(chunk.raw for chunk in chunks)
        events = tuple(event for chunk in chunks for event in chunk.events)
        return cls(raw, events, reply.observed)

    @property
    def text(self) -> str:
        """The text of the first choice."""
        choices = fold(self.events).choices
        return "".join(getattr(part, "text", "") for part in choices[0].parts) if choices else ""


class HttpCalls:
    """Means of the tests below; it has no test of its own."""

    provider: ClassVar[type[Any]]
    options: ClassVar[Mapping[str, Any]]
    model: ClassVar[str]
    samples: ClassVar[Mapping[str, Sample]]

    def sample_of(self, name: str) -> Sample:
        """Give the sample of a dialect."""
        found = {**SAMPLES, **GEMINI_SAMPLES, **self.samples}.get(name)
        assert found is not None, f"no sample of dialect {name!r}: set `samples` in the suite"
        return found

    def chats(self) -> list[Sample]:
        """Give the samples of the chat dialects that the provider speaks."""
        return [sample for sample in self.spoken() if sample.dialect.operation == "chat"]

    def spoken(self) -> list[Sample]:
        """Give a sample of each dialect that the provider speaks, with its own codec."""
        return [
            evolve(self.sample_of(dialect.name), dialect=dialect)
            for dialect in self.provider.facts.dialects
        ]

    @asynccontextmanager
    async def over(self, upstream: FakeUpstream) -> AsyncIterator[Provider]:
        """Make the provider, with the script in the network's place."""
        async with Wire(transport=upstream.transport()) as wire:
            yield self.provider(self.provider.Config(**self.options), Services(wire=wire))

    def call(
        self,
        sample: Sample,
        *,
        stream: bool = False,
        asks: bool = True,
        full: bool = True,
        rewritten: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Call:
        """Make a call as the gateway would for a client of the same dialect."""
        body = sample.body("as-the-client-says", stream=stream, asks=asks)
        dialect = sample.dialect
        peek = dialect.peek(body)
        if sample.in_url:  # as the surface reads it there
            peek = replace(peek, model="as-the-client-says", stream=stream)
        inbound = Inbound(
            dialect,
            body,
            peek,
            headers=headers,
            request=dialect.parse(body) if rewritten else None,
        )
        return Call(
            inbound=inbound,
            dialect=dialect,
            model=self.model,
            credential=Credential("cred_1", Secret(KEY)),
            profile=self.profile(),
            passthrough=not rewritten,
            full=full,
            entry_id="entry_1",
        )

    def profile(self) -> Profile:
        """Give what the provider says of the model."""
        provider = self.provider(self.provider.Config(**self.options), Services(wire=Wire()))
        return provider.profile(self.model) if isinstance(provider, Profiles) else Profile()

    def opening(self, provider: Any, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open a call by the method that its dialect asks for."""
        operation = call.dialect.operation
        opened: AbstractAsyncContextManager[Reply] = getattr(provider, operation)(call)
        return opened

    def read(self, call: Call, pieces: Iterable[Piece], *, ends: Ending = "complete") -> Seen:
        """Read what a provider makes of a stream in these pieces."""
        seen: list[Seen] = []

        async def test() -> None:
            upstream = FakeUpstream()
            upstream.stream(pieces, ends=ends)
            async with (
                self.over(upstream) as provider,
                self.opening(provider, call) as reply,
            ):
                seen.append(await Seen.of(reply))

        run(test)
        return seen[0]

    def failure(self, call: Call, script: Script) -> Flo2Error:
        """Give the error that a call ends with."""
        failures: list[Flo2Error] = []

        async def test() -> None:
            upstream = FakeUpstream()
            script(upstream)
            async with self.over(upstream) as provider:
                try:
                    async with self.opening(provider, call) as reply:
                        seen = await Seen.of(reply)
                except Flo2Error as exc:
                    failures.append(exc)
                else:
                    assert seen.observed.error is not None, "the answer ended as a success"
                    failures.append(seen.observed.error)
            assert upstream.open == 0

        run(test)
        return failures[0]

    def received(self, sample: Sample, call: Call) -> Received:
        """Give the request that the upstream gets for a call."""
        upstream = FakeUpstream()
        upstream.stream([sample.stream if call.stream else sample.plain])

        async def test() -> None:
            async with (
                self.over(upstream) as provider,
                self.opening(provider, call) as reply,
            ):
                await Seen.of(reply)

        run(test)
        return upstream.last
