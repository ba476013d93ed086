"""Read Converse's usage object into disjoint meters, and write one.

The counts are disjoint already: `inputTokens` has neither cache reads nor writes in it, and the
total is the sum of all four (recordings/bedrock/ruby-llm-…-prompt-cache-round-trip-…-0: 10 + 7351
+ 4 = 7365). What this reader adds is doubt. Pure. Imports: flo2.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html and
API_runtime_CacheDetail.html, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import evolve

from flo2 import Usage
from flo2_provider_bedrock.converse.vocabulary import NAME

__all__ = ["in_its_place", "read_usage", "write_usage"]

_METERS: Final[Mapping[str, str]] = {
    "inputTokens": "input_tokens",
    "cacheReadInputTokens": "cache_read_tokens",
    "outputTokens": "output_tokens",
}
_TTLS: Final[Mapping[str, str]] = {
    "5m": "cache_write_5m_tokens",
    "1h": "cache_write_1h_tokens",
}
_WRITTEN: Final = "cacheWriteInputTokens"
# `…TokenCount` are older names of the same two counts (recordings/bedrock).
_KNOWN: Final = frozenset(
    {*_METERS, _WRITTEN, "totalTokens", "cacheDetails", "serverToolUsage"}
    | {"cacheReadInputTokenCount", "cacheWriteInputTokenCount"}
)


class _Reading:
    """One usage object while it is read."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.problems: list[str] = []

    def count(self, holder: Mapping[str, Any], key: str) -> int:
        value = holder.get(key)
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.problems.append(f"{key} is {value!r}, not a count")
            return 0
        return value

    def writes(self) -> dict[str, int]:
        """Read what was written to the cache, by how long it lives."""
        written = self.count(self.raw, _WRITTEN)
        details = self.raw.get("cacheDetails") or []
        parts: dict[str, int] = {}
        for each in details if isinstance(details, list) else [details]:
            meter = _TTLS.get(str(each.get("ttl"))) if isinstance(each, Mapping) else None
            if meter is None:
                self.problems.append(f"cacheDetails holds {each!r}, which has no known price")
            else:
                parts[meter] = parts.get(meter, 0) + self.count(each, "inputTokens")
        if not details:
            # Models that know one lifetime alone do not name it.
            return {"cache_write_tokens": written}
        if sum(parts.values()) != written and _WRITTEN in self.raw:
            self.problems.append(
                f"cacheDetails add up to {sum(parts.values())}, {_WRITTEN} is {written}"
            )
            return {"cache_write_tokens": written}
        return parts


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """Normalise a usage object; what cannot be trusted is named in `problem`, nothing is raised."""
    reading = _Reading(raw)
    quantities = {meter: reading.count(raw, key) for key, meter in _METERS.items()}
    for key in ("inputTokens", "outputTokens"):
        if raw.get(key) is None:
            reading.problems.append(f"{key} is missing")
    quantities |= reading.writes()
    total, told = sum(quantities.values()), reading.count(raw, "totalTokens")
    if "totalTokens" in raw and total != told:
        reading.problems.append(f"the counts add up to {total}, totalTokens is {told}")
    reading.problems += [
        f"{key} is {value!r} and has no known price"
        for key, value in _counts(raw)
        if key not in _KNOWN and value
    ]
    return Usage(
        quantities={meter: count for meter, count in quantities.items() if count},
        raw=raw,
        dialect=NAME,
        problem="; ".join(reading.problems) or None,
    )


def _counts(raw: Mapping[str, Any]) -> Iterator[tuple[str, int | float]]:
    """Give every number of a usage object, of those inside it too (`serverToolUsage`)."""
    for key, value in raw.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield key, value
        elif isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", number) for inner, number in _counts(value))


def in_its_place(usage: Usage, answer: Mapping[str, Any]) -> Usage:
    """Add what stands beside the usage and bears on the price.

    Service tiers and optimized latency have prices of their own
    (https://aws.amazon.com/bedrock/pricing/), and so has a guardrail, by units of text; a guardrail
    tells its units only where its trace was asked for. Read 2026-11-25.

    Args:
        usage: What was read.
        answer: The answer, or the `metadata` event.
    """
    context: dict[str, str] = dict(usage.context)
    match answer.get("serviceTier"):
        case {"type": str() as tier}:
            context["service_tier"] = tier
        case _:
            pass
    match answer.get("performanceConfig"):
        case {"latency": str() as latency} if latency != "standard":
            context["latency"] = latency
        case _:
            pass
    units = _guardrail_units(answer.get("trace"))
    if context == usage.context and not units:
        return usage
    return evolve(usage, context=context, quantities={**usage.quantities, **units})


def _guardrail_units(trace: Any) -> dict[str, int]:
    """Add up the units of all assessments; free ones are left out."""
    units: dict[str, int] = {}
    for metrics in _metrics(trace):
        for key, count in metrics.items():
            known = isinstance(count, int) and not isinstance(count, bool) and count > 0
            if known and key.endswith("Units") and not key.endswith("FreeUnits"):
                meter = f"guardrail_{_snake(key)}"
                units[meter] = units.get(meter, 0) + count
    return units


def _snake(word: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in word)


def _metrics(value: Any) -> Iterator[Mapping[str, Any]]:
    """Find every `invocationMetrics.usage` inside a trace."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            match key, inner:
                case "invocationMetrics", {"usage": dict() as usage}:
                    yield usage
                case _:
                    yield from _metrics(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _metrics(inner)


def write_usage(usage: Usage | None) -> dict[str, Any]:
    """Write a usage object: Converse's own as it came, another dialect's from its meters."""
    if usage is None:
        return {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}
    if usage.dialect == NAME:
        return dict(usage.raw)
    get = usage.quantities.get
    reads = sum(int(n) for meter, n in usage.quantities.items() if meter.startswith("cache_read_"))
    lives = {ttl: int(get(meter, 0)) for ttl, meter in _TTLS.items()}
    writes = int(get("cache_write_tokens", 0)) + sum(lives.values())
    raw: dict[str, Any] = {
        "inputTokens": usage.input_total - reads - writes,
        "outputTokens": usage.output_total,
        "totalTokens": usage.input_total + usage.output_total,
        "cacheReadInputTokens": reads,
        _WRITTEN: writes,
    }
    if any(lives.values()):
        raw["cacheDetails"] = [{"ttl": t, "inputTokens": n} for t, n in lives.items() if n]
    return raw
