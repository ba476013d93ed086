"""Words of Cohere's API, and what they mean. Imports: flo2.

Source: https://docs.cohere.com/reference/chat, and the types of cohere-python 5 (read 2026-11-25).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flo2.canonical import FinishReason

__all__ = ["CHAT", "EMBED", "FINISH_OF", "PLAN", "WORD_OF"]

CHAT: Final = "cohere.chat"
EMBED: Final = "cohere.embed"
PLAN: Final[Mapping[str, bool]] = {"tool_plan": True}
"""Marks the reasoning that stands in `tool_plan`, so that it goes back there."""

FINISH_OF: Final[Mapping[str, FinishReason]] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop_sequence",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
}
WORD_OF: Final[Mapping[FinishReason, str]] = {
    "stop": "COMPLETE",
    "stop_sequence": "STOP_SEQUENCE",
    "length": "MAX_TOKENS",
    "context_window": "MAX_TOKENS",
    "tool_calls": "TOOL_CALL",
    "content_filter": "COMPLETE",
    "refusal": "COMPLETE",
    "pause": "COMPLETE",
    "other": "COMPLETE",
}
