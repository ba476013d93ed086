"""Counting the tokens of a request: `countTokens` → `{"totalTokens": n}`.

It is free, so a count is informational and no meter
(https://ai.google.dev/gemini-api/docs/pricing, read 2026-11-25). Pure. Imports: canonical, base.

Source: https://ai.google.dev/api/tokens, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import Loss, Request, Response, Usage
from flo2.dialects.anthropic_messages.request_parse import load_object
from flo2.dialects.base import Profile, ReadUsage, Rendered
from flo2.dialects.counting import CountDecoder, count_of, read_count
from flo2.dialects.gemini.errors import stream_error
from flo2.dialects.gemini.request_parse import read_request
from flo2.dialects.gemini.request_render import render_request
from flo2.dialects.gemini.spelling import message
from flo2.dialects.jsonio import dumps

__all__ = [
    "COUNT_NAME",
    "count_decoder",
    "encode_count",
    "parse_count",
    "read_total",
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


def read_total(raw: Mapping[str, Any]) -> Usage:
    """Read a count."""
    return read_count(raw, COUNT_NAME, name=_TOTAL)


def count_decoder(read_usage: ReadUsage) -> CountDecoder:
    """Make a decoder of counts."""
    return CountDecoder(COUNT_NAME, read_usage, lambda _, raw: stream_error(raw), name=_TOTAL)


def encode_count(response: Response) -> Rendered:
    """Write a count."""
    usage = response.usage
    if usage is not None and usage.dialect == COUNT_NAME:
        return Rendered(dumps(dict(usage.raw)))
    return Rendered(dumps({_TOTAL: count_of(response)}))
