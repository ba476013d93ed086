"""OpenRouter's usage: the common counts, the tools it ran itself, and whose key paid.

Pure. Imports: flo2.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from attrs import evolve

from flo2 import ReadUsage, Usage, charge_of

__all__ = ["reader"]


def reader(read: ReadUsage) -> ReadUsage:
    """Give the reader for a dialect, on top of the dialect's own."""
    return partial(_read, read)


def _read(read: ReadUsage, raw: Mapping[str, Any]) -> Usage:
    """Normalise a usage object; never raises.

    `cost` is the account's charge, in US dollars;
    `cost_details.upstream_inference_cost` is what the model's provider charges, inside `cost`, or
    beside it with a key of one's own there (`is_byok`): adding them up would be wrong either way
    (https://openrouter.ai/docs/use-cases/usage-accounting, read 2026-11-25).
    """
    usage = read(raw)
    fees = _tools(raw.get("server_tool_use_details"))
    # With a key of one's own, OpenRouter takes a share of its usual price and the model's provider
    # bills the rest itself (https://openrouter.ai/docs/integrations, read 2026-11-25; wire fact
    # 38). No list price is that, and its share is not what the call costs, so without a row for it
    # such a call is unpriced.
    own_key = raw.get("is_byok") is True
    context = {"byok": "true"} if own_key else {}
    charge = None if own_key else charge_of(raw.get("cost"))
    if not fees and not context and charge is None:
        return usage
    return evolve(
        usage,
        quantities={**usage.quantities, **fees},
        context={**usage.context, **context},
        reported=charge,
    )


def _tools(details: Any) -> dict[str, int | Decimal]:
    """Count what OpenRouter ran itself and bills for, in no token count.

    An advisor's call costs 0.0161 USD where its tokens cost 0.0002
    (recordings/openrouter, advisor-tool); a web search counts among the executed calls as well.
    """
    if not isinstance(details, Mapping):
        return {}
    searches = _count(details, "web_search_requests")
    others = max(_count(details, "tool_calls_executed") - searches, 0)
    fees: dict[str, int | Decimal] = {"web_search_requests": searches, "server_tool_calls": others}
    return {meter: count for meter, count in fees.items() if count}


def _count(details: Mapping[str, Any], key: str) -> int:
    value = details.get(key)
    return value if type(value) is int and value > 0 else 0
