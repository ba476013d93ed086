"""What OpenAI's dialects beside chat and embeddings share; each of them is a module of its own."""

from __future__ import annotations

from flo2.dialects.openai_operation.answer import AnswerDecoder
from flo2.dialects.openai_operation.codec import OpenAIOperation
from flo2.dialects.openai_operation.events import EventDecoder

__all__ = ["AnswerDecoder", "EventDecoder", "OpenAIOperation"]
