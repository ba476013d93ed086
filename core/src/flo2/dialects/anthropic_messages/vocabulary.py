"""The fixed words of the Messages API that more than one module here needs.

Pure data. Imports: canonical.

Source: https://platform.claude.com/docs/en/api/messages and the types of the official SDK
(anthropic 2.13), both read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flo2.canonical import FinishReason

__all__ = [
    "BILLING_HEADER",
    "CITATION_TYPES",
    "FINISH_OF",
    "NAME",
    "STOP_REASON_OF",
]

NAME: Final = "anthropic.messages"

BILLING_HEADER: Final = "x-anthropic-billing-header"
"""How the system block begins that Claude Code writes for Anthropic's own accounting. It differs
between sessions and must not reach another provider's model (seen in Claude Code 2.1.330)."""

FINISH_OF: Final[Mapping[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "model_context_window_exceeded": "context_window",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
}

STOP_REASON_OF: Final[Mapping[FinishReason, str]] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "context_window": "model_context_window_exceeded",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
    "other": "end_turn",
}

CITATION_TYPES: Final = frozenset(
    {
        "char_location",
        "page_location",
        "content_block_location",
        "web_search_result_location",
        "search_result_location",
    }
)
"""What a `citations_delta` may carry; other dialects' annotations have no place in it."""
