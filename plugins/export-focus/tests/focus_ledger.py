"""A ledger with everything that an export meets: classes of tokens, tiers, batches, contracts, a
provider's own figure, fees, free, failed, unknown and corrected calls."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flo2 import Account, Adjust, Attribution, CostLine, Intent, MemoryStore, Settle, Store
from flo2.ledger import chain_links
from flo2.money import divide, multiply, total
from flo2.prices.cost import DIFFERENCE
from flo2.records import Record
from flo2.stores import WriterHead
from flo2.testing.records import an_intent, pend_of, settle_of, unpriced_of, void_of

__all__ = ["HOUR_US", "START_US", "line_of", "rich_ledger", "rich_records", "settled", "store_of"]

HOUR_US = 3_600_000_000
START_US = 1_793_491_200_000_000
"""2026-11-01, UTC."""

PRICES = {
    "input_tokens": (Decimal("1.25"), 1_000_000),
    "cache_read_tokens": (Decimal("0.125"), 1_000_000),
    "output_tokens": (Decimal(10), 1_000_000),
    "web_search_requests": (Decimal(10), 1000),
    "input_seconds": (Decimal("0.36"), 3600),
}


def line_of(
    meter: str, quantity: int, factor: Decimal | None = None, model: str = "m", **more: Any
) -> CostLine:
    """Make a line at the price above; `factor`: what a contract multiplies by."""
    price, per = PRICES[meter]
    listed, rounded = divide(multiply(quantity, price), per)
    amount = listed if factor is None else multiply(listed, factor)
    fields: dict[str, Any] = {
        "list_amount": listed,
        "currency": "USD",
        "row": f"acme/{model}/{meter}",
        "book": "b1",
        "rounded": rounded,
        "factors": () if factor is None else (("all", factor),),
        "contract": "" if factor is None else "deal@1",
    }
    return CostLine(meter, quantity, price, per, amount, **fields | more)


def settled(intent: Intent, *lines: CostLine, **changes: Any) -> Settle:
    """Settle an intent at the sum of lines."""
    fields: dict[str, Any] = {
        "meters": {line.dimension: line.quantity for line in lines if line.row},
        "lines": lines,
        "total": total(line.amount for line in lines),
        "list_total": total(line.list_amount for line in lines),
    }
    return settle_of(intent, **fields | changes)


def _intent(number: int, **changes: Any) -> Intent:
    fields: dict[str, Any] = {
        "provider_kind": "acme",
        "started_us": START_US + number * 7_000_000_001,
        "project": None if number % 3 else "proj_1",
    }
    return an_intent(number, **fields | changes)


def rich_records(calls: int = 60) -> list[Record]:
    """Make the records, in the order written."""
    records: list[Record] = []
    for number in range(1, calls + 1):
        label = Attribution(
            team="core", feature=f"f{number % 4}", tags={"env": "prod", "=cmd": 'a,"b"\nc'}
        )
        intent = _intent(number, attribution=label)
        count = number * 37
        lines = [line_of("input_tokens", count), line_of("output_tokens", count * 3)]
        changes: dict[str, Any] = {}
        match number % 6:
            case 1:
                lines.append(line_of("cache_read_tokens", count * 11))
            case 2:
                lines = [
                    line_of(one.dimension, int(one.quantity), Decimal("0.85")) for one in lines
                ]
            case 3:
                changes["context"] = {"service_tier": "priority", "inference_geo": "us"}
                lines.append(line_of("web_search_requests", 2))
            case 4:
                changes["context"] = {"processing": "batch"}
            case 5:
                off = Decimal("-0.00000000000001")
                lines.append(CostLine(DIFFERENCE, 1, off, 1, off, off, "USD", "", "b1"))
                changes["status"] = "reported"
            case _:
                pass
        records += [intent, settled(intent, *lines, **changes)]
    return records + _odd_ones(calls)


def _odd_ones(after: int) -> list[Record]:
    begun = [_intent(after + number) for number in range(1, 8)]
    cached, failed, waiting, unpriced, closed, corrected, spoken = begun
    still_open = _intent(after + 9)
    fee = _intent(after + 8, role="fee", api="contract", model="capacity/small")
    reported = _intent(after + 10)
    month = 31 * 24 * HOUR_US
    return [
        *(cached, settle_of(cached, meters={}, lines=(), total=Decimal(0), list_total=Decimal(0))),
        *(failed, void_of(failed)),
        *(waiting, pend_of(waiting)),
        *(unpriced, unpriced_of(unpriced)),
        *(closed, pend_of(closed)),
        settled(closed, line_of("input_tokens", 100), reason="closed by focus.acme a/b"),
        *(corrected, settled(corrected, line_of("input_tokens", 1000))),
        *(spoken, settled(spoken, line_of("input_seconds", 7))),
        still_open,
        *(fee, settled(fee, line_of("input_seconds", 3600, list_amount=Decimal(0)))),
        *(reported, settled(reported, status="reported", total=Decimal("0.0123"))),
        _adjust("rec-1", "price_differs", corrected, "0.00025", corrected.started_us + HOUR_US),
        _adjust("adj-2", "credit", corrected, "-0.0001", corrected.started_us + month),
        _adjust("adj-3", "reprice", begun[0], "0.5", begun[0].started_us + month),
    ]


def _adjust(name: str, cause: str, intent: Intent, amount: str, at_us: int) -> Adjust:
    amounts = {intent.entry_id: Decimal(amount)}
    return Adjust(name, "default", at_us, cause, "the bill of 2026-11", amounts)


def store_of(records: list[Record]) -> Store:
    """Keep records in a store."""
    store = MemoryStore()
    store.put_account(Account("default", "The default account", 0))
    store.append(chain_links(WriterHead("w", 0, ""), enumerate(records, 1), b""))
    return store


def rich_ledger(calls: int = 60) -> Store:
    """Keep all of it in a store."""
    return store_of(rich_records(calls))
