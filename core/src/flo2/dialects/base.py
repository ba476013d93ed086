"""What a dialect is: one sans-IO codec per wire format, used by its surface and by its providers.

Everything here is pure: bytes or values in, bytes or values out; no I/O, no clock, no randomness.
Imports: canonical, errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from attrs import field, frozen
from msgspec import Struct

from flo2.canonical import Event, Loss, Request, Response, Usage
from flo2.dialects.chat_host import ANY_HOST, ChatHost
from flo2.errors import ErrorKind, ProviderError, RefusedCall

__all__ = [
    "ChecksBody",
    "Chunk",
    "Decoder",
    "Dialect",
    "Encoder",
    "EndsStreams",
    "ErrorBody",
    "Observed",
    "Operation",
    "Peek",
    "Profile",
    "ReadUsage",
    "Rendered",
]

Operation = Literal[
    "chat", "embed", "count_tokens", "make_images", "speak", "transcribe", "moderate"
]
"""What a dialect asks a provider to do; each is the name of a provider's method."""

ReadUsage = Callable[[Mapping[str, Any]], Usage]
"""Turns a provider's usage object into disjoint meters; a provider may bring its own."""


class Peek(Struct, frozen=True, gc=False):
    """The few fields of a request that every call needs, read without parsing the rest.

    Attributes:
        model: As the client wrote it; "" where the dialect has it in the URL, whose reader fills
            it in (`stream` too).
        stream: Whether a stream is wanted.
        wants_usage: Whether the client itself asked for the usage frame of a stream (True where the
            dialect always sends it).
        max_output_tokens: The client's own bound on the answer, or None.
        n: Number of answers asked for.
        end_user: `user`, `safety_identifier` or `metadata.user_id`, for attribution, or None.
        metadata: What else the request says of itself by name (`metadata`, `labels`), as text, for
            attribution; None: nothing.
        needs_render: The bytes hold what flo2 itself wrote for the client and the provider would
            not take; the request is rendered anew although the dialects are equal.
        continues: The provider's id of an earlier answer that this request goes on from, kept at
            the provider; None: it goes on from nothing.
        own_words: Some fields are in the words of one host's own client; other hosts are given the
            usual ones.
    """

    model: str
    stream: bool = False
    wants_usage: bool = True
    max_output_tokens: int | None = None
    n: int = 1
    end_user: str | None = None
    metadata: Mapping[str, str] | None = None
    needs_render: bool = False
    continues: str | None = None
    own_words: bool = False


@frozen
class Profile:
    """Facts about a model family that change how a request is rendered for it.

    Unknown models get the defaults: everything the dialect can say is allowed.

    Attributes:
        max_output_tokens: What to send where the dialect demands a bound and the client gave none.
        adaptive_thinking: The model takes `adaptive` thinking with an effort.
        system_turns: The model takes instructions in mid-conversation (where the dialect has them).
        renames: Request fields to write under another name (`max_tokens` → …).
        drops: Request fields the model's host does not take; each becomes a named loss.
        chat: What else the host wants otherwise, where it speaks Chat Completions.
    """

    max_output_tokens: int = 8192
    adaptive_thinking: bool = False
    system_turns: bool = True
    renames: Mapping[str, str] = field(factory=dict)
    drops: frozenset[str] = frozenset()
    chat: ChatHost = ANY_HOST


@frozen
class Rendered:
    """A request in a dialect's bytes, and what did not fit into it."""

    body: bytes
    losses: tuple[Loss, ...] = ()


class Chunk(Struct, frozen=True):
    """One piece of an answer.

    Attributes:
        raw: Complete frames as the provider sent them (decoded body bytes), ready to pass on to a
            client of the same dialect; without the usage frame that flo2 itself asked for. Empty
            for providers that speak no dialect.
        events: What they mean. A light decoder gives only what metering needs, and marks the first
            content by any content event.
    """

    raw: bytes
    events: tuple[Event, ...] = ()


class Observed(Struct):
    """What a decoder has learned about an answer so far; complete once it is closed.

    Attributes:
        usage: The normalised usage, or None when the provider has not said.
        response_id: The provider's id of the answer.
        model: The model named in the answer, the billed one.
        finish: The provider's own finish reason (of the first choice).
        complete: The answer ended as its dialect says it must.
        error: Set when it did not.
        has_content: Some content (text, reasoning, a tool call) has arrived.
        frames: How many events of a stream have arrived, where the dialect numbers them.
    """

    usage: Usage | None = None
    response_id: str | None = None
    model: str | None = None
    finish: str | None = None
    complete: bool = False
    error: ProviderError | None = None
    has_content: bool = False
    frames: int = 0


class Decoder(Protocol):
    """Turns a provider's body into chunks, whatever its chunking on the wire."""

    observed: Observed

    def feed(self, data: bytes) -> Chunk:
        """Take the next bytes of the body; give all frames that are now complete."""
        ...

    def close(self) -> Chunk:
        """Take the end of the body; an end without the dialect's terminator gives a `Failed`."""
        ...


