"""Azure OpenAI keeps the laws of every provider, in both forms of its URLs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from flo2.testing import ProviderSuite
from flo2_provider_azure import Azure


class TestAzure(ProviderSuite):
    provider = Azure
    options: ClassVar[Mapping[str, str]] = {"base_url": "https://mine.openai.azure.com"}


class TestAzureDated(ProviderSuite):
    provider = Azure
    options: ClassVar[Mapping[str, str]] = {
        "base_url": "https://mine.openai.azure.com",
        "api_version": "2024-10-21",
    }
