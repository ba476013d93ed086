"""Cohere's own wire formats: chat and embeddings of API v2."""

from __future__ import annotations

from flo2_provider_cohere.dialect.chat import CohereChat
from flo2_provider_cohere.dialect.embed import CohereEmbed

__all__ = ["CohereChat", "CohereEmbed"]
