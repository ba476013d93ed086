"""Names that two sources price differently, where nothing decides: they have no rows.

Pure data. Imports: nothing of this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CONTESTED"]

CONTESTED: Final[Mapping[str, Mapping[str, str]]] = {
    "mistral": {
        "mistral-large": "the price of a model that the name stood for in 2024",
        "mistral-large-latest": "the price of a model that the name stood for in 2024",
        "mistral-medium": "LiteLLM's map has the name at another model's price",
        "magistral-medium-latest": "LiteLLM's map has the name at another model's price",
        "magistral-small-latest": "LiteLLM's map has the name at another model's price",
        "mistral-nemo": "LiteLLM's map has twice the price",
        "open-mistral-nemo": "LiteLLM's map has twice the price",
    },
    "together": {
        "Qwen/Qwen3.7-Max": "LiteLLM's map has 0.6 of the price",
        "Qwen/Qwen3.8-2.4T-A95B": "LiteLLM's map has half the price of cache reads",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo": "LiteLLM's map has a later, higher price",
        "mistralai/Mixtral-8x7B-Instruct-v0.1": "LiteLLM's map has two thirds of the price",
        "NousResearch/Nous-Hermes-2-Mixtral-8x7B-DPO": "LiteLLM's map has two thirds of the price",
    },
    "fireworks": {
        "accounts/fireworks/models/gemma-3-27b-it": "LiteLLM's map has nine times the price",
        "accounts/fireworks/models/llama-v3p1-8b-instruct": "LiteLLM's map has half the price",
        "accounts/fireworks/models/deepseek-v4-flash-0731": "LiteLLM's map has another price",
    },
}
"""Kind → model → why nothing decides what it costs: two prices are no price."""
