"""The codec of OpenAI Chat Completions, put together. Imports: canonical, base, splice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flo2.canonical import Loss, Request, Response, Usage
from flo2.dialects.base import (
    Decoder,
    Encoder,
    Operation,
    Peek,
    Profile,
    ReadUsage,
    Rendered,
)
from flo2.dialects.chat_host import ANY_HOST
from flo2.dialects.openai_chat.encode_response import encode_response
from flo2.dialects.openai_chat.encode_stream import StreamEncoder
from flo2.dialects.openai_chat.envelope import OpenAIEnvelope
from flo2.dialects.openai_chat.own_bytes import check_bytes
from flo2.dialects.openai_chat.parse import parse
from flo2.dialects.openai_chat.peek import peek
from flo2.dialects.openai_chat.render import render
from flo2.dialects.openai_chat.stream import BodyDecoder, StreamDecoder
from flo2.dialects.openai_chat.usage import DIALECT, read_usage
from flo2.dialects.splice import splice

__all__ = ["OpenAIChat"]


class OpenAIChat(OpenAIEnvelope):
    """`POST /v1/chat/completions`, as OpenAI and compatible hosts speak it.

    Source: https://platform.openai.com/docs/api-reference/chat (read 2026-11-20).
    """

    name: str = DIALECT
    api: str = "chat"
    operation: Operation = "chat"
    content_type: str = "application/json"
    stream_content_type: str = "text/event-stream"

    # As they are, without a method around them: they run at every call.
    peek: staticmethod[[bytes], Peek] = staticmethod(peek)
    read_usage: staticmethod[[Mapping[str, Any]], Usage] = staticmethod(read_usage)

    def parse(self, body: bytes) -> Request:
        """Parse a whole request; see `Dialect.parse`."""
        return parse(body)

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Say what `render` would lose: nothing of its own dialect's, unless the host drops it."""
        if request.origin == DIALECT and not profile.drops and profile.chat == ANY_HOST:
            return ()
        return render(request, model=request.model, profile=profile).losses

    def check_body(self, body: bytes, profile: Profile) -> tuple[Loss, ...]:
        """Say the same of a client's own bytes; see `ChecksBody`."""
        return check_bytes(body, profile)

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request; see `Dialect.render`."""
        return render(request, model=model, profile=profile)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Replace `model` and ask for usage in the client's own bytes."""
        ask = peek.stream and not peek.wants_usage
        return splice(body, old=peek.model, new=model, ask_usage=ask)

    def decoder(
        self, *, full: bool, hide_usage: bool, read_usage: ReadUsage | None = None
    ) -> Decoder:
        """Decode a stream."""
        return StreamDecoder(
            full=full, hide_usage=hide_usage, read_usage=read_usage or self.read_usage
        )

    def body_decoder(self, *, full: bool, read_usage: ReadUsage | None = None) -> Decoder:
        """Decode a plain answer."""
        return BodyDecoder(full=full, read_usage=read_usage or self.read_usage)

    def encoder(self, *, include_usage: bool, asked: Request | None = None) -> Encoder:
        """Encode a stream for a client."""
        return StreamEncoder(include_usage=include_usage, asked=asked)

    def encode_response(self, response: Response) -> Rendered:
        """Encode a plain answer for a client."""
        return encode_response(response)
