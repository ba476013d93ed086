"""Limits in a whole gateway: asked before a call, trued up after it, told to the client."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import anyio
from attrs import evolve, frozen

from flo2.errors import ProviderError, StoreError
from flo2.keys import rotate
from flo2.stored import Declaration
from flo2.testing.harness import running
from flo2.testing.paid import Paid
from flo2.testing.scripted import Begin, End, Raise, Say, Script, Tell, Wait
from flo2_store_sql import SqlStore

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
GEMINI = "/v1beta/models/acme%2Fm:generateContent"
HI = [{"role": "user", "content": "hi"}]
BUSY = ProviderError("busy", kind="overloaded", status=503, retryable=True, retry_after_s=0)


def ask(model="acme/m", max_tokens=100, **more):
    return {"model": model, "messages": HI, "max_tokens": max_tokens, **more}


def answered(tokens_in=10, tokens_out=5):
    return lambda _: Script([Begin(), Say("hi"), End(Tell(tokens_in, tokens_out))])


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.s = 1000.0

    def __call__(self):
        return self.s


@frozen
class Stage:
    house: object
    paid: Paid
    clock: Clock

    def __getattr__(self, name):
        return getattr(self.house, name)

    @property
    def limiter(self):
        return self.house.gateway.runtime.gates.limiter

    async def declare(self, name="all", account="default", **document):
        store = self.gateway.store
        store.put_declaration(Declaration(account, "limit", name, document, 1))
        await self.gateway.refresh(force=True)

    async def ask(self, body=None, path=CHAT, **headers):
        return await self.post(path, ask() if body is None else body, **headers)

    async def statuses(self, *bodies, **headers):
        return [(await self.ask(body, **headers)).status for body in bodies]


@asynccontextmanager
async def stage(answer=None, *, store=None):
    paid = Paid(answer or answered())
    given = {"plugins": {"only": ["strategy-basic"]}, "pricing": {"paid": {}}}
    async with running(given, plugins={"paid": paid}, store=store) as house:
        clock = Clock()
        limiter = house.gateway.runtime.gates.limiter
        limiter._services = evolve(house.gateway.services, clock=clock)
        yield Stage(house, paid, clock)


def error(answer):
    return answer.status, json.loads(answer.body)["error"]


def named(answer, part):
    return {name: value for name, value in dict(answer.headers).items() if part in name}


async def test_so_many_requests_in_any_minute_and_then_no_more():
    async with stage() as house:
        await house.declare(unit="requests", amount="2", per="minute")
        first = await house.ask()
        assert named(first, "ratelimit") == {
            "x-ratelimit-limit-requests": "2",
            "x-ratelimit-remaining-requests": "1",
            "x-ratelimit-reset-requests": "1m1s",
        }
        house.clock.s += 30
        second = await house.ask()
        assert named(second, "remaining") == {"x-ratelimit-remaining-requests": "0"}
        third = await house.ask()
        assert error(third) == (
            429,
            {
                "message": "limit 'all' allows 2 requests in any minute: 0 left; try again in 31 s",
                "type": "rate_limit_error",
                "param": None,
                "code": "rate_limit_exceeded",
            },
        )
        told = dict(third.headers)
        assert (told["retry-after"], told["x-should-retry"]) == ("31", "true")
        assert named(third, "ratelimit") == {
            "x-ratelimit-limit-requests": "2",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1m1s",
        }
        house.clock.s += 30
        assert await house.statuses(None) == [429]
        house.clock.s += 1
        assert await house.statuses(None, None) == [200, 429]
        assert len(house.paid.calls) == 3
        assert len(await house.entries()) == 3


async def test_each_surface_is_told_in_its_own_words():
    async with stage() as house:
        await house.declare(unit="requests", amount="1", per="minute")
        at_s = house.gateway.services.now_us() / 1e6
        answer = await house.ask(path=MESSAGES)
        told = named(answer, "ratelimit")
        assert told.keys() == {
            f"anthropic-ratelimit-requests-{what}" for what in ("limit", "remaining", "reset")
        }
        assert told["anthropic-ratelimit-requests-remaining"] == "0"
        assert told["anthropic-ratelimit-requests-reset"].endswith("Z")
        assert at_s > 0
        refused = await house.ask(path=MESSAGES)
        status, body = error(refused)
        assert (status, body["type"]) == (429, "rate_limit_error")
        assert dict(refused.headers)["retry-after"] == "61"
        contents = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
        refused = await house.ask(contents, path=GEMINI)
        status, body = error(refused)
        assert (status, body["status"]) == (429, "RESOURCE_EXHAUSTED")
        assert [each["retryDelay"] for each in body["details"] if "retryDelay" in each] == ["61s"]


async def test_tokens_are_held_at_their_bound_and_trued_up():
    async with stage(answered(10, 5)) as house:
        size = len(json.dumps(ask()).encode())
        limit = 4096 + size + 100 + 20  # one call's bound, and 20 tokens more
        await house.declare(unit="tokens", amount=str(limit), per="minute")
        assert named(await house.ask(), "remaining") == {"x-ratelimit-remaining-tokens": "20"}
        second = await house.ask()  # 15 were used of all that was held
        assert named(second, "remaining") == {"x-ratelimit-remaining-tokens": "5"}
        status, body = error(await house.ask())
        told = (
            f"limit 'all' allows {limit} tokens in any minute: {limit - 30} left and this call may "
            f"need {limit - 20}; try again in 61 s"
        )
        assert (status, body["message"]) == (429, told)


async def test_input_and_output_tokens_and_money_each_by_its_own_limit():
    async with stage(answered(1000, 90)) as house:
        await house.declare("in", unit="input_tokens", amount="9000", per="hour")
        await house.declare("out", unit="output_tokens", amount="250", per="day")
        await house.declare("usd", unit="usd", amount="0.0100000", per="hour")
        answer = await house.ask()
        size = len(json.dumps(ask()).encode())
        assert named(answer, "limit-limit") == {
            "x-ratelimit-limit-input-tokens": "9000",
            "x-ratelimit-limit-output-tokens": "250",
            "x-ratelimit-limit-usd": "0.01",
        }
        left = named(answer, "remaining")
        assert left == {
            "x-ratelimit-remaining-input-tokens": str(9000 - 4096 - size),
            "x-ratelimit-remaining-output-tokens": "150",
            "x-ratelimit-remaining-usd": left["x-ratelimit-remaining-usd"],
        }
        status, body = error(await house.ask(ask(max_tokens=161)))  # 90 of 250 were used
        assert (status, body["code"], "limit 'out'" in body["message"]) == (
            429,
            "rate_limit_exceeded",
            True,
        )
        # 1000 tokens at 1 USD and 90 at 10 USD a million were booked, and nothing for the refusal.
        pairs = [(limit, await _free(house, limit.name)) for limit in limits_of(house)]
        assert {limit.name: limit.told(free) for limit, free in pairs} == {
            "in": "8000",
            "out": "160",
            "usd": "0.0081",
        }


def limits_of(house):
    return [rule.limit for rule in house.limiter._rules["default"]]


async def _free(house, name):
    (limit,) = (each for each in limits_of(house) if each.name == name)
    (counter,) = (
        counter for (_, key), counter in house.limiter._counters.items() if f":{name}:" in key
    )
    return counter.standing(limit.amount).free


async def test_a_call_that_never_fits_is_told_so_at_once():
    async with stage() as house:
        await house.declare(unit="output_tokens", amount="50", per="minute")
        status, body = error(await house.ask())
        assert (status, body["code"], body["param"]) == (400, "above_limit", "max_tokens")
        assert body["message"] == (
            "limit 'all' allows 50 output tokens in any minute, and this call may use up to 100; "
            "ask for less (max_tokens), or raise the limit"
        )


async def test_a_call_without_a_bound_is_estimated_or_refused():
    async with stage(answered(10, 700)) as house:
        await house.declare(unit="output_tokens", amount="1000", per="minute")
        body = {"model": "acme/m", "messages": HI}
        assert await house.statuses(body) == [200]  # held at 500, used 700
        assert await _free(house, "all") == 300
        assert await house.statuses(body) == [429]
        await house.declare(unit="output_tokens", amount="1000", per="minute", unbounded="refuse")
        status, told = error(await house.ask(body))
        assert (status, told["code"], told["param"]) == (400, "unbounded_call", "max_tokens")


async def test_limits_are_for_whom_they_say():
    async with stage() as house:
        await house.declare(unit="requests", amount="1", per="day", each="customer")
        acme, globex = {"x_flo2_customer": "acme"}, {"x_flo2_customer": "globex"}
        assert await house.statuses(None, None, **acme) == [200, 429]
        assert await house.statuses(None, **globex) == [200]
        assert await house.statuses(None, None) == [200, 429]  # who says nothing is one of them
        only = {"tag:env": "test", "model": "d*"}
        await house.declare(unit="requests", amount="1", per="day", **{"for": only})
        tagged = {"x_flo2_tags": "env=test"}
        dear = ask("acme/dear")
        assert await house.statuses(dear, dear, **tagged) == [200, 429]
        assert await house.statuses(dear, dear, x_flo2_tags="env=prod") == [200, 200]
        assert await house.statuses(None, None, **tagged) == [200, 200]


async def test_a_key_keeps_its_limit_when_it_is_rotated():
    async with stage() as house:
        await house.declare(unit="requests", amount="1", per="day", each="key")
        assert await house.statuses(None) == [200]
        gateway = house.gateway
        pepper, now = gateway.runtime.vault.pepper(), gateway.services.now_us()
        _, secret = rotate(gateway.store, house.issued, grace_s=60, pepper=pepper, now_us=now)
        again = {"authorization": f"Bearer {secret.reveal()}"}
        assert (await house.post(CHAT, ask(), **again)).status == 429


async def test_what_a_provider_refuses_counts_as_a_request_and_as_no_tokens():
    async with stage(lambda _: Script(opening=[Raise(BUSY)])) as house:
        await house.declare("r", unit="requests", amount="10", per="minute")
        await house.declare("t", unit="tokens", amount="9000", per="minute")
        assert await house.statuses(None) == [503]
        assert (await _free(house, "r"), await _free(house, "t")) == (9, 9000)


async def test_nothing_is_taken_of_one_limit_when_another_refuses():
    async with stage() as house:
        await house.declare("a", unit="requests", amount="5", per="minute")
        await house.declare("b", unit="requests", amount="1", per="minute")
        assert await house.statuses(None, None, None) == [200, 429, 429]
        assert (await _free(house, "a"), await _free(house, "b")) == (4, 0)


async def test_nothing_is_taken_of_a_limit_when_a_budget_refuses():
    async with stage() as house:
        budget = {"limit_usd": "0.000001"}
        store = house.gateway.store
        store.put_declaration(Declaration("default", "budget", "b", budget, 1))
        await house.declare("r", unit="requests", amount="5", per="minute")
        await house.declare("t", unit="tokens", amount="9000", per="minute")
        assert await house.statuses(None) == [402]
        assert (await _free(house, "r"), await _free(house, "t")) == (5, 9000)


async def test_calls_at_once_end_when_their_answers_do():
    opening = [Wait(60)]
    async with stage(lambda _: Script(opening=opening)) as house:
        await house.declare(unit="parallel", amount="2")
        async with anyio.create_task_group() as group:
            group.start_soon(house.ask)
            group.start_soon(house.ask)
            with anyio.fail_after(5):
                while len(house.paid.calls) < 2:  # noqa: ASYNC110  # nobody tells
                    await anyio.sleep(0.001)
            refused = await house.ask()
            status, body = error(refused)
            assert (status, body["message"]) == (
                429,
                "limit 'all' allows 2 calls at once: 0 left; try again in 1 s",
            )
            assert named(refused, "ratelimit")["x-ratelimit-remaining-parallel-requests"] == "0"
            group.cancel_scope.cancel()
        opening.clear()
        answer = await house.ask()
        assert named(answer, "remaining") == {"x-ratelimit-remaining-parallel-requests": "1"}
        assert await house.statuses(None, None) == [200, 200]


async def test_a_limit_that_cannot_be_read_lets_nothing_through():
    async with stage() as house:
        await house.declare(unit="request", amount="2", per="minute")
        status, body = error(await house.ask())
        assert (status, body["code"]) == (503, "limit_unreadable")
        assert "did you mean 'requests'? @ limit 'all'.unit" in body["message"]


async def test_an_account_without_limits_meets_none():
    async with stage() as house:
        assert house.gateway.runtime.admission is None
        assert named(await house.ask(), "ratelimit") == {}


async def test_workers_of_one_store_count_together(tmp_path):
    path = str(tmp_path / "flo2.db")
    async with (
        stage(store=SqlStore(SqlStore.Config(path=path))) as one,
        stage(store=SqlStore(SqlStore.Config(path=path))) as two,
    ):
        await one.declare("r", unit="requests", amount="5", per="hour")
        await one.declare("p", unit="parallel", amount="3")
        await two.gateway.refresh(force=True)
        statuses = []

        async def call(house):
            statuses.append((await house.ask()).status)

        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(call, one)
                group.start_soon(call, two)
        assert statuses.count(200) <= 5
        assert set(statuses) == {200, 429}
        for house in (one, two):  # what one did not need of its lease, the other gets
            await house.limiter.flush()
        with anyio.fail_after(5):
            while statuses.count(200) < 5:
                await call(one)
                await call(two)
        assert len(one.paid.calls) + len(two.paid.calls) == 5


async def test_a_store_that_is_down_refuses_what_is_limited(tmp_path, monkeypatch):
    store = SqlStore(SqlStore.Config(path=str(tmp_path / "flo2.db")))
    async with stage(store=store) as house:
        await house.declare(unit="requests", amount="5", per="hour", **{"for": {"team": "x"}})
        monkeypatch.setattr(SqlStore, "counter", _down)
        assert await house.statuses(None) == [200]
        await house.declare(unit="requests", amount="5", per="hour")
        status, body = error(await house.ask())
        assert (status, body["code"]) == (503, "limits_unavailable")
        assert "secret path" not in body["message"]


def _down(*_):
    raise StoreError("secret path cannot be read")
