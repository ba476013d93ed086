"""OpenAI Completions: the older API, where a prompt is one text that is continued."""

from __future__ import annotations

from flo2.dialects.openai_completions.dialect import OpenAICompletions

__all__ = ["OpenAICompletions"]
