"""Read a Cohere embeddings answer, and write one. Imports: flo2.

Source: https://docs.cohere.com/reference/embed (read 2026-11-25), recordings/cohere.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from flo2 import (
    Chunk,
    Event,
    Failed,
    Loss,
    Observed,
    ReadUsage,
    Response,
    Start,
    UsageUpdate,
    Vector,
)
from flo2.dialects.base import Rendered
from flo2.dialects.openai_chat.errors import error_from_frame
from flo2.errors import ProviderError
from flo2_provider_cohere.dialect.errors import broken
from flo2_provider_cohere.dialect.usage import write_usage
from flo2_provider_cohere.dialect.words import EMBED

__all__ = ["VectorDecoder", "encode_vectors"]

_NONE: Final = msgspec.Raw(b"")
_GARBAGE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Answer(msgspec.Struct):
    """What metering needs of an answer; the vectors are skipped, not built."""

    id: str = ""
    embeddings: msgspec.Raw = _NONE
    meta: dict[str, Any] | None = None
    message: str | None = None


class _ByType(msgspec.Struct):
    floats: list[tuple[float, ...]] = msgspec.field(name="float")


_decode: Final = msgspec.json.Decoder(_Answer).decode
_vectors: Final = msgspec.json.Decoder(_ByType).decode


class VectorDecoder:
    """Read an answer: usage and id, and in the full form the vectors."""

    def __init__(self, reader: ReadUsage, *, full: bool, model: str = "") -> None:
        self.observed: Observed = Observed(model=model or None)
        self._model = model
        self._reader = reader
        self._full = full
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
            answer = _decode(raw)
        except _GARBAGE:
            return self._fail(raw, _no_embeddings(raw))
        if not answer.embeddings:
            told = answer.message is not None
            error = error_from_frame({"message": answer.message}, raw) if told else None
            return self._fail(raw, error or _no_embeddings(raw))
        events: list[Event] = [Start(answer.id, self._model, origin=EMBED)]
        if self._full:
            try:
                each = _vectors(answer.embeddings).floats
            except _GARBAGE as exc:
                reason = f"the answer holds no vectors of floats: {exc}"
                return self._fail(raw, broken(reason, EMBED))
            events += [Vector(number, values) for number, values in enumerate(each)]
        observed.response_id = answer.id or None
        observed.has_content = observed.complete = True
        if answer.meta:
            observed.usage = self._reader(answer.meta)
            events.append(UsageUpdate(observed.usage))
        return Chunk(raw, tuple(events))

    def _fail(self, raw: bytes, error: ProviderError) -> Chunk:
        self.observed.error = error
        return Chunk(raw, (Failed(error),))


def _no_embeddings(raw: bytes) -> ProviderError:
    return broken(
        f"the answer holds no embeddings: {raw[:100].decode('utf-8', 'replace')!r}", EMBED
    )


def encode_vectors(response: Response) -> Rendered:
    """Write vectors for a client, as floats."""
    losses = [
        Loss(f"data[{vector.index}].{key}", "has no field")
        for vector in response.vectors
        for key in vector.extras
    ]
    body: dict[str, Any] = {
        "id": response.id,
        "embeddings": {"float": [vector.values for vector in response.vectors]},
        "texts": [],
        "response_type": "embeddings_by_type",
    }
    if response.usage is not None:
        body["meta"] = write_usage(response.usage, EMBED)
    return Rendered(msgspec.json.encode(body), tuple(losses))
