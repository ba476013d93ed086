"""Price rows, the book that holds them, and the cost lines it gives. Pure.

Imports: canonical, money, errors.
"""

from __future__ import annotations

from flo2.prices.book import Explanation, PriceBook, build
from flo2.prices.context import PricingContext
from flo2.prices.cost import Bounds, Cost, CostLine, CostStatus
from flo2.prices.naming import row_id
from flo2.prices.packed import PackedRows, pack
from flo2.prices.rows import ABSENT, Defaults, Evidence, PriceRow, Tier
from flo2.prices.schedule import Schedule, Window
from flo2.prices.shelf import Layer

__all__ = [
    "ABSENT",
    "Bounds",
    "Cost",
    "CostLine",
    "CostStatus",
    "Defaults",
    "Evidence",
    "Explanation",
    "Layer",
    "PackedRows",
    "PriceBook",
    "PriceRow",
    "PricingContext",
    "Schedule",
    "Tier",
    "Window",
    "build",
    "pack",
    "row_id",
]
