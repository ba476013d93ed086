"""OpenAI Chat Completions: the wire format of OpenAI and of most compatible hosts."""

from __future__ import annotations

from flo2.dialects.openai_chat.dialect import OpenAIChat

__all__ = ["OpenAIChat"]
