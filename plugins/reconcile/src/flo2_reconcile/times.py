"""Instants in microseconds since the Unix epoch, and their text.

Imports: nothing of flo2_reconcile.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from flo2 import BillingError

__all__ = [
    "DAY_US",
    "HOUR_US",
    "LATE_US",
    "MINUTE_US",
    "WIDTHS",
    "instant",
    "instant_us",
    "microseconds",
    "stamp",
]

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
LATE_US: Final = 3 * DAY_US
"""Reports are complete after 24 to 72 hours (the providers' pages on usage and cost reports, read
2026-11); until then a bill may have less than the ledger."""

WIDTHS: Final = {"1m": MINUTE_US, "1h": HOUR_US, "1d": DAY_US}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def instant(us: int) -> datetime:
    """Give microseconds as an aware instant."""
    return _EPOCH + timedelta(microseconds=us)


def stamp(us: int) -> str:
    """Write an instant as RFC 3339 to the second, UTC."""
    return instant(us).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant_us(text: str, where: str, *, naive: bool = False) -> int:
    """Read an instant.

    Args:
        text: RFC 3339 or ISO 8601.
        where: The place, for the error.
        naive: The source documents its times as UTC and writes no zone.

    Raises:
        BillingError: it is none, or says no time zone.
    """
    try:
        when = datetime.fromisoformat(text.strip().replace(" UTC", "+00:00"))
    except ValueError:
        raise BillingError(f"{where}: {text!r} is no time; expected RFC 3339") from None
    if when.tzinfo is None:
        if not naive:
            raise BillingError(
                f"{where}: {text!r} has no time zone; a bucket can only be compared where it is "
                "known. Export it in UTC, or say it in a mapping file (timezone = ...)"
            )
        when = when.replace(tzinfo=UTC)
    return microseconds(when)


def microseconds(when: datetime) -> int:
    """Give an aware instant in microseconds."""
    return (when - _EPOCH) // timedelta(microseconds=1)
