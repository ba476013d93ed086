"""Read a Chat Completions (or Embeddings) usage object into disjoint meters, and write one.

`prompt_tokens` holds cached, written and audio tokens, `completion_tokens` holds reasoning and
audio: they are taken out once each, and the identity with `total_tokens` is checked.
Imports: canonical.

Source: https://platform.openai.com/docs/api-reference/chat/object (read 2026-11-20), recorded
traffic for the fields of compatible hosts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import Usage
from flo2.canonical.usage import CACHE_WRITE_METERS
from flo2.dialects.openai_chat.counts import (
    Unsound,
    count_of,
    details_of,
    non_zero,
    refuse_unknown,
    split_cached,
    split_written,
)

__all__ = ["DIALECT", "read_usage", "write_usage"]

DIALECT: Final = "openai.chat"

_TOP: Final = frozenset(
    {
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "prompt_cache_hit_tokens",
        "prompt_cache_miss_tokens",
        "num_cached_tokens",
        "cached_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "prompt_token_details",
    }
)
_INPUT_DETAILS: Final = frozenset(
    {"cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens"}
    | {"video_tokens", "text_tokens"}
)
_OUTPUT_DETAILS: Final = frozenset(
    {
        "reasoning_tokens",
        "audio_tokens",
        "image_tokens",
        "text_tokens",
        "accepted_prediction_tokens",
        "rejected_prediction_tokens",
    }
)
_MEDIA: Final = ("input_audio_tokens", "input_image_tokens", "input_video_tokens")
_INSIDE_OUTPUT: Final = (
    "reasoning_tokens",
    "accepted_prediction_tokens",
    "rejected_prediction_tokens",
)


_PLAIN: Final = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})
_PLAIN_DETAILS: Final = frozenset({"prompt_tokens_details", "completion_tokens_details"})


def _cached(raw: Mapping[str, Any], details: Mapping[str, Any], prompt: int) -> int:
    """Find the cache reads under any of their names.

    DeepSeek says hit and miss (recordings/deepseek); Mistral has used three names over time
    (recordings/mistral, wire fact 34); Venice adds
    Anthropic's. Where two are given they must agree.
    """
    hit, miss = count_of(raw, "prompt_cache_hit_tokens"), count_of(raw, "prompt_cache_miss_tokens")
    if (hit or miss) and hit + miss != prompt:
        raise Unsound(f"cache hit {hit} + miss {miss} is not prompt_tokens {prompt}")
    found = {
        count_of(details, "cached_tokens", "prompt_tokens_details."),
        count_of(details_of(raw, "prompt_token_details"), "cached_tokens"),
        count_of(raw, "num_cached_tokens"),
        count_of(raw, "cached_tokens"),
        count_of(raw, "cache_read_input_tokens"),
        hit,
    } - {0}
    if len(found) > 1:
        raise Unsound(f"cached tokens are given as {sorted(found)}")
    return found.pop() if found else 0


def _written(raw: Mapping[str, Any], details: Mapping[str, Any]) -> int:
    """Find the cache writes, under OpenAI's name or under Anthropic's beside it."""
    inner = count_of(details, "cache_write_tokens", "prompt_tokens_details.")
    outer = count_of(raw, "cache_creation_input_tokens")
    if inner and outer and inner != outer:
        raise Unsound(f"cache writes are given as {sorted((inner, outer))}")
    return inner or outer


def read_usage(raw: Mapping[str, Any], tier: str | None = None) -> Usage:
    """Normalise a usage object; never raises: what does not add up is named in `problem`.

    Args:
        raw: The object.
        tier: The service tier that the answer names beside it, where it is at hand already.
    """
    context = {} if tier is None else {"service_tier": tier}
    if (plain := _plain(raw)) is not None:
        return Usage(plain, {}, raw, DIALECT, context)
    try:
        quantities, informational = _read(raw)
    except Unsound as exc:
        return Usage(_rough(raw), {}, raw, DIALECT, context, str(exc))
    return Usage(quantities, informational, raw, DIALECT, context)


def _rough(raw: Mapping[str, Any]) -> dict[str, int]:
    """Give the two sums alone: not to be priced, but a client of another dialect reads them."""
    sums = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    found = {meter: raw.get(key) for meter, key in sums.items()}
    return {meter: n for meter, n in found.items() if type(n) is int and n > 0}


def _plain(raw: Mapping[str, Any]) -> dict[str, int] | None:
    """Read a usage object without details that are not zero: nearly all of them."""
    prompt, completion = raw.get("prompt_tokens"), raw.get("completion_tokens")
    if type(prompt) is not int or type(completion) is not int or prompt < 1 or completion < 1:
        return None
    if raw.get("total_tokens") != prompt + completion:
        return None
    if not raw.keys() <= _PLAIN:  # one step where nearly all have these three and no more
        for key in raw.keys() - _PLAIN:
            value = raw[key]
            if key not in _PLAIN_DETAILS or type(value) is not dict or any(value.values()):
                return None
    return {"input_tokens": prompt, "output_tokens": completion}


def _read(raw: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    if raw.get("prompt_tokens") is None:
        raise Unsound("prompt_tokens is missing")
    prompt, completion = count_of(raw, "prompt_tokens"), count_of(raw, "completion_tokens")
    total = count_of(raw, "total_tokens")
    if raw.get("total_tokens") is not None and total != prompt + completion:
        raise Unsound(f"total_tokens {total} is not prompt {prompt} + completion {completion}")
    given, made = (
        details_of(raw, "prompt_tokens_details"),
        details_of(raw, "completion_tokens_details"),
    )
    refuse_unknown(raw, _TOP)
    refuse_unknown(given, _INPUT_DETAILS, "prompt_tokens_details.")
    refuse_unknown(made, _OUTPUT_DETAILS, "completion_tokens_details.")
    meters = {
        "cache_read_tokens": _cached(raw, given, prompt),
        "cache_write_tokens": _written(raw, given),
        "input_audio_tokens": count_of(given, "audio_tokens", "prompt_tokens_details."),
        "input_image_tokens": count_of(given, "image_tokens", "prompt_tokens_details."),
        "input_video_tokens": count_of(given, "video_tokens", "prompt_tokens_details."),
    }
    split_written(meters, given, "prompt_tokens_details.")
    if meters["cache_read_tokens"] and any(meters[key] for key in _MEDIA):
        split_cached(meters, details_of(given, "cached_tokens_details"))
    text = prompt - sum(meters.values())
    spoken = count_of(made, "audio_tokens", "completion_tokens_details.")
    drawn = count_of(made, "image_tokens", "completion_tokens_details.")
    written = completion - spoken - drawn
    if text < 0:
        raise Unsound(f"the parts of the prompt exceed prompt_tokens {prompt} by {-text}")
    if written < 0:
        raise Unsound(f"the parts of the answer exceed completion_tokens {completion}")
    inside = {key: count_of(made, key, "completion_tokens_details.") for key in _INSIDE_OUTPUT}
    for key, value in inside.items():
        if value > completion:
            raise Unsound(f"{key} {value} exceeds completion_tokens {completion}")
    meters = {
        "input_tokens": text,
        **meters,
        "output_tokens": written,
        "output_audio_tokens": spoken,
        "output_image_tokens": drawn,
    }
    return non_zero(meters), non_zero(inside)


def write_usage(usage: Usage) -> dict[str, Any]:
    """Write a usage object: the provider's own one where it is of this dialect."""
    if usage.dialect == DIALECT and usage.raw:
        return dict(usage.raw)
    usage = usage.as_told
    prompt, completion = usage.input_total, usage.output_total
    info = usage.informational
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": usage.total(
                ("cache_read_tokens", "cache_read_audio_tokens", "cache_read_image_tokens")
            ),
            "cache_write_tokens": usage.total(CACHE_WRITE_METERS),
            "audio_tokens": usage.total(("input_audio_tokens", "cache_read_audio_tokens")),
        },
        "completion_tokens_details": {
            "reasoning_tokens": info.get("reasoning_tokens", info.get("thinking_tokens", 0)),
            "audio_tokens": usage.total(("output_audio_tokens",)),
            "accepted_prediction_tokens": info.get("accepted_prediction_tokens", 0),
            "rejected_prediction_tokens": info.get("rejected_prediction_tokens", 0),
        },
    }
