"""Anthropic's Messages API as a dialect, and its token counting as another.

Pure. Imports: canonical, base, splice, errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flo2.canonical import Loss, Request, Response, Usage
from flo2.dialects.anthropic_messages.count_tokens import (
    COUNT_NAME,
    encode_count,
    render_count,
)
from flo2.dialects.anthropic_messages.encoder import StreamEncoder
from flo2.dialects.anthropic_messages.errors import (
    decode_error,
    encode_error,
    encode_stream_error,
    stream_error,
)
from flo2.dialects.anthropic_messages.limits import limit_headers
from flo2.dialects.anthropic_messages.peek import peek_request
from flo2.dialects.anthropic_messages.request_parse import parse_request
from flo2.dialects.anthropic_messages.request_render import render_request
from flo2.dialects.anthropic_messages.response import BodyDecoder, encode_response
from flo2.dialects.anthropic_messages.stream import StreamDecoder
from flo2.dialects.anthropic_messages.usage import read_usage
from flo2.dialects.anthropic_messages.vocabulary import NAME
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
from flo2.dialects.counting import CountDecoder, read_count
from flo2.dialects.jsonio import dumps
from flo2.dialects.limit_headers import LimitState
from flo2.dialects.splice import splice
from flo2.errors import ProviderError, RefusedCall

__all__ = ["AnthropicCountTokens", "AnthropicMessages"]


class AnthropicMessages:
    """`POST /v1/messages`. Stateless: one instance serves every call."""

    name = NAME
    api = "messages"
    operation: Operation = "chat"
    content_type = "application/json"
    stream_content_type = "text/event-stream; charset=utf-8"

    def peek(self, body: bytes) -> Peek:
        """Read the few fields every call needs.

        Raises:
            InvalidRequest: no JSON object, a required field missing, or a wrong type.
        """
        return peek_request(body, bounded=True)

    def parse(self, body: bytes) -> Request:
        """Parse a whole request.

        Raises:
            InvalidRequest: with `param` naming the path at fault.
        """
        return parse_request(body)

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Say what `render` would lose."""
        if request.origin == NAME and not profile.drops and profile.system_turns:
            return ()
        return render_request(request, model=request.model, profile=profile)[1]

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request."""
        body, losses = render_request(request, model=model, profile=profile)
        return Rendered(dumps(body), losses)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Give the client's own bytes with `model` replaced; streams always carry usage."""
        return splice(body, old=peek.model, new=model)

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
        """Normalise a usage object."""
        return read_usage(raw)

    def encode_error(
        self, error: RefusedCall | ProviderError, *, request_id: str = ""
    ) -> ErrorBody:
        """Write an error answer."""
        return encode_error(error, request_id=request_id)

    def limit_headers(self, states: Sequence[LimitState]) -> Mapping[str, str]:
        """Write limits as this API's headers."""
        return limit_headers(states)

    def encode_stream_error(self, error: RefusedCall | ProviderError) -> bytes:
        """Write the `error` event that ends a stream."""
        return encode_stream_error(error)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read an upstream error of any shape."""
        return decode_error(status, headers, body)


class AnthropicCountTokens(AnthropicMessages):
    """`POST /v1/messages/count_tokens`: the same request without a bound, a number for an answer.

    It is free and never streamed, so its usage has no meters.
    """

    name = COUNT_NAME
    api = "count_tokens"
    operation: Operation = "count_tokens"

    def peek(self, body: bytes) -> Peek:
        """Read the few fields every call needs; `max_tokens` may be missing.

        Raises:
            InvalidRequest: no JSON object, a required field missing, or a wrong type.
        """
        return peek_request(body, bounded=False)

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Say what `render` would lose."""
        return render_count(request, model=request.model, profile=profile)[1]

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request, with the fields that bear on the count."""
        body, losses = render_count(request, model=model, profile=profile)
        return Rendered(dumps(body), losses)

    def body_decoder(
        self, *, full: bool, read_usage: ReadUsage | None = None
    ) -> Decoder:  # nothing to leave out
        """Decode a count."""
        return CountDecoder(
            COUNT_NAME, read_usage or self.read_usage, lambda _, raw: stream_error(raw)
        )

    def encode_response(self, response: Response) -> Rendered:
        """Encode a count."""
        return encode_count(response)

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Read a count; it has no meters because counting is free."""
        return read_count(raw, COUNT_NAME)
