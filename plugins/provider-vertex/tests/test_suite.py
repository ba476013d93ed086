"""Vertex AI keeps the laws of every provider, in all of its dialects."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from attrs import evolve

from flo2.dialects.splice import reshape
from flo2.testing import ProviderSuite
from flo2.testing.suites.samples import SAMPLES, TEXT, UNKNOWN_FIELD, UNKNOWN_PART, Sample
from flo2_provider_vertex import Vertex
from flo2_provider_vertex.claude import VertexCountTokens, VertexMessages, dressed
from flo2_provider_vertex.gemini import VertexGemini, VertexGeminiCount

USAGE = {
    "promptTokenCount": 25,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 7,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 34,
    "trafficType": "ON_DEMAND",
}


def dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def answer(text: str, finish: str | None = None) -> dict[str, Any]:
    ending = {} if finish is None else {"finishReason": finish}
    content = {"role": "model", "parts": [{"text": text}]}
    return {
        "candidates": [{"content": content, "index": 0, **ending}],
        "usageMetadata": USAGE,
        "modelVersion": "sample-1",
        "responseId": "r1",
    }


def event(value: Any) -> bytes:
    return b"data: " + dump(value) + b"\r\n\r\n"


GEMINI = Sample(
    dialect=VertexGemini(),
    request={
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "Grüß dich 🌍"}, UNKNOWN_PART]}],
        "generationConfig": {"maxOutputTokens": 64},
        UNKNOWN_FIELD: {"depth": 1},
    },
    plain=dump(answer(TEXT, "STOP")),
    error=dump({"error": {"code": 400, "message": "it failed", "status": "X"}}),
    stream=event(answer(TEXT[:6])) + b": note\r\n\r\n" + event(answer(TEXT[6:], "STOP")),
    input_total=25,
    output_total=9,
    in_url=True,
)
COUNT = Sample(
    dialect=VertexGeminiCount(),
    request={"contents": GEMINI.request["contents"]},
    plain=dump({"totalTokens": 25}),
    error=GEMINI.error,
    in_url=True,
)
MESSAGES = evolve(SAMPLES["anthropic.messages"], dialect=VertexMessages(), sent=dressed)
MESSAGES_COUNT = evolve(
    SAMPLES["anthropic.count_tokens"],
    dialect=VertexCountTokens(),
    sent=lambda body: reshape(body, drop=(), put={"anthropic_version": "vertex-2023-10-16"}),
)


class TestVertex(ProviderSuite):
    provider = Vertex
    options: ClassVar = {"project": "a-project"}
    samples: ClassVar = {
        sample.dialect.name: sample for sample in (GEMINI, COUNT, MESSAGES, MESSAGES_COUNT)
    }
