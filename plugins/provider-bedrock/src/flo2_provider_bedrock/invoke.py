"""Anthropic's Messages API as Bedrock hosts it: the same request and answer in other clothes.

The dialect keeps its name, so that bytes pass through between an Anthropic client and Claude on
Bedrock: the body goes without `model` and `stream` (both in the URL) and with `anthropic_version`;
a stream comes as an event stream whose messages hold the API's own events in base64, from which the
server-sent events are made again. Pure. Imports: flo2, eventstream.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
and `anthropic.lib.bedrock` of the official SDK (anthropic 2.13), both read 2026-11-25.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flo2 import Chunk, Decoder, Observed, Peek, Profile, ProviderError, ReadUsage, Request
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Rendered
from flo2.dialects.jsonio import loads
from flo2.dialects.splice import reshape
from flo2.dialects.sse import frame
from flo2_provider_bedrock.errors import garbled, read_error, stream_error
from flo2_provider_bedrock.eventstream import EventStreamParser, Message

__all__ = ["BedrockMessages", "dressed"]

_VERSION: Final = "bedrock-2023-05-31"
_IN_URL: Final = frozenset({"model", "stream"})
# How nearly every event begins; the others are parsed to find their type.
_TYPE: Final = re.compile(rb'\{"type":"([a-z_]+)"')


def dressed(body: bytes, betas: Sequence[str] = ()) -> bytes:
    """Give a Messages request as Bedrock takes it.

    Args:
        body: As Anthropic takes it.
        betas: Flags of the client's `anthropic-beta` header, which is a field here.
    """
    put: dict[str, Any] = {"anthropic_version": _VERSION}
    if betas:
        put["anthropic_beta"] = [*betas]
    return reshape(body, drop=_IN_URL, put=put)


class BedrockMessages(AnthropicMessages):
    """`POST /model/{model}/invoke` and `/invoke-with-response-stream` of Anthropic's models."""

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request; see `AnthropicMessages.render`."""
        rendered = super().render(request, model=model, profile=profile)
        return Rendered(dressed(rendered.body), rendered.losses)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:  # both are in the URL
        """Give the client's own bytes without what stands in the URL."""
        return dressed(body)

    def decoder(
        self, *, full: bool, hide_usage: bool, read_usage: ReadUsage | None = None
    ) -> Decoder:
        """Decode a stream into the events that Anthropic itself would have sent."""
        inner = super().decoder(full=full, hide_usage=hide_usage, read_usage=read_usage)
        return _Unwrapping(inner, self)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read an upstream error, which is Bedrock's own."""
        return read_error(status, headers, body)


class _Unwrapping:
    """Turn an event stream into server-sent events for the decoder that reads those."""

    def __init__(self, inner: Decoder, dialect: AnthropicMessages) -> None:
        self._inner = inner
        self._dialect = dialect
        self._parser = EventStreamParser()
        self._broken = False
        self.observed: Observed = inner.observed

    def feed(self, data: bytes) -> Chunk:
        """Take the next bytes; give all events that are now complete."""
        if self._broken:
            return Chunk(b"")
        messages, problem = self._parser.feed(data)
        frames = [self._frame(message) for message in messages]
        if problem is not None:
            frames.append(self._error(garbled(problem)))
        return self._inner.feed(b"".join(frames)) if frames else Chunk(b"")

    def close(self) -> Chunk:
        """Take the end; without `message_stop` before it, the answer has failed."""
        return self._inner.close()

    def _frame(self, message: Message) -> bytes:
        if self._broken:
            return b""
        error = stream_error(message)
        if error is not None:
            return self._error(error)
        if message.headers.get(":event-type") != "chunk":
            return b""
        try:
            event = b64decode(loads(message.payload)["bytes"], validate=True)
            begun = _TYPE.match(event)
            kind = begun[1] if begun else str(loads(event)["type"]).encode()
        except (binascii.Error, KeyError, TypeError, ValueError):
            return self._error(garbled("a message of the stream holds no event"))
        return frame(event, kind)

    def _error(self, error: ProviderError) -> bytes:
        self._broken = True
        return self._dialect.encode_stream_error(error)
