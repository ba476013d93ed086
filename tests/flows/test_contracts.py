"""Calls under a contract, through the gateway: list and contract stand on each line."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from attrs import evolve, frozen

from flo2.gateway.agreeing import check_contract, declared, put_contract, remove_contract
from flo2.secrets import Secret
from flo2.stored import Declaration
from flo2.testing import FakeUpstream
from flo2.testing.harness import running
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

HI = {"model": "acme/big", "messages": [{"role": "user", "content": "hi"}]}
PRICES = """
provider = "acme"
source = "https://acme.example/pricing"
read_on = 2026-11-25
evidence = "published"

[[model]]
name = "big"

[[model.price]]
rates = { input_tokens = "2", output_tokens = "10" }
"""
ANSWER = {
    "id": "r1",
    "object": "chat.completion",
    "created": 1,
    "model": "big",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "ho"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}
CONTRACT = {
    "valid_from": "2020-01-01",
    "rates": [{"provider": "acme", "models": ["big"], "prices": {"input_tokens": "1.5"}}],
    "discounts": [
        {"name": "enterprise", "percent": "20", "order": 1},
        {"name": "loyalty", "percent": "5", "order": 2},
    ],
}


@pytest.fixture
async def house(tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    upstream = FakeUpstream()
    settings = {
        "providers": {"acme": {"kind": "openai-compatible", "base_url": "https://acme.example/v1"}},
        "pricing": {"file": {"path": str(prices)}},
    }
    wire = Wire(transport=upstream.transport())
    async with running(settings, credentials=["acme"], wire=wire) as house:
        yield House(house, upstream)


@frozen
class House:
    """A gateway over one upstream."""

    house: object
    upstream: FakeUpstream

    async def declare(self, document, account="default", name="deal"):
        gateway = self.house.gateway
        contract, advice = check_contract(gateway.store, gateway.book, account, name, document)
        assert put_contract(gateway.store, account, contract, document, 0)
        await gateway.refresh()
        return contract, advice

    async def call(self, **headers):
        self.upstream.reply(json=ANSWER)
        answer = await self.house.post("/v1/chat/completions", HI, **headers)
        assert answer.status == 200
        receipt = await self.house.receipt(answer)
        (attempt,) = receipt["attempts"]
        return answer, attempt


def line(attempt, dimension):
    (found,) = (each for each in attempt["lines"] if each["dimension"] == dimension)
    return found


async def test_list_and_contract_amount_stand_on_each_line(house):
    contract, advice = await house.declare(CONTRACT)
    assert advice == []
    answer, attempt = await house.call()
    rate = line(attempt, "input_tokens")
    assert rate == {
        "dimension": "input_tokens",
        "quantity": 1000,
        "unit_price": "1.5",
        "per": 1_000_000,
        "amount": "0.0015",
        "list_amount": "0.002",
        "currency": "USD",
        "row": f"{contract.id}/acme/big/input_tokens@2020-01-01",
        "book": house.house.gateway.book.version,
        "rounded": False,
        "model": "",
        "factors": {},
        "contract": contract.id,
    }
    discounted = line(attempt, "output_tokens")
    assert (discounted["amount"], discounted["list_amount"]) == ("0.00076", "0.001")
    assert discounted["factors"] == {
        f"{contract.id}/enterprise": "0.8",
        f"{contract.id}/loyalty": "0.95",
    }
    assert (attempt["cost_usd"], attempt["list_cost_usd"]) == ("0.00226", "0.003")
    assert answer.header("x-flo2-cost-usd") == "0.00226"


async def test_another_account_pays_list_prices(house):
    await house.declare(CONTRACT)
    gateway = house.house.gateway
    await gateway.add_credential("acme", Secret("sk-another-key-of-acme-0001"), account="other")
    _, secret = await gateway.issue_key("theirs", account="other")
    house.upstream.reply(json=ANSWER)
    theirs = evolve(house.house, key=secret.reveal())
    answer = await theirs.post("/v1/chat/completions", HI)
    assert answer.header("x-flo2-cost-usd") == "0.003"


async def test_a_hold_covers_the_dearer_of_list_and_contract(house):
    dear = {"provider": "acme", "models": ["big"], "prices": {"output_tokens": "30"}}
    await house.declare({"valid_from": "2020-01-01", "rates": [dear]})
    body = HI | {"max_tokens": 100}
    house.upstream.reply(json=ANSWER)
    answer = await house.house.post("/v1/chat/completions", body)
    (entry,) = await house.house.entries()
    prompt = (len(json.dumps(body).encode()) + 4096) * Decimal("0.000002")
    assert (entry.intent.low, entry.intent.high) == (0, prompt + 100 * Decimal("0.00003"))
    assert answer.header("x-flo2-cost-usd") == "0.005"


async def test_a_contract_that_cannot_be_read_leaves_its_account_unpriced(house):
    gateway = house.house.gateway
    gateway.store.put_declaration(Declaration("default", "contract", "deal@0", {"rates": 7}, 0))
    await gateway.refresh()
    _, attempt = await house.call()
    assert (attempt["status"], attempt["cost_usd"]) == ("unpriced", None)
    assert attempt["reason"].startswith("a contract of the account cannot be read: ")


async def test_a_version_holds_from_its_date_and_the_end_of_a_contract_is_a_version(house):
    await house.declare(CONTRACT)
    await house.declare(CONTRACT | {"valid_from": "2999-01-01", "discounts": []})
    assert (await house.call())[1]["cost_usd"] == "0.00226"
    gateway = house.house.gateway
    now = 1_700_000_000_000_000
    ended = remove_contract(gateway.store, "default", "deal", now)
    assert ended.is_empty
    await gateway.refresh()
    assert (await house.call())[1]["cost_usd"] == "0.003"
    assert [each.contract.validity.since.year for each in declared(gateway.store)] == [2020, 2023]
