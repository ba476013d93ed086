"""What Ollama does its own way."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import anyio
import pytest

from flo2 import (
    Call,
    ConfigError,
    Credential,
    Gateway,
    Inbound,
    MemoryStore,
    ModelInfo,
    Secret,
    Services,
    Wire,
)
from flo2.canonical import Usage
from flo2.dialects.openai_chat import OpenAIChat
from flo2.prices import Layer, PricingContext, build
from flo2.testing import FakeUpstream
from flo2_provider_ollama import Ollama, OllamaCloud, OwnMachine

CHAT = OpenAIChat()
LOCAL = "http://127.0.0.1:11434/v1"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = {
    "id": "chatcmpl-1",
    "model": "qwen3:8b",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def make(wire=None, provider=Ollama, **options):
    return provider(provider.Config(**options), Services(wire=wire or Wire()))


def received(provider, body, secret=None, **options):
    """Give the request that Ollama gets for a client's body."""
    upstream = FakeUpstream()
    upstream.reply(json=ANSWER)
    raw = json.dumps(body).encode()
    inbound = Inbound(CHAT, raw, CHAT.peek(raw))

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            item = make(wire, provider, **options)
            call = Call(
                inbound,
                CHAT,
                "qwen3:8b",
                Credential("c", secret),
                item.profile("qwen3:8b"),
                passthrough=True,
            )
            async with item.chat(call) as reply:
                await reply.whole()

    anyio.run(test)
    return upstream.last


def test_it_needs_no_key_and_sends_one_where_there_is_one():
    request = received(Ollama, HELLO, base_url=LOCAL)
    assert "authorization" not in request.headers
    assert request.target == "/v1/chat/completions"
    request = received(Ollama, HELLO, Secret("sk-proxy"), base_url=LOCAL)
    assert request.headers["authorization"] == "Bearer sk-proxy"
    assert Ollama.facts.needs_key is False
    assert OllamaCloud.facts.needs_key is True


@pytest.mark.parametrize(
    ("provider", "options"), [(Ollama, {"base_url": LOCAL}), (OllamaCloud, {})]
)
def test_what_it_would_ignore_in_silence_is_written_otherwise_or_named(provider, options):
    turns = [{"role": "developer", "content": "Be brief."}, *HELLO["messages"]]
    body = HELLO | {
        "messages": turns,
        "max_completion_tokens": 10,
        "n": 2,
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "logit_bias": {"1": 2},
        "seed": 7,
    }
    request = received(provider, body, **options)
    assert request.json() == {
        "model": "qwen3:8b",
        "messages": [{"role": "system", "content": "Be brief."}, *HELLO["messages"]],
        "max_tokens": 10,
        "seed": 7,
    }
    profile = make(provider=provider, **options).profile("m")
    losses = CHAT.check(CHAT.parse(json.dumps(body).encode()), profile)
    assert sorted(loss.path for loss in losses) == [
        "logit_bias",
        "messages[0].role",
        "n",
        "parallel_tool_calls",
        "tool_choice",
    ]


@pytest.mark.parametrize("base_url", ["https://ollama.com/v1", "https://eu.ollama.com/v1"])
def test_the_cloud_is_not_free_under_the_local_name(base_url):
    with pytest.raises(ConfigError, match="use kind = 'ollama-cloud'"):
        make(base_url=base_url)


def test_a_gateway_has_the_local_one_only_when_it_is_told_of_it():
    for table, there in (({}, False), ({"ollama": {"base_url": LOCAL}}, True)):
        gateway = Gateway.build({"providers": table}, store=MemoryStore(), environ={})
        assert ("ollama" in gateway.providers) is there
        assert "ollama-cloud" in gateway.providers


AT = datetime(2026, 11, 25, tzinfo=UTC)
USED = Usage({"input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 1})


@pytest.mark.parametrize(
    ("model", "total"),
    [
        ("qwen3:8b", Decimal(0)),
        ("hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M", Decimal(0)),
        ("cloudy", Decimal(0)),
        ("gpt-oss:120b-cloud", None),
        ("gemma4:cloud", None),
    ],
)
def test_what_runs_here_costs_nothing_and_the_cloud_is_unpriced(model, total):
    source = OwnMachine()
    book = build([Layer(source.kind, tuple(source.rows()), source.defaults())])
    cost = book.price(USED, PricingContext("ollama", "chat", model, model, AT))
    assert cost.total == total
    assert cost.status == ("unpriced" if total is None else "settled")


def test_the_model_list():
    upstream = FakeUpstream()
    upstream.reply(
        json={"object": "list", "data": [{"id": "qwen3:8b", "created": 5, "owned_by": "library"}]}
    )
    found = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            found.extend(await make(wire, base_url=LOCAL).models(Credential(None)))

    anyio.run(test)
    assert found == [ModelInfo("qwen3:8b", "ollama", 5, owned_by="library")]


@pytest.mark.parametrize(
    ("model", "status", "total"),
    [("qwen3:8b", "settled", Decimal(0)), ("gemma4:cloud", "unpriced", None)],
)
def test_a_call_through_a_gateway_is_booked(model, status, total):
    upstream = FakeUpstream()
    upstream.reply(json=ANSWER | {"model": model})
    entries = []

    async def test():
        wire = Wire(transport=upstream.transport())
        config = {"providers": {"ollama": {"base_url": LOCAL}}}
        async with Gateway.build(config, store=MemoryStore(), environ={}, wire=wire) as gateway:
            _, key = await gateway.issue_key("mine")
            ask = HELLO | {"model": f"ollama/{model}"}
            async with gateway.chat(ask, key=key.reveal()) as answer:
                await answer.response()
            found = await gateway.receipt(answer.request_id, account="default", key_id=None)
            entries.extend(found.entries)

    anyio.run(test)
    (entry,) = entries
    assert (entry.status, entry.total) == (status, total)
    assert entry.end.meters == {"input_tokens": 1, "output_tokens": 1}
