"""Cerebras: chat completions and the model list."""

from __future__ import annotations

from flo2 import Register, hookimpl
from flo2_provider_cerebras.provider import Cerebras

__all__ = ["Cerebras", "flo2_api", "flo2_register_providers"]

flo2_api = (1, 0)


@hookimpl
def flo2_register_providers(register: Register) -> None:
    """Register Cerebras."""
    register(Cerebras)
