"""OpenAI Embeddings: the wire format of OpenAI and of most hosts of embedding models."""

from __future__ import annotations

from flo2.dialects.openai_embeddings.answer import wants_base64, with_base64
from flo2.dialects.openai_embeddings.dialect import OpenAIEmbeddings

__all__ = ["OpenAIEmbeddings", "wants_base64", "with_base64"]
