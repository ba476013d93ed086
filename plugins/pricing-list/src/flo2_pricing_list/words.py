"""What genai-prices calls providers and prices, in our words.

Pure data. Imports: nothing of this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["AS_TEXT", "KINDS", "METERS"]

METERS: Final[Mapping[str, tuple[tuple[str, ...], int]]] = {
    "input_mtok": (("input_tokens",), 1_000_000),
    "output_mtok": (("output_tokens",), 1_000_000),
    "cache_read_mtok": (("cache_read_tokens",), 1_000_000),
    # A write without a lifetime, and the usual one of five minutes.
    "cache_write_mtok": (("cache_write_tokens", "cache_write_5m_tokens"), 1_000_000),
    "cache_write_1h_mtok": (("cache_write_1h_tokens",), 1_000_000),
    "input_audio_mtok": (("input_audio_tokens",), 1_000_000),
    "output_audio_mtok": (("output_audio_tokens",), 1_000_000),
    "cache_audio_read_mtok": (("cache_read_audio_tokens",), 1_000_000),
    "input_image_mtok": (("input_image_tokens",), 1_000_000),
    "output_image_mtok": (("output_image_tokens",), 1_000_000),
    "cache_image_read_mtok": (("cache_read_image_tokens",), 1_000_000),
    "input_video_mtok": (("input_video_tokens",), 1_000_000),
    "web_searches_kcount": (("web_search_requests",), 1000),
    "input_audio_hours": (("input_seconds",), 3600),
    "input_mchars": (("input_characters",), 1_000_000),
    "input_document_kpages": (("input_pages",), 1000),
    "input_annotated_document_kpages": (("input_annotated_pages",), 1000),
}

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "aws": ("bedrock",),
    # Gemini costs the same at either of Google's APIs, on demand and at the global endpoint
    # (https://cloud.google.com/vertex-ai/generative-ai/pricing, read 2026-11).
    "google": ("google", "google-vertex"),
    "x-ai": ("xai",),
}
"""Their id of a provider → our kinds that its prices are for; any other id is the kind itself."""

# Gemini's pages price text, images and video as one ("text / image / video"), and audio as well
# where they name no price for it (https://ai.google.dev/gemini-api/docs/pricing, read 2026-11).
AS_TEXT: Final[Mapping[str, Mapping[str, str]]] = {
    "input_mtok": {
        "input_image_mtok": "input_image_tokens",
        "input_video_mtok": "input_video_tokens",
        "input_audio_mtok": "input_audio_tokens",
    },
    "cache_read_mtok": {
        "cache_image_read_mtok": "cache_read_image_tokens",
        "cache_audio_read_mtok": "cache_read_audio_tokens",
    },
}
"""Price of text → prices that stand apart from it, and the meters that pay it where none does."""