class Encoder(Protocol):
    """Turns events into a dialect's stream."""

    def feed(self, event: Event) -> bytes:
        """Render one event; b"" when it has no form of its own, or must wait."""
        ...

    def close(self) -> bytes:
        """Render the end of the stream."""
        ...

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What of the answer could not be said in this dialect, so far."""
        ...


@frozen
class ErrorBody:
    """An error in a dialect's own envelope."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(factory=dict)


class Dialect(Protocol):
    """One wire format, in both directions."""

    name: str
    """`openai.chat`, `anthropic.messages`, …"""
    api: str
    """The billing word for it: `chat`, `messages`, `embeddings`, …"""
    operation: Operation
    """What it asks a provider to do."""
    content_type: str
    """Of a plain answer; "" leaves it to the provider: `Reply.headers` then has `content-type`."""
    stream_content_type: str
    """Of a stream, the same way."""

    def peek(self, body: bytes) -> Peek:
        """Read the few fields every call needs, and check the shape of the top level.

        Raises:
            InvalidRequest: no JSON object, invalid UTF-8, a required field missing, a wrong type.
        """
        ...

    def parse(self, body: bytes) -> Request:
        """Parse a whole request.

        Raises:
            InvalidRequest: with `param` naming the path at fault.
        """
        ...

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Say what `render` would lose; cheap for requests of this dialect (nothing)."""
        ...

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request. Streams always ask for usage, whatever the client said."""
        ...

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Give the client's own bytes with `model` replaced and, for a stream, usage asked for.

        All other bytes stay as they came.
        """
        ...

    def decoder(
        self, *, full: bool, hide_usage: bool, read_usage: ReadUsage | None = None
    ) -> Decoder:
        """Decode a stream.

        Args:
            full: Give every event; else only what metering needs (much cheaper).
            hide_usage: Leave the usage-only frame out of `raw`: the client did not ask for it.
            read_usage: The provider's own usage reader, where it differs.
        """
        ...

    def body_decoder(self, *, full: bool, read_usage: ReadUsage | None = None) -> Decoder:
        """Decode a plain answer: `feed` buffers, `close` gives the one chunk."""
        ...

    def encoder(self, *, include_usage: bool, asked: Request | None = None) -> Encoder:
        """Encode a stream for a client.

        Args:
            include_usage: The client asked for usage, where the dialect has a choice.
            asked: The request that is answered, where that bears on how it is written.
        """
        ...

    def encode_response(self, response: Response) -> Rendered:
        """Encode a plain answer for a client."""
        ...

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise a usage object of this dialect; never raises (see `Usage.problem`)."""
        ...

    def encode_error(
        self, error: RefusedCall | ProviderError, *, request_id: str = ""
    ) -> ErrorBody:
        """Write an error in this dialect's envelope, with its status.

        A `ProviderError` that carries a body of this same dialect keeps that body's bytes.
        """
        ...

    def encode_stream_error(self, error: RefusedCall | ProviderError) -> bytes:
        """Write an error as the last frames of a stream that has begun."""
        ...

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read an upstream error of any shape, garbage included; never raises.

        Fills kind, retryable, retry_after_s, code, error_type, param, message, body and the
        headers that may reach a client.
        """
        ...


@runtime_checkable
class ChecksBody(Protocol):
    """A dialect that sees what a host loses of a client's own bytes without parsing them whole."""

    def check_body(self, body: bytes, profile: Profile) -> tuple[Loss, ...]:
        """Say what the host loses of a body that passes through, as `Dialect.check` says it.

        Raises:
            InvalidRequest: it is no JSON object.
        """
        ...


@runtime_checkable
class EndsStreams(Protocol):
    """A dialect whose error in mid-stream speaks of what the stream has said before."""

    def end_stream(self, error: RefusedCall | ProviderError, observed: Observed) -> bytes:
        """Write an error as the last frames of a stream that passed through so far.

        Used in place of `Dialect.encode_stream_error`, which knows nothing of the stream.
        """
        ...


STATUS_OF: Mapping[ErrorKind, int] = {
    "invalid_request": 400,
    "authentication": 401,
    "permission": 403,
    "not_found": 404,
    "too_large": 413,
    "budget": 402,
    "rate_limit": 429,
    "overloaded": 503,
    "unavailable": 503,
    "timeout": 504,
    "connection": 502,
    "upstream": 502,
    "internal": 500,
}
"""The status a client sees when an error kind has none of its own."""


def kind_of_status(status: int) -> tuple[ErrorKind, bool]:
    """Say what an upstream status means, and whether another attempt may help."""
    kinds: Mapping[int, tuple[ErrorKind, bool]] = {
        400: ("invalid_request", False),
        401: ("authentication", False),
        402: ("budget", False),
        403: ("permission", False),
        404: ("not_found", False),
        408: ("timeout", True),
        409: ("upstream", True),
        413: ("too_large", False),
        422: ("invalid_request", False),
        429: ("rate_limit", True),
        500: ("upstream", True),
        503: ("overloaded", True),
        504: ("timeout", True),
        529: ("overloaded", True),
    }
    if found := kinds.get(status):
        return found
    if status >= 500:
        return "upstream", True
    return "invalid_request", False


def unsupported(losses: Sequence[Loss]) -> str:
    """Say in one sentence which features the target cannot express."""
    return "the chosen target cannot express: " + "; ".join(str(loss) for loss in losses)
