"""What core itself registers, through the same door as any plugin.

Imports: hookspecs, openai_compatible, ordered, memory_store.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import evolve, frozen

from flo2.hookspecs import Register, hookimpl
from flo2.memory_store import MemoryStore
from flo2.openai_compatible import OpenAICompatible
from flo2.ordered import Ordered
from flo2.protocols import Facts

__all__ = ["OpenAICompatibleHost"]


class OpenAICompatibleHost(OpenAICompatible):
    """Any host with OpenAI's API, by configuration alone."""

    kind: ClassVar[str] = "openai-compatible"
    facts: Facts = evolve(OpenAICompatible.facts, priced_by_name=True)

    @frozen(kw_only=True)
    class Config(OpenAICompatible.Config):
        """Settings of the host.

        Attributes:
            base_url: Its address up to and with the version, `https://host.example/v1`.
        """

        base_url: str


@hookimpl
def flo2_register_providers(register: Register) -> None:
    """Register the provider that needs no plugin."""
    register(OpenAICompatibleHost)


@hookimpl
def flo2_register_strategies(register: Register) -> None:
    """Register the strategy that is always there."""
    register(Ordered)


@hookimpl
def flo2_register_stores(register: Register) -> None:
    """Register the store that keeps nothing on disk."""
    register(MemoryStore)
