"""What providers charge beside tokens, the same for all their models: rows that genai-prices lacks.

Pure data. Imports: nothing of this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from attrs import frozen

__all__ = ["ALIASES", "FEES", "Fee"]


@frozen
class Fee:
    """A price for one use of something, whichever model asked for it.

    Attributes:
        dimension: The meter.
        unit_price: For `per` uses.
        source: Where it was read, on `read_on`.
    """

    dimension: str
    unit_price: Decimal
    per: int
    source: str
    read_on: date


_XAI: Final = "https://docs.x.ai/developers/pricing, tools invocation costs"
_READ: Final = date(2026, 11, 23)

FEES: Final[Mapping[str, tuple[Fee, ...]]] = {
    "xai": (
        Fee("web_search_requests", Decimal(5), 1000, _XAI, _READ),
        Fee("x_search_requests", Decimal(5), 1000, _XAI, _READ),
        Fee("code_interpreter_requests", Decimal(5), 1000, _XAI, _READ),
        # A search in collections, which Responses call files.
        Fee("file_search_requests", Decimal("2.5"), 1000, _XAI, _READ),
    ),
}
"""Kind → its fees. A tool that is not here leaves the call unpriced."""

ALIASES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    # xAI bills an effort under a name of its own, at the model's price: four recorded answers of
    # `grok-3-mini-high` state a charge that equals it to the tick (recordings/xai, fantasy …
    # grok-3-mini-thinking …, 2026-03-12).
    "xai": {"grok-3-mini": ("grok-3-mini-high",)},
}
"""Kind → model → further names that answers give it."""
