"""Vertex AI keeps the laws of every provider, in all of its dialects."""

from __future__ import annotations

from typing import ClassVar

from attrs import evolve

from flo2.dialects.splice import reshape
from flo2.testing import ProviderSuite
from flo2.testing.suites.gemini_samples import GEMINI_SAMPLES
from flo2.testing.suites.samples import SAMPLES
from flo2_provider_vertex import Vertex
from flo2_provider_vertex.claude import dressed

VERSION = {"anthropic_version": "vertex-2023-10-16"}


class TestVertex(ProviderSuite):
    provider = Vertex
    options: ClassVar = {"project": "a-project"}
    samples: ClassVar = {
        **GEMINI_SAMPLES,
        "anthropic.messages": evolve(SAMPLES["anthropic.messages"], sent=dressed),
        "anthropic.count_tokens": evolve(
            SAMPLES["anthropic.count_tokens"], sent=lambda body: reshape(body, drop=(), put=VERSION)
        ),
    }
