"""One attempt at one provider, from its intent to its end record.

Whatever happens to it (an answer, an error, a cut, a lost race, a client that leaves), exactly one
end record is written, and the connection is closed. Imports: protocols, records, booking, health.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from anyio import move_on_after
from attrs import frozen

from flo2.canonical import Failed
from flo2.dialects.base import Chunk, Observed
from flo2.errors import Flo2Error, ProviderError, WireError
from flo2.executor.booking import Booking
from flo2.executor.health import HealthModel
from flo2.protocols import Call, Facts, Reply
from flo2.records import Intent, Outcome, Pend, Settle, Void

if TYPE_CHECKING:
    from flo2.ledger import Ledger

__all__ = ["Attempt", "Tools"]

Opener = Callable[[Call], AbstractAsyncContextManager[Reply]]

_CLOSE_S = 5.0


@frozen
class Tools:
    """What every attempt of a gateway works with."""

    ledger: Ledger
    booking: Booking
    health: HealthModel
    clock: Callable[[], float]
    now_us: Callable[[], int]


class Attempt:
    """One attempt; owned by one task at a time."""

    __slots__ = (
        "_buffer",
        "_context",
        "_ended",
        "_exhausted",
        "_opener",
        "_rest",
        "_started",
        "call",
        "candidate_id",
        "end",
        "facts",
        "failure",
        "first_byte_us",
        "intent",
        "lost",
        "reply",
        "tools",
    )

    def __init__(
        self,
        tools: Tools,
        opener: Opener,
        facts: Facts,
        call: Call,
        intent: Intent,
        candidate_id: str,
    ) -> None:
        """Prepare; nothing is written or sent yet."""
        self.tools = tools
        self.facts = facts
        self.call = call
        self.intent = intent
        self.candidate_id = candidate_id
        self.lost = False
        self.reply: Reply | None = None
        self.end: Settle | Pend | Void | None = None
        self.failure: ProviderError | WireError | None = None
        self.first_byte_us: int | None = None
        self._opener = opener
        self._context: AbstractAsyncContextManager[Reply] | None = None
        self._rest: AsyncIterator[Chunk] | None = None
        self._buffer: list[Chunk] = []
        self._exhausted = False
        self._ended = False
        self._started = 0.0

    @property
    def observed(self) -> Observed | None:
        """What the answer has shown so far, or None before there is one."""
        return None if self.reply is None else self.reply.observed

    @property
    def ended(self) -> bool:
        """Whether its end record is written."""
        return self._ended

    async def open(self) -> None:
        """Write the intent, send, and read until the first content (a stream) or the end.

        Raises:
            StoreError: the intent could not be written; nothing was sent.
            ProviderError, WireError: it failed; its end record is written.
        """
        self.tools.ledger.intent(self.intent)
        self._started = self.tools.clock()
        try:
            self._context = self._opener(self.call)
            self.reply = await self._context.__aenter__()
            self._rest = self.reply.chunks()
            await self._read_ahead()
        except (ProviderError, WireError) as exc:
            self.failure = exc
            self.finish("refused" if isinstance(exc, ProviderError) else "unreachable")
            await self.close()
            raise
        except Exception as exc:  # border: a plugin's own code
            bug = self._bug(exc)
            self.failure = bug
            self.finish("broken")
            await self.close()
            raise bug from exc
        except BaseException:  # cancelled: a lost race, or the caller went away
            self.finish("lost" if self.lost else "disconnected")
            await self.close()
            raise

    async def _read_ahead(self) -> None:
        reply, rest, stream = self.reply, self._rest, self.call.stream
        assert reply is not None  # noqa: S101  # narrowing only
        assert rest is not None  # noqa: S101  # narrowing only
        observed = reply.observed
        async for chunk in rest:
            if self.first_byte_us is None:
                self.first_byte_us = self.tools.now_us()
            self._buffer.append(chunk)
            if observed.error is not None:
                if not observed.has_content:
                    raise observed.error
                return
            if stream and observed.has_content:
                return
        self._exhausted = True
        if observed.error is not None and not observed.has_content:
            raise observed.error

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Give the answer from its beginning, once; a cut connection becomes a `Failed` event."""
        buffered, self._buffer = self._buffer, []
        for chunk in buffered:
            yield chunk
        if self._exhausted or self._rest is None:
            return
        try:
            async for chunk in self._rest:
                yield chunk
        except WireError as exc:
            self.failure = exc
            yield self._cut(exc)
        except Flo2Error:
            raise
        except Exception as exc:  # border: a plugin's own code  # noqa: BLE001
            bug = self._bug(exc)
            self.failure = bug
            yield self._cut(bug)
        self._exhausted = True

    def _cut(self, exc: WireError | ProviderError) -> Chunk:
        if isinstance(exc, ProviderError):
            return Chunk(b"", (Failed(exc),))
        error = ProviderError(
            f"the connection to provider {self.intent.provider!r} broke off: {exc}",
            provider=self.intent.provider,
            kind="upstream",
        )
        return Chunk(b"", (Failed(error),))

    async def skim(self, max_bytes: int) -> None:
        """Read the rest for its usage only, at most `max_bytes` of it."""
        seen = 0
        async for chunk in self.chunks():
            seen += len(chunk.raw)
            if seen > max_bytes:
                return

    def finish(self, outcome: Outcome) -> None:
        """Write the end record, once; what it says follows from what was observed."""
        if self._ended:
            return
        self._ended = True
        end = self.tools.booking.end(
            intent=self.intent,
            facts=self.facts,
            outcome=outcome,
            observed=self.observed,
            failure=self.failure,
            http_status=self._http_status(),
            ended_us=self.tools.now_us(),
            first_byte_us=self.first_byte_us,
            inbound=self.call.inbound,
        )
        self.end = end
        self._report(outcome)
        self.tools.ledger.end(end)

    def _report(self, outcome: Outcome) -> None:
        health, observed = self.tools.health, self.observed
        failure = self.failure or (observed.error if observed else None)
        if failure is not None:
            health.failed(self.candidate_id, failure)
        elif outcome == "answered":
            took = self.tools.clock() - self._started
            first = self.first_byte_us
            first_s = None if first is None else (first - self.intent.started_us) / 1e6
            health.succeeded(self.candidate_id, first_s, took)

    def _http_status(self) -> int | None:
        if self.reply is not None:
            return self.reply.status
        return self.failure.status if isinstance(self.failure, ProviderError) else None

    async def close(self) -> None:
        """Close what is open; safe to call at any time, also when cancelled."""
        rest, context = self._rest, self._context
        self._rest = self._context = None
        if rest is None and context is None:
            return
        if self._exhausted or rest is None:
            await _leave(rest, context if self.reply is not None else None)
            return
        with move_on_after(_CLOSE_S, shield=True):
            await _leave(rest, context if self.reply is not None else None)

    def _bug(self, exc: Exception) -> ProviderError:
        return ProviderError(
            f"provider {self.intent.provider!r} raised {type(exc).__name__}; see the server's log",
            provider=self.intent.provider,
            kind="internal",
            retryable=True,
        )


async def _leave(
    rest: AsyncIterator[Chunk] | None, context: AbstractAsyncContextManager[Reply] | None
) -> None:
    close = getattr(rest, "aclose", None)
    if close is not None:
        await close()
    if context is not None:
        await context.__aexit__(None, None, None)
