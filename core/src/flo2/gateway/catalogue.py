"""The models a key may call: what the account's credentials reach, with facts and list prices.

A provider's own list, asked for with the account's credential and kept for a while, says what can
be reached; where it cannot be had, the price book's names stand in.
Imports: directory, resolve, prices, protocols.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import anyio
from attrs import evolve

from flo2.canonical import Usage
from flo2.errors import Flo2Error
from flo2.gateway.directory import Tenant
from flo2.gateway.resolve import Bound
from flo2.keys import allows_model
from flo2.model_facts import ModelFacts
from flo2.money import text
from flo2.prices import PriceBook, PricingContext
from flo2.protocols import Credential, DescribesModels, ListsModels, ModelInfo
from flo2.stored import IssuedKey, SealedCredential

__all__ = ["Catalogue", "list_prices"]

_MILLION: Final = 1_000_000
_FRESH_S: Final = 600.0
_RETRY_S: Final = 60.0
"""How long a list is kept, and how long a provider that gave none is left alone."""
_PATIENCE_S: Final = 5.0
"""The longest a client's own list waits for the providers'."""
_log = logging.getLogger("flo2.gateway")

Opener = Callable[[Bound, SealedCredential], Credential]


def list_prices(book: PriceBook, provider: str, model: str, at_us: int) -> Mapping[str, str]:
    """Give what a million tokens of input and output cost at list price; {} when unpriced.

    The book itself prices them, with a small prompt, so tiers and conditions are its own.
    """
    at = datetime.fromtimestamp(at_us / 1e6, UTC)
    context = PricingContext(provider, "chat", model, model, at, input_total=1)
    prices: dict[str, str] = {}
    for meter in ("input_tokens", "output_tokens"):
        cost = book.price(Usage({meter: _MILLION}), context)
        if cost.total is not None:
            prices[meter] = text(cost.total)
    return prices


class Catalogue:
    """All models of all accounts, each account's own seen by itself alone."""

    def __init__(
        self,
        providers: Mapping[str, Bound],
        book: PriceBook,
        now_us: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        """Begin with no provider asked.

        Args:
            providers: The configured providers.
            book: Gives names and prices.
            now_us: Wall clock, microseconds UTC: prices have dates.
            clock: Monotonic seconds.
        """
        self._providers = providers
        self._book = book
        self._now_us = now_us
        self._clock = clock
        self._prices: dict[tuple[str, str], Mapping[str, str]] = {}
        self._prices_hour = 0
        self._broken: set[str] = set()  # whose descriptions are not asked for any more
        # (account, provider, credential id) → until when it is kept, and the list or None.
        self._lists: dict[tuple[str, str, str], tuple[float, tuple[ModelInfo, ...] | None]] = {}

    async def ask(self, tenant: Tenant, opened: Opener) -> None:
        """Ask the account's providers for their lists, where the last ones are stale.

        Never fails: a provider that does not answer in time is left alone for a minute.

        Args:
            tenant: Whose credentials to ask with.
            opened: Opens a credential; may raise a `Flo2Error`.
        """
        now = self._clock()
        self._forget(tenant)
        with anyio.move_on_after(_PATIENCE_S):
            async with anyio.create_task_group() as group:
                for name, credentials in tenant.credentials.items():
                    bound = self._providers.get(name)
                    if bound is None or not isinstance(bound.provider, ListsModels):
                        continue
                    for sealed in credentials:
                        place = (tenant.account, name, sealed.id)
                        until, known = self._lists.get(place, (now, None))
                        if until <= now:
                            self._lists[place] = (now + _RETRY_S, known)
                            group.start_soon(self._ask, place, bound, sealed, opened)

    def _forget(self, tenant: Tenant) -> None:
        """Drop the lists of credentials that the account has no more."""
        have = {
            (tenant.account, name, sealed.id)
            for name, credentials in tenant.credentials.items()
            for sealed in credentials
        }
        for place in [each for each in self._lists if each[0] == tenant.account]:
            if place not in have:
                del self._lists[place]

    async def _ask(
        self,
        place: tuple[str, str, str],
        bound: Bound,
        sealed: SealedCredential,
        opened: Opener,
    ) -> None:
        provider = bound.provider
        assert isinstance(provider, ListsModels)  # noqa: S101  # narrowing: `ask` looked
        try:
            found = tuple(await provider.models(opened(bound, sealed)))
        except Flo2Error as exc:
            _log.info("provider %r gave no list of its models: %s", bound.name, exc)
            return
        except Exception:  # noqa: BLE001  # border: a plugin's own code
            _log.exception("provider %r raised when asked for its models", bound.name)
            return
        self._lists[place] = (self._clock() + _FRESH_S, found)

    def models(self, key: IssuedKey, tenant: Tenant) -> Sequence[ModelInfo]:
        """List routes, then `provider/model` for every model of the account's providers.

        A simulated provider shows only in an account that has no real one.
        """
        mine = [b for b in self._providers.values() if b.name in tenant.credentials]
        mine += [
            b
            for b in self._providers.values()
            if not b.provider.facts.needs_key
            and b.name not in tenant.credentials
            and (not b.provider.facts.simulated or not mine)
        ]
        routes = [
            ModelInfo(name, "flo2", owned_by="flo2", display_name=f"route: {route.strategy}")
            for name, route in sorted(tenant.routes.items())
        ]
        models = [
            self._described(bound, info)
            for bound in mine
            for info in self._of(tenant, bound)
            if allows_model(key, f"{bound.name}/{info.id}")
        ]
        return [*(route for route in routes if allows_model(key, route.id)), *models]

    def _of(self, tenant: Tenant, bound: Bound) -> Iterable[ModelInfo]:
        """Give a provider's models by their own names: reached ones, or else the priced ones."""
        reached: dict[str, ModelInfo] = {}
        for sealed in tenant.credentials.get(bound.name, ()):
            _, found = self._lists.get((tenant.account, bound.name, sealed.id), (0.0, None))
            for info in found or ():
                reached.setdefault(info.id, info)
        if reached:
            return [info for _, info in sorted(reached.items())]
        return [ModelInfo(name, bound.name) for name in sorted(bound.listed)]

    def _described(self, bound: Bound, info: ModelInfo) -> ModelInfo:
        now_us = self._now_us()
        hour = now_us // 3_600_000_000
        if hour != self._prices_hour:
            self._prices, self._prices_hour = {}, hour
        place = (bound.priced_as, info.id)
        prices = self._prices.get(place)
        if prices is None:
            prices = list_prices(self._book, bound.priced_as, info.id, now_us)
            self._prices[place] = prices
        return evolve(
            info,
            id=f"{bound.name}/{info.id}",
            provider=bound.name,
            owned_by=info.owned_by or bound.name,
            facts=info.facts or self._facts(bound, info.id),
            prices=prices or info.prices,
        )

    def _facts(self, bound: Bound, model: str) -> ModelFacts | None:
        if bound.name in self._broken or not isinstance(bound.provider, DescribesModels):
            return None
        try:
            return bound.provider.describe(model)
        except Exception:  # noqa: BLE001  # border: a plugin's own code and data
            _log.exception("provider %r raised when asked about model %r", bound.name, model)
            self._broken.add(bound.name)
            return None
