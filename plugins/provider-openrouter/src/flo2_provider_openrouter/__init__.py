"""OpenRouter, a reseller: chat, embeddings and the model list."""

from __future__ import annotations

from flo2 import Register, hookimpl
from flo2_provider_openrouter.provider import OpenRouter

__all__ = ["OpenRouter", "flo2_api", "flo2_register_providers"]

flo2_api = (1, 0)


@hookimpl
def flo2_register_providers(register: Register) -> None:
    """Register OpenRouter."""
    register(OpenRouter)
