"""The fixed words of the generateContent API that more than one module here needs.

Pure data. Imports: canonical.

Source: https://ai.google.dev/api/generate-content and the types of the official SDK (google-genai
3.6.1), both read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flo2.canonical import FinishReason

__all__ = [
    "FINISH_OF",
    "MEDIA_IN_RESULTS",
    "NAME",
    "PLACEHOLDER",
    "THINKING_MINIMAL",
    "THINKING_OFF",
    "WORD_OF",
]

NAME: Final = "gemini"

PLACEHOLDER: Final = "skip_thought_signature_validator"
"""Gemini 3 and newer refuse a history in which the first call of a turn has no `thoughtSignature`.
For "transferring a trace from a different model" the documentation gives this value, which skips
the check (https://ai.google.dev/gemini-api/docs/thought-signatures, FAQ, read 2026-11-25). As a
word of `Profile.drops` it says that a model checks no signatures and needs none."""

MEDIA_IN_RESULTS: Final = "functionResponse.parts"
"""As a word of `Profile.drops`: the model takes no media inside a function response (before Gemini
3: https://ai.google.dev/gemini-api/docs/function-calling, "Multimodal function responses", read
2026-11-25); they then stand beside it, in the same turn."""

THINKING_MINIMAL: Final = "thinkingLevel.MINIMAL"
"""As a word of `Profile.drops`: the least that the model can be asked to think is `LOW`."""

THINKING_OFF: Final = "thinkingConfig.off"
"""As a word of `Profile.drops`: the model always thinks; asked not to, it thinks least."""

FINISH_OF: Final[Mapping[str, FinishReason]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "CONTINUATION": "pause",
}
"""All others mean that no answer came about and no filter is to blame: `other`."""

WORD_OF: Final[Mapping[FinishReason, str]] = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "length": "MAX_TOKENS",
    "context_window": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "STOP",
    "other": "OTHER",
}
