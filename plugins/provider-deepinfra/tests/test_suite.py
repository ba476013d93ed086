"""DeepInfra keeps the laws of every provider."""

from __future__ import annotations

from flo2.testing import ProviderSuite
from flo2_provider_deepinfra import DeepInfra


class TestDeepInfra(ProviderSuite):
    provider = DeepInfra
