"""The price sources keep the laws of every price source."""

from __future__ import annotations

from flo2.testing import PriceSourceSuite
from flo2_pricing_list import GenaiPrices, PriceList


class TestPriceList(PriceSourceSuite):
    source = PriceList


class TestGenaiPrices(PriceSourceSuite):
    source = GenaiPrices
