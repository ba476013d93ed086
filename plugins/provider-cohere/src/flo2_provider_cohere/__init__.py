"""Cohere: chat in its own format, embeddings and the model list."""

from __future__ import annotations

from flo2 import Register, hookimpl
from flo2_provider_cohere.dialect import CohereChat, CohereEmbed
from flo2_provider_cohere.provider import Cohere

__all__ = ["Cohere", "CohereChat", "CohereEmbed", "flo2_api", "flo2_register_providers"]

flo2_api = (1, 0)


@hookimpl
def flo2_register_providers(register: Register) -> None:
    """Register Cohere."""
    register(Cohere)
