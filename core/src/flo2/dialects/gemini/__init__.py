"""Google's generateContent API: requests, streams, plain answers, errors and token counts."""

from __future__ import annotations

from flo2.dialects.gemini.dialect import Gemini, GeminiCountTokens
from flo2.dialects.gemini.families import profile_of
from flo2.dialects.gemini.vocabulary import (
    MEDIA_IN_RESULTS,
    PLACEHOLDER,
    THINKING_MINIMAL,
    THINKING_OFF,
)

__all__ = [
    "MEDIA_IN_RESULTS",
    "PLACEHOLDER",
    "THINKING_MINIMAL",
    "THINKING_OFF",
    "Gemini",
    "GeminiCountTokens",
    "profile_of",
]
