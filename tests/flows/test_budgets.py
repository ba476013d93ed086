"""Budgets in a whole gateway: held before a call, settled after it, told to whoever asks."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from decimal import Decimal

import anyio
import pytest
from attrs import frozen

from flo2.errors import ProviderError, StoreError
from flo2.memory_store import MemoryStore
from flo2.stored import Declaration
from flo2.testing.harness import running
from flo2.testing.paid import Paid
from flo2.testing.records import linked, settle_of
from flo2.testing.scripted import Begin, End, Raise, Say, Script, Tell, Wait

CHAT = "/v1/chat/completions"
ALL = "all:2026-11"
NOW_US = 1_795_618_686_000_000  # 2026-11-25T14:58:06Z
HI = [{"role": "user", "content": "hi"}]
# A prompt of so many bytes is held at no more than one token a byte, and 4096 beside.
HOLD_A_BYTE, HOLD_BESIDE = Decimal("0.000001"), Decimal("0.004096")
BUSY = ProviderError("busy", kind="overloaded", status=503, retryable=True, retry_after_s=0)


def ask(model="acme/m", max_tokens=100, **more):
    body = {"model": model, "messages": HI, **more}
    return body if max_tokens is None else {**body, "max_tokens": max_tokens}


def hold_of(body, *, factor=1):
    """Say what is held for one attempt: prompt and answer at the model's prices."""
    size, answer = len(json.dumps(body).encode()), body.get("max_tokens", 0)
    return factor * (HOLD_BESIDE + size * HOLD_A_BYTE + answer * Decimal("0.00001"))


@frozen
class Stage:
    house: object
    paid: Paid

    def __getattr__(self, name):
        return getattr(self.house, name)

    @property
    def purse(self):
        return self.house.gateway.runtime.gates.keeper.purse

    async def declare(self, name="all", account="default", **document):
        store = self.gateway.store
        store.put_declaration(Declaration(account, "budget", name, document, 1))
        await self.gateway.refresh(force=True)

    async def ask(self, body=None, path=CHAT, **headers):
        return await self.post(path, ask() if body is None else body, **headers)

    async def standing(self, counter=ALL):
        """Give spent, pending and leased, once everything written is stored."""
        await self.gateway.runtime.ledger.flush()
        found = self.gateway.store.standings("default", [counter])
        return (found[0].spent, found[0].pending, found[0].leased) if found else None

    async def idle(self):
        """Wait until no call holds anything."""
        with anyio.fail_after(5):
            while self.held()[1]:  # noqa: ASYNC110  # nobody tells
                await anyio.sleep(0.001)

    def held(self, counter=ALL):
        pot = self.purse.pot("default", counter, None)
        return pot.free, pot.running


@asynccontextmanager
async def stage(answer=lambda _: Script(), *, store=None, config=None, semantics="stops"):
    paid = Paid(answer, semantics=semantics)
    given = {"plugins": {"only": ["strategy-basic"]}, "pricing": {"paid": {}}, **(config or {})}
    async with running(given, plugins={"paid": paid}, store=store) as house:
        house.gateway.runtime.gates.now_us = lambda: NOW_US
        yield Stage(house, paid)


def error(answer):
    return answer.status, json.loads(answer.body)["error"]


COST = Decimal("0.00006")  # of an answer as scripts give it: ten tokens of prompt, five of answer


async def test_calls_are_taken_as_long_as_their_worst_case_fits():
    hold = hold_of(ask())
    async with stage() as s:
        await s.declare(limit_usd=str(hold + 2 * COST))
        answers = [await s.ask() for _ in range(4)]
        assert [each.status for each in answers] == [200, 200, 200, 402]
        assert await s.standing() == (3 * COST, 0, hold - COST)
        assert s.held() == (hold - COST, 0)
        assert len(s.paid.calls) == 3
        headers = dict(answers[3].headers)
        left = str((hold - COST).normalize())
        assert headers["x-flo2-budget"] == "all"
        assert headers["x-flo2-budget-left-usd"] == left
        assert headers["x-flo2-budget-resets-at"] == "2026-12-01T00:00:00Z"
        assert headers["x-should-retry"] == "false"
        told = json.loads(answers[3].body)["error"]
        assert (told["type"], told["code"]) == ("insufficient_quota", "budget_exceeded")
        assert f"may cost up to {hold.normalize()} USD and {left} USD is left" in told["message"]
        assert "it begins anew at 2026-12-01T00:00:00Z" in told["message"]
        receipt = await s.receipt(answers[0])
        assert receipt["attempts"][0]["budgets"] == [ALL]
        assert Decimal(receipt["attempts"][0]["hold_usd"]) == hold
        assert (await s.receipt(answers[3]))["cost"]["total_usd"] == "0"


