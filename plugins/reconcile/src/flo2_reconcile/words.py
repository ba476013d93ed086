"""Words in which providers and the ledger say the same thing.

Imports: nothing of flo2.
"""

from __future__ import annotations

from typing import Final

__all__ = ["SHORT_PROMPT", "context_window", "geo", "tier_and_processing"]

_STANDARD: Final = frozenset(
    {"", "default", "standard", "auto", "standard_only", "on_demand", "ON_DEMAND", "null"}
)
_ANYWHERE: Final = frozenset({"", "global", "not_available"})
SHORT_PROMPT: Final = 200_000


def tier_and_processing(tier: str | None, *, batch: bool = False) -> tuple[str, str]:
    """Give tier and processing; Anthropic calls batches a tier, OpenAI's dashboard adds `-tier`."""
    word = (tier or "").removesuffix("-tier")
    if word == "batch":
        return "standard", "batch"
    return ("standard" if word in _STANDARD else word), ("batch" if batch else "online")


def geo(place: str | None) -> str:
    """Give where an answer was made; `global` where nothing else was asked for."""
    return "global" if (place or "") in _ANYWHERE else str(place)


def context_window(input_total: int) -> str:
    """Give the class of a prompt's length, in the words of Anthropic's reports."""
    return "0-200k" if input_total <= SHORT_PROMPT else "200k-1M"
