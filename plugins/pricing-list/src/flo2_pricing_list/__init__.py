"""Dated, sourced price rows for the providers flo2 knows."""

from __future__ import annotations

from flo2.hookspecs import Register, hookimpl
from flo2_pricing_list.genai import GenaiPrices, Skipped
from flo2_pricing_list.sources import PriceList, UserFile

__all__ = ["GenaiPrices", "PriceList", "Skipped", "UserFile", "flo2_register_pricing"]


@hookimpl
def flo2_register_pricing(register: Register) -> None:
    """Register the curated list, the operator's file and the import of genai-prices."""
    register(PriceList)
    register(UserFile)
    register(GenaiPrices)
