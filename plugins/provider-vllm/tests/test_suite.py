"""vLLM keeps the laws of every provider, and its prices those of every source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from flo2.testing import PriceSourceSuite, ProviderSuite
from flo2_provider_vllm import VLLM, OwnServer


class TestVLLM(ProviderSuite):
    provider = VLLM
    options: ClassVar[Mapping[str, str]] = {"base_url": "http://127.0.0.1:8000/v1"}


class TestOwnServer(PriceSourceSuite):
    source = OwnServer
