"""vLLM: models on servers of one's own, at no charge."""

from __future__ import annotations

from flo2 import Register, hookimpl
from flo2_provider_vllm.prices import OwnServer
from flo2_provider_vllm.provider import VLLM

__all__ = ["VLLM", "OwnServer", "flo2_api", "flo2_register_pricing", "flo2_register_providers"]

flo2_api = (1, 0)


@hookimpl
def flo2_register_providers(register: Register) -> None:
    """Register vLLM."""
    register(VLLM)


@hookimpl
def flo2_register_pricing(register: Register) -> None:
    """Register the price of what runs on one's own server."""
    register(OwnServer)
