"""Usage sums as JSON. Pure. Imports: ledger, money."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flo2.ledger import UsageRow
from flo2.money import text

__all__ = ["usage_json"]


def usage_json(by: Sequence[str], rows: Iterable[UsageRow]) -> list[dict[str, Any]]:
    """Write usage rows; money is a decimal string, quantities too unless they are whole."""
    return [
        {
            **dict(zip(by, row.group, strict=True)),
            "currency": row.currency,
            "entries": row.entries,
            "statuses": dict(row.statuses),
            "cost": text(row.total),
            "adjusted": text(row.adjusted),
            "pending": {
                "low": text(row.pending_low),
                "high": None if row.pending_high is None else text(row.pending_high),
            },
            "usage": {
                meter: value if isinstance(value, int) else text(value)
                for meter, value in row.meters.items()
            },
        }
        for row in rows
    ]
