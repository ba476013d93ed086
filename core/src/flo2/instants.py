"""Instants as flo2 counts them: whole microseconds since the Unix epoch, UTC. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["instant", "microseconds", "timestamp"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)


def instant(us: int) -> datetime:
    """Turn microseconds since the epoch into an aware instant, exactly."""
    return _EPOCH + timedelta(0, 0, us)


def microseconds(at: datetime) -> int:
    """Turn an aware instant into microseconds since the epoch, exactly."""
    return (at - _EPOCH) // _US


def timestamp(us: int) -> str:
    """Write an instant as RFC 3339, UTC."""
    return instant(us).isoformat().replace("+00:00", "Z")
