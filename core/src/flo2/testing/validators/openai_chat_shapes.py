"""Shapes of OpenAI's Chat Completions API: answers and chunks.

Source: https://platform.openai.com/docs/api-reference/chat (object, streaming; read 2026-11-25),
the types of openai-python 3.57, and recorded traffic.
Imports: testing.validators.
"""

from __future__ import annotations

from typing import Final

from flo2.testing.validators.openai_usage import LOGPROBS
from flo2.testing.validators.shapes import (
    COUNT,
    FILLED,
    INT,
    OBJECT,
    TEXT,
    array,
    maybe,
    record,
    strictly,
    tagged,
    word,
)

__all__ = ["ANSWER", "CHUNK"]

_FINISHES: Final = ("stop", "length", "tool_calls", "content_filter", "function_call")
_FINISH: Final = word(*_FINISHES)
_FUNCTION_CALL: Final = record({"name": TEXT, "arguments": TEXT})
_TOOL_CALL: Final = tagged(
    "type",
    {
        "function": record({"id": TEXT, "function": record({"name": FILLED, "arguments": TEXT})}),
        "custom": record({"id": FILLED, "custom": record({"name": FILLED, "input": TEXT})}),
    },
)
_ANNOTATION: Final = strictly(
    tagged(
        "type",
        {
            "url_citation": record(
                {
                    "url_citation": record(
                        {"url": TEXT, "title": TEXT, "start_index": COUNT, "end_index": COUNT}
                    )
                }
            )
        },
    )
)
# Mistral leaves the type out, and the thinking of its content is a list of parts; OpenRouter once
# left out the arguments (recordings of each).
_LOOSE_CALL: Final = record(
    {"id": maybe(TEXT)},
    optional={"function": record({"name": TEXT}, optional={"arguments": TEXT})},
)
_MESSAGE: Final = record(
    {"role": word("assistant")},
    strict={"content": strictly(maybe(TEXT)), "refusal": maybe(TEXT)},
    optional={
        "tool_calls": strictly(array(_TOOL_CALL, filled=True), maybe(array(_LOOSE_CALL))),
        "function_call": maybe(_FUNCTION_CALL),
        "annotations": maybe(array(_ANNOTATION)),
        "audio": maybe(record({"id": TEXT, "data": TEXT, "expires_at": INT, "transcript": TEXT})),
    },
)
_HEAD: Final = {"id": strictly(FILLED, TEXT), "created": COUNT, "model": strictly(FILLED, TEXT)}
ANSWER: Final = record(
    {
        **_HEAD,
        "object": word("chat.completion"),
        "choices": array(
            record(
                {"index": COUNT, "message": _MESSAGE},
                strict={"finish_reason": strictly(_FINISH, maybe(TEXT))},
                optional={"logprobs": maybe(LOGPROBS)},
            ),
            filled=True,
        ),
    },
    strict={"usage": OBJECT},
    optional={"service_tier": maybe(TEXT), "system_fingerprint": maybe(TEXT)},
)

_CALL_PIECE: Final = record(
    {"index": COUNT},
    optional={
        "id": TEXT,
        "type": word("function", "custom"),
        "function": record({}, optional={"name": TEXT, "arguments": TEXT}),
        "custom": record({}, optional={"name": TEXT, "input": TEXT}),
    },
)
_LOOSE_PIECE: Final = record(
    {},
    optional={
        "index": maybe(COUNT),
        "id": maybe(TEXT),
        "function": record({}, optional={"name": maybe(TEXT), "arguments": maybe(TEXT)}),
    },
)
_DELTA: Final = record(
    {},
    optional={
        "role": strictly(word("assistant"), maybe(TEXT)),
        "content": strictly(maybe(TEXT)),
        "refusal": maybe(TEXT),
        "tool_calls": strictly(array(_CALL_PIECE, filled=True), maybe(array(_LOOSE_PIECE))),
        "function_call": maybe(record({}, optional={"name": TEXT, "arguments": TEXT})),
        "annotations": maybe(array(_ANNOTATION)),
        "audio": maybe(record({}, optional={"id": TEXT, "data": TEXT, "transcript": TEXT})),
    },
)
CHUNK: Final = record(
    {
        **_HEAD,
        "object": strictly(word("chat.completion.chunk"), TEXT),
        "choices": array(
            record(
                {"index": COUNT, "delta": _DELTA},
                optional={"logprobs": maybe(LOGPROBS)},
                strict={"finish_reason": strictly(maybe(_FINISH), maybe(TEXT))},
            )
        ),
    },
    optional={
        "usage": maybe(OBJECT),
        "service_tier": maybe(TEXT),
        "system_fingerprint": maybe(TEXT),
    },
)
