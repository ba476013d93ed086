"""Write a counting request: `POST /v1/responses/input_tokens`. Imports: canonical, base.

Source: `InputTokenCountParams` of the official SDK (openai 3.57, read 2026-11-25): the fields that
bear on the count, and no others.
"""

from __future__ import annotations

from typing import Final

from flo2.canonical import Loss, Request
from flo2.dialects.base import Profile
from flo2.dialects.openai_responses.request_render import render_request
from flo2.dialects.openai_responses.vocabulary import JSON

__all__ = ["render_count"]

_COUNTED: Final = frozenset(
    {
        "conversation",
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "personality",
        "previous_response_id",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    }
)


def render_count(
    request: Request, *, model: str, profile: Profile
) -> tuple[JSON, tuple[Loss, ...]]:
    """Write a counting request; losses are named as for the call that would follow it."""
    body, losses = render_request(request, model=model, profile=profile)
    return {key: value for key, value in body.items() if key in _COUNTED}, losses
