"""Mistral's usage of a chat: audio counted beside the prompt, and a tier inside the usage.

Pure. Imports: flo2.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attrs import evolve

from flo2 import Usage
from flo2.openai_compatible import CHAT, TRANSCRIPTIONS

__all__ = ["read_transcript", "read_usage"]


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """Normalise a chat's usage object; never raises.

    Audio is outside of `prompt_tokens`: 11 + 375 + 15 = total 401 (wire fact 35,
    recordings/mistral …sends-audio-e907af). It is priced by the minute
    (https://mistral.ai/pricing, Voxtral, read 2026-11), so the seconds are the meter and its tokens
    are told beside it.
    """
    heard, seconds = _heard(raw), raw.get("prompt_audio_seconds")
    usage = evolve(CHAT.read_usage(_without_audio(raw, heard) if heard else raw), raw=raw)
    if isinstance(tier := raw.get("service_tier"), str):
        usage = evolve(usage, context={**usage.context, "service_tier": tier})
    if heard or seconds:
        quantities: dict[str, int | Decimal] = dict(usage.quantities)
        if type(seconds) is int and seconds > 0:
            quantities["input_seconds"] = seconds
            usage = evolve(usage, informational={**usage.informational, "audio_tokens": heard})
        else:
            quantities["input_audio_tokens"] = heard
        usage = evolve(usage, quantities=quantities)
    return usage


def read_transcript(raw: Mapping[str, Any]) -> Usage:
    """Normalise a transcript's usage object, which is a chat's; never raises.

    5 + 375 + 20 = total 400, and three seconds (recordings/mistral …labels-segments).
    """
    usage = read_usage(raw) if "prompt_tokens" in raw else TRANSCRIPTIONS.read_usage(raw)
    return evolve(usage, dialect=TRANSCRIPTIONS.name)


def _heard(raw: Mapping[str, Any]) -> int:
    """Give the audio tokens, where the total says that they are beside the prompt's."""
    details = raw.get("prompt_tokens_details")
    heard = details.get("audio_tokens") if isinstance(details, Mapping) else None
    prompt, completion = raw.get("prompt_tokens"), raw.get("completion_tokens")
    if type(heard) is not int or type(prompt) is not int or type(completion) is not int:
        return 0
    return heard if raw.get("total_tokens") == prompt + completion + heard else 0


def _without_audio(raw: Mapping[str, Any], heard: int) -> Mapping[str, Any]:
    details = {**raw["prompt_tokens_details"], "audio_tokens": 0}
    return {**raw, "prompt_tokens_details": details, "total_tokens": raw["total_tokens"] - heard}
