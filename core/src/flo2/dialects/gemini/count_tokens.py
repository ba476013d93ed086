"""Counting the tokens of a request: `countTokens` → `{"totalTokens": n}`.

It is free, so a count is informational and no meter
(https://ai.google.dev/gemini-api/docs/pricing, read 2026-11-25). Pure. Imports: canonical, base.

Source: https://ai.google.dev/api/tokens, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import Event, Failed, Loss, Request, Response, Start, Usage, UsageUpdate
from flo2.dialects.anthropic_messages.request_parse import load_object
from flo2.dialects.base import Chunk, Observed, Profile, ReadUsage, Rendered
from flo2.dialects.gemini.errors import stream_error
from flo2.dialects.gemini.request_parse import read_request
from flo2.dialects.gemini.request_render import render_request
from flo2.dialects.gemini.spelling import message
from flo2.dialects.jsonio import dumps, loads
from flo2.errors import ProviderError

__all__ = [
    "COUNT_NAME",
    "CountDecoder",
    "encode_count",
    "parse_count",
    "read_count",
    "render_count",
    "splice_count",
]

COUNT_NAME: Final = "gemini.count_tokens"

_WHOLE: Final = "generateContentRequest"
_TOTAL: Final = "totalTokens"


def parse_count(body: bytes) -> Request:
    """Parse contents, or a whole request that is to be counted.

    Raises:
        InvalidRequest: with `param` naming the path at fault.
    """
    fields = load_object(body)
    inner = message(fields, "body").get(_WHOLE)
    return read_request(fields if inner is None else dict(message(inner, _WHOLE)))


def render_count(
    request: Request, *, model: str, profile: Profile
) -> tuple[dict[str, Any], tuple[Loss, ...]]:
    """Write a counting request; losses are named as for the call that would follow it.

    Only a whole request counts its system prompt and its tools; it must name its model again.
    """
    body, losses = render_request(request, profile=profile)
    return {_WHOLE: {"model": _full(model), **body}}, losses


def splice_count(body: bytes, *, model: str) -> bytes:
    """Give the client's own bytes, with the model of a whole request made that of the URL."""
    if b'"model"' not in body:
        return body
    fields = load_object(body)
    for key in (_WHOLE, "generate_content_request"):
        inner = fields.get(key)
        if isinstance(inner, dict) and "model" in inner:
            if inner["model"] == _full(model):
                return body
            inner["model"] = _full(model)
            return dumps(fields)
    return body


def _full(model: str) -> str:
    return model if "/" in model else f"models/{model}"


def read_count(raw: Mapping[str, Any]) -> Usage:
    """Read a count."""
    count = raw.get(_TOTAL)
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        return Usage({}, raw=raw, dialect=COUNT_NAME, problem=f"{_TOTAL} is {count!r}")
    return Usage({}, {"input_tokens": count}, raw, COUNT_NAME)


def encode_count(response: Response) -> Rendered:
    """Write a count."""
    usage = response.usage
    if usage is not None and usage.dialect == COUNT_NAME:
        return Rendered(dumps(dict(usage.raw)))
    count = 0 if usage is None else usage.informational.get("input_tokens", usage.input_total)
    return Rendered(dumps({_TOTAL: count}))


class CountDecoder:
    """Gather a count and decode it at its end."""

    def __init__(self, read_usage: ReadUsage) -> None:
        self.observed: Observed = Observed()
        self._read_usage = read_usage
        self._body = bytearray()

    def feed(self, data: bytes) -> Chunk:
        """Keep the bytes."""
        self._body += data
        return Chunk(b"")

    def close(self) -> Chunk:
        """Give the count."""
        raw = bytes(self._body)
        return Chunk(raw, self._events(raw))

    def _events(self, raw: bytes) -> tuple[Event, ...]:
        try:
            value = loads(raw)
        except ValueError:
            value = None
        if isinstance(value, dict) and _TOTAL in value:
            self.observed.usage = self._read_usage(value)
            self.observed.complete = True
            return (Start("", "", origin=COUNT_NAME), UsageUpdate(self.observed.usage))
        if isinstance(value, dict) and "error" in value:
            error = stream_error(raw)
        else:
            error = ProviderError(
                f"the answer is no token count ({len(raw)} bytes)", status=200, retryable=True
            )
        self.observed.error = error
        return (Failed(error),)
