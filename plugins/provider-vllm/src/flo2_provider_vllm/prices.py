"""What a model on a server of one's own costs by use: nothing. Imports: flo2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import ClassVar, Final

from attrs import frozen

from flo2 import PriceRow
from flo2.prices.free import free_rows

__all__ = ["OwnServer"]

# The tier in an answer is an echo without a meaning here; "" where it says none
# (ChatCompletionResponse in vllm/entrypoints/openai, read 2026-11-25).
_TIERS: Final = ("", "auto", "default", "flex", "priority", "scale")


class OwnServer:
    """Zero for every model; rows of the operator's own come before these."""

    kind: ClassVar[str] = "vllm"
    precedence: ClassVar[int] = 10

    @frozen
    class Config:
        """Nothing to set."""

    def __init__(self, config: Config | None = None, services: object = None) -> None:
        self.config: OwnServer.Config = config or self.Config()

    def rows(self) -> Iterable[PriceRow]:
        """Give a row for each token meter."""
        return free_rows(
            "vllm",
            source="it runs on a server of one's own (https://docs.vllm.ai): nobody bills its use",
            read_on=date(2026, 11, 25),
        )

    def defaults(self) -> Mapping[str, Mapping[str, Iterable[str]]]:
        """Give the tiers at which that holds: all of them."""
        return {"vllm": {"service_tier": _TIERS}}
