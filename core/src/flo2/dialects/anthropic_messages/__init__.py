"""Anthropic's Messages API: requests, streams, plain answers, errors and token counts."""

from __future__ import annotations

from flo2.dialects.anthropic_messages.dialect import AnthropicCountTokens, AnthropicMessages

__all__ = ["AnthropicCountTokens", "AnthropicMessages"]
