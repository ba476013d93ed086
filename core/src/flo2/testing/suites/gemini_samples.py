"""Requests and answers in Google's dialects, small and awkward, for the provider suite.

Written for this project; no recorded traffic is in them. Imports: dialects, testing.suites.sample.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flo2.dialects.gemini import Gemini, GeminiCountTokens
from flo2.dialects.gemini_embed import GeminiBatchEmbed, GeminiEmbed
from flo2.testing.suites.sample import TEXT, UNKNOWN_FIELD, UNKNOWN_PART, Sample, dump

__all__ = ["GEMINI_SAMPLES"]

_USAGE = {
    "promptTokenCount": 25,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 7,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 34,
}


def _answer(text: str, finish: str | None = None) -> dict[str, Any]:
    ending = {} if finish is None else {"finishReason": finish}
    content = {"role": "model", "parts": [{"text": text}]}
    return {
        "candidates": [{"content": content, "index": 0, **ending}],
        "usageMetadata": _USAGE,
        "modelVersion": "sample-1",
        "responseId": "r1",
    }


def _event(value: Any) -> bytes:
    return b"data: " + dump(value) + b"\r\n\r\n"


_ERROR = dump({"error": {"code": 400, "message": "it failed", "status": "INVALID_ARGUMENT"}})
_CONTENT = Sample(
    dialect=Gemini(),
    request={
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "Grüß dich 🌍"}, UNKNOWN_PART]}],
        "generationConfig": {"maxOutputTokens": 64},
        UNKNOWN_FIELD: {"depth": 1},
    },
    plain=dump(_answer(TEXT, "STOP")),
    error=_ERROR,
    stream=_event(_answer(TEXT[:6])) + b": note\r\n\r\n" + _event(_answer(TEXT[6:], "STOP")),
    input_total=25,
    output_total=9,
    in_url=True,
)
_COUNT = Sample(
    dialect=GeminiCountTokens(),
    request={"contents": _CONTENT.request["contents"]},
    plain=dump({"totalTokens": 25}),
    error=_ERROR,
    in_url=True,
)

_EMBEDDED = {"content": {"parts": [{"text": "Grüß dich 🌍"}]}, UNKNOWN_FIELD: 1}
_EMBED_USAGE = {"promptTokenCount": 5}
_EMBED = Sample(
    dialect=GeminiEmbed(),
    request=_EMBEDDED,
    plain=dump({"embedding": {"values": [0.5, -0.25]}, "usageMetadata": _EMBED_USAGE}),
    error=_ERROR,
    input_total=5,
    in_url=True,
)
_BATCH = Sample(
    dialect=GeminiBatchEmbed(),
    request={"requests": [{"model": "models/as-the-client-says", **_EMBEDDED}]},
    plain=dump({"embeddings": [{"values": [0.5, -0.25]}], "usageMetadata": _EMBED_USAGE}),
    error=_ERROR,
    input_total=5,
    in_url=True,
    sent=lambda body: dump(json.loads(body)),
)

GEMINI_SAMPLES: Mapping[str, Sample] = {
    sample.dialect.name: sample for sample in (_CONTENT, _COUNT, _EMBED, _BATCH)
}
"""By the dialect's name."""