@pytest.mark.parametrize(
    ("path", "body", "read"),
    [
        (
            "/v1/responses",
            {"model": "acme/m", "input": "hi", "max_output_tokens": 9},
            lambda told: (told["error"]["type"], told["error"]["code"]),
        ),
        ("/v1/messages", ask(), lambda told: (told["type"], told["error"]["type"])),
        (
            "/v1beta/models/acme%2Fm:generateContent",
            {
                "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
                "generationConfig": {"maxOutputTokens": 9},
            },
            lambda told: (told["error"]["code"], told["error"]["status"]),
        ),
    ],
)
async def test_each_surface_refuses_in_its_own_words(path, body, read):
    expected = {
        "/v1/responses": ("insufficient_quota", "budget_exceeded"),
        "/v1/messages": ("error", "billing_error"),
    }.get(path, (402, "RESOURCE_EXHAUSTED"))
    async with stage() as s:
        await s.declare(limit_usd="0.000001")
        answer = await s.ask(body, path)
        assert answer.status == 402
        assert read(json.loads(answer.body)) == expected
        assert s.paid.calls == []


async def test_what_has_no_bound_is_refused_before_it_is_sent():
    image = {"type": "image_url", "image_url": {"url": "https://images.example/1.png"}}
    async with stage() as s:
        await s.declare(limit_usd="100")
        cases = [
            (ask(max_tokens=None), "unbounded_call", "max_tokens"),
            (ask("acme/odd"), "unpriced_model", "model"),
            (ask(tools=[{"type": "web_search"}]), "unbounded_call", "tools"),
            (ask(messages=[{"role": "user", "content": [image]}]), "unbounded_call", None),
        ]
        for body, code, param in cases:
            status, told = error(await s.ask(body))
            assert (status, told["code"], told["param"]) == (400, code, param)
        assert s.paid.calls == []
        assert s.held() == (0, 0)
        assert (await s.ask(ask("acme/free"))).status == 200


async def test_a_cap_bounds_an_answer_and_says_so():
    async with stage() as s:
        await s.declare(limit_usd="1", unbounded="cap", max_tokens=77)
        answer = await s.ask(ask(max_tokens=None))
        assert answer.status == 200
        assert s.paid.calls[0].inbound.request.sampling.max_output_tokens == 77
        note = "max_tokens set to 77 by budget 'all'"
        assert dict(answer.headers)["x-flo2-budget"] == note
        assert (await s.receipt(answer))["notes"] == [note]
        again = await s.ask(ask(max_tokens=50))
        assert "x-flo2-budget" not in dict(again.headers)
        assert s.paid.calls[1].inbound.peek.max_output_tokens == 50
        await s.declare(limit_usd="1", unbounded="cap", max_tokens=77, **{"for": {"team": "red"}})
        assert (await s.ask(ask(max_tokens=None))).status == 200  # the key is of no team
        assert s.paid.calls[2].inbound.peek.max_output_tokens is None


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/chat/completions", ask(max_tokens=None, seed=7), "max_completion_tokens"),
        ("/v1/responses", {"model": "acme/m", "input": "hi"}, "max_output_tokens"),
        (
            "/v1beta/models/acme%2Fm:generateContent",
            {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
            "max_output_tokens",
        ),
    ],
)
async def test_a_cap_reaches_the_provider_on_each_surface(path, body, field):
    async with stage() as s:
        await s.declare(limit_usd="1", unbounded="cap", max_tokens=77)
        assert (await s.ask(body, path)).status == 200
        (call,) = s.paid.calls
        assert call.inbound.request.sampling.max_output_tokens == 77
        sent = json.loads(call.body())
        found = sent.get("generationConfig", sent)
        names = {field, "max_tokens", "maxOutputTokens"}
        assert [found[name] for name in names if name in found] == [77]
        assert sent.get("seed") == body.get("seed")


