"""How an API's headers tell what a rate limit leaves.

Pure. Imports: nothing of flo2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from msgspec import Struct

__all__ = ["LimitState", "NamesLimits", "limit_headers"]

_UNITS_S: Final = ((3600, "h"), (60, "m"))


class LimitState(Struct, frozen=True):
    """One limit as it stands after a call was admitted or refused.

    Attributes:
        unit: What is counted, as a part of a header's name: `requests`, `input-tokens`, ….
        limit: How much is allowed.
        remaining: How much is left.
        reset_s: How long until all of it is there again, if nothing more is taken, in seconds.
        resets_at: When that is, UTC.
    """

    unit: str
    limit: str
    remaining: str
    reset_s: float
    resets_at: datetime


@runtime_checkable
class NamesLimits(Protocol):
    """A dialect whose API has header names of its own."""

    def limit_headers(self, states: Sequence[LimitState]) -> Mapping[str, str]:
        """Write limits as this API's headers."""
        ...


def limit_headers(states: Sequence[LimitState]) -> dict[str, str]:
    """Write limits as `x-ratelimit-limit-requests: 60` and so on.

    Source: https://platform.openai.com/docs/guides/rate-limits (the headers, and durations such as
    `6m0s` in them), read 2026-11-25.
    """
    headers: dict[str, str] = {}
    for state in states:
        headers[f"x-ratelimit-limit-{state.unit}"] = state.limit
        headers[f"x-ratelimit-remaining-{state.unit}"] = state.remaining
        headers[f"x-ratelimit-reset-{state.unit}"] = _duration(state.reset_s)
    return headers


def _duration(seconds: float) -> str:
    """Write a duration as `1h2m3s`, or `20ms` below a second."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    left, told = round(seconds), ""
    for unit_s, letter in _UNITS_S:
        count, left = divmod(left, unit_s)
        if count or told:
            told += f"{count}{letter}"
    return f"{told}{left}s"
