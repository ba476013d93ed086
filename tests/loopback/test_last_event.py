"""Clients hang up at their dialect's last event, before HTTP's end: all is settled by then."""

from __future__ import annotations

import json

import anyio
import pytest

from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing.harness import running
from flo2.testing.upstream import FakeUpstream
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

ASK = {
    "model": "acme/m1",
    "max_tokens": 9,
    "stream": True,
    "messages": [{"role": "user", "content": "Hello"}],
}


def frames():
    def frame(**fields):
        return b"data: " + json.dumps({"id": "c", "model": "m1", **fields}).encode() + b"\n\n"

    yield frame(choices=[{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}])
    yield frame(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    yield frame(choices=[], usage={"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11})
    yield b"data: [DONE]\n\n"


async def watched(dialect, last, *more):
    """Call, leave at the piece that holds `last`; the entries then, and the receipt."""
    upstream = FakeUpstream()
    upstream.stream([*frames(), *more])
    config = {"providers": {"acme": {"kind": "openai-compatible", "base_url": "http://127.0.0.1"}}}
    transport = Wire(transport=upstream.transport())
    async with running(config, credentials=["acme"], wire=transport) as house:
        ledger = house.gateway.runtime.ledger
        async with house.gateway.call(house.issued, dialect, json.dumps(ASK).encode()) as answer:
            async for data in answer.stream():
                if last in data:
                    break
            seen = await ledger.receipt("default", answer.request_id)
        receipt = await ledger.receipt("default", answer.request_id)
        await upstream.quiet()
    return [entry.status for entry in seen.entries], receipt


@pytest.mark.parametrize(
    ("dialect", "last"),
    [(OpenAIChat(), b"data: [DONE]\n\n"), (AnthropicMessages(), b"message_stop")],
    ids=["passthrough", "rendered"],
)
async def test_who_has_seen_the_last_event_has_a_settled_answer(dialect, last):
    # Passed through, the body does not end, so there is nothing but the last event to go by.
    never = [anyio.Event()] if dialect.name == "openai.chat" else []
    seen, receipt = await watched(dialect, last, *never)
    assert seen == ["unpriced"]
    assert [(entry.status, len(entry.ends)) for entry in receipt.entries] == [("unpriced", 1)]
    assert receipt.exchange.client == "served"


async def test_who_leaves_before_the_last_event_has_left():
    seen, receipt = await watched(OpenAIChat(), b"Hi")
    assert seen == ["open"]
    assert receipt.exchange.client == "disconnected"
