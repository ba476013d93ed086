"""What differs at OpenRouter from a host that only speaks OpenAI's API. Imports: flo2."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Final

from attrs import evolve

from flo2 import Call, Facts, ListedFacts, ModelInfo, OpenAICompatible, ReadUsage
from flo2.model_lists import abilities_among, modalities
from flo2.money import text
from flo2.openai_compatible import COMPLETIONS, RESPONSES, TRANSCRIPTIONS
from flo2_provider_openrouter.usage import reader

__all__ = ["OpenRouter"]

# What `supported_parameters` would name if a model had it (https://openrouter.ai/docs/models, read
# 2026-11-25).
_TOLD: Final = frozenset({"tools", "json_schema", "reasoning", "logprobs", "parallel_tools"})
_PRICES: Final = {"input_tokens": "prompt", "output_tokens": "completion"}
_MILLION: Final = 1_000_000


class OpenRouter(OpenAICompatible):
    """OpenRouter's API (https://openrouter.ai/docs/api/reference/overview, read 2026-11-25).

    Its models are other providers' and named `vendor/model`, so a call to one is
    `openrouter/vendor/model`: flo2 splits at the first slash only. It has no bare names.
    """

    kind: ClassVar[str] = "openrouter"
    example_model: ClassVar[str] = "openai/gpt-oss-20b"
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

    def listed(self, item: Mapping[str, Any]) -> ModelInfo:
        """Read one entry of the list, which tells names and prices as well."""
        return evolve(
            super().listed(item), display_name=item.get("name"), prices=_prices(item.get("pricing"))
        )

    def said_of(self, item: Mapping[str, Any]) -> ListedFacts:
        """Read what the list says of a model (https://openrouter.ai/docs/models, read 2026-11-25).

        The bound on the answer is that of the provider which OpenRouter asks first.
        """
        shape, top = _table(item.get("architecture")), _table(item.get("top_provider"))
        return ListedFacts(
            context_window=item.get("context_length"),
            max_output_tokens=top.get("max_completion_tokens"),
            input=modalities(shape.get("input_modalities")),
            output=modalities(shape.get("output_modalities")),
            abilities=abilities_among(item.get("supported_parameters"), _TOLD),
        )


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _prices(told: object) -> Mapping[str, str]:
    """Give USD for a million tokens out of the list's USD for one, a decimal string."""
    table, prices = _table(told), {}
    for meter, word in _PRICES.items():
        if not isinstance(table.get(word), str):
            continue
        try:
            price = Decimal(table[word]) * _MILLION
        except InvalidOperation:
            continue
        # "-1" is the price of a router: it depends on what it chooses.
        if price.is_finite() and price >= 0:
            prices[meter] = text(price)
    return prices
