"""Google's Vertex AI: Gemini, and Anthropic's models in their own API."""

from __future__ import annotations

from flo2 import Register, hookimpl
from flo2_provider_vertex.provider import Vertex

__all__ = ["Vertex", "flo2_api", "flo2_register_providers"]

flo2_api = (1, 0)


@hookimpl
def flo2_register_providers(register: Register) -> None:
    """Register Vertex AI."""
    register(Vertex)
