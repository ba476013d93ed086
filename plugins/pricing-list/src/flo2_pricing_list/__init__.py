"""Dated, sourced price rows for the providers flo2 knows."""

from __future__ import annotations

from flo2.hookspecs import Register, hookimpl
from flo2_pricing_list.accepted import AcceptedPrices
from flo2_pricing_list.genai import GenaiPrices, Skipped
from flo2_pricing_list.litellm_map import LiteLLMMap
from flo2_pricing_list.sources import PriceList, UserFile

__all__ = [
    "AcceptedPrices",
    "GenaiPrices",
    "LiteLLMMap",
    "PriceList",
    "Skipped",
    "UserFile",
    "flo2_register_pricing",
]


@hookimpl
def flo2_register_pricing(register: Register) -> None:
    """Register the curated list, what is compiled of genai-prices, and three kinds of files."""
    register(AcceptedPrices)
    register(PriceList)
    register(UserFile)
    register(LiteLLMMap)
    register(GenaiPrices)
