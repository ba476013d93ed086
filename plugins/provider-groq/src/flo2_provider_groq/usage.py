"""Groq's usage of a chat: of one model, or of a compound system with models and tools of its own.

Pure. Imports: flo2.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from attrs import evolve

from flo2 import SubUsage, Usage
from flo2.openai_compatible import CHAT

__all__ = ["read_usage"]

# Tools that Groq runs itself are billed by the use (https://groq.com/pricing, built-in tools, read
# 2026-11-25); the answer names them as the model called them (recordings/groq …web-search-tool…).
_METER_OF: Final[Mapping[str, str]] = {
    "search": "web_search_requests",
    "visit": "web_fetch_requests",
}


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """Normalise a chat's usage object; never raises.

    The decoder has put `usage_breakdown` and the count of `executed_tools` beside the counts.
    """
    usage = evolve(CHAT.read_usage(raw), raw=raw)
    quantities: dict[str, int | Decimal] = dict(usage.quantities)
    executed = raw.get("executed_tools")
    for kind, count in executed.items() if isinstance(executed, Mapping) else ():
        if type(count) is int and count > 0:
            meter = _METER_OF.get(kind, f"{kind}_tool_calls")
            quantities[meter] = quantities.get(meter, 0) + count
    usage = evolve(usage, quantities=quantities)
    breakdown = raw.get("usage_breakdown")
    if usage.problem is not None or not isinstance(breakdown, Mapping):
        return usage
    return _by_model(usage, breakdown.get("models"))


def _by_model(usage: Usage, models: Any) -> Usage:
    """Give each model of a compound system what it used.

    The total is their sum (117 + 520 + 3816 + 4893 + 4754 = 14100, recordings/groq
    …domain-filters-fe2389), but an old stream gave the total to each of them
    (…web-search-tool-stream-7e6ea6): then nobody can say what was used.
    """
    subcalls: list[SubUsage] = []
    summed: dict[str, int | Decimal] = {}
    for entry in models if isinstance(models, list) else ():
        inner = entry.get("usage") if isinstance(entry, Mapping) else None
        name = entry.get("model") if isinstance(entry, Mapping) else None
        if not isinstance(inner, Mapping) or not isinstance(name, str):
            return evolve(usage, problem="usage_breakdown has an entry without model or usage")
        used = CHAT.read_usage(inner)
        if used.problem is not None:
            return evolve(usage, problem=f"usage_breakdown ({name}): {used.problem}")
        subcalls.append(SubUsage(name, "compound", used.quantities, inner, inside=True))
        for meter, count in used.quantities.items():
            summed[meter] = summed.get(meter, 0) + count
    total = Usage(summed)
    if (total.input_total, total.output_total) != (usage.input_total, usage.output_total):
        return evolve(usage, problem="the models of usage_breakdown do not add up to the usage")
    others = {m: n for m, n in usage.quantities.items() if not m.endswith("_tokens")}
    return evolve(usage, quantities=others, subcalls=tuple(subcalls))
