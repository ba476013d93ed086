"""What differs at Fireworks from a host that only speaks OpenAI's API. Imports: flo2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from attrs import evolve

from flo2 import Call, Decoder, Facts, ModelFacts, OpenAICompatible, Usage
from flo2.openai_compatible import CHAT, COMPLETIONS

__all__ = ["Fireworks"]

_OWN: Final = "accounts/fireworks/models/"
_CACHED: Final = "fireworks-cached-prompt-tokens"


class Fireworks(OpenAICompatible):
    """Fireworks' API (https://docs.fireworks.ai/tools-sdks/openai-compatibility, read 2026-11-25).

    Its models are named `accounts/<account>/models/<model>`.
    """

    kind: ClassVar[str] = "fireworks"
    example_model: ClassVar[str] = "accounts/fireworks/models/gpt-oss-20b"
    base_url: ClassVar[str] = "https://api.fireworks.ai/inference/v1"
    facts: Facts = evolve(
        OpenAICompatible.facts,
        dialects=(*OpenAICompatible.facts.dialects, COMPLETIONS),
        key_env="FIREWORKS_API_KEY",
        cancel_semantics="stops",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists Fireworks among the "
            "providers that stop processing and billing on abort (read 2026-11-25)"
        ),
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; Fireworks "
            "publishes none of its own, looked for 2026-11-25)"
        ),
    )
    facts_in: ClassVar[tuple[str, ...]] = ("flo2_provider_fireworks",)
    # "US Only Serverless" (https://docs.fireworks.ai/tools-sdks/anthropic-compatibility, read
    # 2026-11-25); whether it costs the same is not said there.
    regions: ClassVar[Mapping[str, str]] = {"us.api.fireworks.ai": "us"}
    reply_headers: ClassVar[tuple[str, ...]] = ("fireworks-", "x-request-id")

    def decoder_of(self, call: Call, headers: Mapping[str, str]) -> Decoder:
        """Read cached tokens from the headers: not every body tells them.

        "Fireworks reports cache info in HTTP headers, not the response body"
        (mozilla-ai/any-llm#796, https://docs.fireworks.ai/guides/prompt-caching); newer models tell
        it in `prompt_tokens_details` too (read 2026-11-25). The two must agree.
        """
        said = headers.get(_CACHED, "")
        if not (said.isascii() and said.isdecimal()) or call.dialect.name != CHAT.name:
            return super().decoder_of(call, headers)
        cached = int(said)

        def read_usage(raw: Mapping[str, Any]) -> Usage:
            usage = CHAT.read_usage({**raw, "cached_tokens": cached})
            return evolve(usage, raw={**raw, _CACHED: cached})

        return self.decoder(call, self.regional(read_usage))

    def describe(self, model: str) -> ModelFacts | None:
        """Give the facts of a model that Fireworks itself serves."""
        return super().describe(model.removeprefix(_OWN))

    def knows(self, model: str) -> bool:
        """Say whether a bare model name is Fireworks'."""
        return model.startswith("accounts/")
