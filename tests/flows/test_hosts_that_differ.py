"""Hosts that speak Chat Completions their own way, through the whole house."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest

from flo2.testing import FakeUpstream
from flo2.testing.harness import running
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

HI = [{"role": "user", "content": "hi"}]
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
CALL = {"id": "call_00_abc", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"name": "f", "input_schema": {"type": "object"}}


def answer_of(message, *, finish="stop", usage=USAGE):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "its-model"} | {
        "choices": [choice],
        "usage": usage,
    }


@asynccontextmanager
async def house_over(upstream, *providers):
    wire = Wire(transport=upstream.transport())
    given = {"providers": {name: {"kind": name} for name in providers}}
    async with running(given, credentials=providers, wire=wire) as house:
        yield house


async def test_what_a_host_does_not_take_is_left_out_and_named():
    upstream = FakeUpstream()
    upstream.reply(json=answer_of({"content": "ho"}))
    async with house_over(upstream, "mistral") as house:
        body = {
            "model": "mistral/mistral-large-latest",
            "messages": [{"role": "developer", "content": "Be brief."}, *HI],
            "max_completion_tokens": 20,
            "user": "ada",
            "x_new": 1,
        }
        answer = await house.post("/v1/chat/completions", body)
        assert answer.status == 200
        assert upstream.last.json() == {
            "model": "mistral-large-latest",
            "messages": [{"role": "system", "content": "Be brief."}, *HI],
            "max_tokens": 20,
            "x_new": 1,
        }
        losses = str(answer.header("x-flo2-losses"))
    assert "user: the model's host does not take it" in losses
    assert "messages[0].role: 'developer' is written as 'system'" in losses


async def test_a_stream_of_a_host_that_refuses_to_be_asked_is_metered():
    upstream = FakeUpstream()
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "its-model"}
    first = {"index": 0, "delta": {"role": "assistant", "content": "ho"}, "finish_reason": None}
    last = {"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}
    chunks = [{**head, "choices": [first]}, {**head, "choices": [last], "usage": USAGE}]
    frames = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks]
    upstream.stream([*frames, b"data: [DONE]\n\n"])
    async with house_over(upstream, "mistral") as house:
        body = {"model": "mistral/mistral-large-latest", "messages": HI, "stream": True}
        answer = await house.post("/v1/chat/completions", body)
        assert answer.body == b"".join(frames) + b"data: [DONE]\n\n"
        assert "stream_options" not in upstream.last.json()
        (entry,) = await house.entries()
    assert entry.end.meters == {"input_tokens": 9, "output_tokens": 2}


async def test_thinking_within_a_tool_loop_returns_to_the_host_that_wants_it():
    upstream = FakeUpstream()
    called = {"content": None, "reasoning_content": "I need f.", "tool_calls": [CALL]}
    upstream.reply(json=answer_of(called, finish="tool_calls"))
    upstream.reply(json=answer_of({"content": "42"}))
    async with house_over(upstream, "deepseek") as house:
        ask = {
            "model": "deepseek/deepseek-v4-pro",
            "max_tokens": 50,
            "messages": HI,
            "tools": [TOOL],
        }
        first = await house.post("/v1/messages", ask)
        content = first.json()["content"]
        thought, call = content
        assert (thought["type"], thought["thinking"]) == ("thinking", "I need f.")
        assert (call["type"], call["id"]) == ("tool_use", "call_00_abc")
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": "42"}
        history = [
            *HI,
            {"role": "assistant", "content": content},
            {"role": "user", "content": [result]},
        ]
        second = await house.post("/v1/messages", {**ask, "messages": history})
        assert second.json()["content"] == [{"type": "text", "text": "42"}]
        sent = upstream.last.json()
    assert sent["messages"] == [
        *HI,
        {"role": "assistant", "content": None, **called},
        {"role": "tool", "tool_call_id": "call_00_abc", "content": "42"},
    ]
    assert (sent["max_tokens"], sent.get("max_completion_tokens")) == (50, None)


async def test_a_schema_a_host_cannot_hold_to_is_refused_before_it_costs():
    upstream = FakeUpstream()
    async with house_over(upstream, "deepseek") as house:
        wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}
        body = {"model": "deepseek/deepseek-v4-pro", "messages": HI, "response_format": wanted}
        answer = await house.post("/v1/chat/completions", body)
        assert answer.status == 400
        assert "response_format: the model's host does not take 'json_schema'" in str(answer.json())
        assert (list(await house.entries()), upstream.requests) == ([], [])


async def test_what_only_a_header_tells_is_metered():
    upstream = FakeUpstream()
    headers = {"fireworks-cached-prompt-tokens": "4"}
    upstream.reply(json=answer_of({"content": "ho"}), headers=headers)
    async with house_over(upstream, "fireworks") as house:
        model = "accounts/fireworks/models/kimi-k3"
        answer = await house.post("/v1/chat/completions", {"model": model, "messages": HI})
        assert answer.status == 200
        (entry,) = await house.entries()
    assert entry.end.meters == {"input_tokens": 5, "cache_read_tokens": 4, "output_tokens": 2}


async def test_models_behind_one_answer_are_in_the_ledger():
    upstream = FakeUpstream()
    models = [{"model": "a", "usage": USAGE}, {"model": "b", "usage": USAGE}]
    total = {"prompt_tokens": 18, "completion_tokens": 4, "total_tokens": 22}
    answer = answer_of({"content": "ho", "executed_tools": [{"index": 0, "type": "search"}]})
    upstream.reply(json={**answer, "usage": total, "usage_breakdown": {"models": models}})
    async with house_over(upstream, "groq") as house:
        body = {"model": "groq/groq/compound", "messages": HI}
        assert (await house.post("/v1/chat/completions", body)).status == 200
        assert upstream.last.json()["model"] == "groq/compound"
        (entry,) = await house.entries()
    assert entry.end.meters["web_search_requests"] == 1
    assert entry.status == "unpriced"
