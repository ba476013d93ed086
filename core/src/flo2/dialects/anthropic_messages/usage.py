"""Read Anthropic's usage object into disjoint meters, and write one.

The fields are disjoint already: `input_tokens` has neither cache reads nor writes in it, and
`output_tokens` holds the thinking. What this reader adds is doubt: a usage object that says
something it does not know gets a `problem` and is priced `pending`. Pure. Imports: canonical.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching (fields), and the
docstrings of `BetaUsage` in the official SDK, anthropic 2.13 (iterations, fallback credit), read
2026-11-25.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import evolve

from flo2.canonical import SubUsage, Usage
from flo2.dialects.anthropic_messages.vocabulary import NAME

__all__ = ["merge_usage", "read_usage", "write_usage"]

Quantities = dict[str, int]

_METERS: Final[Mapping[str, str]] = {
    "input_tokens": "input_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "output_tokens": "output_tokens",
}
_SPLIT: Final[Mapping[str, str]] = {
    "ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "ephemeral_1h_input_tokens": "cache_write_1h_tokens",
}
_KNOWN: Final = frozenset({*_METERS, "cache_creation_input_tokens"})
_CONTEXT: Final = ("service_tier", "inference_geo", "speed")


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

    def inner(self, key: str) -> Mapping[str, Any]:
        value = self.raw.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.problems.append(f"{key} is {type(value).__name__}, not an object")
            return {}
        return value

    def unknown(self, holder: Mapping[str, Any], known: Iterable[str], where: str = "") -> None:
        for key, value in holder.items():
            if key not in known and value and isinstance(value, int | float):
                self.problems.append(f"{where}{key} is {value!r} and has no known price")

    def tokens(self) -> Quantities:
        raw = self.raw
        quantities = {meter: self.count(raw, key) for key, meter in _METERS.items()}
        for key in ("input_tokens", "output_tokens"):
            if raw.get(key) is None:
                self.problems.append(f"{key} is missing")
        written = self.count(raw, "cache_creation_input_tokens")
        split = self.inner("cache_creation")
        parts = {meter: self.count(split, key) for key, meter in _SPLIT.items()}
        if split:
            if sum(parts.values()) != written and "cache_creation_input_tokens" in raw:
                # Not so in a message_delta: it updates the sum and leaves message_start's split
                # behind (Vercel's code-execution-20260120-prompt-cache recording: 3068 → 3337).
                self.problems.append(
                    f"cache_creation adds up to {sum(parts.values())}, "
                    f"cache_creation_input_tokens is {written}"
                )
                parts = {"cache_write_tokens": written}
            self.unknown(split, _SPLIT, "cache_creation.")
        else:
            # Only answers from before the one-hour cache come without a split, and a write was
            # for five minutes then (prompt-caching page, "5-minute by default").
            parts["cache_write_5m_tokens"] = written
        quantities |= parts
        for key, value in raw.items():
            if key.endswith("_tokens") and key not in _KNOWN and value:
                self.problems.append(f"{key} is {value!r} and has no known price")
        return {meter: count for meter, count in quantities.items() if count}


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """Normalise a usage object; what cannot be trusted is named in `problem`, nothing is raised."""
    reading = _Reading(raw)
    quantities: Quantities = reading.tokens()
    informational: Quantities = {}
    details = reading.inner("output_tokens_details")
    if thinking := reading.count(details, "thinking_tokens"):
        informational["reasoning_tokens"] = thinking
        if thinking > quantities.get("output_tokens", 0):
            reading.problems.append("thinking_tokens exceed output_tokens")
    tools = reading.inner("server_tool_use")
    if searches := reading.count(tools, "web_search_requests"):
        quantities["web_search_requests"] = searches
    # Free: https://platform.claude.com/docs/en/about-claude/pricing, "web fetch", read 2026-11-25.
    if fetches := reading.count(tools, "web_fetch_requests"):
        informational["web_fetch_requests"] = fetches
    reading.unknown(tools, ("web_search_requests", "web_fetch_requests"), "server_tool_use.")
    if raw.get("fallback_credit") is not None:
        reading.problems.append("a fallback credit reprices this call; the amount comes later")
    usage = Usage(
        quantities=quantities,
        informational=informational,
        raw=raw,
        dialect=NAME,
        context={key: raw[key] for key in _CONTEXT if isinstance(raw.get(key), str)},
    )
    if iterations := raw.get("iterations"):
        usage = _iterations(usage, iterations, reading)
    if reading.problems:
        return evolve(usage, problem="; ".join(reading.problems))
    return usage


def _iterations(usage: Usage, entries: Any, reading: _Reading) -> Usage:
    """Take the usage of other models out of, or beside, the top-level counts.

    `message` entries add up to the top level; `compaction` and `advisor_message` are outside of it
    (recordings: 1128 + 1262 = 2390, the advisor's 2518 apart). Where a `fallback_message` stands
    is not documented, so the sums decide; if they do not, nothing is priced.
    """
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        reading.problems.append("iterations is no list of objects")
        return usage
    own: Quantities = {}
    fallback: Quantities = {}
    subcalls: list[SubUsage] = []
    has_fallback = any(entry.get("type") == "fallback_message" for entry in entries)
    for entry in entries:
        kind, model = str(entry.get("type")), entry.get("model")
        inner = _Reading(entry)
        tokens = inner.tokens()
        reading.problems += [f"iterations ({kind}): {problem}" for problem in inner.problems]
        if has_fallback and kind == "message" and not model and tokens:
            # It may be the declined hop of the model asked for, or an earlier turn of the other.
            reading.problems.append("iterations (message): the model of this hop is not named")
        target = fallback if kind == "fallback_message" or (has_fallback and model) else own
        if kind in {"message", "fallback_message"}:
            for meter, count in tokens.items():
                target[meter] = target.get(meter, 0) + count
        elif kind not in {"compaction", "advisor_message"}:
            reading.problems.append(f"iterations has an entry of unknown type {kind!r}")
        if kind != "message" or (has_fallback and model):
            named = model if isinstance(model, str) else None
            subcalls.append(SubUsage(named, kind, tokens, entry))
    top = {meter: count for meter, count in usage.quantities.items() if meter.endswith("_tokens")}
    total = {meter: own.get(meter, 0) + fallback.get(meter, 0) for meter in {*own, *fallback}}
    others = {m: n for m, n in usage.quantities.items() if not m.endswith("_tokens")}
    if has_fallback and total == top:
        inside = tuple(
            evolve(sub, inside=sub.kind in {"message", "fallback_message"}) for sub in subcalls
        )
        return evolve(usage, quantities=own | others, subcalls=inside)
    if own != top:
        reading.problems.append("the iterations do not add up to the top-level counts")
    return evolve(usage, subcalls=tuple(subcalls))


def merge_usage(before: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    """Overwrite what a later report says; counts are cumulative and are never added."""
    return {**before, **{key: value for key, value in update.items() if value is not None}}


def write_usage(usage: Usage | None) -> dict[str, Any]:
    """Write a usage object: Anthropic's own as it came, another dialect's from its meters."""
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    if usage.dialect == NAME:
        return dict(usage.raw)
    usage = usage.as_told
    get = usage.quantities.get
    reads = sum(int(n) for meter, n in usage.quantities.items() if meter.startswith("cache_read_"))
    short, long = int(get("cache_write_5m_tokens", 0)), int(get("cache_write_1h_tokens", 0))
    writes = int(get("cache_write_tokens", 0)) + short + long
    raw: dict[str, Any] = {
        "input_tokens": usage.input_total - reads - writes,
        "cache_creation_input_tokens": writes,
        "cache_read_input_tokens": reads,
        "output_tokens": usage.output_total,
    }
    if short + long == writes:
        raw["cache_creation"] = {
            "ephemeral_5m_input_tokens": short,
            "ephemeral_1h_input_tokens": long,
        }
    if thinking := usage.informational.get("reasoning_tokens"):
        raw["output_tokens_details"] = {"thinking_tokens": thinking}
    searches, fetches = get("web_search_requests", 0), get("web_fetch_requests", 0)
    if searches or fetches:
        raw["server_tool_use"] = {
            "web_search_requests": int(searches),
            "web_fetch_requests": int(fetches),
        }
    return raw
