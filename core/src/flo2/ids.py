"""Ids that sort by time: 12 hex digits of milliseconds, then 20 random ones (80 bits).

Imports: nothing of flo2.
"""

from __future__ import annotations

import secrets

__all__ = ["new_id"]


def new_id(now_us: int) -> str:
    """Make an id for something that happens at `now_us` (microseconds since the Unix epoch)."""
    return f"{now_us // 1000:012x}{secrets.token_hex(10)}"
