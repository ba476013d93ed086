"""Google keeps the laws of every provider."""

from __future__ import annotations

from flo2.testing import ProviderSuite
from flo2_provider_google import Google


class TestGoogle(ProviderSuite):
    provider = Google
