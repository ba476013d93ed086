"""Ollama: models on a machine of one's own at no charge, and Ollama's cloud."""

from __future__ import annotations

from flo2 import Register, hookimpl
from flo2_provider_ollama.prices import OwnMachine
from flo2_provider_ollama.provider import Ollama, OllamaCloud

__all__ = [
    "Ollama",
    "OllamaCloud",
    "OwnMachine",
    "flo2_api",
    "flo2_register_pricing",
    "flo2_register_providers",
]

flo2_api = (1, 0)


@hookimpl
def flo2_register_providers(register: Register) -> None:
    """Register both."""
    register(Ollama)
    register(OllamaCloud)


@hookimpl
def flo2_register_pricing(register: Register) -> None:
    """Register the price of what runs on one's own machine."""
    register(OwnMachine)
