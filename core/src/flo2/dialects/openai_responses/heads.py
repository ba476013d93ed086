"""How an answer begins and ends, in a stream and in one piece alike. Imports: canonical, base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import Finish, FinishReason, Start, Usage
from flo2.dialects.base import ReadUsage
from flo2.dialects.openai_responses.usage import with_tools
from flo2.dialects.openai_responses.vocabulary import CALLS, DIALECT

__all__ = ["ENDING", "finish_of", "start_of", "usage_of"]

_MODELLED: Final = frozenset(
    {"id", "object", "created_at", "status", "model", "output", "usage", "error"}
)
ENDING: Final = frozenset(
    {
        "billing",
        "completed_at",
        "content_filters",
        "incomplete_details",
        "input_transformations",
        "moderation",
        "prompt_cache_diagnostics",
        "service_tier",
        "tool_usage",
    }
)
"""What is known only at the end of an answer; the rest of it repeats the request."""

_CALLS: Final = tuple(CALLS)  # no set: what is looked up in it may be of any type

_REASONS: Final[Mapping[Any, FinishReason]] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}


def start_of(response: Mapping[str, Any]) -> Start:
    """Read the head of an answer."""
    created = response.get("created_at")
    return Start(
        str(response.get("id") or ""),
        str(response.get("model") or ""),
        int(created) if isinstance(created, int | float) else 0,
        {k: v for k, v in response.items() if k not in _MODELLED and k not in ENDING},
        origin=DIALECT,
    )


def finish_of(response: Mapping[str, Any], *, called: bool) -> Finish:
    """Read how an answer ended.

    Args:
        response: The whole answer.
        called: The model has asked for a tool of the client's.
    """
    status, details = response.get("status"), response.get("incomplete_details")
    extras = {key: response[key] for key in response.keys() & ENDING if response[key] is not None}
    if status == "incomplete":
        raw = details.get("reason") if isinstance(details, Mapping) else None
        raw = raw if isinstance(raw, str) else "incomplete"
        return Finish(_REASONS.get(raw, "other"), raw, extras=extras)
    output = response.get("output")
    called = called or any(
        isinstance(item, Mapping) and item.get("type") in _CALLS
        for item in (output if isinstance(output, list) else ())
    )
    return Finish("tool_calls" if called else "stop", "completed", extras=extras)


def usage_of(response: Mapping[str, Any], read_usage: ReadUsage) -> Usage | None:
    """Read what an answer used: tokens, tools that ran at the provider, and the tier it got."""
    raw = response.get("usage")
    if not isinstance(raw, dict):
        return None
    usage = read_usage(with_tools(raw, response))
    tier = response.get("service_tier")
    if not isinstance(tier, str):
        return usage
    # Every field named, as `evolve` takes 3 µs.
    return Usage(
        usage.quantities,
        usage.informational,
        usage.raw,
        usage.dialect,
        {"service_tier": tier, **usage.context},
        usage.problem,
        usage.subcalls,
        usage.reported,
    )
