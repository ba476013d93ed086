"""What vLLM does its own way."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import anyio
import pytest
from attrs import evolve

from flo2 import Call, Credential, Gateway, Inbound, MemoryStore, ModelInfo, Secret, Services, Wire
from flo2.canonical import Usage
from flo2.dialects.openai_chat import OpenAIChat
from flo2.prices import Layer, PricingContext, build
from flo2.testing import FakeUpstream
from flo2_provider_vllm import VLLM, OwnServer

CHAT = OpenAIChat()
LOCAL = "http://127.0.0.1:8000/v1"


def make(wire=None):
    return VLLM(VLLM.Config(base_url=LOCAL), Services(wire=wire or Wire()))


def ask(body, *, secret=None, status=200, answer=None):
    """Give the request that vLLM gets, and the observed answer or the error."""
    upstream = FakeUpstream()
    upstream.reply(status, json=answer or ANSWER)
    raw = json.dumps(body).encode()
    outcome = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            item = make(wire)
            call = Call(
                Inbound(CHAT, raw, CHAT.peek(raw)),
                CHAT,
                "Qwen/Qwen3-8B",
                Credential("c", secret),
                item.profile("Qwen/Qwen3-8B"),
                passthrough=True,
            )
            async with item.chat(call) as reply:
                await reply.whole()
                outcome.append(reply.observed)

    anyio.run(test)
    return upstream.last, outcome[0]


HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "Qwen/Qwen3-8B",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "a", "reasoning": None, "tool_calls": []},
            "logprobs": None,
            "finish_reason": "stop",
            "stop_reason": None,
        }
    ],
    "service_tier": None,
    "usage": {
        "prompt_tokens": 20,
        "total_tokens": 22,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 16},
    },
    "prompt_logprobs": None,
    "kv_transfer_params": None,
}


def test_it_is_called_with_a_key_or_without():
    request, observed = ask(HELLO)
    assert (request.target, "authorization" in request.headers) == ("/v1/chat/completions", False)
    assert request.json()["model"] == "Qwen/Qwen3-8B"
    assert observed.usage.quantities == {
        "input_tokens": 4,
        "cache_read_tokens": 16,
        "output_tokens": 2,
    }
    request, _ = ask(HELLO, secret=Secret("token-abc123"))
    assert request.headers["authorization"] == "Bearer token-abc123"


def test_a_server_that_tells_no_details_is_read_too():
    usage = {**ANSWER["usage"], "prompt_tokens_details": None}
    _, observed = ask(HELLO, answer=ANSWER | {"usage": usage})
    assert observed.usage.quantities == {"input_tokens": 20, "output_tokens": 2}


def test_a_developer_is_a_system():
    turns = [{"role": "developer", "content": "Be brief."}, *HELLO["messages"]]
    request, _ = ask(HELLO | {"messages": turns})
    assert request.json()["messages"][0] == {"role": "system", "content": "Be brief."}


def test_a_gateway_has_it_only_when_it_is_told_of_it():
    for table, there in (({}, False), ({"vllm": {"base_url": LOCAL}}, True)):
        gateway = Gateway.build({"providers": table}, store=MemoryStore(), environ={})
        assert ("vllm" in gateway.providers) is there


@pytest.mark.parametrize("context", [{}, {"service_tier": "auto"}, {"service_tier": "priority"}])
def test_it_costs_nothing(context):
    source = OwnServer()
    book = build([Layer(source.kind, tuple(source.rows()), source.defaults())])
    at = datetime(2026, 11, 25, tzinfo=UTC)
    used = Usage({"input_tokens": 10, "output_tokens": 5, "input_image_tokens": 3})
    cost = book.price(used, PricingContext("vllm", "chat", "m", "Qwen/Qwen3-8B", at, context))
    assert (cost.status, cost.total) == ("settled", Decimal(0))


def test_the_model_list():
    upstream = FakeUpstream()
    model = {"id": "Qwen/Qwen3-8B", "object": "model", "created": 5, "owned_by": "vllm"}
    upstream.reply(json={"object": "list", "data": [model | {"max_model_len": 40960}]})
    found = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            found.extend(await make(wire).models(Credential(None)))

    anyio.run(test)
    (info,) = found
    assert info.facts.context_window == 40960
    assert evolve(info, facts=None) == ModelInfo("Qwen/Qwen3-8B", "vllm", 5, owned_by="vllm")
