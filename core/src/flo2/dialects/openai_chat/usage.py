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


class _Unsound(Exception):  # private: carries the reason out of the reader
    """The usage object cannot be trusted."""


def _count(counts: Mapping[str, Any], key: str, where: str = "") -> int:
    """Read one count; absent and null are 0, a whole float is its integer."""
    value = counts.get(key)
    if value is None:
        return 0
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Unsound(f"{where}{key} is {value!r}, no count")
    if value < 0:
        raise _Unsound(f"{where}{key} is negative: {value}")
    return value


def _details(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = raw.get(key)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise _Unsound(f"{key} is {found!r}, no object")
    return found


def _unknown(counts: Mapping[str, Any], known: frozenset[str], where: str = "") -> None:
    """Refuse a count nobody has modelled: it may cost money that no meter would show."""
    for key in counts.keys() - known:
        value = counts[key]
        if value and key.endswith("_tokens") and isinstance(value, int | float):
            raise _Unsound(f"unknown count {where}{key}={value!r}")


def _cached(raw: Mapping[str, Any], details: Mapping[str, Any], prompt: int) -> int:
    """Find the cache reads under any of their names.

    DeepSeek says hit and miss (recordings/deepseek); Mistral has used three names over time
    (recordings/mistral, wire fact 34); Venice adds
    Anthropic's. Where two are given they must agree.
    """
    hit, miss = _count(raw, "prompt_cache_hit_tokens"), _count(raw, "prompt_cache_miss_tokens")
    if (hit or miss) and hit + miss != prompt:
        raise _Unsound(f"cache hit {hit} + miss {miss} is not prompt_tokens {prompt}")
    found = {
        _count(details, "cached_tokens", "prompt_tokens_details."),
        _count(_details(raw, "prompt_token_details"), "cached_tokens"),
        _count(raw, "num_cached_tokens"),
        _count(raw, "cached_tokens"),
        _count(raw, "cache_read_input_tokens"),
        hit,
    } - {0}
    if len(found) > 1:
        raise _Unsound(f"cached tokens are given as {sorted(found)}")
    return found.pop() if found else 0


def _written(raw: Mapping[str, Any], details: Mapping[str, Any]) -> int:
    """Find the cache writes, under OpenAI's name or under Anthropic's beside it."""
    inner = _count(details, "cache_write_tokens", "prompt_tokens_details.")
    outer = _count(raw, "cache_creation_input_tokens")
    if inner and outer and inner != outer:
        raise _Unsound(f"cache writes are given as {sorted((inner, outer))}")
    return inner or outer


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """Normalise a usage object; never raises: what does not add up is named in `problem`."""
    if (plain := _plain(raw)) is not None:
        return Usage(plain, raw=raw, dialect=DIALECT)
    try:
        quantities, informational = _read(raw)
    except _Unsound as exc:
        return Usage(_rough(raw), raw=raw, dialect=DIALECT, problem=str(exc))
    return Usage(quantities, informational, raw=raw, dialect=DIALECT)


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
    for key, value in raw.items():
        if key not in _PLAIN and (
            key not in _PLAIN_DETAILS or type(value) is not dict or any(value.values())
        ):
            return None
    return {"input_tokens": prompt, "output_tokens": completion}


def _read(raw: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    if raw.get("prompt_tokens") is None:
        raise _Unsound("prompt_tokens is missing")
    prompt, completion = _count(raw, "prompt_tokens"), _count(raw, "completion_tokens")
    total = _count(raw, "total_tokens")
    if raw.get("total_tokens") is not None and total != prompt + completion:
        raise _Unsound(f"total_tokens {total} is not prompt {prompt} + completion {completion}")
    given, made = _details(raw, "prompt_tokens_details"), _details(raw, "completion_tokens_details")
    _unknown(raw, _TOP)
    _unknown(given, _INPUT_DETAILS, "prompt_tokens_details.")
    _unknown(made, _OUTPUT_DETAILS, "completion_tokens_details.")
    meters = {
        "cache_read_tokens": _cached(raw, given, prompt),
        "cache_write_tokens": _written(raw, given),
        "input_audio_tokens": _count(given, "audio_tokens", "prompt_tokens_details."),
        "input_image_tokens": _count(given, "image_tokens", "prompt_tokens_details."),
        "input_video_tokens": _count(given, "video_tokens", "prompt_tokens_details."),
    }
    if meters["cache_read_tokens"] and any(meters[key] for key in _MEDIA):
        _split_cached(meters, _details(given, "cached_tokens_details"))
    text = prompt - sum(meters.values())
    spoken = _count(made, "audio_tokens", "completion_tokens_details.")
    drawn = _count(made, "image_tokens", "completion_tokens_details.")
    written = completion - spoken - drawn
    if text < 0:
        raise _Unsound(f"the parts of the prompt exceed prompt_tokens {prompt} by {-text}")
    if written < 0:
        raise _Unsound(f"the parts of the answer exceed completion_tokens {completion}")
    inside = {key: _count(made, key, "completion_tokens_details.") for key in _INSIDE_OUTPUT}
    for key, value in inside.items():
        if value > completion:
            raise _Unsound(f"{key} {value} exceeds completion_tokens {completion}")
    meters = {
        "input_tokens": text,
        **meters,
        "output_tokens": written,
        "output_audio_tokens": spoken,
        "output_image_tokens": drawn,
    }
    return _non_zero(meters), _non_zero(inside)


def _split_cached(meters: dict[str, int], cached: Mapping[str, Any]) -> None:
    """Tell cached audio and images from cached text, where the provider says how many they are."""
    if not cached:
        raise _Unsound(
            "cached tokens beside audio, image or video tokens, and no cached_tokens_details"
        )
    audio, image = _count(cached, "audio_tokens"), _count(cached, "image_tokens")
    meters["cache_read_audio_tokens"], meters["cache_read_image_tokens"] = audio, image
    meters["cache_read_tokens"] -= audio + image
    meters["input_audio_tokens"] -= audio
    meters["input_image_tokens"] -= image
    if min(meters.values()) < 0:
        raise _Unsound("cached_tokens_details exceed the tokens they are part of")


def _non_zero(counts: Mapping[str, int]) -> dict[str, int]:
    return {key: value for key, value in counts.items() if value}


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
            "cache_write_tokens": usage.total(
                ("cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
            ),
            "audio_tokens": usage.total(("input_audio_tokens", "cache_read_audio_tokens")),
        },
        "completion_tokens_details": {
            "reasoning_tokens": info.get("reasoning_tokens", info.get("thinking_tokens", 0)),
            "audio_tokens": usage.total(("output_audio_tokens",)),
            "accepted_prediction_tokens": info.get("accepted_prediction_tokens", 0),
            "rejected_prediction_tokens": info.get("rejected_prediction_tokens", 0),
        },
    }
