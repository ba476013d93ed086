"""The codec of OpenAI Embeddings, put together. Imports: canonical, base, splice, openai_chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Never

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
from flo2.dialects.openai_embeddings.answer import BodyDecoder, encode_response
from flo2.dialects.openai_embeddings.request import NAME, parse, peek, render
from flo2.dialects.splice import splice
from flo2.errors import UnsupportedCall

__all__ = ["OpenAIEmbeddings"]


def _refuse(losses: tuple[Loss, ...]) -> Never:
    raise UnsupportedCall(unsupported(losses), losses=[str(loss) for loss in losses])


class OpenAIEmbeddings(OpenAIEnvelope):
    """`POST /v1/embeddings`, as OpenAI and compatible hosts speak it."""

    name: str = NAME
    api: str = "embeddings"
    operation: Operation = "embed"
    content_type: str = "application/json"
    stream_content_type: str = "application/json"

    def peek(self, body: bytes) -> Peek:
        """Read model and end user, and check that there is an input."""
        return peek(body)

    def parse(self, body: bytes) -> Request:
        """Parse a whole request; see `Dialect.parse`."""
        return parse(body)

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Say what `render` would lose: nothing of its own dialect's, unless the host drops it."""
        if request.origin == NAME and not profile.drops:
            return ()
        return render(request, model=request.model, profile=profile).losses

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request.

        Raises:
            UnsupportedCall: there is nothing in it to embed.
        """
        rendered = render(request, model=model, profile=profile)
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
        return BodyDecoder(read_usage or self.read_usage, full=full)

    def encoder(self, *, include_usage: bool, asked: Request | None = None) -> Encoder:
        """Refuse: embeddings do not stream."""
        del include_usage, asked
        _refuse((Loss("stream", f"a stream has no form in {NAME}", "refuse"),))

    def encode_response(self, response: Response) -> Rendered:
        """Encode vectors for a client."""
        return encode_response(response)

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise a usage object: `prompt_tokens` alone; never raises.

        One host tells the total alone, which is the prompt (recordings/voyageai).
        """
        total = raw.get("total_tokens")
        told = raw if "prompt_tokens" in raw or total is None else {**raw, "prompt_tokens": total}
        return evolve(read_usage(told), raw=raw, dialect=NAME)
