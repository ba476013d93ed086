"""An answer on its way to the client: bytes of the surface's dialect, or canonical events.

Imports: canonical, dialects, executor.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import TYPE_CHECKING

from msgspec import Struct, field

from flo2.canonical import Event, Failed, Loss, PartDelta, PartStart, Response, Text, fold
from flo2.dialects.base import Dialect, Encoder, EndsStreams
from flo2.dialects.completing import Completing
from flo2.records import Outcome

if TYPE_CHECKING:
    from flo2.executor import Attempt
    from flo2.gateway.exchange import OpenExchange

__all__ = ["Answer"]


class Answer(Struct, eq=False):
    """A call that has been answered; read it with one of `body`, `stream`, `events`, `response`.

    Attributes:
        attempt: The attempt that answers.
        status: HTTP status for the client.
        headers: Headers for the client: what happened (`x-flo2-…`) and the provider's rate limits.
        content_type: Of the body.
        is_stream: Whether the client asked for a stream.
        losses: What could not be carried into the client's dialect, so far.
        told: Whether the client was handed the whole answer.
        closed: Whether the provider's connection was let go of.
    """

    _exchange: OpenExchange
    attempt: Attempt
    _dialect: Dialect
    is_stream: bool
    content_type: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    losses: tuple[Loss, ...] = ()
    told: bool = False
    closed: bool = False

    @property
    def request_id(self) -> str:
        """The id under which `GET /api/calls/{id}` gives the receipt."""
        return self._exchange.exchange_id

    async def read(self) -> None:
        """Take a plain answer whole into `body`, and settle it."""
        attempt = self.attempt
        chunks = attempt.taken()
        if chunks is None:
            chunks = [chunk async for chunk in attempt.chunks()]
        reply = attempt.reply
        broken = reply is not None and reply.observed.error is not None
        outcome: Outcome = "broken" if broken else "answered"
        if attempt.call.passthrough:
            one = len(chunks) == 1
            self.body = chunks[0].raw if one else b"".join([chunk.raw for chunk in chunks])
        else:
            events = [event for chunk in chunks for event in chunk.events]
            asked = self._exchange.inbound.request
            if self._dialect.operation == "chat":
                completing = self._completing()
                events = [each for event in events for each in completing.of(event)]
                events += () if broken else completing.ends()
            # The events say themselves whose they are: a provider may speak no dialect at all.
            whole = fold(events, asked=asked)
            rendered = self._dialect.encode_response(whole)
            self.body, self.losses = rendered.body, rendered.losses
        attempt.finish(outcome, beside=self._exchange.served)
        if attempt.runner is None:
            await attempt.shut()
        else:
            await attempt.close()
        self.told = self.closed = True

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Give a stream's bytes as they come; settled before the last event leaves.

        Clients hang up at the dialect's own last event, not at the end of HTTP's body: whoever has
        seen that event has an answer that is in the ledger, whatever happens to flo2 then.
        """
        attempt, dialect = self.attempt, self._dialect
        failed: Failed | None = None
        sent_raw = False
        encoder: Encoder | None = None
        if attempt.call.passthrough:
            async for chunk in attempt.chunks():
                if not self._settle():
                    failed = failed or _failure(chunk.events)
                sent_raw = bool(chunk.raw)
                if sent_raw:
                    self._note_told()
                    yield chunk.raw
        else:
            inbound = self._exchange.inbound
            encoder = dialect.encoder(include_usage=inbound.peek.wants_usage, asked=inbound.request)
            completing = self._completing()
            async for chunk in attempt.chunks():
                failed = None if self._settle() else _failure(chunk.events)
                data = b"".join(
                    encoder.feed(each)
                    for event in chunk.events
                    if not isinstance(event, Failed)
                    for each in completing.of(event)
                )
                if data:
                    yield data
                if failed is not None:
                    break
            if failed is None:
                attempt.finish("answered")
                self._note_told()
                yield b"".join(map(encoder.feed, completing.ends())) + encoder.close()
            self.losses = encoder.losses
        attempt.finish("broken" if failed is not None else "answered")
        await attempt.close()
        if failed is not None and encoder is not None:
            # It knows what the stream has said: open blocks, numbers of events, the answer's id.
            yield encoder.feed(failed)
        elif failed is not None and not sent_raw:
            yield _ending(dialect, failed, attempt)
        # A model that does not stream may have answered the wish for a stream with a plain file.
        if self._exchange.caller.trailer and self.content_type.startswith("text/event-stream"):
            yield b": flo2 " + self._exchange.summary() + b"\n\n"
        self.told = self.closed = True

    def _completing(self) -> Completing:
        return Completing(self.request_id, self._exchange.inbound.peek.model)

    def _settle(self) -> bool:
        """Write the end record as soon as the answer has shown all; say whether it is written."""
        attempt = self.attempt
        observed = attempt.observed
        if observed is not None and observed.complete and observed.error is None:
            attempt.finish("answered")
        return attempt.ended

    def _note_told(self) -> None:
        """Note that a client which leaves after this piece has what it came for."""
        if self.attempt.ended:
            self.told = not self._exchange.caller.trailer

    async def events(self) -> AsyncIterator[Event]:
        """Give canonical events as they come; for callers without HTTP."""
        attempt = self.attempt
        broken = False
        async for chunk in attempt.chunks():
            for event in chunk.events:
                broken = broken or isinstance(event, Failed)
                yield event
        attempt.finish("broken" if broken else "answered")
        await attempt.close()
        self.told = self.closed = True

    async def texts(self) -> AsyncIterator[str]:
        """Give the text of the first choice, piece by piece; for callers without HTTP.

        Raises:
            ProviderError: the answer broke off.
        """
        texts: set[int] = set()
        async for event in self.events():
            match event:
                case PartStart(index=index, part=Text(text=text), choice=0):
                    texts.add(index)
                    if text:
                        yield text
                case PartDelta(index=index, text=text, choice=0) if text and index in texts:
                    yield text
                case Failed(error=error):
                    raise error
                case _:
                    continue

    async def response(self) -> Response:
        """Take the whole answer in its canonical form; for callers without HTTP."""
        events = [event async for event in self.events()]
        return fold(events)


def _ending(dialect: Dialect, failed: Failed, attempt: Attempt) -> bytes:
    """Write the failure of a stream that passed through."""
    if attempt.observed is not None and isinstance(dialect, EndsStreams):
        return dialect.end_stream(failed.error, attempt.observed)
    return dialect.encode_stream_error(failed.error)


def _failure(events: Iterable[Event]) -> Failed | None:
    for event in events:
        if isinstance(event, Failed):
            return event
    return None
