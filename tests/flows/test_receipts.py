"""A receipt says what else the call could have cost, and what was corrected of it since."""

from __future__ import annotations

from decimal import Decimal

import pytest

from flo2.ledger import Corrections
from flo2.memory_store import MemoryStore
from flo2.records import Adjust
from flo2.testing import FakeUpstream
from flo2.testing.harness import running
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

HI = [{"role": "user", "content": "hi"}]
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "ho"}, "finish_reason": "stop"}
ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o",
    "choices": [CHOICE],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}
ACME = {"kind": "openai-compatible", "base_url": "https://acme.example/v1"}
GIVEN = {"providers": {"openai": {}, "groq": {}, "acme": ACME}, "pricing": {"list": {}}}
TARGETS = ("openai/gpt-4o", "groq/llama-3.3-70b-versatile", "acme/own")


async def test_the_other_targets_of_a_route_are_priced_by_the_same_tokens():
    upstream = FakeUpstream()
    upstream.reply(json=ANSWER)
    upstream.reply(json=ANSWER)
    wire = Wire(transport=upstream.transport())
    async with running(GIVEN, credentials=["openai", "groq", "acme"], wire=wire) as house:
        await house.route("best", "fallback", *TARGETS)
        routed = await house.post("/v1/chat/completions", {"model": "best", "messages": HI})
        receipt = await house.receipt(routed)
        asked = {"model": "openai/gpt-4o", "messages": HI}
        direct = await house.receipt(await house.post("/v1/chat/completions", asked))
    assert receipt["candidates"] == list(TARGETS)
    (attempt,) = receipt["attempts"]
    assert attempt["cost_usd"] == "0.0035"
    assert attempt["alternatives"] == [
        {
            "target": "groq/llama-3.3-70b-versatile",
            "status": "priced",
            "cost": "0.000669",
            "currency": "USD",
            "difference": "-0.002831",
            "reason": None,
        },
        {
            "target": "acme/own",
            "status": "unpriced",
            "cost": None,
            "currency": "USD",
            "difference": None,
            "reason": "no price row for provider 'acme'",
        },
    ]
    assert direct["candidates"] == []
    assert "alternatives" not in direct["attempts"][0]


async def test_a_correction_stands_on_the_receipt_and_counts_in_its_sum():
    upstream, store = FakeUpstream(), MemoryStore()
    upstream.reply(json=ANSWER)
    wire = Wire(transport=upstream.transport())
    async with running(GIVEN, credentials=["openai"], wire=wire, store=store) as house:
        asked = {"model": "openai/gpt-4o", "messages": HI}
        answer = await house.post("/v1/chat/completions", asked)
        before = await house.receipt(answer)
        (entry,) = await house.entries()
        entry_id, other = entry.intent.entry_id, "somebody.1"
        parts = {entry_id: Decimal("-0.0005"), other: Decimal(1)}
        corrections = Corrections(store)
        corrections.add(
            Adjust("adj-1", "default", 1_700_000_000_000_000, "late_data", "bill 7", parts)
        )
        corrections.flush()
        after = await house.receipt(answer)
    assert "adjustments" not in before["attempts"][0]
    (attempt,) = after["attempts"]
    assert (attempt["cost_usd"], attempt["adjusted_cost_usd"]) == ("0.0035", "0.003")
    assert attempt["adjustments"] == [
        {
            "id": "adj-1",
            "at": "2023-11-14T22:13:20Z",
            "cause": "late_data",
            "source": "bill 7",
            "amount": "-0.0005",
            "currency": "USD",
            "price_book": None,
            "lines": [],
        }
    ]
    assert (before["cost"]["total_usd"], after["cost"]["total_usd"]) == ("0.0035", "0.003")


async def test_a_count_that_nobody_knows_is_on_the_receipt_and_once_in_the_log(caplog):
    upstream = FakeUpstream()
    for count in (3, 4):
        usage = ANSWER["usage"] | {"surprising_tokens": count}
        upstream.reply(json=ANSWER | {"usage": usage})
    wire = Wire(transport=upstream.transport())
    async with running(GIVEN, credentials=["openai"], wire=wire) as house:
        asked = {"model": "openai/gpt-4o", "messages": HI}
        with caplog.at_level("WARNING", "flo2.usage"):
            answers = [await house.post("/v1/chat/completions", asked) for _ in range(2)]
        receipts = [await house.receipt(answer) for answer in answers]
    attempts = [receipt["attempts"][0] for receipt in receipts]
    assert [(each["status"], each["reason"]) for each in attempts] == [
        ("pending", "unknown count surprising_tokens=3"),
        ("pending", "unknown count surprising_tokens=4"),
    ]
    (record,) = [each for each in caplog.records if each.name == "flo2.usage"]
    assert record.getMessage() == (
        "usage of openai (chat) cannot be priced: unknown count surprising_tokens=3; entry "
        f"{attempts[0]['id']} and others like it are pending: flo2 calls show {receipts[0]['id']}"
    )
