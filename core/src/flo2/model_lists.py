"""Read what `openai-compatible` hosts say of a model in their lists, each host in its own words.

The API's own list says nothing but a name; many hosts add limits and abilities, under few names.
Imports: model_facts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from flo2.model_facts import ListedFacts

__all__ = ["abilities_among", "modalities", "read_listed"]

# `context_window` and `max_completion_tokens` (https://console.groq.com/docs/models),
# `max_context_length` (https://docs.mistral.ai/api), `context_length`
# (https://openrouter.ai/docs/models), `max_model_len`
# (https://docs.vllm.ai/en/latest/serving/openai_compatible_server/), `max_output_tokens` (flo2's
# own list); read 2026-11-25, the first two as recorded.
_WINDOW: Final = ("context_window", "context_length", "max_context_length", "max_model_len")
_OUTPUT: Final = ("max_output_tokens", "max_completion_tokens", "max_output_length")
_MODALITIES: Final = {
    "embeddings": "embedding",
    "pdf": "file",
    "speech": "audio",
    "transcription": "text",
}
_ABILITIES: Final = {
    "function_calling": "tools",
    "parallel_tool_calls": "parallel_tools",
    "prompt_cache": "prompt_caching",
    "structured_outputs": "json_schema",
    "web_search_options": "web_search",
}
# What a host that names features at all would name.
_ALWAYS_TOLD: Final = frozenset({"tools", "json_schema", "reasoning"})


def read_listed(item: Mapping[str, Any]) -> ListedFacts:
    """Read one entry of a host's list; what it holds beyond is passed over."""
    features = item.get("supported_features", item.get("capabilities"))
    return ListedFacts(
        context_window=_first(item, _WINDOW) or _served(item),
        max_output_tokens=_first(item, _OUTPUT),
        input=modalities(item.get("input_modalities")),
        output=modalities(item.get("output_modalities")),
        abilities=abilities_among(features, _ALWAYS_TOLD),
    )


def modalities(words: object) -> Iterable[str]:
    """Give a host's words for what goes in or out in flo2's own."""
    if not isinstance(words, list):
        return ()
    lower = [word.lower() for word in words if isinstance(word, str)]
    return [_MODALITIES.get(word, word) for word in lower]


def abilities_among(words: object, told: Collection[str]) -> Mapping[str, bool]:
    """Give a host's list of features as flo2's abilities.

    Args:
        words: The list; anything else says nothing.
        told: The abilities it would name, so that a model without the word does not have them.
    """
    if not isinstance(words, list):
        return {}
    has = {_ABILITIES.get(word, word) for word in words if isinstance(word, str)}
    return dict.fromkeys(told, False) | dict.fromkeys(has, True)


def _first(item: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((item[name] for name in names if item.get(name)), None)


def _served(item: Mapping[str, Any]) -> Any:
    """Find the window that a llama.cpp server was started with (recordings/llamacpp)."""
    meta = item.get("meta")
    return meta.get("n_ctx") if isinstance(meta, dict) else None
