"""OpenRouter keeps the laws of every provider."""

from __future__ import annotations

from flo2.testing import ProviderSuite
from flo2_provider_openrouter import OpenRouter


class TestOpenRouter(ProviderSuite):
    provider = OpenRouter
    model = "vendor/a-model"
