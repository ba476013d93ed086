"""Rows that follow from other rows by a rule which the provider publishes.

Pure. Imports: nothing of this package.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final

from attrs import evolve

from flo2.money import multiply
from flo2.prices import PriceRow

__all__ = ["DEFAULTS_OF", "UPLIFTED_GEMINI", "VERTEX_GLOBAL", "VERTEX_REGIONS", "derive"]

_LOCATIONS: Final = frozenset(
    {
        "us", "eu", "africa-south1", "asia-east1", "asia-east2", "asia-northeast1",
        "asia-northeast2", "asia-northeast3", "asia-south1", "asia-south2", "asia-southeast1",
        "asia-southeast2", "australia-southeast1", "australia-southeast2", "europe-central2",
        "europe-north1", "europe-southwest1", "europe-west1", "europe-west2", "europe-west3",
        "europe-west4", "europe-west6", "europe-west8", "europe-west9", "europe-west12",
        "me-central1", "me-central2", "me-west1", "northamerica-northeast1",
        "northamerica-northeast2", "southamerica-east1", "southamerica-west1", "us-central1",
        "us-east1", "us-east4", "us-east5", "us-south1", "us-west1", "us-west2", "us-west3",
        "us-west4",
    }
)  # fmt: skip
VERTEX_GLOBAL: Final = frozenset({"", "global"})
VERTEX_REGIONS: Final = VERTEX_GLOBAL | _LOCATIONS
"""Where most of Vertex costs the same: at the global endpoint, and in every location."""

DEFAULTS_OF: Final[Mapping[str, tuple[str, Mapping[str, frozenset[str]]]]] = {
    "azure": ("openai", {"deployment": frozenset({"", "global"})}),
    "google-vertex": ("google", {"region": VERTEX_REGIONS}),
}
"""Provider of derived rows → whose defaults hold for them, and which do besides."""

_CLAUDE_PAGE: Final = "https://platform.claude.com/docs/en/about-claude/pricing"
_AZURE_PAGE: Final = (
    "https://azure.microsoft.com/pricing/details/cognitive-services/openai-service/"
)
_GPT_PAGE: Final = "https://developers.openai.com/api/docs/pricing"
_VERTEX_PAGE: Final = "https://cloud.google.com/vertex-ai/generative-ai/pricing"
_HALF: Final = Decimal("0.5")
_UPLIFT: Final = Decimal("1.1")
_RESIDENT: Final = frozenset({"au", "eu", "in", "us"})
# Models released on or after 2026-03-05, the day of gpt-5.4.
_UPLIFTED: Final = re.compile(r"gpt-(?:5\.[4-9]|6)")
_PARTNERS: Final = re.compile(
    r"claude-(?:fable-5(?:-1)?|haiku-(?:4-5|5-5)|opus-(?:4-[5-8]|5|5-5)|sonnet-(?:4-[56]|5|5-5))"
    r"(?:-(?P<day>\d{8}))?"
)
"""Claude models that LiteLLM's map 1.106.2 has at Vertex, at the prices of Anthropic's own API."""
UPLIFTED_GEMINI: Final = re.compile(
    r"gemini-(?:3\.1-flash-(?:image|lite)|3\.5-flash(?:-lite)?|3\.[678]-flash|4-argon)"
)
"""Models that cost ten per cent more in a location, by LiteLLM's map 1.106.2."""
_TRAFFIC: Final = {"flex": "ON_DEMAND_FLEX", "priority": "ON_DEMAND_PRIORITY"}
"""How Vertex names the tiers in its answers (reference of `UsageMetadata`; recordings)."""
_NOT_AT_AZURE: Final = re.compile(r"gpt-audio|gpt-4-turbo|gpt-realtime")
"""Models that LiteLLM's map has at Azure at another price."""
_USUAL_BATCH: Final[tuple[Mapping[str, frozenset[str]], ...]] = (
    # A line of a batch says so in its usage; who sends batches may say it as well.
    {"service_tier": frozenset({"batch"}), "processing": frozenset({"", "batch"})},
    {"service_tier": frozenset({"", "standard"}), "processing": frozenset({"batch"})},
)


