"""Write a canonical request as a Responses body, and name what does not fit.

Imports: canonical, base.
"""

from __future__ import annotations

from typing import Final

from flo2.canonical import Loss, Request
from flo2.dialects.base import Profile
from flo2.dialects.openai_chat.render import lose_prefill, lose_tier, short_user
from flo2.dialects.openai_responses.items_out import write_items
from flo2.dialects.openai_responses.losses import ResponsesLog
from flo2.dialects.openai_responses.options_out import (
    put_include,
    put_reasoning,
    put_sampling,
    put_text,
    put_tools,
)
from flo2.dialects.openai_responses.vocabulary import JSON

__all__ = ["render_request"]

_SAME_VENDOR: Final = "openai.chat"
_SHARED: Final = frozenset({"prompt_cache_key", "prompt_cache_retention", "safety_identifier"})


def render_request(
    request: Request, *, model: str, profile: Profile
) -> tuple[JSON, tuple[Loss, ...]]:
    """Write a request."""
    log = ResponsesLog(request.origin, request.essential)
    instructions, items = write_items(request.messages, log)
    body: JSON = {"model": model}
    if instructions is not None:
        body["instructions"] = instructions
    if items or not log.is_own:
        body["input"] = items
    if not items and not log.is_own:
        log.add("messages", "no turn is left to answer", "refuse")
    lose_prefill(request, log)
    put_tools(body, request, log)
    put_text(body, request, log)
    put_sampling(body, request, log)
    put_reasoning(body, request, log)
    put_include(body, request, log)
    _put_rest(body, request, log)
    if log.is_own:
        marks = {"include", "safety_identifier"}
        extras = {k: v for k, v in request.extras.items() if v is not None or k not in marks}
    else:
        extras = dict(request.extras)
        if request.origin == _SAME_VENDOR:
            _put_shared(body, extras)
    body = log.put(body, extras, "")
    for key in sorted(profile.drops & body.keys()):
        del body[key]
        log.add(key, "the model's host does not take it")
    for old, new in profile.renames.items():
        if old in body:
            body[new] = body.pop(old)
    return body, tuple(log.losses)


def _put_shared(body: JSON, extras: JSON) -> None:
    """Move what the vendor's two dialects both know and nobody else does."""
    for key in _SHARED & extras.keys():
        body[key] = extras.pop(key)
    if (verbosity := extras.pop("verbosity", None)) is not None:
        body["text"] = {**body.get("text", {}), "verbosity": verbosity}


def _put_rest(body: JSON, request: Request, log: ResponsesLog) -> None:
    if request.stream is not None:
        body["stream"] = request.stream
    if request.service_tier is not None:
        if log.is_own or request.origin == _SAME_VENDOR:
            body["service_tier"] = request.service_tier
        else:
            lose_tier(request.service_tier, log)
    if request.end_user is not None:
        named = log.is_own and request.extras.get("safety_identifier", "") is None
        field = "safety_identifier" if named else "user"
        body[field] = short_user(request.end_user, log)
    if request.metadata is not None:
        if log.is_own:
            body["metadata"] = request.metadata
        else:
            log.add("metadata", "the client's own notes are not sent", "note")
    if request.cache is not None:
        log.put_cache(body, request.cache, "request")
