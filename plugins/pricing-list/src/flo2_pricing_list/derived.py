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

__all__ = ["DEFAULTS_OF", "derive"]

DEFAULTS_OF: Final[Mapping[str, tuple[str, Mapping[str, frozenset[str]]]]] = {
    "azure": ("openai", {"deployment": frozenset({"", "global"})}),
}
"""Provider of derived rows → whose defaults hold for them, and which do besides."""

_CLAUDE_PAGE: Final = "https://platform.claude.com/docs/en/about-claude/pricing"
_AZURE_PAGE: Final = (
    "https://azure.microsoft.com/pricing/details/cognitive-services/openai-service/"
)
_GPT_PAGE: Final = "https://developers.openai.com/api/docs/pricing"
_HALF: Final = Decimal("0.5")
_UPLIFT: Final = Decimal("1.1")
_RESIDENT: Final = frozenset({"au", "eu", "in", "us"})
# Models released on or after 2026-03-05, the day of gpt-5.4.
_UPLIFTED: Final = re.compile(r"gpt-(?:5\.[4-9]|6)")
_USUAL_BATCH: Final[tuple[Mapping[str, frozenset[str]], ...]] = (
    # A line of a batch says so in its usage; who sends batches may say it as well.
    {"service_tier": frozenset({"batch"}), "processing": frozenset({"", "batch"})},
    {"service_tier": frozenset({"", "standard"}), "processing": frozenset({"batch"})},
)


def derive(rows: Iterable[PriceRow]) -> Iterator[PriceRow]:
    """Give the rows that follow from these."""
    for row in rows:
        tokens = row.dimension.endswith("_tokens")
        if row.provider == "anthropic" and "fast" not in row.when.get("speed", ()):
            yield from _batch_of_claude(row, _HALF if tokens else Decimal(1))
        elif row.provider == "anthropic" and not tokens:
            yield from _batch_of_claude(row, Decimal(1))
        elif row.provider == "openai" and tokens and not row.when:
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
            source=f"{factor} x the row {row.id} in a batch: {_CLAUDE_PAGE}",
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
        source=f"the row {row.id}, as in a global deployment: {_AZURE_PAGE}",
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
        source=f"{_UPLIFT} x the row {row.id} with data residency: {_GPT_PAGE}",
        evidence="derived",
    )
