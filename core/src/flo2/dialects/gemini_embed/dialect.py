"""Both codecs of Google's embeddings, put together.

Imports: canonical, base, gemini's errors and usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Never

from attrs import evolve

from flo2.canonical import Embedding, Loss, Request, Response, Usage
from flo2.dialects.anthropic_messages.request_parse import load_object
from flo2.dialects.base import (
    Decoder,
    Encoder,
    ErrorBody,
    Operation,
    Peek,
    Profile,
    ReadUsage,
    Rendered,
    unsupported,
)
from flo2.dialects.gemini.errors import decode_error, encode_error, encode_stream_error
from flo2.dialects.gemini.spelling import items, message
from flo2.dialects.gemini.usage import read_usage
from flo2.dialects.gemini_embed.answer import DIALECTS, BodyDecoder, encode_response
from flo2.dialects.gemini_embed.request import full_name, read_input, write_input
from flo2.dialects.jsonio import dumps
from flo2.errors import InvalidRequest, ProviderError, RefusedCall, UnsupportedCall

__all__ = ["GeminiBatchEmbed", "GeminiEmbed"]

_REQUESTS: Final = "requests"


def _refuse(losses: tuple[Loss, ...]) -> Never:
    raise UnsupportedCall(unsupported(losses), losses=[str(loss) for loss in losses])


class GeminiEmbed:
    """`POST /v1beta/models/{model}:embedContent`: one input gives one vector.

    The model stands in the URL, so a peek does not know it.
    """

    name: str = "gemini.embed"
    api: str = "embeddings"
    operation: Operation = "embed"
    content_type: str = "application/json; charset=UTF-8"
    stream_content_type: str = "application/json; charset=UTF-8"
    _many: ClassVar[bool] = False

    def peek(self, body: bytes) -> Peek:
        """Check that there is something to embed.

        Raises:
            InvalidRequest: no JSON object, or nothing to embed.
        """
        self._requests(body)
        return Peek(model="")

    def _requests(self, body: bytes) -> list[tuple[Any, str]]:
        """Find the single requests, each with its path."""
        fields = message(load_object(body), "body")
        if not self._many:
            if fields.get("content") is None:
                raise InvalidRequest("content is missing; say what to embed", param="content")
            return [(fields, "")]
        found = items(fields.get(_REQUESTS), _REQUESTS)
        if not found:
            raise InvalidRequest(f"{_REQUESTS} is empty; send at least one", param=_REQUESTS)
        return [(each, f"{_REQUESTS}[{n}]") for n, each in enumerate(found)]

    def parse(self, body: bytes) -> Request:
        """Parse a whole request.

        Raises:
            InvalidRequest: with `param` naming the path at fault.
        """
        inputs = tuple(read_input(each, path) for each, path in self._requests(body))
        return Request("", (), embedding=Embedding(inputs), origin=self.name)

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Say what `render` would lose."""
        return () if request.origin == self.name else self._write(request, "", profile)[1]

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request.

        Raises:
            UnsupportedCall: there is nothing in it to embed.
        """
        body, losses = self._write(request, model, profile)
        if body is None:
            _refuse(losses)
        return Rendered(dumps(body), losses)

    def _write(
        self, request: Request, model: str, profile: Profile
    ) -> tuple[Mapping[str, Any] | None, tuple[Loss, ...]]:
        wanted = request.embedding
        if wanted is None:
            reason = f"a chat request has no form in {self.name}"
            return None, (Loss("request", reason, "refuse"),)
        own = request.origin in DIALECTS
        losses: list[Loss] = []
        each = [
            write_input(one, f"input[{n}]", losses, model=model, own=own, profile=profile)
            for n, one in enumerate(wanted.inputs)
        ]
        if request.end_user is not None:
            losses.append(Loss("end_user", "has no field", "note"))
        losses += [Loss(key, "not a field of this API") for key in request.extras]
        if self._many:
            return {_REQUESTS: each}, tuple(losses)
        if len(each) != 1:
            losses.append(Loss("input", f"{len(each)} inputs, and one a request", "refuse"))
        return each[0] if each else {}, tuple(losses)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Give the client's own bytes; a model inside is made that of the URL."""
        named = full_name(model)
        fields = load_object(body)
        inside = items(fields.get(_REQUESTS), _REQUESTS) if self._many else [fields]
        wrong = [
            each
            for each in inside
            if isinstance(each, dict) and each.get("model", None if self._many else named) != named
        ]
        for each in wrong:
            each["model"] = named
        return dumps(fields) if wrong else body

    def decoder(
        self, *, full: bool, hide_usage: bool, read_usage: ReadUsage | None = None
    ) -> Decoder:
        """Decode an answer; embeddings do not stream, so it is read whole."""
        del hide_usage
        return self.body_decoder(full=full, read_usage=read_usage)

    def body_decoder(self, *, full: bool, read_usage: ReadUsage | None = None) -> Decoder:
        """Decode an answer; the light form builds no vector."""
        return BodyDecoder(self.name, read_usage or self.read_usage, full=full)

    def encoder(self, *, include_usage: bool, asked: Request | None = None) -> Encoder:
        """Refuse: embeddings do not stream."""
        del include_usage, asked
        _refuse((Loss("stream", f"a stream has no form in {self.name}", "refuse"),))

    def encode_response(self, response: Response) -> Rendered:
        """Encode vectors for a client."""
        return encode_response(response, many=self._many)

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise a usage object: the prompt alone, by modality; never raises."""
        return evolve(read_usage(raw), dialect=self.name)

    def encode_error(
        self, error: RefusedCall | ProviderError, *, request_id: str = ""
    ) -> ErrorBody:
        """Write an error answer."""
        return encode_error(error, request_id=request_id)

    def encode_stream_error(self, error: RefusedCall | ProviderError) -> bytes:
        """Write an error in a stream."""
        return encode_stream_error(error)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read an upstream error of any shape."""
        return decode_error(status, headers, body)


class GeminiBatchEmbed(GeminiEmbed):
    """`POST /v1beta/models/{model}:batchEmbedContents`: each request gives one vector.

    google-genai's `embed_content` uses it for one text too.
    """

    name: str = "gemini.batch_embed"
    _many: ClassVar[bool] = True
