"""Read of a plain answer only what metering needs, without building the rest of it.

The common answer (choices, a usage object, no error) is read here; whatever is odd is left to
`AnswerReader`, which knows all of it. Imports: canonical, base.
"""

from __future__ import annotations

from typing import Any

import msgspec

from flo2.canonical import Usage
from flo2.dialects.base import Observed, ReadUsage

__all__ = ["glance"]


class _Message(msgspec.Struct):
    content: str | None = None
    tool_calls: list[Any] | None = None
    executed_tools: None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str
    index: int = 0
    error: None = None


class _Answer(msgspec.Struct):
    id: str
    model: str
    choices: list[_Choice]
    usage: dict[str, Any]
    service_tier: str | None = None
    usage_breakdown: None = None
    error: None = None


_decode = msgspec.json.Decoder(_Answer).decode


def glance(raw: bytes, observed: Observed, read_usage: ReadUsage) -> Usage | None:
    """Fill `observed` from a whole answer of the common shape.

    Returns:
        Its usage, or None when it is not of that shape; `observed` is then untouched.
    """
    try:
        answer = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    first = answer.choices[0] if len(answer.choices) == 1 else None
    if first is None or first.index or not (answer.id and answer.model and answer.usage):
        return None
    message = first.message
    if not (message.content or message.tool_calls):
        return None
    usage = read_usage(answer.usage)
    if answer.service_tier is not None:
        usage = _at_tier(usage, answer.service_tier)
    observed.response_id = answer.id
    observed.model = answer.model
    observed.finish = first.finish_reason
    observed.usage = usage
    observed.has_content = True
    observed.complete = True
    return usage


def _at_tier(usage: Usage, tier: str) -> Usage:
    """Add the tier to what the answer said; every field named, as `evolve` would take 3 µs."""
    return Usage(
        usage.quantities,
        usage.informational,
        usage.raw,
        usage.dialect,
        {"service_tier": tier, **usage.context},
        usage.problem,
        usage.subcalls,
    )
