"""Ollama keeps the laws of every provider, and its prices those of every source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from flo2.testing import PriceSourceSuite, ProviderSuite
from flo2_provider_ollama import Ollama, OllamaCloud, OwnMachine


class TestOllama(ProviderSuite):
    provider = Ollama
    options: ClassVar[Mapping[str, str]] = {"base_url": "http://127.0.0.1:11434/v1"}


class TestOllamaCloud(ProviderSuite):
    provider = OllamaCloud


class TestOwnMachine(PriceSourceSuite):
    source = OwnMachine
