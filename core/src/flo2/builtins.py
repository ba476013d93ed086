"""What core itself registers, through the same door as any plugin.

Imports: canonical, hookspecs, openai_compatible, ordered, memory_store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import evolve, frozen

from flo2.canonical import Usage, charge_of
from flo2.dialects.base import ReadUsage
from flo2.dialects.exact_charge import ANSWER
from flo2.hookspecs import Register, hookimpl
from flo2.memory_store import MemoryStore
from flo2.openai_compatible import OpenAICompatible
from flo2.ordered import Ordered
from flo2.protocols import Call, Facts

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
            charge: Where a usage object of the host states what the call costs, in US dollars:
                `cost`, or `cost.total_cost`; `answer.cost.usd` where that stands beside it in the
                answer. Empty: nowhere; price rows say it.
        """

        base_url: str
        charge: str = ""

    config: Config

    def usage_reader(self, call: Call) -> ReadUsage | None:
        """Give the dialect's reader, with the host's own charge where it is known to state one."""
        path = self.config.charge
        if not path:
            return super().usage_reader(call)
        return _WithCharge(call.dialect.read_usage, tuple(path.split(".")))


@frozen
class _WithCharge:
    """Reads usage, and the charge that stands at a path in it or in its answer."""

    read: ReadUsage
    path: tuple[str, ...]

    @property
    def wants_answer(self) -> bool:
        return self.path[0] == ANSWER

    def __call__(self, raw: Mapping[str, Any]) -> Usage:
        found: Any = raw
        for key in self.path:
            found = found.get(key) if isinstance(found, Mapping) else None
        own = {key: value for key, value in raw.items() if key != ANSWER} if ANSWER in raw else raw
        return evolve(self.read(own), reported=charge_of(found))


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
