"""Cohere, xAI and Azure through the whole gateway, asked in other vendors' words."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest

from flo2.testing.harness import running
from flo2.testing.traces import recorded_traces
from flo2.testing.upstream import FakeUpstream
from flo2.testing.validators import VALIDATORS
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

CONFIG = {
    "providers": {
        "cohere": {"kind": "cohere"},
        "xai": {"kind": "xai"},
        "azure": {
            "kind": "azure",
            "base_url": "https://mine.openai.azure.com",
            "api_version": "2024-10-21",
            "deployments": {"my-gpt": "global"},
        },
    }
}
ASK = {"max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]}
COHERE = {
    "id": "c14c80c3",
    "message": {
        "role": "assistant",
        "tool_plan": "I will look.",
        "tool_calls": [
            {"id": "look_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        ],
    },
    "finish_reason": "TOOL_CALL",
    "usage": {
        "billed_units": {"input_tokens": 17, "output_tokens": 5},
        "tokens": {"input_tokens": 1501, "output_tokens": 46},
        "cached_tokens": 1488,
    },
}


@asynccontextmanager
async def house(upstream):
    wire = Wire(transport=upstream.transport())
    async with running(CONFIG, credentials=tuple(CONFIG["providers"]), wire=wire) as opened:
        yield opened


async def test_cohere_is_asked_in_its_own_words_and_billed_by_its_units():
    upstream = FakeUpstream()
    upstream.reply(json=COHERE)
    tool = {"name": "look", "input_schema": {"type": "object"}}
    async with house(upstream) as h:
        answer = await h.post(
            "/v1/messages", {"model": "cohere/command-a-03-2025", "tools": [tool], **ASK}
        )
        said = json.loads(answer.body)
        upstream.reply(json={**COHERE, "message": {"content": []}})
        turns = [
            *ASK["messages"],
            {"role": "assistant", "content": said["content"]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "look_1", "content": "seen"}],
            },
        ]
        body = {"model": "cohere/command-a-03-2025", "tools": [tool], "max_tokens": 99}
        await h.post("/v1/messages", {**body, "messages": turns})
        entry, _ = await h.entries()
    assert VALIDATORS["anthropic.messages"].answer(200, dict(answer.headers), answer.body) == []
    assert (said["model"], said["stop_reason"]) == ("command-a-03-2025", "tool_use")
    assert said["usage"]["input_tokens"] == 17
    assert upstream.last.target == "/v2/chat"
    # What it planned goes back to where it was, though its client knows of no plans.
    assert upstream.last.json()["messages"] == [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "tool_plan": "I will look.",
            "tool_calls": COHERE["message"]["tool_calls"],
        },
        {"role": "tool", "tool_call_id": "look_1", "content": "seen"},
    ]
    assert entry.end.meters == {"input_tokens": 17, "output_tokens": 5}
    assert entry.end.model_billed == "command-a-03-2025"


async def test_vectors_of_cohere_are_asked_for_in_openai_s_words():
    upstream = FakeUpstream()
    answer = {"id": "1", "embeddings": {"float": [[0.5, -1]]}}
    upstream.reply(json={**answer, "meta": {"billed_units": {"input_tokens": 3}}})
    async with house(upstream) as h:
        asked = {"model": "cohere/embed-v4.0", "input": "Hi", "dimensions": 256}
        told = await h.post("/v1/embeddings", asked)
        (entry,) = await h.entries()
    assert upstream.last.target == "/v2/embed"
    assert upstream.last.json() == {
        "model": "embed-v4.0",
        "texts": ["Hi"],
        "input_type": "search_document",
        "output_dimension": 256,
        "embedding_types": ["float"],
    }
    said = json.loads(told.body)
    assert (said["model"], said["data"][0]["embedding"]) == ("embed-v4.0", [0.5, -1.0])
    assert said["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert entry.end.meters == {"input_tokens": 3}


async def test_xai_answers_an_anthropic_client_by_responses_with_its_thinking():
    traces = recorded_traces("xai")
    trace = next((t for t in traces if t.name.startswith("rig-reasoning-roundtrip-str")), None)
    if trace is None:
        pytest.skip("no shared data")
    upstream = FakeUpstream()
    upstream.stream([trace.body])
    async with house(upstream) as h:
        answer = await h.post("/v1/messages", {"model": "xai/grok-4.3", "stream": True, **ASK})
        (entry,) = await h.entries()
    assert upstream.last.target == "/v1/responses"
    assert VALIDATORS["anthropic.messages"].stream(answer.body) == []
    assert b'"thinking"' in answer.body
    assert entry.end.model_billed == "grok-4.3"
    meters = entry.end.meters
    cost = 12500 * meters["input_tokens"] + 2000 * meters.get("cache_read_tokens", 0)
    said = json.loads(trace.body.rpartition(b"data: ")[2])["response"]["usage"]
    assert cost + 25000 * meters["output_tokens"] == said["cost_in_usd_ticks"]


async def test_a_chat_client_s_bytes_reach_xai_s_chat_and_azure_s_dated_url():
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    choice = {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
    upstream = FakeUpstream()
    reply = {"id": "1", "model": "m", "choices": [choice], "usage": usage}
    upstream.reply(json=reply)
    upstream.reply(json=reply)
    async with house(upstream) as h:
        await h.post("/v1/chat/completions", {"model": "xai/grok-4.3", "x_new": 1, **ASK})
        assert upstream.last.target == "/v1/chat/completions"
        assert upstream.last.json() == {"model": "grok-4.3", "x_new": 1, **ASK}
        answer = await h.post("/v1/chat/completions", {"model": "azure/my-gpt", **ASK})
        _, entry = await h.entries()
    assert answer.status == 200
    dated = "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
    assert upstream.last.target == dated
    assert "authorization" not in upstream.last.headers
    assert entry.end.context == {}