async def test_what_the_model_can_do_bounds_a_call_where_the_budget_says_so():
    image = {"type": "image_url", "image_url": {"url": "https://images.example/1.png"}}
    async with stage() as s:
        await s.declare(limit_usd="1", unbounded="model_max")
        body = ask(max_tokens=None, messages=[{"role": "user", "content": [image]}])
        answer = await s.ask(body)
        assert answer.status == 200
        attempt = (await s.receipt(answer))["attempts"][0]
        # 2000 tokens of context and 500 of answer, as the provider's facts say.
        assert Decimal(attempt["hold_usd"]) == 2000 * HOLD_A_BYTE + 500 * Decimal("0.00001")
        assert (await s.ask(ask("acme/odd"))).status == 400


async def test_a_fallback_to_a_dearer_model_is_held_as_well():
    def answer(call):
        return Script(opening=[Raise(BUSY)]) if call.model == "m" else Script((Say(), End()))

    body = ask("both")
    both = hold_of(body) + hold_of(body, factor=10)
    async with stage(answer) as s:
        await s.route("both", "ordered", "acme/m", "acme/dear")
        await s.declare(limit_usd=str(both - Decimal("1e-12")))
        assert (await s.ask(body)).status == 402  # though the first alone would fit
        await s.declare(limit_usd=str(both))
        assert (await s.ask(body)).status == 200
        assert await s.standing() == (10 * COST, 0, both - 10 * COST)
        assert s.held() == (both - 10 * COST, 0)


async def test_retries_are_held_and_settled_once():
    fails = [True, False]

    def answer(_):
        return Script(opening=[Raise(BUSY)]) if fails.pop(0) else Script()

    body = ask("again")
    async with stage(answer) as s:
        await s.route("again", "fallback", "acme/m", retries=1)
        await s.declare(limit_usd=str(2 * hold_of(body)))
        assert (await s.ask(body)).status == 200
        assert [entry.status for entry in await s.entries()] == ["void", "settled"]
        assert await s.standing() == (COST, 0, 2 * hold_of(body) - COST)
        assert s.held() == (2 * hold_of(body) - COST, 0)


async def test_the_loser_of_a_race_counts_at_its_upper_bound():
    def answer(call):
        steps = (Begin(), Say(), End())
        return Script(steps if call.model == "m" else (Wait(60),))

    body = ask("race", stream=True)
    async with stage(answer) as s:
        await s.route("race", "race", "acme/dear", "acme/m")
        await s.declare(limit_usd="1")
        answer_ = await s.ask(body)
        assert answer_.status == 200
        await s.idle()
        statuses = {entry.intent.model: entry.status for entry in await s.entries()}
        assert statuses == {"dear": "pending", "m": "settled"}
        assert (await s.standing())[:2] == (COST, hold_of(body, factor=10))


async def test_a_client_that_leaves_costs_what_is_not_known_until_it_is():
    started = anyio.Event()

    def answer(_):
        started.set()
        return Script((Begin(), Say(), Wait(60)))

    body = ask(stream=True)
    async with stage(answer) as s:
        await s.declare(limit_usd=str(hold_of(body) + COST))
        async with anyio.create_task_group() as group:
            group.start_soon(s.ask, body)
            await started.wait()
            group.cancel_scope.cancel()
        await s.idle()
        assert await s.standing() == (0, hold_of(body), 0)
        assert (await s.ask(ask())).status == 402
        (entry,) = await s.entries()
        end = settle_of(entry.intent, total=COST)
        s.gateway.store.append(linked(end, writer="reconcile"))
        assert (await s.standing())[:2] == (COST, 0)


