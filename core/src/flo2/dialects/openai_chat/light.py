"""Read of a plain answer only what metering needs, without building the rest of it.

The common answer (choices, a usage object, no error) is read here; whatever is odd is left to
`AnswerReader`, which knows all of it. Imports: canonical, base.
"""

from __future__ import annotations

from typing import Any

import msgspec
from attrs import evolve

from flo2.canonical import Usage
from flo2.dialects.base import Observed, ReadUsage
from flo2.dialects.exact_charge import exact_charge, wants_answer
from flo2.dialects.openai_chat.usage import read_usage as read_own

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
    tier = answer.service_tier
    if read_usage is read_own:
        usage = read_own(answer.usage, tier)
    else:
        if wants_answer(read_usage):
            return None
        usage = exact_charge(read_usage(answer.usage), read_usage, answer.usage, raw)
        if tier is not None:
            usage = evolve(usage, context={"service_tier": tier, **usage.context})
    observed.response_id = answer.id
    observed.model = answer.model
    observed.finish = first.finish_reason
    observed.usage = usage
    observed.has_content = True
    observed.complete = True
    return usage
