"""OpenAI's Responses API: the wire format of Codex and of OpenAI's newer SDKs."""

from __future__ import annotations

from flo2.dialects.openai_responses.dialect import OpenAIInputTokens, OpenAIResponses

__all__ = ["OpenAIInputTokens", "OpenAIResponses"]
