"""Google's generateContent as a dialect, and its token counting as another.

Pure. Imports: canonical, base, splice, errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from flo2.canonical import Loss, Reasoning, Request, Response, Usage
from flo2.dialects.base import (
    Decoder,
    Encoder,
    ErrorBody,
    Operation,
    Peek,
    Profile,
    ReadUsage,
    Rendered,
)
from flo2.dialects.gemini.count_tokens import (
    COUNT_NAME,
    count_decoder,
    encode_count,
    parse_count,
    read_total,
    render_count,
    splice_count,
)
from flo2.dialects.gemini.encoder import StreamEncoder, encode_response
from flo2.dialects.gemini.errors import decode_error, encode_error, encode_stream_error
from flo2.dialects.gemini.peek import peek_request
from flo2.dialects.gemini.request_parse import parse_request
from flo2.dialects.gemini.request_render import WORDS, render_request
from flo2.dialects.gemini.stream import BodyDecoder, StreamDecoder
from flo2.dialects.gemini.usage import read_usage
from flo2.dialects.gemini.vocabulary import NAME
from flo2.dialects.jsonio import dumps
from flo2.dialects.splice import splice
from flo2.errors import ProviderError, RefusedCall

__all__ = ["Gemini", "GeminiCountTokens"]


class _Named(msgspec.Struct):
    model: str | None = None


_decode_named = msgspec.json.Decoder(_Named).decode


class Gemini:
    """`POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent?alt=sse`.

    Stateless: one instance serves every call. The model and the wish for a stream stand in the URL,
    so a peek knows neither. Four words of `Profile.drops` change how a foreign request is written:
    `MEDIA_IN_RESULTS`, `PLACEHOLDER`, `THINKING_MINIMAL`, `THINKING_OFF`.
    """

    name = NAME
    api = "generate_content"
    operation: Operation = "chat"
    content_type = "application/json; charset=UTF-8"
    stream_content_type = "text/event-stream"

    def peek(self, body: bytes) -> Peek:
        """Read the few fields every call needs.

        Raises:
            InvalidRequest: no JSON object, no contents, or a wrong type.
        """
        return peek_request(body, counting=False)

    def parse(self, body: bytes) -> Request:
        """Parse a whole request.

        Raises:
            InvalidRequest: with `param` naming the path at fault.
        """
        return parse_request(body)

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Say what `render` would lose."""
        if request.origin == NAME and profile.drops <= WORDS and not _holds_foreign(request):
            return ()
        return render_request(request, profile=profile)[1]

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request."""
        body, losses = render_request(request, profile=profile)
        return Rendered(dumps(body), losses)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Give the client's own bytes; a model that stands in them too is made that of the URL."""
        if b'"model"' not in body or (old := _decode_named(body).model) is None:
            return body
        return splice(body, old=old, new=model if "/" in model else f"models/{model}")

    def decoder(
        self,
        *,
        full: bool,
        hide_usage: bool,  # there is no frame of usage alone
        read_usage: ReadUsage | None = None,
    ) -> Decoder:
        """Decode a stream."""
        return StreamDecoder(full=full, read_usage=read_usage or self.read_usage)

    def body_decoder(self, *, full: bool, read_usage: ReadUsage | None = None) -> Decoder:
        """Decode a plain answer."""
        return BodyDecoder(full=full, read_usage=read_usage or self.read_usage)

    def encoder(self, *, include_usage: bool, asked: Request | None = None) -> Encoder:
        """Encode a stream."""
        del include_usage, asked  # it always is, and it writes every answer alike
        return StreamEncoder()

    def encode_response(self, response: Response) -> Rendered:
        """Encode a plain answer."""
        return encode_response(response)

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise a usage object; never raises."""
        return read_usage(raw)

    def encode_error(
        self, error: RefusedCall | ProviderError, *, request_id: str = ""
    ) -> ErrorBody:
        """Write an error answer."""
        return encode_error(error, request_id=request_id)

    def encode_stream_error(self, error: RefusedCall | ProviderError) -> bytes:
        """Write an error as the last event of a stream."""
        return encode_stream_error(error)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read an upstream error of any shape."""
        return decode_error(status, headers, body)


def _holds_foreign(request: Request) -> bool:
    """Whether a request of this dialect brings back what another provider thought."""
    return any(
        isinstance(part, Reasoning) and part.origin != NAME
        for message in request.messages
        for part in message.content
    )


class GeminiCountTokens(Gemini):
    """`POST /v1beta/models/{model}:countTokens`: contents or a whole request give a number.

    It is free and never streamed, so its usage has no meters.
    """

    name = COUNT_NAME
    api = "count_tokens"
    operation: Operation = "count_tokens"

    def peek(self, body: bytes) -> Peek:
        """Read the few fields every call needs.

        Raises:
            InvalidRequest: no JSON object, no contents, or a wrong type.
        """
        return peek_request(body, counting=True)

    def parse(self, body: bytes) -> Request:
        """Parse contents, or the whole request inside.

        Raises:
            InvalidRequest: with `param` naming the path at fault.
        """
        return parse_count(body)

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Say what `render` would lose."""
        return render_count(request, model=request.model, profile=profile)[1]

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request, as a whole one."""
        body, losses = render_count(request, model=model, profile=profile)
        return Rendered(dumps(body), losses)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Give the client's own bytes; a whole request inside names the model again."""
        return splice_count(body, model=model)

    def body_decoder(
        self, *, full: bool, read_usage: ReadUsage | None = None
    ) -> Decoder:  # nothing to leave out
        """Decode a count."""
        return count_decoder(read_usage or self.read_usage)

    def encode_response(self, response: Response) -> Rendered:
        """Encode a count."""
        return encode_count(response)

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Read a count; it has no meters because counting is free."""
        return read_total(raw)
