"""Instants as bills write them, and the widths of their buckets.

Imports: nothing of flo2_reconcile.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from flo2 import BillingError
from flo2.instants import instant, microseconds

__all__ = [
    "DAY_US",
    "HOUR_US",
    "LATE_US",
    "MINUTE_US",
    "WIDTHS",
    "instant_us",
    "stamp",
]

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
LATE_US: Final = 3 * DAY_US
"""Reports are complete after 24 to 72 hours (the providers' pages on usage and cost reports, read
2026-11); until then a bill may have less than the ledger."""

WIDTHS: Final = {"1m": MINUTE_US, "1h": HOUR_US, "1d": DAY_US}


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
