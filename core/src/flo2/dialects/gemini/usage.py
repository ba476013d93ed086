"""Read Google's `usageMetadata` into disjoint meters, and write one.

`promptTokenCount` holds the cached tokens and every modality; `thoughtsTokenCount` and
`toolUsePromptTokenCount` lie outside of the other counts; `totalTokenCount` is the sum of the four
(recordings/google: so in 328 of 334 answers; of the others five are edited, one was blocked).
Text, documents and whatever has no modality of its own are plain tokens. Pure. Imports: canonical.

Source: https://ai.google.dev/api/generate-content#UsageMetadata, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import Usage
from flo2.dialects.gemini.vocabulary import NAME

__all__ = ["read_usage", "write_usage"]

_PROMPT: Final = "promptTokenCount"
_CACHED: Final = "cachedContentTokenCount"
_ANSWER: Final = "candidatesTokenCount"
_THOUGHTS: Final = "thoughtsTokenCount"
_TOOLS: Final = "toolUsePromptTokenCount"
_TOTAL: Final = "totalTokenCount"
_KNOWN: Final = frozenset({_PROMPT, _CACHED, _ANSWER, _THOUGHTS, _TOOLS, _TOTAL})
_UNSPECIFIED: Final = "MODALITY_UNSPECIFIED"
_CONTEXT: Final[Mapping[str, str]] = {"serviceTier": "service_tier", "trafficType": "traffic_type"}
_CACHE_METERS: Final[Mapping[str, str]] = {
    "AUDIO": "cache_read_audio_tokens",
    "IMAGE": "cache_read_image_tokens",
    # Cached video costs what cached text does, and has no meter of its own
    # (https://ai.google.dev/gemini-api/docs/pricing, read 2026-11-25: "text / image / video").
    "VIDEO": "cache_read_tokens",
}
_INPUT_METERS: Final[Mapping[str, str]] = {
    "AUDIO": "input_audio_tokens",
    "IMAGE": "input_image_tokens",
    "VIDEO": "input_video_tokens",
}
_OUTPUT_METERS: Final[Mapping[str, str]] = {
    "AUDIO": "output_audio_tokens",
    "IMAGE": "output_image_tokens",
}

Counts = dict[str, int]


class _Unsound(Exception):  # private: carries the reason out of the reader
    """The usage object cannot be trusted."""


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """Normalise a usage object; never raises: what does not add up is named in `problem`."""
    context = {
        name: raw[key].lower() if key == "serviceTier" else raw[key]
        for key, name in _CONTEXT.items()
        if isinstance(raw.get(key), str)
    }
    try:
        quantities, informational = _read(raw)
    except _Unsound as exc:
        return Usage(_rough(raw), {}, raw, NAME, context, str(exc))
    return Usage(quantities, informational, raw, NAME, context)


def _rough(raw: Mapping[str, Any]) -> Counts:
    """Give the two sums alone: not to be priced, but a client of another dialect reads them."""
    found: Counts = {}
    for meter, keys in (
        ("input_tokens", (_PROMPT, _TOOLS)),
        ("output_tokens", (_ANSWER, _THOUGHTS)),
    ):
        counts = [raw[key] for key in keys if type(raw.get(key)) is int and raw[key] > 0]
        if counts:
            found[meter] = sum(counts)
    return found


def _count(raw: Mapping[str, Any], key: str) -> int:
    value = raw.get(key)
    if value is None:
        return 0  # nothing of the kind: proto3 leaves a zero out
    if type(value) is int and value >= 0:
        return value
    raise _Unsound(f"{key} is {value!r}, no count")


def _read(raw: Mapping[str, Any]) -> tuple[Counts, Counts]:
    if raw.get(_PROMPT) is None:
        raise _Unsound(f"{_PROMPT} is missing")
    prompt, cached, answer = _count(raw, _PROMPT), _count(raw, _CACHED), _count(raw, _ANSWER)
    thoughts, tools = _count(raw, _THOUGHTS), _count(raw, _TOOLS)
    total = prompt + answer + thoughts + tools
    if raw.get(_TOTAL) is not None and _count(raw, _TOTAL) != total:
        raise _Unsound(
            f"{_TOTAL} {raw[_TOTAL]} is not prompt {prompt} + candidates {answer} + "
            f"thoughts {thoughts} + tool use {tools}"
        )
    if cached > prompt:
        raise _Unsound(f"{_CACHED} {cached} exceeds {_PROMPT} {prompt}")
    for key in raw.keys() - _KNOWN:
        if key.endswith("TokenCount") and raw[key]:
            raise _Unsound(f"{key} is {raw[key]!r} and has no known price")
    meters: Counts = {}
    _input(raw, prompt, cached, tools, meters)
    spoken = _modalities(raw, "candidatesTokensDetails", answer, _OUTPUT_METERS)
    for modality, count in spoken.items():
        meters[_OUTPUT_METERS[modality]] = count
    meters["output_tokens"] = answer - sum(spoken.values()) + thoughts
    informational = {"reasoning_tokens": thoughts, "tool_use_prompt_tokens": tools}
    return _non_zero(meters), _non_zero(informational)


def _input(raw: Mapping[str, Any], prompt: int, cached: int, tools: int, meters: Counts) -> None:
    given = _modalities(raw, "promptTokensDetails", prompt, _INPUT_METERS)
    kept = _modalities(raw, "cacheTokensDetails", cached, _CACHE_METERS)
    used = _modalities(raw, "toolUsePromptTokensDetails", tools, _INPUT_METERS)
    if cached and given and "cacheTokensDetails" not in raw:
        raise _Unsound(f"{_CACHED} beside {', '.join(given).lower()} and no cacheTokensDetails")
    meters["input_tokens"] = prompt - cached + tools
    meters["cache_read_tokens"] = cached - sum(kept.values())
    for modality in (*given, *used):
        meter = _INPUT_METERS[modality]
        if meter in meters:
            continue
        fresh = given.get(modality, 0) - kept.get(modality, 0)
        if fresh < 0:
            raise _Unsound(f"more {modality.lower()} tokens are cached than were sent")
        meters[meter] = fresh + used.get(modality, 0)
        meters["input_tokens"] -= meters[meter]
    for modality, count in kept.items():
        if modality not in given:
            raise _Unsound(f"{modality.lower()} tokens are cached and not among those sent")
        meter = _CACHE_METERS[modality]
        meters[meter] = meters.get(meter, 0) + count
    if meters["input_tokens"] < 0:
        raise _Unsound(f"the parts of the prompt exceed {_PROMPT} {prompt}")


def _modalities(raw: Mapping[str, Any], key: str, total: int, meters: Mapping[str, str]) -> Counts:
    """Read the tokens of a count that are not plain ones, by modality."""
    found: Counts = {}
    details = raw.get(key)
    if not details:
        return found
    if not isinstance(details, list) or not all(isinstance(one, Mapping) for one in details):
        raise _Unsound(f"{key} is {details!r}, no list of objects")
    for one in details:
        modality, count = one.get("modality"), _count(one, "tokenCount")
        if not count or modality is None or modality in ("TEXT", "DOCUMENT", _UNSPECIFIED):
            continue
        if not isinstance(modality, str) or modality not in meters:
            raise _Unsound(f"{key} has {count} tokens of the modality {modality!r}")
        found[modality] = found.get(modality, 0) + count
    if sum(found.values()) > total:
        raise _Unsound(f"{key} add up to more than {total}")
    return found


def _non_zero(counts: Mapping[str, int]) -> Counts:
    return {key: value for key, value in counts.items() if value}


def write_usage(usage: Usage) -> dict[str, Any]:
    """Write a usage object: the provider's own one where it is of this dialect."""
    if usage.dialect == NAME:
        return dict(usage.raw)
    usage = usage.as_told
    prompt, answer = usage.input_total, usage.output_total
    info = usage.informational
    thoughts = min(answer, int(info.get("reasoning_tokens", info.get("thinking_tokens", 0))))
    cached = usage.total(
        ("cache_read_tokens", "cache_read_audio_tokens", "cache_read_image_tokens")
    )
    raw: dict[str, Any] = {_PROMPT: prompt, _ANSWER: answer - thoughts, _TOTAL: prompt + answer}
    if cached:
        raw[_CACHED] = cached
    if thoughts:
        raw[_THOUGHTS] = thoughts
    return raw
