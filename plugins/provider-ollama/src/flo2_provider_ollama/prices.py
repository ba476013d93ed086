"""What a model on one's own machine costs by use: nothing. Imports: flo2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import ClassVar, Final

from attrs import frozen

from flo2 import PriceRow
from flo2.prices.free import free_rows

__all__ = ["OwnMachine"]

# A model that Ollama hands on to its cloud ends in `:cloud` or `-cloud`, on one's own server too
# (https://docs.ollama.com/cloud, read 2026-11-25): that one is billed.
_LOCAL: Final = r"(?!.*[:-]cloud\Z).+"


class OwnMachine:
    """Zero for every model that runs here; rows of the operator's own come before these."""

    kind: ClassVar[str] = "ollama"
    precedence: ClassVar[int] = 10

    @frozen
    class Config:
        """Nothing to set."""

    def __init__(self, config: Config | None = None, services: object = None) -> None:
        self.config: OwnMachine.Config = config or self.Config()

    def rows(self) -> Iterable[PriceRow]:
        """Give a row for each token meter."""
        return free_rows(
            "ollama",
            pattern=_LOCAL,
            source="it runs on one's own machine (https://docs.ollama.com/cloud: what does not)",
            read_on=date(2026, 11, 25),
        )

    def defaults(self) -> Mapping[str, Mapping[str, Iterable[str]]]:
        """Give none: Ollama's answers state nothing that could change the price."""
        return {}
