"""The six strategies keep the laws of every strategy."""

from __future__ import annotations

from flo2.testing.suites.strategy import StrategySuite
from flo2_strategy_basic import Cheapest, Fallback, Fastest, Hedge, Race, Weighted


class TestCheapest(StrategySuite):
    strategy = Cheapest


class TestFallback(StrategySuite):
    strategy = Fallback


class TestFastest(StrategySuite):
    strategy = Fastest


class TestHedge(StrategySuite):
    strategy = Hedge


class TestRace(StrategySuite):
    strategy = Race


class TestWeighted(StrategySuite):
    strategy = Weighted
