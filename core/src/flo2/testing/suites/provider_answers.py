# ruff: noqa: S101  # asserting is what a suite does
"""What comes out of a provider over HTTP: the same answer however it is cut, never half of one.

Used through `ProviderSuite`. Imports: testing.suites, hypothesis.
"""

from __future__ import annotations

from itertools import pairwise

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flo2.canonical import Failed
from flo2.errors import ReadFailed, WireError
from flo2.protocols import Call, Reply
from flo2.testing.suites.http_calls import HttpCalls, Seen, run
from flo2.testing.suites.sample import Sample
from flo2.testing.suites.selecting import needs
from flo2.testing.upstream import Ending, FakeUpstream

__all__ = ["AnswerTests"]


class AnswerTests(HttpCalls):
    """Answers, and leaving them."""

    # What comes out ---------------------------------------------------------------------------

    @needs("http")
    def test_any_chunking_gives_the_same_answer(self) -> None:
        """Cut the bytes anywhere, inside a character too: same events, same bytes, same usage."""
        for sample in self.chats():
            for full in (True, False):
                call = self.call(sample, stream=True, full=full)
                whole = self.read(call, [sample.stream])
                each = [sample.stream[at : at + 1] for at in range(len(sample.stream))]
                bytewise = self.read(call, each)
                assert bytewise.observed == whole.observed
                assert bytewise.raw == whole.raw == sample.seen
                if full:
                    assert bytewise.events == whole.events
                self._holds_for_any_cuts(call, sample.stream, whole)

    def _holds_for_any_cuts(self, call: Call, stream: bytes, whole: Seen) -> None:
        places = st.lists(st.integers(0, len(stream)), max_size=8)

        @settings(deadline=None)
        @given(places)
        @example([])
        def law(places: list[int]) -> None:
            cuts = [0, *sorted(places), len(stream)]
            pieces = [stream[a:b] for a, b in pairwise(cuts)]
            seen = self.read(call, pieces)
            assert seen.observed == whole.observed
            assert seen.raw == whole.raw
            if call.full:
                assert seen.events == whole.events

        law()

    @needs("http")
    def test_bytes_pass_as_they_came(self) -> None:
        """A client of the same dialect gets the provider's own bytes, unknown frames included."""
        for sample in self.chats():
            asked = self.read(self.call(sample, stream=True, full=False), [sample.stream])
            assert asked.raw == sample.seen
            unasked = self.call(sample, stream=True, asks=False, full=False)
            hidden = self.read(unasked, [sample.stream])
            assert hidden.raw == sample.seen.replace(sample.unasked, b"")
            assert hidden.observed == asked.observed
        for sample in self.spoken():
            shown = sample.plain if sample.stream else sample.shown or sample.plain
            assert self.read(self.call(sample), [sample.plain]).raw == shown

    @needs("http")
    def test_usage_is_disjoint_and_adds_up(self) -> None:
        """Each token is in one meter, and the meters sum to what the provider says."""
        for sample in self.spoken():
            bodies = [(False, sample.plain)] + ([(True, sample.stream)] if sample.stream else [])
            for stream, data in bodies:
                for full in (True, False):
                    seen = self.read(self.call(sample, stream=stream, full=full), [data])
                    usage = seen.observed.usage
                    assert usage is not None
                    if not (stream or sample.tells_usage):
                        continue  # what the provider makes of that is its own
                    assert usage.problem is None
                    assert usage.input_total == sample.input_total
                    assert usage.output_total == sample.output_total
                    assert all(count > 0 for count in usage.quantities.values())
                    assert seen.observed.complete
                    assert seen.observed.error is None

    @needs("http")
    def test_a_cut_stream_is_never_a_success(self) -> None:
        """Cut anywhere, an answer is whole or it says that it broke off."""
        for sample in self.chats():
            call = self.call(sample, stream=True)
            self._holds_for_any_length(call, sample)
            endings: tuple[Ending, ...] = ("truncated", "reset")
            for ends in endings:
                half = sample.stream[: len(sample.stream) // 2]
                with pytest.raises(WireError) as caught:
                    self.read(call, [half], ends=ends)
                assert caught.value.sent

    def _holds_for_any_length(self, call: Call, sample: Sample) -> None:
        stream = sample.stream
        whole = self.read(call, [stream])

        @settings(deadline=None)
        @given(st.integers(0, len(stream) - 1))
        def law(length: int) -> None:
            seen = self.read(call, [stream[:length]])
            if seen.observed.complete:
                assert (seen.text, seen.observed.usage) == (whole.text, whole.observed.usage)
            else:
                assert seen.observed.error is not None
                assert isinstance(seen.events[-1], Failed)
            assert sample.seen.startswith(seen.raw)

        law()

    # Leaving ----------------------------------------------------------------------------------

    @needs("http")
    def test_leaving_early_closes_the_upstream(self) -> None:
        """An answer nobody reads is paid for: leaving the context closes its connection."""

        async def test() -> None:
            for sample in self.chats():
                upstream = FakeUpstream()
                upstream.stream([sample.stream[:200]], ends="hang")
                async with self.over(upstream) as provider:
                    async with provider.chat(self.call(sample, stream=True)) as reply:
                        assert reply.status == 200
                        assert upstream.open == 1
                    await upstream.quiet()
                assert (upstream.abandoned, upstream.finished) == (1, 0)

        run(test)

    @needs("http")
    def test_cancelling_closes_the_upstream(self) -> None:
        """Whoever is cancelled while waiting for an answer leaves no connection behind."""

        async def test() -> None:
            for sample in self.chats():
                upstream = FakeUpstream()
                upstream.stream([sample.stream[:200]], ends="hang")
                async with self.over(upstream) as provider:
                    with anyio.move_on_after(0.005) as scope:
                        async with provider.chat(self.call(sample, stream=True)) as reply:
                            await Seen.of(reply)
                    assert scope.cancelled_caught
                    await upstream.quiet()
                assert upstream.abandoned == 1

        run(test)

    @needs("http")
    def test_aborting_ends_a_reader_elsewhere(self) -> None:
        """`abort` closes at once, and whoever reads is told by `ReadFailed`."""

        async def test() -> None:
            for sample in self.chats():
                upstream = FakeUpstream()
                upstream.stream([sample.stream[:200]], ends="hang")
                async with (
                    self.over(upstream) as provider,
                    provider.chat(self.call(sample, stream=True)) as reply,
                    anyio.create_task_group() as group,
                ):
                    group.start_soon(_read_until_aborted, reply)
                    await anyio.sleep(0.002)
                    reply.abort()
                await upstream.quiet()
                assert upstream.abandoned == 1

        run(test)


async def _read_until_aborted(reply: Reply) -> None:
    with pytest.raises(ReadFailed):
        await Seen.of(reply)
