"""Read an Embeddings answer, and write one. Imports: canonical, base, openai_chat's errors.

Source: https://platform.openai.com/docs/api-reference/embeddings/object (read 2026-11-20).
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from flo2.canonical import (
    Event,
    Failed,
    Loss,
    Response,
    Start,
    Usage,
    UsageUpdate,
    Vector,
)
from flo2.dialects.base import Chunk, Observed, ReadUsage, Rendered
from flo2.dialects.exact_charge import exact_charge
from flo2.dialects.openai_chat.errors import error_from_frame
from flo2.dialects.openai_chat.fields import residue
from flo2.dialects.openai_embeddings.numbers import from_base64, to_base64
from flo2.dialects.openai_embeddings.request import NAME
from flo2.errors import ProviderError

__all__ = ["BodyDecoder", "encode_response", "wants_base64", "with_base64"]

_NONE: Final = msgspec.Raw(b"")
_GARBAGE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_TOP: Final = frozenset({"object", "data", "model", "usage", "error"})
_ITEM: Final = frozenset({"object", "index", "embedding"})
_FLOATS: Final = re.compile(rb'"embedding"[ \t\r\n]*:[ \t\r\n]*\[')


class _Answer(msgspec.Struct):
    """What metering needs of an answer; the vectors are skipped, not built."""

    model: str | None = None
    usage: dict[str, Any] | None = None
    data: msgspec.Raw = _NONE
    error: Any = None


class _Asked(msgspec.Struct):
    encoding_format: Any = None


_decode: Final = msgspec.json.Decoder(_Answer).decode
_decode_asked: Final = msgspec.json.Decoder(_Asked).decode
_decode_any: Final = msgspec.json.Decoder().decode


class BodyDecoder:
    """Read an answer: usage and model, and in the full form the vectors."""

    def __init__(self, reader: ReadUsage, *, full: bool) -> None:
        self.observed: Observed = Observed()
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
        if answer is None or answer.error or not answer.data:
            observed.error = _broken(raw, answer)
            return Chunk(raw, (Failed(observed.error),))
        events: list[Event] = []
        try:
            if self._full:
                events += _content(raw)
            else:
                events.append(Start("", answer.model or "", origin=NAME))
        except (ValueError, TypeError) as exc:
            observed.error = ProviderError(
                f"the answer holds a vector that cannot be read ({NAME}): {exc}",
                status=200,
                kind="upstream",
                retryable=True,
            )
            return Chunk(raw, (Failed(observed.error),))
        observed.model, observed.has_content, observed.complete = answer.model, True, True
        if answer.usage:
            usage = self._reader(answer.usage)
            observed.usage = exact_charge(usage, self._reader, answer.usage, raw)
            events.append(UsageUpdate(observed.usage))
        return Chunk(raw, tuple(events))


def _content(raw: bytes) -> list[Event]:
    payload: dict[str, Any] = _decode_any(raw)
    events: list[Event] = [
        Start("", payload.get("model") or "", extras=residue(payload, _TOP), origin=NAME)
    ]
    for number, item in enumerate(payload["data"]):
        if not isinstance(item, dict):
            raise TypeError(f"data[{number}] is {item!r}, no object")
        index, value = item.get("index"), item.get("embedding")
        values = from_base64(value) if isinstance(value, str) else _numbers(value, number)
        extras = residue(item, _ITEM)
        events.append(Vector(index if isinstance(index, int) else number, values, extras))
    return events


def _numbers(value: Any, number: int) -> tuple[float, ...]:
    if not isinstance(value, list) or not all(type(one) in {float, int} for one in value):
        raise TypeError(f"data[{number}].embedding is no list of numbers")
    return tuple(value)


def _broken(raw: bytes, answer: _Answer | None) -> ProviderError:
    if answer is not None and answer.error:
        return error_from_frame({"error": answer.error}, raw)
    shown = raw[:100].decode("utf-8", "replace")
    return ProviderError(
        f"the answer holds no embeddings ({NAME}): {shown!r}",
        status=200,
        kind="upstream",
        retryable=True,
    )


def encode_response(response: Response) -> Rendered:
    """Write vectors for a client, in the encoding it asked for."""
    own = response.origin == NAME
    asked = response.asked.embedding if response.asked is not None else None
    packed = asked is not None and asked.encoding == "base64"
    losses: list[Loss] = []
    data = []
    for vector in response.vectors:
        item = {
            "object": "embedding",
            "index": vector.index,
            "embedding": to_base64(vector.values) if packed else vector.values,
        }
        data.append({**vector.extras, **item} if own else item)
        if not own:
            path = f"data[{vector.index}]"
            losses += [Loss(f"{path}.{key}", "has no field") for key in vector.extras]
    body = {
        "object": "list",
        "data": data,
        "model": response.model or (response.asked.model if response.asked is not None else ""),
        "usage": _usage(response.usage),
    }
    if own:
        body = {**response.extras, **body}
    return Rendered(msgspec.json.encode(body), tuple(losses))


def _usage(usage: Usage | None) -> dict[str, Any] | None:
    """Write a usage object; what the provider did not tell is null, never zero."""
    if usage is None:
        return None
    if usage.dialect == NAME and usage.raw:
        return dict(usage.raw)
    total = usage.as_told.input_total
    return {"prompt_tokens": total, "total_tokens": total}


def wants_base64(body: bytes) -> bool:
    """Say whether a request asks for base64, as the official SDKs do unasked."""
    return b"base64" in body and _decode_asked(body).encoding_format == "base64"


def with_base64(raw: bytes) -> bytes:
    """Write a good answer's lists of floats as base64; the bytes as they came where it has none.

    Hosts that know floats only ignore the wish, and clients decode whatever comes for it.
    """
    if _FLOATS.search(raw) is None:
        return raw
    payload: dict[str, Any] = _decode_any(raw)
    try:
        for item in payload["data"]:
            if isinstance(item["embedding"], list):
                item["embedding"] = to_base64(item["embedding"])
    except (KeyError, TypeError):
        return raw  # no vectors that anybody could read
    return msgspec.json.encode(payload)
