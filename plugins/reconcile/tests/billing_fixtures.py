"""The shared billing fixtures as a ledger of flo2, with the prices that its log was made with."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flo2 import Account, Cost, CostLine, EntryFilter, Intent, MemoryStore, Pend, Settle, Usage
from flo2.ledger import chain_links
from flo2.money import divide, multiply, total
from flo2.prices import PricingContext
from flo2.stores import WriterHead
from flo2.testing.shared import shared_dir
from flo2_reconcile.booked import Names

__all__ = ["CANCELLED", "file", "ledger_of_the_log", "price_of_the_log"]

METERS = {
    "input_uncached": "input_tokens",
    "input_cache_read": "cache_read_tokens",
    "input_cache_write_5m": "cache_write_5m_tokens",
    "input_cache_write_1h": "cache_write_1h_tokens",
    "output": "output_tokens",
    "tool_web_search": "web_search_requests",
}
CANCELLED = "x0012.1"
"""The cancelled stream that the drifted bill has: flo2 wrote it down as pending."""


def file(name: str) -> Path:
    """Give a fixture; the test is left out where the shared data is not there."""
    folder = shared_dir()
    if folder is None:
        pytest.skip("no shared data")
    return folder / "billing" / name


def calls() -> list[dict[str, Any]]:
    """Read the log."""
    return [json.loads(line) for line in file("gateway_log.jsonl").read_text().splitlines()]


def _us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


def _intent(call: dict[str, Any]) -> Intent:
    number = call["id"].removeprefix("call_")
    return Intent(
        f"x{number}.1",
        f"x{number}",
        1,
        "primary",
        "default",
        "key_1",
        f"cred_{call['api_key_id']}",
        call["provider"],
        call["provider"],
        "chat" if call["provider"] == "openai" else "messages",
        call["model"],
        call["model"],
        _us(call["at"]),
        project=call["project_id"],
        low=Decimal(0),
        high=Decimal(1),
    )


def _line(line: dict[str, Any]) -> CostLine:
    amount = Decimal(line["amount"])
    meter = METERS[line["dimension"]]
    price = Decimal(line["unit_price"])
    return CostLine(
        meter, line["quantity"], price, line["per"], amount, amount, "USD", f"row-{meter}", "log"
    )


def _settle(call: dict[str, Any], intent: Intent) -> Settle:
    context = {"service_tier": call["service_tier"]}
    if call["inference_geo"] is not None:
        context["inference_geo"] = call["inference_geo"]
    if call["batch"] and call["service_tier"] != "batch":
        context["processing"] = "batch"
    lines = tuple(map(_line, call["lines"]))
    return Settle(
        intent.entry_id,
        intent.started_us + 900_000,
        "settled",
        "answered",
        {line.dimension: line.quantity for line in lines},
        lines,
        Decimal(call["total"]),
        Decimal(call["total"]),
        "USD",
        "log",
        call["model"],
        call["provider_request_id"],
        context=context,
    )


def ledger_of_the_log(*, cancelled: bool = False) -> tuple[MemoryStore, Names]:
    """Write the log into a ledger; `cancelled`: with the attempt that was cancelled."""
    records: list[Any] = []
    keys: dict[str, str] = {}
    for call in calls():
        intent = _intent(call)
        keys[str(intent.credential_id)] = call["api_key_id"]
        records += [intent, _settle(call, intent)]
    if cancelled:
        like = next(call for call in calls() if call["id"] == "call_0004")
        intent = _intent({**like, "id": "call_0012", "at": "2026-11-17T10:30:00Z"})
        pend = Pend(
            intent.entry_id, intent.started_us + 5, "disconnected", "", Decimal(0), Decimal("0.05")
        )
        records += [intent, pend]
    store = MemoryStore()
    store.put_account(Account("default", "default", 0))
    store.append(chain_links(WriterHead("w", 0, ""), enumerate(records, 1), b"salt"))
    assert len(store.entries(EntryFilter("default"))) == 11 + cancelled
    return store, Names({}, keys)


def price_of_the_log() -> Callable[[Usage, PricingContext], Cost]:
    """Price by the unit prices of the log; a word it never used has no price."""
    rates: dict[tuple[str, str, str], CostLine] = {}
    for call in calls():
        way = "batch" if call["batch"] else call["service_tier"]
        for line in call["lines"]:
            rates[call["model"], way, METERS[line["dimension"]]] = _line(line)

    def price(usage: Usage, context: PricingContext) -> Cost:
        tier = context.context.get("service_tier", "default")
        way = "batch" if context.context.get("processing") == "batch" else tier
        if context.provider == "anthropic" and way == "default":
            way = "standard"
        lines = []
        for meter, count in usage.quantities.items():
            rate = rates.get((context.model_billed, way, meter))
            if rate is None:
                return Cost((), "unpriced", None, "USD", "log", f"no price for {meter}")
            amount = divide(multiply(count, rate.unit_price), rate.per)[0]
            lines.append(
                CostLine(meter, count, rate.unit_price, rate.per, amount, amount, "USD", "", "log")
            )
        cost = total(line.amount for line in lines)
        return Cost(tuple(lines), "settled", cost, "USD", "log")

    return price
