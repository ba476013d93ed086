"""Cohere keeps the laws of every provider."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from flo2.testing import ProviderSuite
from flo2.testing.suites.sample import TEXT, UNKNOWN_FIELD, UNKNOWN_PART, Sample
from flo2_provider_cohere import Cohere, CohereChat, CohereEmbed

USAGE = {
    "billed_units": {"input_tokens": 25, "output_tokens": 9},
    "tokens": {"input_tokens": 541, "output_tokens": 12},
    "cached_tokens": 512,
}


def dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), dump({"type": kind, **fields}))


def delta(text: str) -> bytes:
    return event("content-delta", index=0, delta={"message": {"content": {"text": text}}})


CHAT = Sample(
    dialect=CohereChat(),
    request={
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Grüß dich 🌍"}, UNKNOWN_PART]},
        ],
        "max_tokens": 64,
        UNKNOWN_FIELD: {"depth": 1},
    },
    plain=dump(
        {
            "id": "1",
            "message": {"role": "assistant", "content": [{"type": "text", "text": TEXT}]},
            "finish_reason": "COMPLETE",
            "usage": USAGE,
        }
    ),
    error=dump({"id": "1", "message": "it failed"}),
    stream=b"".join(
        [
            event("message-start", id="1", delta={"message": {"role": "assistant", "content": []}}),
            event("content-start", index=0, delta={"message": {"content": {"type": "text"}}}),
            delta(TEXT[:6]),
            b": a comment\n\n",
            event("x-invented-event", depth=3),
            delta(TEXT[6:]),
            event("content-end", index=0),
            event("message-end", delta={"finish_reason": "COMPLETE", "usage": USAGE}),
            b"data: [DONE]\n\n",
        ]
    ),
    input_total=25,
    output_total=9,
)
EMBED = Sample(
    dialect=CohereEmbed(),
    request={"texts": ["Grüß dich 🌍"], "input_type": "search_query", UNKNOWN_FIELD: 1},
    plain=dump(
        {
            "id": "1",
            "embeddings": {"float": [[0.5, -0.25]]},
            "texts": ["Grüß dich 🌍"],
            "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 5}},
            "response_type": "embeddings_by_type",
        }
    ),
    error=CHAT.error,
    input_total=5,
)


class TestCohere(ProviderSuite):
    provider = Cohere
    samples: ClassVar[Mapping[str, Sample]] = {"cohere.chat": CHAT, "cohere.embed": EMBED}
