"""DeepInfra: chat completions, embeddings and the model list."""

from __future__ import annotations

from flo2 import Register, hookimpl
from flo2_provider_deepinfra.provider import DeepInfra

__all__ = ["DeepInfra", "flo2_api", "flo2_register_providers"]

flo2_api = (1, 0)


@hookimpl
def flo2_register_providers(register: Register) -> None:
    """Register DeepInfra."""
    register(DeepInfra)
