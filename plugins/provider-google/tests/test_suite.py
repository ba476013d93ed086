"""Google keeps the laws of every provider."""

from __future__ import annotations

from flo2.testing import ProviderSuite
from flo2.testing.suites.gemini_samples import GEMINI_SAMPLES
from flo2_provider_google import Google


class TestGoogle(ProviderSuite):
    provider = Google
    samples = GEMINI_SAMPLES
