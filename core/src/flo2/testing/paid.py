"""A provider whose answers and prices a test chooses: what the money of a whole gateway depends on.

    paid = Paid(lambda call: Script([Say("hi"), End(Tell(10, 5))]))
    async with running({"plugins": {"only": []}}, plugins={"paid": paid}) as house: ...

Its models: `m` costs 1 USD per million prompt tokens and 10 per million of the answer, `dear` ten
times as much, `free` nothing; any other has no price. Imports: hookspecs, testing.scripted, prices.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from attrs import frozen

from flo2.hookspecs import Register, hookimpl
from flo2.model_facts import ModelFacts
from flo2.prices import PriceRow
from flo2.protocols import Call, CancelSemantics, Facts, Reply
from flo2.services import Services
from flo2.testing.scripted import Script, ScriptedReply, act

__all__ = ["Paid"]

_READ: date = date(2026, 11, 25)
_PER = 1_000_000


class Paid:
    """A plugin with one provider, `acme`, that needs no key, and its prices.

    Attributes:
        calls: What arrived.
    """

    def __init__(
        self,
        answer: Callable[[Call], Script] = lambda _: Script(),
        *,
        semantics: CancelSemantics = "stops",
    ) -> None:
        """Keep what it answers.

        Args:
            answer: Gives the script of a call.
            semantics: What closing a connection does.
        """
        self.calls: list[Call] = []
        self._answer = answer
        self._semantics: CancelSemantics = semantics

    @hookimpl
    def flo2_register_providers(self, register: Register) -> None:
        """Register the provider."""
        paid = self

        class Acme:
            kind: ClassVar[str] = "acme"
            facts: Facts = Facts(needs_key=False, cancel_semantics=paid._semantics)

            @frozen
            class Config:
                """Nothing to configure."""

            def __init__(self, config: Config, services: Services) -> None:
                pass

            @asynccontextmanager
            async def chat(self, call: Call) -> AsyncIterator[Reply]:
                paid.calls.append(call)
                script = paid._answer(call)
                for step in script.opening:
                    await act(step)
                yield ScriptedReply(script.steps)

            def describe(self, model: str) -> ModelFacts | None:
                return ModelFacts("*", "a test", _READ, 2_000, 500) if model != "odd" else None

        register(Acme)

    @hookimpl
    def flo2_register_pricing(self, register: Register) -> None:
        """Register the prices."""

        class Prices:
            kind: ClassVar[str] = "paid"
            precedence: ClassVar[int] = 0

            @frozen
            class Config:
                """Nothing to configure."""

            def __init__(self, config: Config, services: Services) -> None:
                pass

            def rows(self) -> Iterable[PriceRow]:
                for model, factor in (("m", 1), ("dear", 10), ("free", 0)):
                    for meter, price in (("input_tokens", 1), ("output_tokens", 10)):
                        yield PriceRow(
                            id=f"{model}/{meter}",
                            provider="acme",
                            models=frozenset({model}),
                            dimension=meter,
                            unit_price=Decimal(price * factor),
                            per=_PER,
                            source="a test",
                            read_on=_READ,
                            evidence="simulated",
                        )

            def defaults(self) -> Mapping[str, Mapping[str, Any]]:
                return {}

        register(Prices)
