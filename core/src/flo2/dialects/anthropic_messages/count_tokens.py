"""Counting the tokens of a request: `POST /v1/messages/count_tokens` → `{"input_tokens": n}`.

Pure. Imports: canonical, base.
"""

from __future__ import annotations

from typing import Any, Final

from flo2.canonical import Loss, Request, Response
from flo2.dialects.anthropic_messages.request_render import render_request
from flo2.dialects.base import Profile, Rendered
from flo2.dialects.counting import count_of
from flo2.dialects.jsonio import dumps

__all__ = ["COUNT_NAME", "encode_count", "render_count"]

COUNT_NAME: Final = "anthropic.count_tokens"

# What bears on drawing the answer or on its bill and is refused here ("Extra inputs are not
# permitted"); see `MessageCountTokensParams` in the official SDK, anthropic 2.13.
_NOT_COUNTED: Final = frozenset(
    {
        "max_tokens",
        "metadata",
        "service_tier",
        "stop_sequences",
        "stream",
        "temperature",
        "top_k",
        "top_p",
    }
)


def render_count(
    request: Request, *, model: str, profile: Profile
) -> tuple[dict[str, Any], tuple[Loss, ...]]:
    """Write a counting request; losses are named as for the call that would follow it."""
    body, losses = render_request(request, model=model, profile=profile, bounded=False)
    kept = {key: value for key, value in body.items() if key not in _NOT_COUNTED}
    return kept, losses


def encode_count(response: Response) -> Rendered:
    """Write a count."""
    return Rendered(dumps({"input_tokens": count_of(response)}))
