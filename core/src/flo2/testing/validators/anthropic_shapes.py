"""Shapes of Anthropic's Messages API: blocks, usage, errors.

Source: https://platform.claude.com/docs/en/api/messages and /errors (read 2026-11-25), the types of
anthropic-python 2.13, and recorded traffic.
Imports: testing.validators.
"""

from __future__ import annotations

from typing import Final

from flo2.testing.validators.shapes import (
    ANY,
    BOOL,
    COUNT,
    FILLED,
    OBJECT,
    TEXT,
    array,
    maybe,
    record,
    strictly,
    tagged,
    word,
)

__all__ = ["BLOCK", "CITATION", "ERROR", "STOP_REASONS", "USAGE", "USAGE_OF_DELTA"]

STOP_REASONS: Final = (
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "compaction",
    "refusal",
    "model_context_window_exceeded",
)
_ERRORS: Final = (
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "timeout_error",
    "api_error",
    "overloaded_error",
)
ERROR: Final = record(
    {
        "type": word("error"),
        "error": record({"type": strictly(word(*_ERRORS), TEXT), "message": TEXT}),
    },
    optional={"request_id": maybe(TEXT)},
)

_COUNTED: Final = {
    "cache_creation_input_tokens": maybe(COUNT),
    "cache_read_input_tokens": maybe(COUNT),
    "cache_creation": maybe(
        record({"ephemeral_5m_input_tokens": COUNT, "ephemeral_1h_input_tokens": COUNT})
    ),
    "output_tokens_details": maybe(OBJECT),
    "server_tool_use": maybe(record({}, optional={"web_search_requests": COUNT})),
    "service_tier": maybe(word("standard", "priority", "batch")),
}
USAGE: Final = record({"input_tokens": COUNT, "output_tokens": COUNT}, optional=_COUNTED)
USAGE_OF_DELTA: Final = record(
    {"output_tokens": COUNT}, optional={"input_tokens": maybe(COUNT), **_COUNTED}
)

_PLACES: Final = {
    "char_location": {
        "document_index": COUNT,
        "start_char_index": COUNT,
        "end_char_index": COUNT,
    },
    "page_location": {
        "document_index": COUNT,
        "start_page_number": COUNT,
        "end_page_number": COUNT,
    },
    "content_block_location": {
        "document_index": COUNT,
        "start_block_index": COUNT,
        "end_block_index": COUNT,
    },
    "web_search_result_location": {"url": TEXT, "encrypted_index": TEXT},
    "search_result_location": {
        "search_result_index": COUNT,
        "start_block_index": COUNT,
        "end_block_index": COUNT,
    },
}
CITATION: Final = tagged(
    "type", {kind: record({"cited_text": TEXT, **where}) for kind, where in _PLACES.items()}
)

_CALL: Final = {"id": FILLED, "name": FILLED, "input": OBJECT}
_RESULT: Final = record({"tool_use_id": FILLED, "content": ANY})
BLOCK: Final = tagged(
    "type",
    {
        "text": record({"text": TEXT}, optional={"citations": maybe(array(CITATION))}),
        "thinking": record({"thinking": TEXT, "signature": TEXT}),
        "redacted_thinking": record({"data": FILLED}),
        "tool_use": record(_CALL),
        "server_tool_use": record(_CALL),
        "mcp_tool_use": record({**_CALL, "server_name": TEXT}),
        "mcp_tool_result": record({"tool_use_id": FILLED, "content": ANY, "is_error": BOOL}),
        "mcp_tool_listing": OBJECT,
        "web_search_tool_result": _RESULT,
        "web_fetch_tool_result": _RESULT,
        "tool_search_tool_result": _RESULT,
        "advisor_tool_result": _RESULT,
        "code_execution_tool_result": _RESULT,
        "bash_code_execution_tool_result": _RESULT,
        "text_editor_code_execution_tool_result": _RESULT,
        "container_upload": record({"file_id": FILLED}),
        "compaction": record({"content": maybe(TEXT)}),
        "fallback": record({"from": OBJECT, "to": OBJECT}),
    },
    others=strictly(record({"type": word("a type that the API documents")}), OBJECT),
)
