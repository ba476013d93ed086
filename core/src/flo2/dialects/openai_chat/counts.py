"""Read the counts of OpenAI's usage objects, and refuse what does not add up.

Shared by the readers of this vendor's APIs, which differ in the names of their fields alone.
Imports: nothing of flo2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "Unsound",
    "count_of",
    "details_of",
    "non_zero",
    "refuse_unknown",
    "split_cached",
    "split_written",
]

_AGES: Final = frozenset({"ttl_12h_tokens", "ttl_30m_tokens"})


class Unsound(Exception):  # never leaves a reader: carries the reason out of it
    """The usage object cannot be trusted."""


def count_of(counts: Mapping[str, Any], key: str, where: str = "") -> int:
    """Read one count; absent and null are 0, a whole float is its integer."""
    value = counts.get(key)
    if value is None:
        return 0
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unsound(f"{where}{key} is {value!r}, no count")
    if value < 0:
        raise Unsound(f"{where}{key} is negative: {value}")
    return value


def details_of(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object of counts inside a usage object; absent and null are empty."""
    found = raw.get(key)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise Unsound(f"{key} is {found!r}, no object")
    return found


def refuse_unknown(counts: Mapping[str, Any], known: frozenset[str], where: str = "") -> None:
    """Refuse a count nobody has modelled: it may cost money that no meter would show."""
    for key in counts.keys() - known:
        value = counts[key]
        if value and key.endswith("_tokens") and isinstance(value, int | float):
            raise Unsound(f"unknown count {where}{key}={value!r}")


def split_cached(meters: dict[str, int], cached: Mapping[str, Any]) -> None:
    """Tell cached audio and images from cached text, where the provider says how many they are."""
    if not cached:
        raise Unsound(
            "cached tokens beside audio, image or video tokens, and no cached_tokens_details"
        )
    audio, image = count_of(cached, "audio_tokens"), count_of(cached, "image_tokens")
    meters["cache_read_audio_tokens"], meters["cache_read_image_tokens"] = audio, image
    meters["cache_read_tokens"] -= audio + image
    meters["input_audio_tokens"] -= audio
    meters["input_image_tokens"] -= image
    if min(meters.values()) < 0:
        raise Unsound("cached_tokens_details exceed the tokens they are part of")


def split_written(meters: dict[str, int], details: Mapping[str, Any], where: str) -> None:
    """Tell what is kept in the cache for 12 hours from what is kept for the usual 30 minutes.

    It has a dearer price of its own (`cache_write_tokens_details` in the official SDK, openai 3.57,
    read 2026-11-25).
    """
    ages = details_of(details, "cache_write_tokens_details")
    where = f"{where}cache_write_tokens_details."
    refuse_unknown(ages, _AGES, where)
    long, usual = (count_of(ages, key, where) for key in ("ttl_12h_tokens", "ttl_30m_tokens"))
    if ages and long + usual != meters["cache_write_tokens"]:
        raise Unsound(f"{where[:-1]} do not add up to {meters['cache_write_tokens']}")
    meters["cache_write_12h_tokens"] = long
    meters["cache_write_tokens"] -= long


def non_zero(counts: Mapping[str, int]) -> dict[str, int]:
    """Leave out the counts that are zero."""
    return {key: value for key, value in counts.items() if value}