async def test_a_period_that_is_over_takes_its_calls_with_it():
    hold = hold_of(ask())
    async with stage() as s:
        await s.declare(limit_usd=str(hold), per="day", time_zone="Asia/Tokyo")
        assert [(await s.ask()).status for _ in range(2)] == [200, 402]
        gates = s.gateway.runtime.gates
        gates.now_us = lambda: NOW_US + 86_400_000_000
        await s.gateway.refresh(force=True)
        assert [(await s.ask()).status for _ in range(2)] == [200, 402]
        assert (await s.standing("all:2026-11-25"))[0] == COST
        assert (await s.standing("all:2026-11-26"))[0] == COST


async def test_a_soft_budget_lets_through_and_says_so():
    async with stage() as s:
        await s.declare(limit_usd="0.00001", hard=False)
        answers = [await s.ask(), await s.ask(ask(max_tokens=None))]
        assert [each.status for each in answers] == [200, 200]
        note = "budget 'all' (0.00001 USD a month) has too little left; it is soft"
        assert dict(answers[0].headers)["x-flo2-budget"] == note
        assert (await s.receipt(answers[0]))["notes"] == [note]
        unbounded = "what this call costs has no bound, so its budgets hold nothing for it"
        assert (await s.receipt(answers[1]))["notes"] == [unbounded]
        assert await s.standing() == (2 * COST, 0, 0)
        assert s.held() == (-2 * COST, 0)
        await s.purse.give_back(idle_s=0, forget_s=0)
        assert s.held() == (0, 0)
        assert await s.standing() == (2 * COST, 0, 0)


class Flaky(MemoryStore):
    down = False
    asked = 0

    def lease(self, writer, asks):
        self.asked += 1
        if self.down:
            raise StoreError("it is gone")
        return super().lease(writer, asks)


@pytest.mark.parametrize("hard", [True, False])
async def test_without_its_store_a_hard_budget_refuses_and_a_soft_one_goes_on(hard):
    store = Flaky()
    async with stage(store=store) as s:
        await s.declare(limit_usd="0.4", hard=hard)  # a lease is one per cent
        store.down = True
        answer = await s.ask()
        if hard:
            status, told = error(answer)
            assert (status, told["code"]) == (503, "budget_unavailable")
            assert dict(answer.headers)["retry-after"] == "1"
            assert s.paid.calls == []
        else:
            note = "budget 'all' could not be asked; the call went on, as it is soft"
            assert (answer.status, dict(answer.headers)["x-flo2-budget"]) == (200, note)
        store.down = False
        assert (await s.ask()).status == 200
        store.down = True
        assert (await s.ask(ask("acme/free"))).status == 200


async def test_a_flood_of_refused_calls_asks_the_store_once_in_a_while():
    store = Flaky()
    async with stage(store=store) as s:
        await s.declare(limit_usd="0.000001")
        gates = s.gateway.runtime.gates
        gates.keeper.purse._clock = lambda: 7.0
        statuses = {(await s.ask()).status for _ in range(30)}
        assert (statuses, store.asked) == ({402}, 1)
        await s.declare(limit_usd="1")  # whoever raises the limit is heard at once
        assert (await s.ask()).status == 200


async def test_a_budget_and_a_limit_stand_side_by_side():
    async with stage() as s:
        await s.declare(limit_usd="1")
        limit = {"unit": "requests", "amount": "1", "per": "minute"}
        s.gateway.store.put_declaration(Declaration("default", "limit", "slow", limit, 1))
        await s.gateway.refresh(force=True)
        first, second = await s.ask(), await s.ask()
        assert (first.status, second.status) == (200, 429)
        assert (await s.receipt(first))["attempts"][0]["budgets"] == [ALL]
        assert s.held()[1] == 0
        assert (await s.standing())[:2] == (COST, 0)


async def test_each_customer_has_a_budget_and_must_be_named():
    hold = hold_of(ask())
    async with stage() as s:
        await s.declare(limit_usd=str(hold), each="customer")
        status, told = error(await s.ask())
        assert (status, told["code"], told["param"]) == (400, "label_required", "x-flo2-customer")
        for customer in ("a", "b"):
            found = [await s.ask(x_flo2_customer=customer) for _ in range(2)]
            assert [each.status for each in found] == [200, 402]
        await s.gateway.runtime.ledger.flush()
        labels = {each.label: each.spent for each in s.gateway.store.standings("default")}
        assert labels == {"customer=a": COST, "customer=b": COST}
        (name, *_) = (entry.intent.budgets for entry in await s.entries())
        assert "a" not in name[0].split(":")[2:]
        s.gateway.store.erase_attribution("default", customer="a")
        left = {each.label for each in s.gateway.store.standings("default")}
        assert left == {None, "customer=b"}


