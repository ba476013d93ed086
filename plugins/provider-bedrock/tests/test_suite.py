"""Bedrock keeps the laws of every provider, in both of its dialects."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, ClassVar

from attrs import evolve

from flo2.dialects.sse import SSEParser
from flo2.testing import ProviderSuite
from flo2.testing.suites.sample import TEXT, UNKNOWN_FIELD, UNKNOWN_PART, Sample
from flo2.testing.suites.samples import SAMPLES
from flo2_provider_bedrock import Bedrock
from flo2_provider_bedrock.converse import BedrockConverse
from flo2_provider_bedrock.count import BedrockCountTokens, wrapped
from flo2_provider_bedrock.eventstream import encode_message
from flo2_provider_bedrock.invoke import BedrockMessages, dressed

USAGE = {
    "inputTokens": 21,
    "outputTokens": 9,
    "totalTokens": 34,
    "cacheReadInputTokens": 4,
    "cacheWriteInputTokens": 0,
    "serverToolUsage": {},
}
ERROR = b'{"message":"it failed"}'


def dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(kind: str, **fields: Any) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return encode_message(headers, dump({**fields, "p": "abc"}))


def delta(text: str) -> bytes:
    return event("contentBlockDelta", contentBlockIndex=0, delta={"text": text})


def chunk(data: bytes) -> bytes:
    """Wrap one event of Anthropic's as `invoke-with-response-stream` does."""
    return event("chunk", bytes=b64encode(data).decode())


CONVERSE = Sample(
    dialect=BedrockConverse(),
    request={
        "system": [{"text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"text": "Grüß dich 🌍"}, UNKNOWN_PART]}],
        "inferenceConfig": {"maxTokens": 64},
        UNKNOWN_FIELD: {"depth": 1},
    },
    plain=dump(
        {
            "output": {"message": {"role": "assistant", "content": [{"text": TEXT}]}},
            "stopReason": "end_turn",
            "usage": USAGE,
            "metrics": {"latencyMs": 7},
        }
    ),
    error=ERROR,
    stream=b"".join(
        [
            event("messageStart", role="assistant"),
            delta(TEXT[:6]),
            event("xInventedEvent", depth=3),
            delta(TEXT[6:]),
            event("contentBlockStop", contentBlockIndex=0),
            event("messageStop", stopReason="end_turn"),
            event("metadata", usage=USAGE, metrics={"latencyMs": 7}),
        ]
    ),
    input_total=25,
    output_total=9,
    in_url=True,
)

_ANTHROPIC = SAMPLES["anthropic.messages"]
_FRAMES = SSEParser().feed(_ANTHROPIC.stream)
MESSAGES = evolve(
    _ANTHROPIC,
    dialect=BedrockMessages(),
    error=ERROR,
    stream=b"".join(chunk(frame.data) for frame in _FRAMES),
    sent=dressed,
    shown=_ANTHROPIC.stream,
)


COUNT = evolve(
    SAMPLES["anthropic.count_tokens"],
    dialect=BedrockCountTokens(),
    plain=b'{"inputTokens":25}',
    error=ERROR,
    sent=wrapped,
    shown=b'{"input_tokens":25}',
)


class TestBedrock(ProviderSuite):
    provider = Bedrock
    model = "eu.anthropic.claude-opus-4-5"
    samples: ClassVar = {sample.dialect.name: sample for sample in (CONVERSE, MESSAGES, COUNT)}
