"""OpenAI Moderations: `POST /v1/moderations`.

Its answers tell no usage: a provider that bills nothing for them says so in its own reader.
Imports: openai_operation, splice.

Source: https://platform.openai.com/docs/api-reference/moderations (read 2026-11-25).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec
from attrs import evolve

from flo2.canonical import Event, Usage
from flo2.dialects.base import Decoder, Operation, Peek, ReadUsage
from flo2.dialects.openai_chat.peek import decode_body
from flo2.dialects.openai_chat.usage import read_usage as read_tokens
from flo2.dialects.openai_operation import AnswerDecoder, OpenAIOperation
from flo2.dialects.openai_operation.codec import needed
from flo2.dialects.splice import splice

__all__ = ["OpenAIModerations"]

_DEFAULT: Final = "omni-moderation-latest"
"""The model of a request that names none, as the API's reference says."""


class _Fields(msgspec.Struct):
    model: str | None = None
    input: Any = None


_decode: Final = msgspec.json.Decoder(_Fields).decode


class _Answer(AnswerDecoder):
    def told(self, payload: dict[str, Any], events: list[Event]) -> None:
        """Take the usage; where none is told, the provider may know that nothing is billed."""
        usage = payload.get("usage")
        self.use(usage if isinstance(usage, dict) else {}, events)


class OpenAIModerations(OpenAIOperation):
    """Whether a text or an image is harmful."""

    name: str = "openai.moderations"
    api: str = "moderations"
    operation: Operation = "moderate"
    stream_content_type: str = "application/json"
    what: ClassVar[str] = "moderation"

    def peek(self, body: bytes) -> Peek:
        """Read the model, and check that there is an input."""
        fields: _Fields = decode_body(body, _decode)
        needed("input", fields.input)
        return Peek(fields.model or _DEFAULT)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Replace `model` in the client's own bytes, or add it."""
        if decode_body(body, _decode).model is None:
            fields = {**msgspec.json.decode(body, type=dict[str, msgspec.Raw])}
            return msgspec.json.encode({**fields, "model": model})
        return splice(body, old=peek.model, new=model)

    def body_decoder(self, *, full: bool, read_usage: ReadUsage | None = None) -> Decoder:
        """Decode an answer."""
        return _Answer(self.name, read_usage or self.read_usage, full=full, key="results")

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise a usage object, which is a chat's; never raises."""
        if not raw:
            return Usage({}, dialect=self.name, problem="it tells no usage")
        return evolve(read_tokens(raw), raw=raw, dialect=self.name)