async def test_a_soft_budget_of_customers_needs_none_named():
    async with stage() as s:
        await s.declare(limit_usd="1", each="customer", hard=False)
        assert [(await s.ask()).status, (await s.ask(x_flo2_customer="a")).status] == [200, 200]
        await s.gateway.runtime.ledger.flush()
        labels = {each.label: each.spent for each in s.gateway.store.standings("default")}
        assert labels == {"customer=a": COST}


async def test_a_budget_of_a_team_or_key_is_not_another_ones():
    async with stage() as s:
        gateway = s.gateway
        _, red = await gateway.issue_key("red", team="red", tags={"env": "prod"})
        await s.declare("team", limit_usd="0.000001", **{"for": {"team": "red"}})
        assert (await s.ask()).status == 200  # the key of no team
        headers = {"authorization": f"Bearer {red.reveal()}", "content-type": "application/json"}
        answer = await s.driver.request(
            "POST", CHAT, headers=headers, body=json.dumps(ask()).encode()
        )
        assert answer.status == 402
        await s.declare("team", limit_usd="0.000001", **{"for": {"tag:env": "prod"}})
        said = {**headers, "x-flo2-tags": "env=dev"}  # the key's own tag goes first
        answer = await s.driver.request("POST", CHAT, headers=said, body=json.dumps(ask()).encode())
        assert answer.status == 402
        status, told = error(await s.ask())
        assert (status, told["param"]) == (400, "x-flo2-tags")
        assert (await s.ask(x_flo2_tags="env=dev")).status == 200


async def test_other_accounts_and_free_calls_meet_no_budget():
    async with stage() as s:
        _, other = await s.gateway.issue_key("other", account="other")
        await s.declare(limit_usd="0.000001")
        headers = {"authorization": f"Bearer {other.reveal()}", "content-type": "application/json"}
        answer = await s.driver.request(
            "POST", CHAT, headers=headers, body=json.dumps(ask()).encode()
        )
        assert answer.status == 200
        assert (await s.ask()).status == 402


async def test_a_declaration_that_cannot_be_read_stops_its_account_only():
    async with stage() as s:
        await s.declare(limit_usd="lots")
        status, told = error(await s.ask())
        assert (status, told["code"]) == (503, "budget_unreadable")
        assert "limit_usd" in told["message"]
        await s.declare(limit_usd="1")
        assert (await s.ask()).status == 200


async def test_what_is_not_needed_goes_back_to_the_store():
    async with stage() as s:
        await s.declare(limit_usd="1")
        assert (await s.ask()).status == 200
        assert s.held()[0] > 0
        await s.gateway.runtime.ledger.flush()
        await s.purse.give_back(idle_s=0, forget_s=0)
        assert await s.standing() == (COST, 0, 0)
        await s.purse.give_back(idle_s=0, forget_s=0)
        assert s.purse.pots == ()


async def test_a_gateway_that_stops_gives_its_leases_back():
    store = MemoryStore()
    async with stage(store=store) as s:
        await s.declare(limit_usd="1")
        assert (await s.ask()).status == 200
        assert (await s.standing())[2] > 0
    (standing,) = store.standings("default")
    assert (standing.spent, standing.pending, standing.leased) == (COST, 0, 0)


async def test_an_answer_dearer_than_its_hold_is_counted_in_full():
    async with stage(lambda _: Script((Begin(), Say(), End(Tell(10, 100_000))))) as s:
        await s.declare(limit_usd="1.5")
        assert [(await s.ask()).status for _ in range(3)] == [200, 200, 402]
        assert (await s.standing())[:2] == (2 * (10 * HOLD_A_BYTE + 1), 0)
