"""One attempt at one provider, from its intent to its end record.

Whatever happens to it (an answer, an error, a cut, a lost race, a client that leaves), exactly one
end record is written, and the connection is closed. Imports: protocols, records, tools, closing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from msgspec import Struct, field

from flo2.admission import Grant
from flo2.canonical import Failed
from flo2.dialects.base import Chunk, Observed
from flo2.errors import ProviderError, ReadFailed, RefusedCall, WireError
from flo2.executor.closing import Failure, cut_off, leave, report_bug
from flo2.executor.tools import Tools
from flo2.protocols import Call, Facts, Reply
from flo2.records import Exchange, Intent, Outcome, Pend, Settle, Void
from flo2.secrets import scrub_error

if TYPE_CHECKING:
    from flo2.executor.runner import Runner

__all__ = ["Attempt"]

Opener = Callable[[Call], AbstractAsyncContextManager[Reply]]


class Attempt(Struct, eq=False):
    """One attempt; owned by one task at a time.

    Attributes:
        abandoned: Set once nobody waits for it any more: how it will have ended.
        runner: The task that reads it, where that is not the one that asked for it.
        exhausted: The answer has been read to its end.
    """

    tools: Tools
    _opener: Opener
    facts: Facts
    call: Call
    intent: Intent
    candidate_id: str
    grant: Grant | None = None
    abandoned: Outcome | None = None
    runner: Runner | None = None
    reply: Reply | None = None
    end: Settle | Pend | Void | None = None
    ended: bool = False
    exhausted: bool = False
    failure: Failure | RefusedCall | None = None
    first_byte_us: int | None = None
    _context: AbstractAsyncContextManager[Reply] | None = None
    _rest: AsyncIterator[Chunk] | None = None
    _buffer: list[Chunk] = field(default_factory=list)
    _started: float | None = None
    _took_to_content: float | None = None

    @property
    def observed(self) -> Observed | None:
        """What the answer has shown so far, or None before there is one."""
        return None if self.reply is None else self.reply.observed

    @property
    def lost(self) -> bool:
        """Whether whoever asked has given it up."""
        return self.abandoned is not None

    async def open(self, *, hold: bool = True) -> None:
        """Write the intent, send, and read until the first content (a stream) or the end.

        Args:
            hold: Something else can be tried, so a stream is held until its first content. Without
                that, it is handed on with its first piece.

        Raises:
            StoreError: the intent could not be written; nothing was sent.
            RefusedCall: the request itself cannot be sent; nothing was, its entry is void.
            ProviderError, WireError: it failed; its end record is written.
        """
        self.tools.ledger.intent(self.intent)
        if self.grant is not None:
            self.grant.begun(self.intent)
        self._started = self.tools.clock()
        try:
            context = self._opener(self.call)
            self.reply = reply = await context.__aenter__()
            self._context = context
            stream = self.call.inbound.peek.stream
            whole = None if stream else getattr(reply, "whole", None)
            if whole is not None:  # the quicker way, where the provider has it
                failed = self._keep(await whole()) or reply.observed.error
                self.exhausted = True
                if failed is not None and not reply.observed.has_content:
                    raise failed  # noqa: TRY301  # as one that `_read_ahead` raises
            else:
                await self._read_ahead(reply, hold=hold)
        except Exception as exc:  # border: a plugin's own code
            failure = self.failure = self._explain(exc)
            self.finish(_how(failure, answered=self.reply is not None))
            await self.shut()
            if failure is exc:
                raise
            raise failure from exc
        except BaseException:  # cancelled: a lost race, or the caller went away
            self.finish(self.abandoned or "disconnected")
            await self.shut()
            raise
        if stream:
            self._note_content(reply.observed)

    def _note_content(self, observed: Observed) -> None:
        if self._took_to_content is None and observed.has_content and self._started is not None:
            self._took_to_content = self.tools.clock() - self._started

    def _explain(self, exc: Exception) -> Failure | RefusedCall:
        """Give the failure itself, or in place of what a plugin must not raise, one that says so.

        A refusal is believed only before there is an answer: it means that nothing was sent.
        """
        if isinstance(exc, ProviderError):
            secret = self.call.credential.secret
            if secret is not None:  # a provider with I/O of its own may quote what it was sent
                scrub_error(exc, secret)
            return exc
        if isinstance(exc, WireError):
            return exc
        if isinstance(exc, RefusedCall) and self.reply is None:
            return exc
        return report_bug(self.intent.provider, exc)

    async def _read_ahead(self, reply: Reply, *, hold: bool) -> None:
        observed, stream = reply.observed, self.call.stream
        failed: ProviderError | None = None
        self._rest = reply.chunks()
        async for chunk in self._rest:
            failed = self._keep(chunk) or observed.error
            if failed is not None or (stream and (observed.has_content or not hold)):
                break
        else:
            self.exhausted = True
        failed = failed or observed.error
        if failed is not None and not observed.has_content:
            raise failed

    def _keep(self, chunk: Chunk) -> ProviderError | None:
        if self.first_byte_us is None:
            self.first_byte_us = self.tools.now_us()
        self._buffer.append(chunk)
        for event in chunk.events:
            if isinstance(event, Failed):
                return event.error
        return None

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Give the answer from its beginning, once; a cut connection becomes a `Failed` event."""
        buffered, self._buffer = self._buffer, []
        for chunk in buffered:
            yield chunk
        if self.runner is None:
            async for chunk in self.read_on():
                yield chunk
            return
        async for chunk in self.runner.feed:
            yield chunk
        if not self.exhausted and self.failure is None:
            self.failure = ReadFailed("flo2 stopped reading, it is shutting down")
            yield cut_off(self.intent.provider, self.failure)

    def taken(self) -> list[Chunk] | None:
        """Give an answer that was read whole, in place of `chunks`; None when it was not."""
        if not self.exhausted or self.runner is not None:
            return None
        buffered, self._buffer = self._buffer, []
        return buffered

    async def read_on(self) -> AsyncIterator[Chunk]:
        """Give what has not been read yet, from the provider itself; for its one reader."""
        if self.exhausted or self._rest is None:
            return
        observed = self.observed
        try:
            async for chunk in self._rest:
                if self._took_to_content is None and observed is not None:
                    self._note_content(observed)
                yield chunk
        except (ProviderError, WireError) as exc:
            self.failure = exc
            yield cut_off(self.intent.provider, exc)
        except Exception as exc:  # border: a plugin's own code  # noqa: BLE001
            self.failure = report_bug(self.intent.provider, exc)
            yield cut_off(self.intent.provider, self.failure)
        self.exhausted = True

    def finish(self, outcome: Outcome, *, beside: Callable[[int], Exchange] | None = None) -> None:
        """Write the end record, once, of an attempt that began; it follows from what was seen.

        Args:
            outcome: How it ended.
            beside: Makes the exchange's own record, to be written in the same go, of the moment at
                which both have ended.
        """
        if self.ended or self._started is None:
            return
        self.ended = True
        reply, tools = self.reply, self.tools
        observed = None if reply is None else reply.observed
        ended_us = tools.now_us()
        end = self.end = tools.booking.end(
            intent=self.intent,
            facts=self.facts,
            outcome=outcome,
            observed=observed,
            failure=self.failure,
            http_status=self._refusing_status() if reply is None else reply.status,
            ended_us=ended_us,
            first_byte_us=self.first_byte_us,
            inbound=self.call.inbound,
        )
        exchange = () if beside is None else (beside(ended_us),)
        written = tools.write_end(end, *exchange)
        if self.grant is not None:
            self.grant.ended(self.intent, written)
        usage = None if observed is None else observed.usage
        if usage is not None and usage.problem is not None:
            intent = self.intent
            tools.alarms.doubt(intent.provider, intent.api, usage.problem, intent.entry_id)
        self._report(outcome, observed)

    def _report(self, outcome: Outcome, observed: Observed | None) -> None:
        health = self.tools.health
        failure = self.failure or (None if observed is None else observed.error)
        if failure is not None and not isinstance(failure, RefusedCall):
            health.failed(self.candidate_id, failure)
        elif outcome == "answered" and self._started is not None:
            # A plain answer shows no first token: its first byte comes when it is whole.
            health.succeeded(
                self.candidate_id, self._took_to_content, self.tools.clock() - self._started
            )

    def _refusing_status(self) -> int | None:
        return self.failure.status if isinstance(self.failure, ProviderError) else None

    async def close(self) -> None:
        """Let go of it, after `finish`; safe at any time, also when cancelled."""
        if self.runner is None:
            await self.shut()
        else:
            self.runner.release()

    async def shut(self) -> None:
        """Close the connection; for the task that reads it. Never raises, save cancellation."""
        rest, context = self._rest, self._context
        self._rest = self._context = None
        if context is None:
            return
        if rest is not None or not self.exhausted:
            await leave(self.intent.provider, rest, context, quiet=self.exhausted)
            return
        try:  # a plain answer that was read whole: nothing is left to wait for
            await context.__aexit__(None, None, None)
        except Exception as exc:  # border: a plugin's own code  # noqa: BLE001
            report_bug(self.intent.provider, exc)


def _how(failure: Failure | RefusedCall, *, answered: bool) -> Outcome:
    if not answered:
        if isinstance(failure, WireError):
            return "broken" if failure.sent else "unreachable"
        if isinstance(failure, RefusedCall) or failure.status is not None:
            return "refused"
    return "broken"
