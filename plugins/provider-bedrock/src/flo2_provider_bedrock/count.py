"""Count the tokens of a Messages request at Bedrock, for an Anthropic client. Pure. Imports: flo2.

Bedrock counts what `invoke` would be sent, wrapped in base64, and calls the number by another name.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html ("there
is no charge": https://docs.aws.amazon.com/bedrock/latest/userguide/count-tokens.html), read
2026-11-25.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from flo2 import Chunk, Decoder, Observed, Peek, Profile, ProviderError, ReadUsage, Request
from flo2.dialects.anthropic_messages import AnthropicCountTokens
from flo2.dialects.base import Rendered
from flo2.dialects.jsonio import dumps, loads
from flo2.dialects.splice import reshape
from flo2_provider_bedrock.errors import read_error
from flo2_provider_bedrock.invoke import dressed

__all__ = ["BedrockCountTokens", "wrapped"]

# A count needs no bound and Anthropic's API takes none, but what is counted here is a request to
# `invoke`, which must have one.
_BOUND: Final = {"max_tokens": 1}


def wrapped(body: bytes) -> bytes:
    """Give a counting request as Bedrock takes it."""
    inner = reshape(dressed(body), drop=(), put=_BOUND)
    return dumps({"input": {"invokeModel": {"body": b64encode(inner).decode()}}})


class BedrockCountTokens(AnthropicCountTokens):
    """`POST /model/{model}/count-tokens`, of Anthropic's models."""

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request; see `AnthropicCountTokens.render`."""
        rendered = super().render(request, model=model, profile=profile)
        return Rendered(wrapped(rendered.body), rendered.losses)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:  # it is in the URL
        """Give the client's own bytes, wrapped."""
        return wrapped(body)

    def body_decoder(self, *, full: bool, read_usage: ReadUsage | None = None) -> Decoder:
        """Decode a count into the answer that Anthropic itself would have given."""
        return _Renamed(super().body_decoder(full=full, read_usage=read_usage))

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read an upstream error, which is Bedrock's own."""
        return read_error(status, headers, body)


class _Renamed:
    """Call the number as Anthropic does; what is no count is left for the decoder to refuse."""

    def __init__(self, inner: Decoder) -> None:
        self._inner = inner
        self._body = bytearray()
        self.observed: Observed = inner.observed

    def feed(self, data: bytes) -> Chunk:
        """Keep the bytes."""
        self._body += data
        return Chunk(b"")

    def close(self) -> Chunk:
        """Give the count as one chunk."""
        body = bytes(self._body)
        try:
            answer: Any = loads(body)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and "inputTokens" in answer:
            body = dumps({"input_tokens": answer["inputTokens"]})
        self._inner.feed(body)
        return self._inner.close()
