"""Google's embeddings: `embedContent` for one input, `batchEmbedContents` for any number."""

from __future__ import annotations

from flo2.dialects.gemini_embed.dialect import GeminiBatchEmbed, GeminiEmbed

__all__ = ["GeminiBatchEmbed", "GeminiEmbed"]
