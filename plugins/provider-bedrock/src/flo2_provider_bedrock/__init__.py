"""Amazon Bedrock: every model through Converse, Anthropic's through their own API as well."""

from __future__ import annotations

from flo2 import Register, hookimpl
from flo2_provider_bedrock.provider import Bedrock

__all__ = ["Bedrock", "flo2_api", "flo2_register_providers"]

flo2_api = (1, 0)


@hookimpl
def flo2_register_providers(register: Register) -> None:
    """Register Bedrock."""
    register(Bedrock)
