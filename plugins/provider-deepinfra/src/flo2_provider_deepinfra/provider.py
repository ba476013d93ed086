"""What differs at DeepInfra from a host that only speaks OpenAI's API. Imports: flo2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import evolve

from flo2 import ChatHost, Facts, ListedFacts, OpenAICompatible
from flo2.openai_compatible import COMPLETIONS, IMAGES, SPEECH, TRANSCRIPTIONS, TRANSLATIONS

__all__ = ["DeepInfra"]


class DeepInfra(OpenAICompatible):
    """DeepInfra's API (https://deepinfra.com/docs/openai_api, read 2026-11-25).

    Its usage states an `estimated_cost`; it stays in the evidence, as an estimate is no bill.
    """

    kind: ClassVar[str] = "deepinfra"
    example_model: ClassVar[str] = "openai/gpt-oss-20b"
    base_url: ClassVar[str] = "https://api.deepinfra.com/v1/openai"
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
        # Its own examples say DEEPINFRA_TOKEN; what its integrations export is this one
        # (https://vercel.com/marketplace/deepinfra/api-token, read 2026-11-25).
        key_env="DEEPINFRA_API_KEY",
        cancel_semantics="stops",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists DeepInfra among the "
            "providers that stop processing and billing on abort (read 2026-11-25)"
        ),
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; DeepInfra "
            "publishes none of its own, looked for 2026-11-25)"
        ),
    )
    facts_in: ClassVar[tuple[str, ...]] = ("flo2_provider_deepinfra",)
    # Only `max_tokens` is documented (https://docs.deepinfra.com/chat/overview, max output tokens,
    # read 2026-11-25), and a bound that nobody keeps is a bill without one.
    rename: ClassVar[Mapping[str, str]] = {"max_completion_tokens": "max_tokens"}
    # "Input should be 'system', 'user', 'assistant', or 'tool'" (422, earendil-works/pi#1578, read
    # 2026-11-25).
    chat_host: ClassVar[ChatHost] = ChatHost(developer=False)

    def said_of(self, item: Mapping[str, Any]) -> ListedFacts:
        """Read `metadata`: its `context_length` and `max_tokens`.

        Source: src/api/providers/fetchers/deepinfra.ts of RooCodeInc/Roo-Code, read 2026-11-25.
        """
        told = item.get("metadata")
        if not isinstance(told, dict):
            return ListedFacts()
        return ListedFacts(
            context_window=told.get("context_length"), max_output_tokens=told.get("max_tokens")
        )
