"""The codec of Bedrock's Converse API, put together. Pure. Imports: flo2, eventstream."""

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
from flo2.dialects.anthropic_messages.request_parse import load_object
from flo2.dialects.base import STATUS_OF, ErrorBody, Operation, Rendered
from flo2.dialects.jsonio import dumps
from flo2_provider_bedrock.converse.answer import BodyDecoder, encode_response
from flo2_provider_bedrock.converse.encoder import StreamEncoder, encode_stream_error
from flo2_provider_bedrock.converse.request_parse import check_messages, parse_request
from flo2_provider_bedrock.converse.request_render import render_request
from flo2_provider_bedrock.converse.stream import StreamDecoder
from flo2_provider_bedrock.converse.usage import read_usage
from flo2_provider_bedrock.converse.vocabulary import NAME
from flo2_provider_bedrock.errors import EXCEPTION_OF, read_error

__all__ = ["BedrockConverse"]


class BedrockConverse:
    """`POST /model/{model}/converse` and `/converse-stream`. Stateless.

    Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, read
    2026-11-25.
    """

    name: str = NAME
    api: str = "converse"
    operation: Operation = "chat"
    content_type: str = "application/json"
    stream_content_type: str = "application/vnd.amazon.eventstream"

    def peek(self, body: bytes) -> Peek:
        """Read the few fields every call needs; model and stream stand in the URL.

        Raises:
            InvalidRequest: no JSON object, or no messages.
        """
        fields = load_object(body)
        check_messages(fields.get("messages"))
        config = fields.get("inferenceConfig")
        bound = config.get("maxTokens") if isinstance(config, dict) else None
        return Peek(model="", max_output_tokens=bound if isinstance(bound, int) else None)

    def parse(self, body: bytes) -> Request:
        """Parse a whole request; see `Dialect.parse`."""
        return parse_request(body)

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Say what `render` would lose."""
        if request.origin == NAME and not profile.drops:
            return ()
        return render_request(request, model=request.model, profile=profile)[1]

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request; see `Dialect.render`."""
        body, losses = render_request(request, model=model, profile=profile)
        return Rendered(dumps(body), losses)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:  # both are in the URL
        """Give the client's own bytes: the model is not among them."""
        return body

    def decoder(
        self,
        *,
        full: bool,
        hide_usage: bool,  # usage stands beside what is not asked for by flo2
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
        self,
        error: RefusedCall | ProviderError,
        *,
        request_id: str = "",
    ) -> ErrorBody:
        """Write an error answer; its name stands in a header."""
        status = error.status if error.status is not None and error.status >= 400 else None
        own = error.error_type if isinstance(error, ProviderError) else None
        headers = {
            "content-type": "application/json",
            "x-amzn-errortype": own or EXCEPTION_OF[error.kind],
            **({"x-amzn-requestid": request_id} if request_id else {}),
            **error.headers,
        }
        body = dumps({"message": error.message})
        return ErrorBody(status or STATUS_OF[error.kind], body, headers)

    def encode_stream_error(self, error: RefusedCall | ProviderError) -> bytes:
        """Write the exception that ends a stream."""
        return encode_stream_error(error)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read an upstream error of any shape."""
        return read_error(status, headers, body)
