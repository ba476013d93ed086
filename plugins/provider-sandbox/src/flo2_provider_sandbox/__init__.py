"""A simulated provider that needs no key and costs nothing."""

from __future__ import annotations

from flo2 import Register, hookimpl
from flo2_provider_sandbox.provider import Sandbox

__all__ = ["Sandbox", "flo2_api", "flo2_register_providers"]

flo2_api = (1, 0)


@hookimpl
def flo2_register_providers(register: Register) -> None:
    """Register the sandbox."""
    register(Sandbox)
