"""Compare the curated rows with `genai-prices`, call by call: an alarm for whoever keeps the list.

Two engines price the same calls from two sets of data; where they differ, one of them is wrong or
a difference was decided on and is written down in `ACCEPTED`. Our token rates began as facts of
genai-prices 0.2.3, so agreement proves no price right: it shows what has moved since, and that both
read the same rates the same way. Run: `python -m flo2_pricing_list.compare 2026-11-25T12:00+00:00`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from attrs import frozen

from flo2.canonical.usage import Usage
from flo2.money import text
from flo2.prices import PriceBook, PricingContext, build
from flo2_pricing_list.sources import PriceList

__all__ = ["ACCEPTED", "SCENARIOS", "Difference", "Scenario", "compare", "main"]


@frozen
class Scenario:
    """One kind of call.

    Attributes:
        meters: In our disjoint meters.
        context: As an answer would state it.
        providers: Where it makes sense.
    """

    meters: Mapping[str, int]
    context: Mapping[str, str] = {}
    providers: tuple[str, ...] = ("anthropic", "openai")


_PLAIN: Final = {"input_tokens": 60_000, "output_tokens": 10_000}
_CACHED: Final = _PLAIN | {"cache_read_tokens": 30_001}

SCENARIOS: Final[Mapping[str, Scenario]] = {
    "plain": Scenario(_PLAIN),
    "cached": Scenario(_CACHED),
    "long": Scenario({"input_tokens": 300_000, "output_tokens": 10_000}),
    "long cached": Scenario({"input_tokens": 5, "cache_read_tokens": 300_000, "output_tokens": 7}),
    "write": Scenario(_PLAIN | {"cache_write_tokens": 20_000}, providers=("openai",)),
    "write 5m": Scenario(_PLAIN | {"cache_write_5m_tokens": 20_000}, providers=("anthropic",)),
    "write 1h": Scenario(_PLAIN | {"cache_write_1h_tokens": 20_000}, providers=("anthropic",)),
    "embedding": Scenario({"input_tokens": 60_001}, providers=("openai",)),
    "search": Scenario(_PLAIN | {"web_search_requests": 3}),
    "flex": Scenario(_CACHED, {"service_tier": "flex"}, ("openai",)),
    "priority": Scenario(_CACHED, {"service_tier": "priority"}, ("openai",)),
    "priority long": Scenario(
        {"input_tokens": 300_000, "output_tokens": 9}, {"service_tier": "priority"}, ("openai",)
    ),
    "flex long": Scenario(
        {"input_tokens": 300_000, "output_tokens": 9}, {"service_tier": "flex"}, ("openai",)
    ),
    "fast": Scenario(_CACHED, {"speed": "fast"}, ("anthropic",)),
}

_NO_CACHE_RATE: Final = "no cache rate is published; genai-prices falls back to the input price"
_NO_TIER_RATE: Final = "no rate is published for this tier; genai-prices falls back to standard"
_NO_FAST: Final = "no fast mode is published; genai-prices falls back to standard"
_NO_SEARCH: Final = "no search price is listed for it; genai-prices charges nothing"
_NO_WRITE: Final = "no write rate is published; genai-prices falls back to the input price"
_LONG_TIER: Final = "the tier publishes no rate for long prompts; genai-prices uses the short one"

ACCEPTED: Final[Mapping[str, str]] = {
    "cached": _NO_CACHE_RATE,
    "long cached": _NO_CACHE_RATE,
    "write": _NO_WRITE,
    "search": _NO_SEARCH,
    "flex": _NO_TIER_RATE,
    "priority": _NO_TIER_RATE,
    "priority long": _LONG_TIER,
    "flex long": _LONG_TIER,
    "fast": _NO_FAST,
}
"""Scenario → why ours may be unpriced where genai-prices gives a figure.

