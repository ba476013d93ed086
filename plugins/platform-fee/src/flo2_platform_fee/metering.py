"""Count what a fee may depend on, out of the ledger, in bounded memory.

Nothing here reads a token count or the cost of a call. Imports: fees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from flo2 import EntryFilter, Exchange, Store
from flo2.contracts.calendar import day_of
from flo2.contracts.scope import Validity
from flo2.instants import instant, microseconds
from flo2_platform_fee.fees import Stretch

__all__ = ["count", "exchanges_of", "is_counted"]

_PAGE: Final = 2_000
_FIRST_ERROR: Final = 400


def is_counted(exchange: Exchange) -> bool:
    """Say whether a request is one that may be charged: it was answered, and not with an error.

    What flo2 refused (a budget, a limit) and what failed is not; a hit of flo2's cache is.
    """
    return exchange.client in {"served", "disconnected"} and exchange.status < _FIRST_ERROR


def exchanges_of(
    store: Store, account: str, since_us: int, until_us: int, *, page: int = _PAGE
) -> Iterator[Exchange]:
    """Give exchanges in the order they began, a page at a time.

    Raises:
        StoreError: some were pruned, so that a count would be too low.
    """
    # Sums answer for whole days even where records are gone; a stretch that is no whole day needs
    # the records, and the store refuses it where they were pruned.
    store.usage(EntryFilter(account, since_us=since_us + 1, until_us=since_us + 2), ())
    seen: set[str] = set()
    size = page
    while True:
        where = EntryFilter(account, since_us=since_us, until_us=until_us, limit=size)
        found = store.exchanges(where)
        yield from (each for each in found if each.exchange_id not in seen)
        if len(found) < size:
            return
        last = found[-1].started_us
        if last == since_us:  # a page of one instant: ask for more of it
            size *= 2
            seen |= {each.exchange_id for each in found}
            continue
        seen = {each.exchange_id for each in found if each.started_us == last}
        since_us, size = last, page


def count(
    store: Store, account: str, parts: Sequence[Stretch], span: Validity
) -> dict[tuple[str, str], int]:
    """Count requests and active keys of each plan's charged days.

    A key is active when a counted request was made with it; a key and those it was rotated into
    are one.

    Args:
        store: The ledger.
        account: Whose.
        parts: Days of the month; those of a trial are not counted.
        span: The month, in the zone that all of the plans have.
    """
    charged = [each for each in parts if not each.trial and not each.plan.free]
    if span.until is None or not any(_is_metered(each) for each in charged):
        return {}
    first = {key.id: key.first_id for key in store.keys(account)}
    requests: dict[str, int] = {}
    keys: dict[str, set[str]] = {}
    ends = microseconds(span.since), microseconds(span.until)
    for exchange in filter(is_counted, exchanges_of(store, account, *ends)):
        day = day_of(instant(exchange.started_us), charged[0].plan.zone)
        for part in charged:
            if part.since <= day < part.until:
                name = part.plan.name
                requests[name] = requests.get(name, 0) + 1
                keys.setdefault(name, set()).add(first.get(exchange.key_id, exchange.key_id))
                break
    counted = {(name, "requests"): number for name, number in requests.items()}
    return counted | {(name, "active_keys"): len(ids) for name, ids in keys.items()}


def _is_metered(part: Stretch) -> bool:
    return any(part.plan.tariff(meter) is not None for meter in ("requests", "active_keys"))
