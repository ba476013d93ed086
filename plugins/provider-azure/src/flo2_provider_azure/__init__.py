"""Azure OpenAI: chat and embeddings of one's own deployments."""

from __future__ import annotations

from flo2 import Register, hookimpl
from flo2_provider_azure.provider import Azure

__all__ = ["Azure", "flo2_api", "flo2_register_providers"]

flo2_api = (1, 0)


@hookimpl
def flo2_register_providers(register: Register) -> None:
    """Register Azure OpenAI."""
    register(Azure)
