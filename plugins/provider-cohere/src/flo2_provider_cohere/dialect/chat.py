"""The codec of Cohere's chat, put together. Imports: flo2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flo2 import (
    Decoder,
    Encoder,
    Loss,
    Peek,
    Profile,
    ProviderError,
    ReadUsage,
    RefusedCall,
    Request,
    Response,
    Usage,
)
from flo2.dialects.base import ErrorBody, Operation, Rendered
from flo2.dialects.splice import splice
from flo2_provider_cohere.dialect.encode import StreamEncoder, encode_response
from flo2_provider_cohere.dialect.errors import decode_error, encode_error, encode_stream_error
from flo2_provider_cohere.dialect.request_parse import parse, peek
from flo2_provider_cohere.dialect.request_render import render
from flo2_provider_cohere.dialect.stream import BodyDecoder, StreamDecoder
from flo2_provider_cohere.dialect.usage import read_usage
from flo2_provider_cohere.dialect.words import CHAT

__all__ = ["CohereChat"]


class CohereChat:
    """`POST /v2/chat` (https://docs.cohere.com/reference/chat, read 2026-11-25)."""

    name: str = CHAT
    api: str = "chat"
    operation: Operation = "chat"
    content_type: str = "application/json"
    stream_content_type: str = "text/event-stream"

    def peek(self, body: bytes) -> Peek:
        """Read the few fields every call needs; see `Dialect.peek`."""
        return peek(body)

    def parse(self, body: bytes) -> Request:
        """Parse a whole request; see `Dialect.parse`."""
        return parse(body)

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Say what `render` would lose: nothing of its own dialect's, unless the model drops it."""
        if request.origin == CHAT and not profile.drops:
            return ()
        return render(request, model=request.model, profile=profile).losses

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request; see `Dialect.render`."""
        return render(request, model=model, profile=profile)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Replace `model` in the client's own bytes; usage comes unasked."""
        return splice(body, old=peek.model, new=model)

    def decoder(
        self, *, full: bool, hide_usage: bool, read_usage: ReadUsage | None = None
    ) -> Decoder:
        """Decode a stream; its usage is no frame of its own, so nothing is hidden."""
        del hide_usage
        return StreamDecoder(full=full, read_usage=read_usage or self.read_usage)

    def body_decoder(self, *, full: bool, read_usage: ReadUsage | None = None) -> Decoder:
        """Decode a plain answer."""
        return BodyDecoder(full=full, read_usage=read_usage or self.read_usage)

    def encoder(self, *, include_usage: bool, asked: Request | None = None) -> Encoder:
        """Encode a stream for a client; usage always stands at its end."""
        del include_usage, asked
        return StreamEncoder()

    def encode_response(self, response: Response) -> Rendered:
        """Encode a plain answer for a client."""
        return encode_response(response)

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise a usage object; never raises."""
        return read_usage(raw, CHAT)

    def encode_error(
        self, error: RefusedCall | ProviderError, *, request_id: str = ""
    ) -> ErrorBody:
        """Write an error as Cohere does."""
        return encode_error(error, request_id=request_id)

    def encode_stream_error(self, error: RefusedCall | ProviderError) -> bytes:
        """Write an error as the end of a stream."""
        return encode_stream_error(error)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read an upstream error of any shape."""
        return decode_error(status, headers, body)
