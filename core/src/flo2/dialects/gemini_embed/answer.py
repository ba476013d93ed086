"""Read an answer with vectors, and write one. Imports: canonical, base, gemini's errors and usage.

Older models tell no usage: such a call stays pending, nothing is counted here.
Source: https://ai.google.dev/api/embeddings (read 2026-11-25); recordings/google.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from flo2.canonical import Event, Failed, Loss, Response, Start, UsageUpdate, Vector
from flo2.dialects.base import Chunk, Observed, ReadUsage, Rendered
from flo2.dialects.gemini.errors import stream_error
from flo2.dialects.jsonio import dumps
from flo2.errors import ProviderError

__all__ = ["DIALECTS", "BodyDecoder", "encode_response"]

DIALECTS: Final = frozenset({"gemini.embed", "gemini.batch_embed"})
"""Both share the form of an input, of a vector and of a usage object."""
_NONE: Final = msgspec.Raw(b"")
_GARBAGE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_ONE: Final = "embedding"
_MANY: Final = "embeddings"
_VALUES: Final = "values"
_USAGE: Final = "usageMetadata"


class _Answer(msgspec.Struct):
    """What metering needs of an answer; the vectors are skipped, not built."""

    embedding: msgspec.Raw = _NONE
    embeddings: msgspec.Raw = _NONE
    usage: dict[str, Any] | None = msgspec.field(name=_USAGE, default=None)
    error: Any = None


_decode: Final = msgspec.json.Decoder(_Answer).decode
_decode_any: Final = msgspec.json.Decoder().decode


class BodyDecoder:
    """Read an answer: its usage, and in the full form the vectors."""

    def __init__(self, dialect: str, reader: ReadUsage, *, full: bool) -> None:
        self.observed: Observed = Observed()
        self._dialect = dialect
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
            answer: _Answer | None = _decode(raw)
        except _GARBAGE:
            answer = None
        if answer is None or answer.error or not (answer.embedding or answer.embeddings):
            return self._fail(raw, answer)
        events: list[Event] = [Start("", "", origin=self._dialect)]
        if self._full:
            try:
                events += _vectors(_decode_any(raw))
            except (KeyError, TypeError, ValueError) as exc:
                return self._fail(raw, None, f"{type(exc).__name__}: {exc}")
        observed.has_content = observed.complete = True
        if answer.usage:
            observed.usage = self._reader(answer.usage)
            events.append(UsageUpdate(observed.usage))
        return Chunk(raw, tuple(events))

    def _fail(self, raw: bytes, answer: _Answer | None, why: str = "") -> Chunk:
        if answer is not None and answer.error:
            error = stream_error(raw)
        else:
            shown = why or repr(raw[:100].decode("utf-8", "replace"))
            error = ProviderError(
                f"the answer holds no embeddings ({self._dialect}): {shown}",
                status=200,
                kind="upstream",
                retryable=True,
            )
        self.observed.error = error
        return Chunk(raw, (Failed(error),))


def _vectors(payload: dict[str, Any]) -> list[Vector]:
    items = payload[_MANY] if _MANY in payload else [payload[_ONE]]
    found = []
    for number, item in enumerate(items):
        values = tuple(item[_VALUES])
        if not all(type(value) in {float, int} for value in values):
            raise TypeError(f"{_MANY}[{number}] is no list of numbers")
        extras = {key: each for key, each in item.items() if key != _VALUES}
        found.append(Vector(number, values, extras))
    return found


def encode_response(response: Response, *, many: bool) -> Rendered:
    """Write vectors for a client; what the answer did not tell stays away."""
    own = response.origin in DIALECTS
    losses: list[Loss] = []
    items = []
    for vector in response.vectors:
        item = {_VALUES: vector.values}
        items.append({**vector.extras, **item} if own else item)
        if not own:
            path = f"{_MANY}[{vector.index}]"
            losses += [Loss(f"{path}.{key}", "not a field of this API") for key in vector.extras]
    body: dict[str, Any] = {_MANY: items} if many else {_ONE: items[0] if items else {}}
    usage = response.usage
    if usage is not None:
        total = usage.as_told.input_total
        told = {"promptTokenCount": total, "totalTokenCount": total}
        body[_USAGE] = dict(usage.raw) if usage.dialect in DIALECTS else told
    return Rendered(dumps(body), tuple(losses))
