"""Rate limits as the Messages API tells them.

Pure. Imports: dialects.limit_headers.

Source: https://platform.claude.com/docs/en/api/rate-limits (response headers), read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Sequence

from flo2.dialects.limit_headers import LimitState

__all__ = ["limit_headers"]


def limit_headers(states: Sequence[LimitState]) -> dict[str, str]:
    """Write `anthropic-ratelimit-requests-limit: 60` and so on; a reset is an instant, RFC 3339."""
    headers: dict[str, str] = {}
    for state in states:
        name = f"anthropic-ratelimit-{state.unit}"
        headers[f"{name}-limit"] = state.limit
        headers[f"{name}-remaining"] = state.remaining
        headers[f"{name}-reset"] = state.resets_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return headers
