"""What an answer used, as disjoint meters, with the provider's own words as evidence.

A meter counts each token once: cache reads and writes are not inside `input_tokens`, audio not
inside text. `reasoning_tokens` and the like are informational: inside `output_tokens` already.
Pure data. Imports: canonical.charge.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from attrs import evolve, field, frozen

from flo2.canonical.charge import Charge

__all__ = ["CACHE_WRITE_METERS", "INPUT_METERS", "OUTPUT_METERS", "SubUsage", "Usage"]

INPUT_METERS: Final = (
    "input_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "input_video_tokens",
    "cache_read_tokens",
    "cache_read_audio_tokens",
    "cache_read_image_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_write_12h_tokens",
)
"""Meters that together are the whole prompt."""

CACHE_WRITE_METERS: Final = tuple(meter for meter in INPUT_METERS if "cache_write" in meter)
"""What is written to the provider's cache: for its usual time, or for a stated one."""

OUTPUT_METERS: Final = ("output_tokens", "output_audio_tokens", "output_image_tokens")
"""Meters that together are the whole answer."""


@frozen
class SubUsage:
    """Usage of another model inside the same answer (compaction, advisor, fallback).

    Attributes:
        inside: The provider counts it in the totals of the answer too; a price never does.
    """

    model: str | None
    kind: str
    quantities: Mapping[str, int | Decimal]
    raw: Mapping[str, Any]
    inside: bool = False


@frozen(slots=False)  # made at each call, and so a third quicker
class Usage:
    """The meters of one answer.

    Attributes:
        quantities: Disjoint, non-negative, only those that are not zero. Token meters are named in
            `INPUT_METERS` and `OUTPUT_METERS`; others are units of their own
            (`web_search_requests`, `input_seconds`, …).
        informational: Counts that are already inside a meter, or free; never priced.
        raw: The provider's usage object as parsed; the evidence.
        dialect: The dialect whose reader made this.
        context: What the answer itself said that bears on the price: `service_tier`, `speed`,
            `inference_geo`, …; only what was present.
        problem: Why the meters cannot be trusted (the identity failed, a count is negative or no
            number, an unknown billable field is not zero); priced as `pending` then. None: sound.
        subcalls: Usage of other models inside this answer.
        reported: What the provider itself says that the whole answer costs, or None.
    """

    quantities: Mapping[str, int | Decimal]
    informational: Mapping[str, int] = field(factory=dict)
    raw: Mapping[str, Any] = field(factory=dict)
    dialect: str = ""
    context: Mapping[str, str] = field(factory=dict)
    problem: str | None = None
    subcalls: tuple[SubUsage, ...] = ()
    reported: Charge | None = None

    def total(self, meters: tuple[str, ...]) -> int:
        """Add up the named token meters."""
        # An answer has two or three meters, so they are looped over, not the ten that may be there.
        found: int | Decimal = 0
        for meter, count in self.quantities.items():
            if meter in meters:
                found += count
        return int(found)

    @property
    def as_told(self) -> Usage:
        """The totals as the provider tells them, for a client: subcalls inside are added back."""
        if not self.subcalls:
            return self
        quantities = dict(self.quantities)
        for sub in self.subcalls:
            if sub.inside:
                for meter, count in sub.quantities.items():
                    quantities[meter] = quantities.get(meter, 0) + count
        return evolve(self, quantities=quantities)

    @property
    def input_total(self) -> int:
        """Tokens of the whole prompt, cache reads and writes included."""
        return self.total(INPUT_METERS)

    @property
    def output_total(self) -> int:
        """Tokens of the whole answer, reasoning included."""
        return self.total(OUTPUT_METERS)
