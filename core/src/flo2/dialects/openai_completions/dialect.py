"""The codec of OpenAI Completions, put together. Imports: canonical, base, splice, openai_chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from flo2.canonical import Loss, Request, Response, Usage
from flo2.dialects.base import (
    Decoder,
    Encoder,
    Operation,
    Peek,
    Profile,
    ReadUsage,
    Rendered,
    unsupported,
)
from flo2.dialects.openai_chat.envelope import OpenAIEnvelope
from flo2.dialects.openai_chat.usage import read_usage
from flo2.dialects.openai_completions.answer import TextBodyDecoder, TextStreamDecoder
from flo2.dialects.openai_completions.encode import StreamEncoder, encode_response
from flo2.dialects.openai_completions.request import NAME, parse, peek, render
from flo2.dialects.splice import splice
from flo2.errors import UnsupportedCall

__all__ = ["OpenAICompletions"]


class OpenAICompletions(OpenAIEnvelope):
    """`POST /v1/completions`, as OpenAI and compatible hosts speak it."""

    name: str = NAME
    api: str = "completions"
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
        """Say what `render` would lose: all of a conversation, nothing of its own dialect's."""
        if request.origin == NAME and not profile.drops:
            return ()
        return render(request, model=request.model, profile=profile).losses

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request.

        Raises:
            UnsupportedCall: it is a conversation.
        """
        rendered = render(request, model=model, profile=profile)
        if not rendered.body:
            losses = rendered.losses
            raise UnsupportedCall(unsupported(losses), losses=[str(loss) for loss in losses])
        return rendered

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Replace `model` and ask for usage in the client's own bytes."""
        ask = peek.stream and not peek.wants_usage
        return splice(body, old=peek.model, new=model, ask_usage=ask)

    def decoder(
        self, *, full: bool, hide_usage: bool, read_usage: ReadUsage | None = None
    ) -> Decoder:
        """Decode a stream."""
        reader = read_usage or self.read_usage
        return TextStreamDecoder(full=full, hide_usage=hide_usage, read_usage=reader)

    def body_decoder(self, *, full: bool, read_usage: ReadUsage | None = None) -> Decoder:
        """Decode a plain answer."""
        return TextBodyDecoder(full=full, read_usage=read_usage or self.read_usage)

    def encoder(self, *, include_usage: bool, asked: Request | None = None) -> Encoder:
        """Encode a stream for a client."""
        del asked
        return StreamEncoder(include_usage=include_usage)

    def encode_response(self, response: Response) -> Rendered:
        """Encode a plain answer for a client."""
        return encode_response(response)

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise a usage object, which is a chat's; never raises."""
        return evolve(read_usage(raw), dialect=NAME)
