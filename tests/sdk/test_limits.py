"""What the official SDKs make of flo2's own limits: their own error, and they wait as told."""

from __future__ import annotations

import anthropic
import anyio
import httpx2
import openai
import pytest
from attrs import evolve

from flo2.shell import create_app
from flo2.stored import Declaration
from flo2.testing.harness import running
from flo2.testing.paid import Paid
from flo2.testing.scripted import Begin, End, Say, Script, Tell

HELLO = [{"role": "user", "content": "Hello"}]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.s = 1000.0

    def __call__(self):
        return self.s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def house(clock):
    paid = Paid(lambda _: Script([Begin(), Say("hi"), End(Tell(3, 2))]))
    config = {"plugins": {"only": ["strategy-basic"]}, "pricing": {"paid": {}}}
    async with running(config, plugins={"paid": paid}) as made:
        document = {"unit": "requests", "amount": "1", "per": "minute"}
        made.gateway.store.put_declaration(Declaration("default", "limit", "one", document, 1))
        await made.gateway.refresh(force=True)
        limiter = made.gateway.runtime.gates.limiter
        limiter._services = evolve(made.gateway.services, clock=clock)
        yield made


@pytest.fixture
def waits(monkeypatch, clock):
    """Note for how long an SDK waits; that time passes at once."""
    noted, really = [], anyio.sleep

    async def sleep(seconds):
        if seconds < 5:
            await really(seconds)
            return
        noted.append(seconds)
        clock.s += seconds

    monkeypatch.setattr(anyio, "sleep", sleep)
    return noted


def client_of(house, kind, http, **options):
    base = "http://flo2.example" + ("/v1" if kind is openai.AsyncOpenAI else "")
    return kind(api_key=house.key, base_url=base, http_client=http, **options)


async def ask(client):
    if isinstance(client, openai.AsyncOpenAI):
        answer = await client.chat.completions.create(model="acme/m", messages=HELLO)
        return answer.choices[0].message.content
    answer = await client.messages.create(model="acme/m", messages=HELLO, max_tokens=9)
    return answer.content[0].text


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (openai.AsyncOpenAI, openai.RateLimitError),
        (anthropic.AsyncAnthropic, anthropic.RateLimitError),
    ],
)
async def test_a_reached_limit_is_the_sdks_own_error(house, kind, error):
    app = create_app(house.gateway, lifespan=False)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http:
        client = client_of(house, kind, http, max_retries=0)
        assert await ask(client) == "hi"
        with pytest.raises(error, match="limit 'one' allows 1 request in any minute") as caught:
            await ask(client)
        assert caught.value.status_code == 429
        assert caught.value.response.headers["retry-after"] == "61"


@pytest.mark.parametrize("kind", [openai.AsyncOpenAI, anthropic.AsyncAnthropic])
async def test_the_sdk_waits_as_it_is_told_and_tries_again(house, kind, clock, waits):
    app = create_app(house.gateway, lifespan=False)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http:
        client = client_of(house, kind, http, max_retries=1)
        assert await ask(client) == "hi"
        clock.s += 31  # the SDKs wait for a minute at most
        assert await ask(client) == "hi"
    assert waits == [30.0]
