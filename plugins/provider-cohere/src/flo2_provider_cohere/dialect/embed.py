"""The codec of Cohere's embeddings, put together. Imports: flo2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Never

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
    UnsupportedCall,
    Usage,
)
from flo2.dialects.base import ErrorBody, Operation, Rendered, unsupported
from flo2.dialects.splice import splice
from flo2_provider_cohere.dialect.embed_answer import VectorDecoder, encode_vectors
from flo2_provider_cohere.dialect.embed_request import parse, peek, render
from flo2_provider_cohere.dialect.errors import decode_error, encode_error, encode_stream_error
from flo2_provider_cohere.dialect.usage import read_usage
from flo2_provider_cohere.dialect.words import EMBED

__all__ = ["CohereEmbed"]


def _refuse(losses: tuple[Loss, ...]) -> Never:
    raise UnsupportedCall(unsupported(losses), losses=[str(loss) for loss in losses])


class CohereEmbed:
    """`POST /v2/embed` (https://docs.cohere.com/reference/embed, read 2026-11-25)."""

    name: str = EMBED
    api: str = "embeddings"
    operation: Operation = "embed"
    content_type: str = "application/json"
    stream_content_type: str = "application/json"

    def peek(self, body: bytes) -> Peek:
        """Read the model, and check that there is an input."""
        return peek(body)

    def parse(self, body: bytes) -> Request:
        """Parse a whole request; see `Dialect.parse`."""
        return parse(body)

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Say what `render` would lose: nothing of its own dialect's."""
        return () if request.origin == EMBED else render(request, model=request.model).losses

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request.

        Raises:
            UnsupportedCall: there is nothing in it to embed.
        """
        rendered = render(request, model=model)
        if not rendered.body:
            _refuse(rendered.losses)
        return rendered

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Replace `model` in the client's own bytes."""
        return splice(body, old=peek.model, new=model)

    def decoder(
        self, *, full: bool, hide_usage: bool, read_usage: ReadUsage | None = None
    ) -> Decoder:
        """Decode an answer; embeddings do not stream, so it is read whole."""
        del hide_usage
        return self.body_decoder(full=full, read_usage=read_usage)

    def body_decoder(self, *, full: bool, read_usage: ReadUsage | None = None) -> Decoder:
        """Decode an answer; the light form builds no vector."""
        return VectorDecoder(read_usage or self.read_usage, full=full)

    def encoder(self, *, include_usage: bool, asked: Request | None = None) -> Encoder:
        """Refuse: embeddings do not stream."""
        del include_usage, asked
        _refuse((Loss("stream", f"a stream has no form in {EMBED}", "refuse"),))

    def encode_response(self, response: Response) -> Rendered:
        """Encode vectors for a client."""
        return encode_vectors(response)

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise the `meta` of an answer; never raises."""
        return read_usage(raw, EMBED)

    def encode_error(
        self, error: RefusedCall | ProviderError, *, request_id: str = ""
    ) -> ErrorBody:
        """Write an error as Cohere does."""
        return encode_error(error, request_id=request_id)

    def encode_stream_error(self, error: RefusedCall | ProviderError) -> bytes:
        """Write an error in a stream."""
        return encode_stream_error(error)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read an upstream error of any shape."""
        return decode_error(status, headers, body)
