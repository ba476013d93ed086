"""How rows are named: by what they are for, so that an id says where a price stands.

Pure. Imports: prices.rows, prices.schedule.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from flo2.prices.rows import Tier
from flo2.prices.schedule import Schedule

__all__ = ["conditions_id", "row_id"]


def row_id(
    provider: str,
    model: str,
    dimension: str,
    *,
    when: Mapping[str, frozenset[str]],
    tier: Tier | None,
    valid_from: datetime | None,
    schedule: Schedule | None = None,
) -> str:
    """Name a row: `provider/model/meter`, then the conditions it has."""
    return f"{provider}/{model}/{dimension}" + conditions_id(when, tier, valid_from, schedule)


def conditions_id(
    when: Mapping[str, frozenset[str]],
    tier: Tier | None,
    valid_from: datetime | None,
    schedule: Schedule | None,
) -> str:
    """Give the part of an id that tells the conditions; "" where a row always holds."""
    said = ",".join(f"{k}={'|'.join(sorted(v))}" for k, v in sorted(when.items()))
    stop = "" if tier is None or tier.stop is None else tier.stop
    return (
        (f"[{said}]" if said else "")
        + (f"({tier.start}..{stop})" if tier is not None else "")
        + (f"@{valid_from.date().isoformat()}" if valid_from is not None else "")
        + (f"~{_hours(schedule)}" if schedule is not None else "")
    )


def _hours(schedule: Schedule) -> str:
    """Name a schedule in an id: by the digest of its hours, as they may be many."""
    written = json.dumps(schedule.canonical()).encode()
    return ("outside-" if schedule.outside else "") + hashlib.sha256(written).hexdigest()[:8]
