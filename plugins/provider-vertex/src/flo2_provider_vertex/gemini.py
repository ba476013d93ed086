"""What Google's generateContent wants otherwise on Vertex AI. Pure. Imports: flo2.

Source: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference and
…/model-reference/count-tokens, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2 import Peek, Profile, Request
from flo2.dialects.base import Rendered
from flo2.dialects.gemini import Gemini, GeminiCountTokens
from flo2.dialects.jsonio import dumps, loads
from flo2.dialects.splice import reshape

__all__ = ["VertexGemini", "VertexGeminiCount", "tier_in"]

_TIER: Final = frozenset({"serviceTier", "service_tier"})
_WHOLE: Final = ("generateContentRequest", "generate_content_request")


def tier_in(body: bytes) -> bool:
    """Whether a request may name a tier."""
    return b"serviceTier" in body or b"service_tier" in body


def _without_tier(body: bytes) -> bytes:
    return reshape(body, drop=_TIER, put={}) if tier_in(body) else body


class VertexGemini(Gemini):
    """`…/publishers/google/models/{model}:generateContent` and `:streamGenerateContent`.

    The tier is a header here and no field
    (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo, read 2026-11-25).
    """

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request; see `Gemini.render`."""
        rendered = super().render(request, model=model, profile=profile)
        return Rendered(_without_tier(rendered.body), rendered.losses)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Give the client's own bytes without the tier; see `Gemini.splice`."""
        return _without_tier(super().splice(body, peek, model=model))


class VertexGeminiCount(GeminiCountTokens):
    """`…/publishers/google/models/{model}:countTokens`: always a bare request, never one inside."""

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request; see `GeminiCountTokens.render`."""
        rendered = super().render(request, model=model, profile=profile)
        return Rendered(_unwrapped(rendered.body), rendered.losses)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Give the client's own bytes, or the request inside them."""
        return _unwrapped(body)


def _unwrapped(body: bytes) -> bytes:
    """Take the whole request out of a counting request, without the model that is in the URL."""
    fields: Mapping[str, Any] = loads(body)
    for name in _WHOLE:
        if isinstance(inner := fields.get(name), dict):
            left = {"model", *_TIER}
            return dumps({key: value for key, value in inner.items() if key not in left})
    return body
