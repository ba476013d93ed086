"""What a call would have cost at the other targets it could go to, in a running gateway.

Imports: ledger, repricing, runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from flo2.ledger import Receipt
from flo2.repricing import Alternative, alternatives

if TYPE_CHECKING:
    from flo2.gateway.resolve import Bound
    from flo2.gateway.runtime import Runtime

__all__ = ["elsewhere", "price_names"]


def elsewhere(runtime: Runtime, receipt: Receipt) -> Mapping[str, tuple[Alternative, ...]]:
    """Price a call's tokens at its other targets, by the account's contracts where it has some."""
    account = "" if receipt.exchange is None else receipt.exchange.account
    price = partial(runtime.meter.cost, account=account)
    return alternatives(receipt, price, price_names(runtime.providers))


def price_names(providers: Mapping[str, Bound]) -> Callable[[str], str]:
    """Give a function that says under which name the prices of a provider stand."""

    def name(provider: str) -> str:
        bound = providers.get(provider)
        return provider if bound is None else bound.priced_as

    return name
