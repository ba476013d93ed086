"""Rows from a price map of LiteLLM: a JSON file that the operator has, never fetched.

The map has no dates and no sources, so its rows hold at all times; numbers are read from their text
and keep their digits. A model whose tokens it prices in a way that our meters cannot express is
left out and listed in `skipped`. What it says of searches, images or pages is not read: a call that
uses them is unpriced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final

from attrs import frozen

from flo2.errors import PricingError
from flo2.money import exact
from flo2.prices import Defaults, Layer, PriceRow, Tier, row_id
from flo2_pricing_list.genai import Skipped

__all__ = ["LiteLLMMap"]

_KINDS: Final[Mapping[str, str]] = {
    "anthropic": "anthropic",
    "azure": "azure",
    "bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "deepinfra": "deepinfra",
    "deepseek": "deepseek",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together_ai": "together",
    "vertex_ai-anthropic_models": "google-vertex",
    "vertex_ai-language-models": "google-vertex",
    "xai": "xai",
}
"""`litellm_provider` → our kind; others are not read."""

_METERS: Final[Mapping[str, tuple[str, ...]]] = {
    "input_cost_per_token": ("input_tokens",),
    "output_cost_per_token": ("output_tokens",),
    "cache_read_input_token_cost": ("cache_read_tokens",),
    "cache_creation_input_token_cost": ("cache_write_tokens", "cache_write_5m_tokens"),
    "cache_creation_input_token_cost_above_1hr": ("cache_write_1h_tokens",),
    "input_cost_per_audio_token": ("input_audio_tokens",),
    "output_cost_per_audio_token": ("output_audio_tokens",),
    "cache_read_input_audio_token_cost": ("cache_read_audio_tokens",),
    "input_cost_per_image_token": ("input_image_tokens",),
    "output_cost_per_image_token": ("output_image_tokens",),
    "input_cost_per_second": ("input_seconds",),
    "input_cost_per_character": ("input_characters",),
}
_KEY: Final = re.compile(
    r"(?P<what>.+?)(?:_above_(?P<over>\d+)k_tokens)?(?:_(?P<tier>batches|flex|priority))?"
)
_TIERS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "": {},
    "batches": {"processing": frozenset({"batch"})},
    "flex": {"service_tier": frozenset({"flex"})},
    "priority": {"service_tier": frozenset({"priority"})},
}
_REASONING: Final = "output_cost_per_reasoning_token"
_USUAL: Final = frozenset({"", "default", "standard", "on_demand"})


class _Inexpressible(Exception):
    """Our meters or rows cannot say it."""


class LiteLLMMap:
    """Rows of a `model_prices_and_context_window.json`.

    Raises on reading:
        PricingError: the file cannot be read, or is no such map.
    """

    kind: ClassVar[str] = "litellm-map"
    precedence: ClassVar[int] = 30
    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    @frozen
    class Config:
        """Where the file lies.

        Attributes:
            path: The file.
            read_on: The day it was taken from the project; a map does not say it.
        """

        path: str
        read_on: str = "1970-01-01"

    def __init__(self, config: Config, services: object = None) -> None:
        self.config = config

    def rows(self) -> Iterable[PriceRow]:
        """Give the converted rows."""
        return self._converted[0]

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Name the models that were left out."""
        return self._converted[1]

    def defaults(self) -> Defaults:
        """Give the context values at which the rows hold unless they say otherwise."""
        return {name: {"service_tier": _USUAL} for name in {row.provider for row in self.rows()}}

    def layer(self) -> Layer:
        """Give both as a layer of a book."""
        return Layer(self.kind, tuple(self.rows()), self.defaults())

    @cached_property
    def _converted(self) -> tuple[tuple[PriceRow, ...], tuple[Skipped, ...]]:
        path = Path(self.config.path)
        try:
            read_on = date.fromisoformat(self.config.read_on)
            # Numbers stay text: a float would lose the digits that are written.
            document = json.loads(path.read_text("utf-8"), parse_float=str, parse_int=str)
        except (OSError, ValueError, RecursionError) as exc:
            raise PricingError(f"price map {str(path)!r} cannot be read: {exc}") from exc
        if not isinstance(document, Mapping):
            raise PricingError(f"price map {str(path)!r} is no object of models")
        rows: list[PriceRow] = []
        skipped: list[Skipped] = []
        taken: set[tuple[str, str]] = set()
        for key, entry in document.items():
            theirs = entry.get("litellm_provider") if isinstance(entry, Mapping) else None
            kind = _KINDS.get(theirs) if isinstance(theirs, str) else None
            if kind is None or key == "sample_spec":
                continue
            name = key.removeprefix(f"{theirs}/")
            try:
                if (kind, name) in taken:
                    raise _Inexpressible("the map names it twice")  # noqa: TRY301  # as below
                source = f"LiteLLM's price map {path.name}"
                rows += list(_rows(kind, name, entry, source, read_on))  # all of them, or none
                taken.add((kind, name))
            except (_Inexpressible, PricingError, ValueError, TypeError) as exc:
                skipped.append(Skipped(kind, name, str(exc)))
        return tuple(rows), tuple(skipped)


def _prices(entry: Mapping[str, Any]) -> Mapping[tuple[str, str], Mapping[int, Decimal]]:
    """Give, by meter and tier of service, the totals past which a price holds, and the price."""
    found: dict[tuple[str, str], dict[int, Decimal]] = {}
    for key, value in entry.items():
        match = _KEY.fullmatch(key)
        what = "" if match is None else match["what"]
        if match is None or not isinstance(value, str) or "cost" not in key:
            continue
        if what == _REASONING:
            if value != entry.get("output_cost_per_token"):
                raise _Inexpressible("reasoning has a price of its own")
            continue
        meters = _METERS.get(what)
        if meters is None:
            if "token" in what and exact(value):
                raise _Inexpressible(f"no meter for {key}")
            continue
        for meter in meters:
            prices = found.setdefault((meter, match["tier"] or ""), {})
            prices[int(match["over"] or 0) * 1000] = exact(value)
    if not found:
        raise _Inexpressible("no price is given")
    return found


def _rows(
    kind: str, name: str, entry: Mapping[str, Any], source: str, read_on: date
) -> Iterator[PriceRow]:
    for (meter, said), prices in _prices(entry).items():
        edges = sorted(prices)
        if edges[0] != 0:
            raise _Inexpressible(f"{meter} has a price for long prompts alone")
        for index, edge in enumerate(edges):
            tier = None
            if len(edges) > 1:
                stop = edges[index + 1] + 1 if index + 1 < len(edges) else None
                tier = Tier(edge + 1 if edge else 0, stop)
            when = _TIERS[said]
            yield PriceRow(
                id="litellm:" + row_id(kind, name, meter, when=when, tier=tier, valid_from=None),
                provider=kind,
                models=frozenset({name}),
                dimension=meter,
                unit_price=prices[edge],
                per=1,
                source=source,
                read_on=read_on,
                evidence="third_party",
                when=when,
                tier=tier,
            )
