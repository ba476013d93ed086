"""Dated, sourced price rows for the providers flo2 knows."""

from __future__ import annotations

from importlib.util import find_spec

from flo2.hookspecs import Register, hookimpl
from flo2_pricing_list.genai import GenaiPrices, Skipped
from flo2_pricing_list.litellm_map import LiteLLMMap
from flo2_pricing_list.sources import PriceList, UserFile

__all__ = ["GenaiPrices", "LiteLLMMap", "PriceList", "Skipped", "UserFile", "flo2_register_pricing"]


@hookimpl
def flo2_register_pricing(register: Register) -> None:
    """Register the curated list, two kinds of files, and genai-prices where it is installed."""
    register(PriceList)
    register(UserFile)
    register(LiteLLMMap)
    if find_spec("genai_prices") is not None:
        register(GenaiPrices)
