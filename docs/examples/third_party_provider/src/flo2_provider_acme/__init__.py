"""flo2 provider for Acme, a host with OpenAI's API and a few ways of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from attrs import evolve, frozen

from flo2 import Call, Facts, OpenAICompatible, Register, hookimpl

__all__ = ["Acme", "flo2_api", "flo2_register_providers"]

flo2_api = (1, 0)


class Acme(OpenAICompatible):
    """Acme Chat API (https://docs.acme.example/chat, read 2026-11-25).

    Differs from OpenAI's: `max_tokens` for `max_completion_tokens`, no `logit_bias`, and an
    `x-acme-project` header.
    """

    kind: ClassVar[str] = "acme"
    base_url: ClassVar[str] = "https://api.acme.example/v1"
    facts: Facts = evolve(OpenAICompatible.facts, key_env="ACME_API_KEY")
    rename: ClassVar[Mapping[str, str]] = {"max_completion_tokens": "max_tokens"}
    drop: ClassVar[frozenset[str]] = frozenset({"logit_bias"})

    @frozen(kw_only=True)
    class Config(OpenAICompatible.Config):
        """Settings.

        Attributes:
            project: Sent along, so that Acme's own bill is split by it.
        """

        project: str = "default"

    config: Config

    def headers(self, call: Call) -> dict[str, str]:
        """Give the request headers."""
        return {**super().headers(call), "x-acme-project": self.config.project}


@hookimpl
def flo2_register_providers(register: Register) -> None:
    """Register Acme."""
    register(Acme)
