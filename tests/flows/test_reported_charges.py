"""What a provider says that a call costs is what the ledger books, ours beside it."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest

from flo2.testing import FakeUpstream
from flo2.testing.harness import running
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

HI = [{"role": "user", "content": "hi"}]


def answer_of(model, **usage):
    choice = {"index": 0, "message": {"role": "assistant", "content": "ho"}}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": model} | {
        "choices": [choice | {"finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, **usage},
    }


@asynccontextmanager
async def house_over(upstream, name, **settings):
    given = {
        "providers": {name: {"kind": name} | settings},
        "pricing": {"list": {}, "genai-prices": {}},
    }
    wire = Wire(transport=upstream.transport())
    async with running(given, credentials=[name], wire=wire) as house:
        yield house


async def ask(upstream, name, model, body, **settings):
    upstream.reply(json=body)
    async with house_over(upstream, name, **settings) as house:
        answer = await house.post(
            "/v1/chat/completions", {"model": f"{name}/{model}", "messages": HI}
        )
        assert (answer.status, answer.json()) == (200, body)
        receipt = await house.receipt(answer)
        used = (await house.get("/api/usage", admin=True)).json()
    (attempt,) = receipt["attempts"]
    (row,) = used["data"]
    assert row["statuses"] == receipt["cost"]["statuses"] == {attempt["status"]: 1}
    assert row["cost"] == (attempt["cost_usd"] or "0")
    assert receipt["cost"]["total_usd"] == attempt["cost_usd"]
    return attempt


def lines(attempt):
    return {line["dimension"]: line["amount"] for line in attempt["lines"]}


OURS = {"input_tokens": "0.00125", "output_tokens": "0.00025"}


@pytest.mark.parametrize(
    ("ticks", "total", "difference"),
    [
        (15_000_000, "0.0015", {}),
        (14_000_000, "0.0014", {"provider_difference": "-0.0001"}),
        (65_000_001, "0.0065000001", {"provider_difference": "0.0050000001"}),
    ],
)
async def test_ticks_are_booked_and_a_difference_is_a_line(ticks, total, difference):
    body = answer_of("grok-4.3", cost_in_usd_ticks=ticks)
    attempt = await ask(FakeUpstream(), "xai", "grok-4.3", body)
    assert (attempt["status"], attempt["cost_usd"]) == ("reported", total)
    assert (attempt["reported_usd"], attempt["list_cost_usd"]) == (total, "0.0015")
    assert lines(attempt) == OURS | difference


async def test_a_resellers_charge_is_booked_where_no_row_prices_the_model():
    body = answer_of("acme/tiny", cost=0.0076509169000000005)
    attempt = await ask(FakeUpstream(), "openrouter", "acme/tiny", body)
    assert (attempt["status"], attempt["cost_usd"]) == ("reported", "0.0076509169000000005")
    assert lines(attempt) == {"provider_difference": "0.0076509169000000005"}
    assert attempt["reason"] == "no price row for model 'acme/tiny' of provider 'openrouter'"


async def test_a_share_of_a_call_on_a_key_of_ones_own_is_not_its_cost():
    body = answer_of("openai/gpt-4o-mini", cost=0, is_byok=True)
    attempt = await ask(FakeUpstream(), "openrouter", "openai/gpt-4o-mini", body)
    assert (attempt["status"], attempt["cost_usd"]) == ("unpriced", None)


async def test_any_host_may_be_told_to_state_its_charge():
    body = answer_of("sonar", cost={"input_tokens_cost": 0.001, "total_cost": 0.00612})
    attempt = await ask(
        FakeUpstream(),
        "openai-compatible",
        "sonar",
        body,
        base_url="https://api.example.com/v1",
        charge="cost.total_cost",
    )
    assert (attempt["status"], attempt["cost_usd"]) == ("reported", "0.00612")


async def test_the_last_charge_of_a_stream_counts():
    upstream = FakeUpstream()
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "grok-4.3"}
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    first = {"index": 0, "delta": {"role": "assistant", "content": "ho"}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    chunks = [
        {**head, "choices": [first], "usage": usage | {"cost_in_usd_ticks": 14_000_000}},
        {**head, "choices": [last], "usage": usage | {"cost_in_usd_ticks": 15_000_000}},
    ]
    frames = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks]
    upstream.stream([*frames, b"data: [DONE]\n\n"])
    async with house_over(upstream, "xai") as house:
        body = {"model": "xai/grok-4.3", "messages": HI, "stream": True}
        answer = await house.post("/v1/chat/completions", body)
        (attempt,) = (await house.receipt(answer))["attempts"]
    assert (attempt["status"], attempt["cost_usd"]) == ("reported", "0.0015")
    assert lines(attempt) == OURS
