"""OpenAI Embeddings: `POST /v1/embeddings`. Passes between equal dialects, metered on the way.

There is no chat in it, so `parse` keeps the whole body in `extras` and only this dialect can write
it again. Imports: canonical, base, splice, the error envelope and usage reader of openai_chat.

Source: https://platform.openai.com/docs/api-reference/embeddings (read 2026-11-20).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Never

import msgspec
from attrs import evolve

from flo2.canonical import Event, Failed, Loss, Request, Response, Start, Usage, UsageUpdate
from flo2.dialects.base import (
    Chunk,
    Decoder,
    Encoder,
    ErrorBody,
    Observed,
    Operation,
    Peek,
    Profile,
    ReadUsage,
    Rendered,
    unsupported,
)
from flo2.dialects.openai_chat.errors import (
    decode_error,
    encode_error,
    encode_stream_error,
    error_from_frame,
)
from flo2.dialects.openai_chat.peek import decode_body, read_json
from flo2.dialects.openai_chat.usage import read_usage
from flo2.dialects.splice import splice
from flo2.errors import InvalidRequest, ProviderError, RefusedCall, UnsupportedCall

__all__ = ["OpenAIEmbeddings"]

_NAME: Final = "openai.embeddings"


_NONE: Final = msgspec.Raw(b"")


class _Fields(msgspec.Struct):
    model: str
    input: str | list[msgspec.Raw]
    user: Any = None


class _Answer(msgspec.Struct):
    """What metering needs of an answer; the vectors are skipped, not built."""

    model: str | None = None
    usage: dict[str, Any] | None = None
    data: msgspec.Raw = _NONE
    error: Any = None


_decode_fields: Final = msgspec.json.Decoder(_Fields).decode
_decode_answer: Final = msgspec.json.Decoder(_Answer).decode


class _BodyDecoder:
    """Read usage and model of a plain answer."""

    observed: Observed

    def __init__(self, reader: ReadUsage) -> None:
        self.observed = Observed()
        self._reader = reader
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> Chunk:
        """Keep the bytes."""
        self._pieces.append(data)
        return Chunk(b"")

    def close(self) -> Chunk:
        """Read the whole body."""
        raw = b"".join(self._pieces)
        observed = self.observed
        try:
            answer: _Answer | None = _decode_answer(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            answer = None
        if answer is None or answer.error or not answer.data:
            observed.error = _broken(raw, answer)
            return Chunk(raw, (Failed(observed.error),))
        observed.model, observed.has_content, observed.complete = answer.model, True, True
        events: list[Event] = [Start("", answer.model or "", origin=_NAME)]
        if answer.usage:
            observed.usage = self._reader(answer.usage)
            events.append(UsageUpdate(observed.usage))
        return Chunk(raw, tuple(events))


def _broken(raw: bytes, answer: _Answer | None) -> ProviderError:
    if answer is not None and answer.error:
        return error_from_frame({"error": answer.error}, raw)
    shown = raw[:100].decode("utf-8", "replace")
    return ProviderError(
        f"the answer holds no embeddings ({_NAME}): {shown!r}",
        status=200,
        kind="upstream",
        retryable=True,
    )


def _no_form(what: str) -> Never:
    losses = (Loss("request", f"{what} has no form in {_NAME}", "refuse"),)
    raise UnsupportedCall(unsupported(losses), losses=[str(loss) for loss in losses])


class OpenAIEmbeddings:
    """The codec of OpenAI Embeddings."""

    name: str = _NAME
    api: str = "embeddings"
    operation: Operation = "embed"
    content_type: str = "application/json"
    stream_content_type: str = "application/json"

    def peek(self, body: bytes) -> Peek:
        """Read model and end user, and check that there is an input."""
        fields: _Fields = decode_body(body, _decode_fields)
        for name, value in (("model", fields.model), ("input", fields.input)):
            if not value:
                raise InvalidRequest(
                    f"the field {name!r} is {value!r}; it must not be empty",
                    code="missing_field",
                    param=name,
                )
        user = fields.user
        return Peek(fields.model, end_user=user if isinstance(user, str) and user else None)

    def parse(self, body: bytes) -> Request:
        """Keep the whole body: `encoding_format`, `dimensions` and all."""
        peek = self.peek(body)
        extras = {key: value for key, value in read_json(body).items() if key != "model"}
        return Request(peek.model, (), end_user=peek.end_user, extras=extras, origin=_NAME)

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Lose nothing of its own; everything else has no form here."""
        if request.origin == _NAME:
            return tuple(
                Loss(key, "the model's host does not take it")
                for key in sorted(profile.drops & request.extras.keys())
            )
        return (Loss("request", f"a chat request has no form in {_NAME}", "refuse"),)

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write the request again.

        Raises:
            UnsupportedCall: it came from another dialect.
        """
        if request.origin != _NAME:
            _no_form("a chat request")
        extras = {key: each for key, each in request.extras.items() if key not in profile.drops}
        body = msgspec.json.encode({"model": model, **extras})
        return Rendered(body, self.check(request, profile))

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
        """Decode an answer; `full` changes nothing, as vectors are no content events."""
        del full
        return _BodyDecoder(read_usage or self.read_usage)

    def encoder(self, *, include_usage: bool) -> Encoder:
        """Refuse: embeddings do not stream."""
        del include_usage
        _no_form("a stream")

    def encode_response(self, response: Response) -> Rendered:
        """Refuse: a chat answer is no list of vectors."""
        del response
        _no_form("a chat answer")

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise a usage object: `prompt_tokens` alone; never raises."""
        return evolve(read_usage(raw), dialect=_NAME)

    def encode_error(
        self, error: RefusedCall | ProviderError, *, request_id: str = ""
    ) -> ErrorBody:
        """Write an error in OpenAI's envelope."""
        return encode_error(error, request_id=request_id)

    def encode_stream_error(self, error: RefusedCall | ProviderError) -> bytes:
        """Write an error in a stream."""
        return encode_stream_error(error)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read an upstream error of any shape."""
        return decode_error(status, headers, body)
