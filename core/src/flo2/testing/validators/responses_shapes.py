"""Shapes of OpenAI's Responses API: items, parts, usage, the response itself.

Source: https://platform.openai.com/docs/api-reference/responses/object (read 2026-11-25), the types
of openai-python 3.57, and recorded traffic.
Imports: testing.validators.
"""

from __future__ import annotations

from typing import Final

from flo2.testing.validators.shapes import (
    ANY,
    BOOL,
    COUNT,
    FILLED,
    NUMBER,
    OBJECT,
    TEXT,
    array,
    maybe,
    record,
    strictly,
    tagged,
    word,
)

__all__ = ["ITEM", "PART", "RESPONSE", "TERMINAL_STATUS", "USAGE"]

TERMINAL_STATUS: Final = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
}
"""The events that end a stream, and the status of the response they carry."""

_STATUS: Final = word("completed", "failed", "in_progress", "cancelled", "queued", "incomplete")
_ITEM_STATUS: Final = word(
    "completed",
    "in_progress",
    "incomplete",
    "searching",
    "generating",
    "interpreting",
    "failed",
    "calling",
)

_ANNOTATION: Final = tagged(
    "type",
    {
        "url_citation": record(
            {"url": TEXT, "title": TEXT, "start_index": COUNT, "end_index": COUNT}
        ),
        "file_citation": record({"file_id": TEXT, "index": COUNT}, strict={"filename": TEXT}),
        "container_file_citation": record(
            {"container_id": TEXT, "file_id": TEXT, "start_index": COUNT, "end_index": COUNT}
        ),
        "file_path": record({"file_id": TEXT, "index": COUNT}),
    },
)
PART: Final = tagged(
    "type",
    {
        "output_text": record(
            {"text": TEXT},
            strict={"annotations": array(strictly(_ANNOTATION, OBJECT))},
            optional={"logprobs": maybe(array(OBJECT))},
        ),
        "refusal": record({"refusal": TEXT}),
        "reasoning_text": record({"text": TEXT}),
        "summary_text": record({"text": TEXT}),
    },
)
_CALL: Final = {"id": strictly(FILLED, ANY), "call_id": FILLED, "name": FILLED}
ITEM: Final = tagged(
    "type",
    {
        "message": record(
            {"role": word("assistant"), "content": array(PART)},
            strict={"id": FILLED, "status": _ITEM_STATUS},
        ),
        "function_call": record({**_CALL, "arguments": TEXT}, strict={"status": _ITEM_STATUS}),
        "custom_tool_call": record({**_CALL, "input": TEXT}, strict={"status": _ITEM_STATUS}),
        "reasoning": record(
            {"summary": array(PART)},
            strict={"id": FILLED},
            optional={"content": maybe(array(PART)), "encrypted_content": maybe(TEXT)},
        ),
    },
    others=record({"type": FILLED}, strict={"id": FILLED}),
)

USAGE: Final = record(
    {"input_tokens": COUNT, "output_tokens": COUNT, "total_tokens": COUNT},
    strict={
        "input_tokens_details": record({"cached_tokens": COUNT}),
        "output_tokens_details": record({"reasoning_tokens": COUNT}),
    },
)
RESPONSE: Final = record(
    {
        "id": FILLED,
        "object": word("response"),
        "created_at": NUMBER,
        "model": strictly(FILLED, TEXT),
        "output": array(ITEM),
    },
    strict={
        "status": _STATUS,
        "parallel_tool_calls": BOOL,
        "tool_choice": ANY,
        "tools": array(OBJECT),
    },
    optional={
        "error": maybe(record({"message": TEXT}, strict={"code": TEXT})),
        "incomplete_details": maybe(record({"reason": TEXT})),
        "usage": maybe(USAGE),
        "previous_response_id": maybe(TEXT),
        "service_tier": maybe(TEXT),
    },
)
