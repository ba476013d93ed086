"""An answer of the sandbox while it is given, word by word. Imports: flo2."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final

import anyio
from attrs import evolve, frozen

from flo2 import (
    Chunk,
    Event,
    Failed,
    Finish,
    Observed,
    PartDelta,
    PartStart,
    PartStop,
    ProviderError,
    ReadFailed,
    Start,
    Text,
    ToolCall,
    Usage,
    UsageUpdate,
)
from flo2_provider_sandbox.model import Said, count_tokens

__all__ = ["Pace", "SandboxReply"]

_WORD: Final = re.compile(r"\S+\s*|\s+")
_BREAKS_AFTER: Final = 3


@frozen
class Pace:
    """How fast it speaks, in seconds."""

    first_word_s: float
    word_s: float


class SandboxReply:
    """The open answer; a `flo2.Reply`.

    Args:
        head: Names the answer and the model.
        said: The answers, one a choice.
        prompt_tokens: The prompt, counted.
        pace: How fast.
        breaks: Whether it breaks off in the middle.
    """

    status: int = 200

    def __init__(
        self,
        head: Start,
        said: Sequence[Said],
        prompt_tokens: int,
        pace: Pace,
        *,
        breaks: bool = False,
    ) -> None:
        self.headers: Mapping[str, str] = {"x-flo2-simulated": "true"}
        self.observed = Observed(response_id=head.id, model=head.model)
        self._head = head
        self._said = said
        self._prompt_tokens = prompt_tokens
        self._pace = pace
        self._breaks = breaks
        self._aborted = anyio.Event()

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Give the answer word by word; `raw` is empty, for it speaks no dialect."""
        observed = self.observed
        observed.usage = _usage(self._prompt_tokens, 0)
        first: tuple[Event, ...] = (self._head, UsageUpdate(observed.usage, final=False))
        await self._wait(self._pace.first_word_s)
        for number, events in enumerate(self._words()):
            await self._wait(self._pace.word_s if number else 0)
            if self._breaks and number == _BREAKS_AFTER:
                observed.error = _broken()
                yield Chunk(b"", (Failed(observed.error),))
                return
            observed.has_content = True
            yield Chunk(b"", (*first, *events))
            first = ()
        written = sum(_written(said) for said in self._said)
        observed.usage = _usage(self._prompt_tokens, written)
        observed.finish = self._said[0].finish
        observed.complete = True
        yield Chunk(b"", (*first, *self._ends(), UsageUpdate(observed.usage)))

    def _words(self) -> Iterator[tuple[Event, ...]]:
        for choice, said in enumerate(self._said):
            opening: Event = PartStart(0, _empty(said.part), choice)
            words = _WORD.findall(said.text)
            if not words:
                yield (opening, PartStop(0, choice))
            for number, word in enumerate(words):
                delta = PartDelta(0, word, choice=choice)
                events: tuple[Event, ...] = (delta,) if number else (opening, delta)
                yield (*events, PartStop(0, choice)) if number == len(words) - 1 else events

    def _ends(self) -> tuple[Event, ...]:
        return tuple(
            Finish(said.finish, said.finish, said.stop_sequence, choice)
            for choice, said in enumerate(self._said)
        )

    async def _wait(self, seconds: float) -> None:
        """Take the time a word takes.

        Raises:
            ReadFailed: it was aborted.
        """
        with anyio.move_on_after(seconds):
            await self._aborted.wait()
        if self._aborted.is_set():
            raise ReadFailed("the simulated answer was aborted")

    def abort(self) -> None:
        """Break it off now."""
        self._aborted.set()


def _empty(part: Text | ToolCall) -> Text | ToolCall:
    return Text("") if isinstance(part, Text) else evolve(part, arguments="")


def _written(said: Said) -> int:
    name = said.part.name if isinstance(said.part, ToolCall) else ""
    return count_tokens(said.text) + count_tokens(name)


def _usage(prompt: int, written: int) -> Usage:
    counts = {"input_tokens": prompt, "output_tokens": written}
    return Usage({meter: count for meter, count in counts.items() if count}, raw=counts)


def _broken() -> ProviderError:
    return ProviderError(
        "the sandbox broke the answer off, as model 'sandbox-error-stream' is there to do",
        provider="sandbox",
        status=200,
        kind="upstream",
        retryable=True,
    )
