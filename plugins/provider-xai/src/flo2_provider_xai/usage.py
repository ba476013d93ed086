"""xAI's usage of a chat: reasoning counted beside the answer, and sources that cost extra.

Pure. Imports: flo2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from flo2 import Usage
from flo2.openai_compatible import CHAT

__all__ = ["read_usage"]


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """Normalise a chat's usage object; never raises.

    `cost_in_usd_ticks` (1 USD = 10^10 ticks, "the exact cost you were charged",
    https://docs.x.ai/developers/cost-tracking, read 2026-11-25) stays in `raw`: it is xAI's own
    bill, and 17 recorded calls of three models agree with these meters to the tick.
    """
    usage = evolve(CHAT.read_usage(_reasoning_inside(raw)), raw=raw)
    sources = raw.get("num_sources_used")
    if type(sources) is not int or sources < 1:
        return usage
    # A live search was billed by the source, in no token count; its successors are billed by the
    # call (https://docs.x.ai/developers/pricing, tools, read 2026-11-25). Without a price row for
    # this meter such a call is unpriced, as it must be.
    return evolve(usage, quantities={**usage.quantities, "search_sources": sources})


def _reasoning_inside(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Count reasoning into the answer, where the total says that it is not.

    xAI's chat has it outside: prompt 470 + completion 68 + reasoning 185 = total 723 (wire fact 36,
    recordings/xai); it is billed as output (https://docs.x.ai/developers/pricing, token costs,
    read 2026-11-25). The identity decides, so a change of theirs is noticed.
    """
    details = raw.get("completion_tokens_details")
    thought = details.get("reasoning_tokens") if isinstance(details, Mapping) else None
    said = raw.get("completion_tokens")
    if type(thought) is int and type(said) is int and _answer(raw) == said + thought:
        return {**raw, "completion_tokens": said + thought}
    return raw


def _answer(raw: Mapping[str, Any]) -> int | None:
    """Give what the total leaves for the answer."""
    prompt, total = raw.get("prompt_tokens"), raw.get("total_tokens")
    return total - prompt if type(prompt) is int and type(total) is int else None
