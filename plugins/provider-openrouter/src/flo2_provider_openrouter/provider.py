"""What differs at OpenRouter from a host that only speaks OpenAI's API. Imports: flo2."""

from __future__ import annotations

from typing import ClassVar

from attrs import evolve

from flo2 import Call, Facts, OpenAICompatible, ReadUsage
from flo2.openai_compatible import COMPLETIONS, RESPONSES, TRANSCRIPTIONS
from flo2_provider_openrouter.usage import reader

__all__ = ["OpenRouter"]


class OpenRouter(OpenAICompatible):
    """OpenRouter's API (https://openrouter.ai/docs/api/reference/overview, read 2026-11-25).

    Its models are other providers' and named `vendor/model`, so a call to one is
    `openrouter/vendor/model`: flo2 splits at the first slash only. It has no bare names.
    """

    kind: ClassVar[str] = "openrouter"
    base_url: ClassVar[str] = "https://openrouter.ai/api/v1"
    facts: Facts = evolve(
        OpenAICompatible.facts,
        # Responses come second, as they are in beta here
        # (https://openrouter.ai/docs/client-sdks/typescript/sdks/responses, read 2026-11-25).
        dialects=(*OpenAICompatible.facts.dialects, RESPONSES, COMPLETIONS, TRANSCRIPTIONS),
        key_env="OPENROUTER_API_KEY",
        reseller=True,
        # It stops where the provider behind it does, and which one that is, only the answer says:
        # OpenAI, Anthropic and others stop, Google, Groq, Mistral and others run to their end.
        cancel_semantics="unknown",
        cancel_source="https://openrouter.ai/docs/api-reference/streaming (read 2026-11-25)",
        error_rule=(
            "no charge for an answer without output that ended in an error: "
            "https://openrouter.ai/docs/guides/features/zero-completion-insurance "
            "(read 2026-11-25)"
        ),
    )
    reply_headers: ClassVar[tuple[str, ...]] = ("x-generation-id",)

    def usage_reader(self, call: Call) -> ReadUsage | None:
        """Give OpenRouter's own reader, on top of the dialect's."""
        return reader(call.dialect.read_usage)
