"""What an attempt's own tokens would have cost at the other targets of its call.

Pure. Imports: canonical, prices, records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from attrs import frozen

from flo2.ledger import Receipt
from flo2.prices import Cost
from flo2.records import Entry, Settle
from flo2.repricing.replay import NO_CALLS, Pricer, context_of, usage_of
from flo2.repricing.scenario import Model, moved

__all__ = ["Alternative", "alternatives"]


@frozen
class Alternative:
    """Another target, and the same tokens at its prices; unpriced where it has none.

    Attributes:
        target: `provider/model`, as configured.
    """

    target: str
    cost: Cost


def alternatives(
    receipt: Receipt, price: Pricer, priced_as: Callable[[str], str]
) -> Mapping[str, tuple[Alternative, ...]]:
    """Price what each attempt used at the other targets that its call could have gone to.

    The targets are those of the moment of the call, as its record names them; the prices those of
    that moment in today's book. Another tokeniser would have counted otherwise.

    Args:
        receipt: The call.
        price: By the account's book and contracts.
        priced_as: Gives the provider whose prices apply, for a configured name.

    Returns:
        Entry → its alternatives, for attempts whose usage is known; empty for a call that had but
        one target.
    """
    targets = () if receipt.exchange is None else receipt.exchange.candidates
    found = {
        entry.intent.entry_id: tuple(_priced(entry, targets, price, priced_as))
        for entry in receipt.entries
    }
    return {entry_id: each for entry_id, each in found.items() if each}


def _priced(
    entry: Entry, targets: Iterable[str], price: Pricer, priced_as: Callable[[str], str]
) -> Iterable[Alternative]:
    intent, end = entry.intent, entry.end
    if not isinstance(end, Settle) or intent.role in NO_CALLS:
        return
    own = f"{intent.provider}/{intent.model}"
    at = partial(moved, context_of(intent, end))
    for target in dict.fromkeys(targets):
        if target != own:
            provider, _, name = target.partition("/")
            context = at(Model(priced_as(provider), name))
            yield Alternative(target, price(usage_of(end), context))
