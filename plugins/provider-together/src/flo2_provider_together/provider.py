"""What differs at Together from a host that only speaks OpenAI's API. Imports: flo2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from attrs import evolve

from flo2 import Facts, OpenAICompatible
from flo2.openai_compatible import COMPLETIONS, IMAGES, SPEECH, TRANSCRIPTIONS, TRANSLATIONS

__all__ = ["Together"]


class Together(OpenAICompatible):
    """Together's API (https://docs.together.ai/docs/openai-api-compatibility, read 2026-11-25)."""

    kind: ClassVar[str] = "together"
    example_model: ClassVar[str] = "openai/gpt-oss-20b"
    base_url: ClassVar[str] = "https://api.together.ai/v1"
    facts: Facts = evolve(
        OpenAICompatible.facts,
        dialects=(
            *OpenAICompatible.facts.dialects,
            COMPLETIONS,
            IMAGES,
            SPEECH,
            TRANSCRIPTIONS,
            TRANSLATIONS,
        ),
        key_env="TOGETHER_API_KEY",
        cancel_semantics="stops",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists Together among the providers "
            "that stop processing and billing on abort (read 2026-11-25)"
        ),
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; Together "
            "publishes none of its own, looked for 2026-11-25)"
        ),
    )
    facts_in: ClassVar[tuple[str, ...]] = ("flo2_provider_together",)
    # Only `max_tokens` is documented (https://docs.together.ai/reference/chat-completions-1, read
    # 2026-11-25), and a bound that nobody keeps is a bill without one.
    rename: ClassVar[Mapping[str, str]] = {"max_completion_tokens": "max_tokens"}
    # 1.25× the standard rates (https://docs.together.ai/docs/serverless/geo-specific-inference,
    # read 2026-11-25).
    regions: ClassVar[Mapping[str, str]] = {
        "ca-api.together.ai": "ca",
        "us-api.together.ai": "us",
    }
    # Requests are in `x-ratelimit-…`, tokens here (https://docs.together.ai/docs/rate-limits, read
    # 2026-11-25).
    reply_headers: ClassVar[tuple[str, ...]] = ("x-tokenlimit-",)
