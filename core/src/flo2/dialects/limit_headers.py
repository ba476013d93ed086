"""How an API's headers tell what a rate limit leaves.

Pure. Imports: nothing of flo2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol, runtime_checkable

from msgspec import Struct

__all__ = ["LimitState", "NamesLimits", "limit_headers"]

_SECOND_US: Final = 1_000_000


class LimitState(Struct, frozen=True):
    """One limit as it stands after a call was admitted or refused.

    Attributes:
        unit: What is counted, as a part of a header's name: `requests`, `input-tokens`, ….
        limit: How much is allowed.
        remaining: How much is left.
        reset_us: How long until all of it is there again, if nothing more is taken, microseconds.
        now_us: The time, microseconds since the epoch.
    """

    unit: str
    limit: str
    remaining: str
    reset_us: int
    now_us: int

    @property
    def resets_at(self) -> datetime:
        """When all of it is there again: to the second, rounded up, UTC."""
        return datetime.fromtimestamp(-(-(self.now_us + self.reset_us) // 1_000_000), UTC)


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
        headers[f"x-ratelimit-reset-{state.unit}"] = _duration(state.reset_us)
    return headers


def _duration(us: int) -> str:
    """Write a duration as `1h2m3s`, or `20ms` below a second."""
    if us < _SECOND_US:
        return f"{-(-us // 1000)}ms"
    minutes, seconds = divmod(-(-us // _SECOND_US), 60)
    if not minutes:
        return f"{seconds}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}s" if hours else f"{minutes}m{seconds}s"
