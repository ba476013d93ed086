"""A host by configuration alone: which endpoints it has decides what is passed on."""

from __future__ import annotations

import pytest

from flo2 import ConfigError, Gateway
from flo2.testing.harness import running
from flo2.testing.suites.samples import SAMPLES
from flo2.testing.upstream import FakeUpstream
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

ASK = {"model": "acme/m1", "input": "Hi"}


def host(**more):
    return {
        "providers": {
            "acme": {
                "kind": "openai-compatible",
                "base_url": "https://acme.invalid/v1",
                **more,
            }
        }
    }


@pytest.mark.parametrize(
    ("more", "answers", "path"),
    [
        ({}, "openai.chat", "/v1/chat/completions"),
        ({"endpoints": ["responses"]}, "openai.responses", "/v1/responses"),
    ],
    ids=["translated", "passed on"],
)
async def test_responses_are_passed_on_where_the_host_has_them(more, answers, path):
    upstream = FakeUpstream()
    upstream.reply(body=SAMPLES[answers].plain)
    async with running(
        host(**more), credentials=["acme"], wire=Wire(upstream.transport())
    ) as house:
        answer = await house.post("/v1/responses", ASK)
    assert upstream.last.target == path
    assert answer.json()["output"][0]["content"][0]["text"] == "Grüße 🌍, fertig."


async def test_an_endpoint_it_does_not_have_is_refused_by_name():
    async with running(host(), credentials=["acme"]) as house:
        answer = await house.post("/v1/moderations", ASK)
    assert answer.status == 400
    assert answer.json()["error"]["message"] == (
        "acme cannot serve openai.moderations calls; choose another model"
    )


def test_an_endpoint_that_nobody_knows_is_an_error_of_the_configuration():
    with pytest.raises(ConfigError) as raised:
        Gateway.build(host(endpoints=["chant"]), environ={})
    assert "config.providers.acme.endpoints[0]" in str(raised.value)