def derive(rows: Iterable[PriceRow]) -> Iterator[PriceRow]:
    """Give the rows that follow from these."""
    for row in rows:
        tokens = row.dimension.endswith("_tokens")
        if row.provider == "anthropic" and tokens and not row.when:
            yield from _claude_at_vertex(row)
        if row.provider == "anthropic" and "fast" not in row.when.get("speed", ()):
            yield from _batch_of_claude(row, _HALF if tokens else Decimal(1))
        elif row.provider == "anthropic" and not tokens:
            yield from _batch_of_claude(row, Decimal(1))
        elif row.provider == "google":
            yield from _at_vertex(row)
        elif row.provider == "openai" and tokens and not row.when:
            if row.evidence != "derived" and not any(map(_NOT_AT_AZURE.match, row.models)):
                yield _at_azure(row)
            if any(_UPLIFTED.match(name) for name in row.models):
                yield _resident(row)


def _batch_of_claude(row: PriceRow, factor: Decimal) -> Iterator[PriceRow]:
    """Derive the price in a batch: half for tokens of all kinds, a search costs what it costs.

    Fast mode is not offered in batches.
    """
    kept = {key: values for key, values in row.when.items() if key != "speed"}
    for number, said in enumerate(_USUAL_BATCH):
        yield evolve(
            row,
            id=f"{row.id}[batch{number or ''}]",
            unit_price=multiply(row.unit_price, factor),
            when={**kept, **said},
            source=f"{factor} x the row without [batch]: {_CLAUDE_PAGE}",
            evidence="derived",
        )


def _at_azure(row: PriceRow) -> PriceRow:
    """Derive what OpenAI's models cost at Azure in a global deployment: the same by the token.

    Other deployments cost more (data zones and regions some 10 to 20 %, provisioned throughput by
    the hour) and say so in their context, for which there is no row; nor is there one for tiers.
    """
    return evolve(
        row,
        id=f"azure{row.id.removeprefix('openai')}",
        provider="azure",
        source=f"OpenAI's row of this name, as in a global deployment: {_AZURE_PAGE}",
        evidence="derived",
    )


def _resident(row: PriceRow) -> PriceRow:
    """Derive the price at a host that keeps data in its region: ten per cent more for new models.

    Older models have no row there: that they cost the same is not said.
    """
    return evolve(
        row,
        id=f"{row.id}[region]",
        unit_price=multiply(row.unit_price, _UPLIFT),
        when={"region": _RESIDENT},
        source=f"{_UPLIFT} x the row without [region], with data residency: {_GPT_PAGE}",
        evidence="derived",
    )


def _at_vertex(row: PriceRow) -> Iterator[PriceRow]:
    """Derive what Gemini costs at Vertex: the same on demand and at the global endpoint.

    The tiers have other names there; a kept cache is billed as at the Gemini API.
    """
    when = dict(row.when)
    tail = ""
    if tiers := when.pop("service_tier", None):
        when["traffic_type"] = frozenset(_TRAFFIC.get(tier, tier) for tier in tiers)
        tail = "[vertex]"
    globally = evolve(
        row,
        id=f"google-vertex{row.id.removeprefix('google')}{tail}",
        provider="google-vertex",
        pattern=None,
        when=when,
        source=f"the Gemini API's row of this name, as at the global endpoint: {_VERTEX_PAGE}",
        evidence="derived",
    )
    tokens = row.dimension.endswith("_tokens")
    if tokens and any(UPLIFTED_GEMINI.fullmatch(name) for name in globally.models):
        yield from _in_a_location(globally, _VERTEX_PAGE)
    else:
        yield globally


def _claude_at_vertex(row: PriceRow) -> Iterator[PriceRow]:
    """Derive what Claude costs at Vertex: the same globally, ten per cent more in a location.

    Its ids have the day after an `@`; answers name the model as Anthropic does.
    """
    found = {name: match for name in row.models if (match := _PARTNERS.fullmatch(name))}
    if not found:
        return
    ids = {
        f"{name.removesuffix('-' + day)}@{day}" if (day := match["day"]) else f"{name}@default"
        for name, match in found.items()
    }
    globally = evolve(
        row,
        id=f"google-vertex{row.id.removeprefix('anthropic')}",
        provider="google-vertex",
        models=frozenset({*found, *ids}),
        pattern=None,
        source=f"Anthropic's row of this name, as at the global endpoint: {_VERTEX_PAGE}",
        evidence="derived",
    )
    yield from _in_a_location(globally, _CLAUDE_PAGE)


def _in_a_location(row: PriceRow, page: str) -> Iterator[PriceRow]:
    """Give a row for the global endpoint, and one at ten per cent more for all locations."""
    yield evolve(row, when={**row.when, "region": VERTEX_GLOBAL})
    yield evolve(
        row,
        id=f"{row.id}[region]",
        unit_price=multiply(row.unit_price, _UPLIFT),
        when={**row.when, "region": _LOCATIONS},
        source=f"{_UPLIFT} x the row without [region], at a location: {page}",
    )
