"""OpenAI's Responses API as a dialect, and its token counting as another.

Pure. Imports: canonical, base, splice, errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flo2.canonical import Loss, Reasoning, Request, Response, Usage
from flo2.dialects.base import (
    Decoder,
    Encoder,
    ErrorBody,
    Observed,
    Operation,
    Peek,
    Profile,
    ReadUsage,
    Rendered,
)
from flo2.dialects.counting import CountDecoder, count_of, read_count
from flo2.dialects.jsonio import dumps
from flo2.dialects.openai_chat.errors import decode_error, encode_error
from flo2.dialects.openai_responses.encode import StreamEncoder, encode_response
from flo2.dialects.openai_responses.errors import encode_stream_error, error_inside
from flo2.dialects.openai_responses.input_tokens import render_count
from flo2.dialects.openai_responses.peek import peek, peek_count
from flo2.dialects.openai_responses.request_parse import parse
from flo2.dialects.openai_responses.request_render import render_request
from flo2.dialects.openai_responses.stream import BodyDecoder, StreamDecoder
from flo2.dialects.openai_responses.usage import read_usage
from flo2.dialects.openai_responses.vocabulary import DIALECT, INPUT_TOKENS
from flo2.dialects.splice import splice
from flo2.errors import ProviderError, RefusedCall

__all__ = ["OpenAIInputTokens", "OpenAIResponses"]


class OpenAIResponses:
    """`POST /v1/responses`. Stateless: one instance serves every call.

    Source: https://platform.openai.com/docs/api-reference/responses (read 2026-11-25).
    """

    name: str = DIALECT
    api: str = "responses"
    operation: Operation = "chat"
    content_type: str = "application/json"
    stream_content_type: str = "text/event-stream; charset=utf-8"

    def peek(self, body: bytes) -> Peek:
        """Read the few fields every call needs; see `Dialect.peek`.

        Raises:
            InvalidRequest: a wrong shape; or an answer in the background that nobody could bill.
        """
        return peek(body)

    def parse(self, body: bytes) -> Request:
        """Parse a whole request; see `Dialect.parse`."""
        return parse(body)

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Say what `render` would lose: nothing of its own dialect's, unless the host drops it.

        Reasoning of another dialect's provider comes back in this one's items, and is lost.
        """
        if request.origin == DIALECT and not profile.drops and not _brings_others(request):
            return ()
        return render_request(request, model=request.model, profile=profile)[1]

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request; see `Dialect.render`. A stream always has its usage."""
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
        """Encode a stream for a client; usage is always in it.

        Args:
            include_usage: Of no meaning here.
            asked: The request that is answered, where it is known; see `Response.asked`.
        """
        return StreamEncoder(asked=asked)

    def encode_response(self, response: Response) -> Rendered:
        """Encode a plain answer for a client."""
        return encode_response(response)

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise a usage object; never raises."""
        return read_usage(raw)

    def encode_error(
        self, error: RefusedCall | ProviderError, *, request_id: str = ""
    ) -> ErrorBody:
        """Write an error in OpenAI's envelope."""
        return encode_error(error, request_id=request_id)

    def encode_stream_error(self, error: RefusedCall | ProviderError) -> bytes:
        """Write an error as the last events of a stream."""
        return encode_stream_error(error)

    def end_stream(self, error: RefusedCall | ProviderError, observed: Observed) -> bytes:
        """Write an error with the number that is due, and the id and model of the answer."""
        known = {"id": observed.response_id, "model": observed.model}
        head = {name: value for name, value in known.items() if value is not None}
        return encode_stream_error(error, sequence=observed.frames, head=head)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read an upstream error of any shape."""
        return decode_error(status, headers, body)


class OpenAIInputTokens(OpenAIResponses):
    """`POST /v1/responses/input_tokens`: the same request, a number for an answer.

    It is free and never streamed, so its usage has no meters.
    Source: https://platform.openai.com/docs/guides/token-counting (read 2026-11-25).
    """

    name: str = INPUT_TOKENS
    api: str = "input_tokens"
    operation: Operation = "count_tokens"

    def peek(self, body: bytes) -> Peek:
        """Read the few fields every call needs.

        Raises:
            InvalidRequest: a wrong shape.
        """
        return peek_count(body)

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
        return CountDecoder(INPUT_TOKENS, read_usage or self.read_usage, error_inside)

    def encode_response(self, response: Response) -> Rendered:
        """Encode a count."""
        count = {"object": "response.input_tokens", "input_tokens": count_of(response)}
        return Rendered(dumps(count))

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Read a count; it has no meters because counting is free."""
        return read_count(raw, INPUT_TOKENS)


def _brings_others(request: Request) -> bool:
    """Say whether a request brings back reasoning of another dialect's provider."""
    parts = (part for message in request.messages for part in message.content)
    return any(isinstance(part, Reasoning) and part.origin != DIALECT for part in parts)
