"""Sandbox keeps the laws of every provider."""

from __future__ import annotations

from flo2.testing import ProviderSuite
from flo2_provider_sandbox import Sandbox


class TestSandbox(ProviderSuite):
    provider = Sandbox
    model = "sandbox-small"
