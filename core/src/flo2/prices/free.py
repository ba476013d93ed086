"""Rows for models that nobody bills by use: those on a server of one's own.

Zero is a price like any other: it has a source, a date, and a row's name on every cost line. An
operator whose server costs something puts rows of their own before these.
Imports: canonical, prices.rows.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.prices.rows import Evidence, PriceRow

__all__ = ["free_rows"]

_PER = 1_000_000


def free_rows(
    provider: str,
    *,
    source: str,
    read_on: date,
    pattern: str = ".+",
    evidence: Evidence = "operator",
) -> tuple[PriceRow, ...]:
    """Price every token meter of a provider's models at zero.

    Args:
        provider: Whose models.
        source: Why nobody bills them, or where that is said.
        read_on: When it was.
        pattern: A regular expression that a whole model name matches.
        evidence: How it is known.
    """
    return tuple(
        PriceRow(
            id=f"{provider}/free/{meter}",
            provider=provider,
            models=frozenset(),
            pattern=pattern,
            dimension=meter,
            unit_price=Decimal(0),
            per=_PER,
            source=source,
            read_on=read_on,
            evidence=evidence,
        )
        for meter in (*INPUT_METERS, *OUTPUT_METERS)
    )
