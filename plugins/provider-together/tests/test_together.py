"""What Together does its own way."""

from __future__ import annotations

import anyio
import pytest

from flo2 import Credential, ModelInfo, Secret, Services, Wire
from flo2.testing import FakeUpstream
from flo2.testing.one_host import HELLO, OneHost
from flo2_provider_together import Together

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
HI = [*HELLO]


HOST = OneHost(Together)
make, a_call, sent, ask = HOST.make, HOST.call, HOST.sent, HOST.ask


def test_it_posts_under_v1():
    received, reply = ask(headers={"x-tokenlimit-remaining": "5", "x-ratelimit-reset": "1"})
    assert (make().host, received.target) == ("api.together.ai", "/v1/chat/completions")
    assert received.headers["authorization"] == "Bearer key-test"
    assert dict(reply.headers) == {"x-ratelimit-reset": "1", "x-tokenlimit-remaining": "5"}


def test_a_bound_is_written_as_the_one_it_keeps():
    assert sent(max_completion_tokens=9) == {"model": "its-model", "messages": HI, "max_tokens": 9}


@pytest.mark.parametrize(
    ("base_url", "context"),
    [
        ("", {}),
        ("https://us-api.together.ai/v1", {"region": "us"}),
        ("https://ca-api.together.ai/v1", {"region": "ca"}),
        ("https://api.together.xyz/v1", {}),
    ],
)
def test_a_host_that_costs_more_is_named_in_the_usage(base_url, context):
    _, reply = ask(base_url=base_url, usage={**USAGE, "cached_tokens": 4})
    usage = reply.observed.usage
    assert usage.context == context
    assert usage.quantities == {"input_tokens": 5, "cache_read_tokens": 4, "output_tokens": 2}


def test_its_model_list_is_a_bare_one():
    upstream = FakeUpstream()
    upstream.reply(
        json=[{"id": "meta-llama/Llama-3.3", "object": "model", "created": 5, "type": "chat"}]
    )
    found = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            together = Together(Together.Config(), Services(wire=wire))
            found.extend(await together.models(Credential("c", Secret("key-test"))))

    anyio.run(test)
    assert found == [ModelInfo("meta-llama/Llama-3.3", "together", 5)]
    assert upstream.last.target == "/v1/models"