Two figures that differ are never accepted here; see `ACCEPTED_MODELS`.
"""

ACCEPTED_MODELS: Final[Mapping[tuple[str, str], str]] = {
    ("claude-sonnet-4-0", "long"): "it had a premium above 200 000 tokens that genai-prices lacks",
    ("claude-sonnet-4-20250514", "long"): "the same model by its dated id",
    ("gpt-5.6-cyber", "long"): "LiteLLM's map has twice the price there, so nothing is certain",
}
"""(model, scenario) → why ours is unpriced, or another figure, for this one model."""

_NO_TEXT: Final = re.compile(
    r"gpt-image-|chatgpt-image-|gpt-4o-mini-tts|tts-1|whisper-|gpt-transcribe$"
)
"""Models whose answers are images or speech and are counted so: these calls are none of theirs."""


@frozen
class Difference:
    """A call that the two price differently; `ours` None: unpriced, for `reason`."""

    provider: str
    model: str
    scenario: str
    ours: Decimal | None
    theirs: Decimal
    reason: str

    @property
    def accepted(self) -> str | None:
        """Why that is known and decided, or None: look into it."""
        known = ACCEPTED_MODELS.get((self.model, self.scenario))
        if known is None and self.ours is None:
            known = ACCEPTED.get(self.scenario)
            if known is None and _NO_TEXT.match(self.model):
                known = "its answers are no text; genai-prices has one rate for whatever comes out"
        return known

    def __str__(self) -> str:
        """Say it in one line."""
        ours = "unpriced" if self.ours is None else text(self.ours)
        return (
            f"{self.provider}/{self.model} {self.scenario}: ours {ours}, genai-prices "
            f"{text(self.theirs)} ({self.accepted or self.reason or 'unexplained'})"
        )


def compare(at: datetime, book: PriceBook | None = None) -> Iterator[Difference]:
    """Price every curated model in every scenario by both, at one instant.

    Args:
        at: The instant to compare at (aware, UTC).
        book: Ours; the curated list by default.

    Yields:
        Each difference, accepted or not.
    """
    book = book or build([PriceList().layer()])
    for provider in ("anthropic", "openai"):
        for model in book.models(provider):
            for name, scenario in SCENARIOS.items():
                if provider not in scenario.providers:
                    continue
                # An embedding has no answer to bill; nothing else is asked without one.
                if model.startswith("text-embedding") != ("output_tokens" not in scenario.meters):
                    continue
                theirs = _theirs(provider, model, scenario, at)
                if theirs is None:
                    continue
                context = PricingContext(provider, "chat", model, model, at, scenario.context)
                cost = book.price(Usage(scenario.meters), context)
                if cost.total != theirs:
                    yield Difference(provider, model, name, cost.total, theirs, cost.reason or "")


def _theirs(provider: str, model: str, scenario: Scenario, at: datetime) -> Decimal | None:
    from genai_prices import Usage as TheirUsage  # noqa: PLC0415  # optional
    from genai_prices import calc_price  # noqa: PLC0415

    meters = scenario.meters
    writes = {key: count for key, count in meters.items() if key.startswith("cache_write")}
    usage = TheirUsage(
        input_tokens=meters["input_tokens"]
        + meters.get("cache_read_tokens", 0)
        + sum(writes.values()),
        output_tokens=meters.get("output_tokens", 0),
        cache_read_tokens=meters.get("cache_read_tokens", 0),
        cache_write_tokens=sum(writes.values()),
        cache_write_1h_tokens=meters.get("cache_write_1h_tokens", 0),
        web_searches=meters.get("web_search_requests", 0),
    )
    try:
        return calc_price(
            usage,
            model,
            provider_id=provider,
            genai_request_timestamp=at,
            price_context=dict(scenario.context),
        ).total_price
    except LookupError:
        return None


def main(at: str) -> int:
    """Print what is not accepted; 1 when there is any."""
    found = [d for d in compare(datetime.fromisoformat(at)) if d.accepted is None]
    _print(map(str, found))
    return 1 if found else 0


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
