"""Calls under a contract, through the gateway: list and contract stand on each line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from attrs import evolve, frozen

from flo2.contracts import read_contract
from flo2.gateway.agreeing import (
    account_contracts,
    check_contract,
    declared,
    put_contract,
    remove_contract,
)
from flo2.secrets import Secret
from flo2.stored import Declaration
from flo2.testing import FakeUpstream
from flo2.testing.harness import running
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

NOW_US = 1_790_000_000_000_000
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

[[model]]
name = "small"

[[model.price]]
rates = { input_tokens = "1", output_tokens = "5" }
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
        contract, advice = check_contract(
            gateway.store, gateway.book, account, name, document, NOW_US
        )
        assert put_contract(gateway.store, account, contract, document, NOW_US)
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


async def test_a_provider_that_the_list_does_not_know_is_told(house):
    document = {
        "valid_from": "2020-01-01",
        "rates": [{"provider": "acmee", "models": ["big"], "prices": {"output_tokens": 1}}],
        "discounts": [{"name": "d", "percent": 1, "providers": ["nobody", "a*"]}],
    }
    _, advice = await house.declare(document)
    assert advice == [
        "the list knows no provider 'acmee'; did you mean 'acme'?",
        "the list knows no provider 'nobody'",
    ]


async def test_the_cheapest_target_is_the_one_that_is_cheapest_for_this_account(house):
    await house.house.route("r", "cheapest", "acme/small", "acme/big")

    async def chosen():
        house.upstream.reply(json=ANSWER)
        await house.house.post("/v1/chat/completions", HI | {"model": "r"})
        return (await house.house.entries())[-1].intent.model

    assert await chosen() == "small"
    off = {"name": "big", "percent": "60", "models": ["big"]}
    await house.declare({"valid_from": "2020-01-01", "discounts": [off]})
    assert await chosen() == "big"


async def test_a_contract_that_cannot_be_read_leaves_its_account_unpriced(house):
    gateway = house.house.gateway
    gateway.store.put_declaration(Declaration("default", "contract", "deal@0", {"rates": 7}, 0))
    await gateway.refresh()
    _, attempt = await house.call()
    assert (attempt["status"], attempt["cost_usd"]) == ("unpriced", None)
    assert attempt["reason"].startswith("a contract of the account cannot be read: ")
    assert remove_contract(gateway.store, "default", "deal", 0) is None
    await gateway.refresh()
    assert (await house.call())[1]["cost_usd"] == "0.003"


async def test_contracts_that_contradict_each_other_leave_their_account_unpriced(house):
    store = house.house.gateway.store
    for name in ("one", "two"):  # declared at the same moment, each checked without the other
        document = {
            "valid_from": "2020-01-01",
            "discounts": [{"name": name, "percent": "5", "stacks": "best_only"}],
        }
        contract = read_contract(name, document)
        assert put_contract(store, "default", contract, document, 0)
    await house.house.gateway.refresh()
    _, attempt = await house.call()
    assert (attempt["status"], attempt["cost_usd"]) == ("unpriced", None)
    assert attempt["reason"].startswith(
        "contracts of the account contradict each other: discounts 'one/one' and 'two/two' have "
    )


async def test_a_version_holds_from_its_date_and_the_end_of_a_contract_is_a_version(house):
    await house.declare(CONTRACT)
    await house.declare(CONTRACT | {"valid_from": "2999-01-01", "discounts": []})
    assert (await house.call())[1]["cost_usd"] == "0.00226"
    # What has not begun gives way to another of its date.
    later = CONTRACT | {"valid_from": "2999-01-01", "rates": []}
    contract, _ = await house.declare(later)
    versions = account_contracts(house.house.gateway.store, "default").versions
    assert [each.validity.since.year for each in versions] == [2020, 2999]
    assert versions[1].id == contract.id
    gateway = house.house.gateway
    now = 1_700_000_000_000_000
    ended = remove_contract(gateway.store, "default", "deal", now)
    assert ended.is_empty
    await gateway.refresh()
    assert (await house.call())[1]["cost_usd"] == "0.003"
    assert [each.contract.validity.since.year for each in declared(gateway.store)] == [2020, 2023]


async def test_the_admin_declares_reads_and_ends_contracts_over_http(house):
    async def ask(method, path, body=None):
        driver, admin = house.house.driver, house.house.admin
        answer = await driver.request(method, path, json=body, key=admin)
        return answer.status, answer.json()

    wrong = {"valid_from": "2020-01-01", "discounts": [{"name": "x", "percent": 101}]}
    for method, path in (("PUT", "/api/contracts/deal"), ("POST", "/api/contracts/deal/check")):
        status, said = await ask(method, path, wrong)
        assert (status, said["error"]["code"], said["error"]["message"]) == (
            400,
            "contract_refused",
            "101 is more than 100 @ deal: discounts[0].percent",
        )
    assert (await ask("POST", "/api/contracts/deal/check", CONTRACT))[1]["new"] is False
    assert (await ask("GET", "/api/contracts"))[1]["data"] == []
    status, said = await ask("PUT", "/api/contracts/deal", CONTRACT)
    assert (status, said["new"], said["advice"]) == (200, True, [])
    assert (await house.call())[1]["cost_usd"] == "0.00226"
    (listed,) = (await ask("GET", "/api/contracts"))[1]["data"]
    assert (listed["id"], listed["in_force_from"]) == (said["id"], "2020-01-01T00:00:00Z")

    await house.house.gateway.runtime.ledger.flush()
    month = f"{datetime.now(UTC):%Y-%m}"
    status, found = await ask("GET", f"/api/statements/{month}")
    assert (status, found["list"], found["calls"], found["cost"], found["over"]) == (
        200, "0.003", "0.00226", "0.00226", False,
    )  # fmt: skip
    status, refused = await ask("POST", f"/api/statements/{month}/close")
    assert (status, refused["error"]["code"]) == (400, "contract_refused")
    status, ended = await ask("POST", "/api/contracts/deal/end")
    assert (status, ended["name"]) == (200, "deal")
    assert (await ask("POST", "/api/contracts/none/end"))[0] == 404
    assert (await ask("PUT", "/api/contracts/deal?account=nobody", CONTRACT))[0] == 400
