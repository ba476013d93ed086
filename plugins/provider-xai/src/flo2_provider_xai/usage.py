"""xAI's usage: reasoning counted beside a chat's answer, searches and tools that cost extra.

Pure. Imports: flo2.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from attrs import evolve

from flo2 import Usage, charge_of
from flo2.openai_compatible import CHAT, IMAGES, RESPONSES

__all__ = ["read_chat", "read_image", "read_response"]

# "The exact cost you were charged", 10^10 ticks a dollar, discounts and tools included
# (https://docs.x.ai/developers/cost-tracking, read 2026-11-25).
_TICKS: Final = "cost_in_usd_ticks"
_TICK: Final = Decimal("1e-10")


# What the dialect gathers about tools: xAI tells more itself, and bills another way.
_GATHERED: Final = frozenset({"tool_usage", "tools_run"})


def read_chat(raw: Mapping[str, Any]) -> Usage:
    """Normalise a chat's usage object; never raises."""
    return _with_tools(CHAT.read_usage(_reasoning_inside(raw)), raw)


def read_response(raw: Mapping[str, Any]) -> Usage:
    """Normalise the usage object of Responses, whose answers hold reasoning; never raises."""
    told = {key: value for key, value in raw.items() if key not in _GATHERED}
    return _with_tools(RESPONSES.read_usage(told), raw)


def read_image(raw: Mapping[str, Any]) -> Usage:
    """Normalise the usage object of images; never raises."""
    return evolve(IMAGES.read_usage(raw), reported=charge_of(raw.get(_TICKS), _TICK))


def _with_tools(usage: Usage, raw: Mapping[str, Any]) -> Usage:
    """Add what xAI's own tools did, which no token count holds.

    They are billed by the successful call, each kind at its price
    (https://docs.x.ai/developers/pricing, tools, and …/developers/tools/tool-usage-details, read
    2026-11-25); a live search was billed by the source. Without a price row for its meter such a
    call is unpriced, as it must be.
    """
    details = raw.get("server_side_tool_usage_details")
    told = details.items() if isinstance(details, Mapping) else ()
    meters = {_meter(kind): count for kind, value in told if (count := _count(value))}
    if not meters and (count := _count(raw.get("num_server_side_tools_used"))):
        meters["server_tool_calls"] = count  # of which kind, older answers do not say
    if sources := _count(raw.get("num_sources_used")):
        meters["search_sources"] = sources
    return evolve(
        usage,
        quantities={**usage.quantities, **meters},
        raw=raw,
        reported=charge_of(raw.get(_TICKS), _TICK),
    )


def _meter(kind: str) -> str:
    """Name a meter: `web_search_calls` is what others call `web_search_requests`."""
    return f"{kind.removesuffix('_calls')}_requests" if kind.endswith("_calls") else kind


def _count(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0


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
