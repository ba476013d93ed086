"""OpenAI's error envelope as the part of a dialect: the same for each of its endpoints.

Imports: errors of this dialect, base.
"""

from __future__ import annotations

from collections.abc import Mapping

from flo2.dialects.base import ErrorBody
from flo2.dialects.openai_chat.errors import decode_error, encode_error, encode_stream_error
from flo2.errors import ProviderError, RefusedCall

__all__ = ["OpenAIEnvelope"]


class OpenAIEnvelope:
    """What `Dialect` says of errors, for dialects that tell them as OpenAI does."""

    def encode_error(
        self, error: RefusedCall | ProviderError, *, request_id: str = ""
    ) -> ErrorBody:
        """Write an error in OpenAI's envelope."""
        return encode_error(error, request_id=request_id)

    def encode_stream_error(self, error: RefusedCall | ProviderError) -> bytes:
        """Write an error as the last frame of a stream."""
        return encode_stream_error(error)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read an upstream error of any shape."""
        return decode_error(status, headers, body)
