"""Anthropic's Messages API and its token counting, as Vertex AI hosts them.

The body goes without `model`, which stands in the URL, and with `anthropic_version`; everything
else, streams too, is as at Anthropic. Pure. Imports: flo2.

Source: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude
and `anthropic.lib.vertex` of the official SDK (anthropic 2.13), both read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2 import Peek, Profile, ProviderError, Request
from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from flo2.dialects.base import Rendered
from flo2.dialects.jsonio import loads
from flo2.dialects.splice import reshape

__all__ = ["VertexCountTokens", "VertexMessages", "dressed"]

_VERSION: Final = {"anthropic_version": "vertex-2023-10-16"}


def dressed(body: bytes) -> bytes:
    """Give a Messages request as Vertex takes it."""
    return reshape(body, drop={"model"}, put=_VERSION)


class VertexMessages(AnthropicMessages):
    """`…/publishers/anthropic/models/{model}:rawPredict` and `:streamRawPredict`."""

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request; see `AnthropicMessages.render`."""
        rendered = super().render(request, model=model, profile=profile)
        return Rendered(dressed(rendered.body), rendered.losses)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:  # it is in the URL
        """Give the client's own bytes without the model."""
        return dressed(body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read an upstream error: Anthropic's own, or that of the cloud in front of it."""
        error = super().decode_error(status, headers, body)
        if error.error_type is None and (inner := _google_error(body)):
            if isinstance(said := inner.get("message"), str):
                error.message = said
                error.args = (said,)
            if isinstance(word := inner.get("status"), str):
                error.error_type = word
        return error


class VertexCountTokens(AnthropicCountTokens):
    """`…/publishers/anthropic/models/count-tokens:rawPredict`; here the body names the model."""

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write a request; see `AnthropicCountTokens.render`."""
        rendered = super().render(request, model=model, profile=profile)
        return Rendered(reshape(rendered.body, drop=(), put=_VERSION), rendered.losses)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Give the client's own bytes with the model as Vertex calls it."""
        return reshape(super().splice(body, peek, model=model), drop=(), put=_VERSION)


def _google_error(body: bytes) -> Mapping[str, Any]:
    """Find `{"error": {"code": 403, "message": "…", "status": "…"}}`, in a list or not."""
    try:
        value: Any = loads(body)
    except ValueError:
        return {}
    if isinstance(value, list) and value:
        value = value[0]
    inner = value.get("error") if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}
