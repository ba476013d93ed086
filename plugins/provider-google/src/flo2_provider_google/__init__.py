"""Google's Gemini API: answers, token counting and the model list."""

from __future__ import annotations

from flo2 import Register, hookimpl
from flo2_provider_google.provider import Google

__all__ = ["Google", "flo2_api", "flo2_register_providers"]

flo2_api = (1, 0)


@hookimpl
def flo2_register_providers(register: Register) -> None:
    """Register Google."""
    register(Google)
