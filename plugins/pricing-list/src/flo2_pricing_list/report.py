"""Write `docs/prices.md`: what is priced, and how three sources compare over all models.

    python -m flo2_pricing_list.report --allow disagreements.toml --map MAP --read-on 2026-11-23
        --at 2026-11-25T12:00+00:00 > docs/prices.md

MAP is a price map of LiteLLM, which this package does not have; the extra `genai` is needed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from flo2.cli.price_check import read_accepted
from flo2.prices import Layer, build
from flo2.prices.disagree import Accepted, Disagreement, Tally, survey
from flo2_pricing_list.contested import CONTESTED
from flo2_pricing_list.genai import GenaiPrices, Skipped
from flo2_pricing_list.litellm_map import LiteLLMMap
from flo2_pricing_list.sources import PriceList

__all__ = ["main", "page"]

_INTRODUCTION: Final = (
    "# What is priced, and how sources compare\n\n"
    "Written by `python -m flo2_pricing_list.report` (its first lines say how); do not edit it.\n\n"
    "The price book that comes along has two sources: the curated list, and what is compiled of "
    "{package}.\n"
    "A model that the list has is priced by the list alone.\n"
    "Nothing here was read from a provider's own page by us: `evidence` says of each row how it is "
    "known, and `flo2 prices show PROVIDER/MODEL` where it was read.\n\n"
    "- `third_party`: another project's data; the source says whether two of them agree.\n"
    "- `derived`: a published rule applied to a row, such as half the price in a batch.\n"
    "- `published`: stated by the provider, as our notes of its pages have it.\n"
    "- `simulated`: the sandbox; no money is behind it.\n"
)
_COMPARED: Final = (
    "## Agreements and disagreements\n\n"
    "Compared at {at}, for each model, meter and context (none, flex, priority, batch, fast) that "
    "both sources price, at prompts of 1 000 to 300 000 tokens: on both sides of every threshold.\n"
    "The token rates of the list began as facts of genai-prices, so that the two agree proves "
    "little; the map of LiteLLM is kept by other people.\n"
)
_WHO: Final = (
    "## Who is right, and why\n\n"
    "Each disagreement between the list and another source is covered by a reason in "
    "`plugins/pricing-list/disagreements.toml`, which the tests hold against the data.\n"
)
_FOLLOWED: Final = (
    "\n## Where the book has genai-prices' word against the map's\n\n"
    "Models that the list does not have and the two price differently.\n"
    "Of Bedrock most are keys of the map's own, with a region in them, which no answer carries.\n"
)
_CONTESTED: Final = (
    "\n## Names without a price, because two sources differ and nothing decides\n\n"
    "Two prices are no price: calls of these are `unpriced` until you give a row in "
    "`[pricing.file]`.\n"
)


def page(
    layers: Sequence[Layer],
    accepted: Sequence[Accepted],
    skipped: Iterable[Skipped],
    at: datetime,
    package: str,
) -> Iterator[str]:
    """Write the page, line by line.

    Args:
        layers: The list, genai-prices in whole, and the map of LiteLLM.
        accepted: Reasons.
        skipped: Models of genai-prices that have no rows.
        at: The instant to compare at.
        package: What the compiled copy was made from.
    """
    yield _INTRODUCTION.format(package=package)
    yield from _sizes()
    yield _COMPARED.format(at=at.isoformat(sep=" ", timespec="minutes"))
    found = survey(layers, at)
    yield from _tallies(found.tallies)
    ours = layers[0].name
    yield _WHO
    yield from _reasons([each for each in found.disagreements if ours in each.sources], accepted)
    curated = build([layers[0]])
    followed: defaultdict[str, set[str]] = defaultdict(set)
    for each in found.disagreements:
        if ours not in each.sources and not curated.rows_for(each.provider, each.model):
            followed[each.provider].add(f"`{each.model}`")
    yield _FOLLOWED
    yield from _table(
        ("provider", "names", "which"),
        (
            (provider, str(len(names)), ", ".join(sorted(names)))
            for provider, names in sorted(followed.items())
        ),
    )
    yield _CONTESTED
    yield from _table(
        ("provider", "model", "why"),
        (
            (kind, f"`{name}`", why)
            for kind, names in CONTESTED.items()
            for name, why in names.items()
        ),
    )
    yield "\n## Models of genai-prices that have no rows\n"
    counts = Counter(
        each.reason.partition(" for ")[0] if each.reason.startswith("no meter") else each.reason
        for each in skipped
        if not each.reason.startswith("contested")
    )
    yield from _table(("why", "models"), ((why, str(count)) for why, count in counts.most_common()))


def _sizes() -> Iterator[str]:
    """Say how much of what the book has for each provider."""
    curated, compiled = PriceList().layer(), GenaiPrices().layer()
    book = build([curated, compiled])
    evidence: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in curated.rows:
        evidence[row.provider][row.evidence] += 1
    yield "## The book\n"
    yield from _table(
        ("provider", "models", "curated models", "curated rows", "by evidence", "other rows"),
        (
            (
                provider,
                str(len(book.models(provider))),
                str(_size(curated, provider, "models")),
                str(_size(curated, provider, "rows")),
                ", ".join(f"{count} {how}" for how, count in sorted(evidence[provider].items())),
                str(_size(compiled, provider, "rows")),
            )
            for provider in book.providers()
        ),
    )
    total = sum(len(book.models(provider)) for provider in book.providers())
    yield f"\n{len(book.rows)} rows of {total} models; book `{book.version}`.\n"


def _size(layer: Layer, provider: str, what: str) -> int:
    about = layer.rows.about.get(provider)
    return 0 if about is None else int(getattr(about, what))


def _tallies(counts: Mapping[tuple[tuple[str, str], str], Tally]) -> Iterator[str]:
    yield from _table(
        ("sources", "provider", "models", "places that agree", "that differ"),
        (
            (" and ".join(pair), provider, str(each.models), str(each.agree), str(each.differ))
            for (pair, provider), each in sorted(counts.items())
        ),
    )
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for (pair, _), each in counts.items():
        agree, differ = sums.get(pair, (0, 0))
        sums[pair] = agree + each.agree, differ + each.differ
    yield ""
    for pair, (agree, differ) in sorted(sums.items()):
        yield f"{' and '.join(pair)}: {agree} places agree, {differ} differ.\n"


def _reasons(found: Sequence[Disagreement], accepted: Sequence[Accepted]) -> Iterator[str]:
    rows = []
    left = list(found)
    for reason in accepted:
        covered = [each for each in found if reason.covers(each)]
        left = [each for each in left if each not in covered]
        models = len({each.model for each in covered})
        rows.append(
            (
                reason.provider, f"`{reason.model}`", str(models), str(len(covered)),
                reason.source, reason.reason,
            )
        )  # fmt: skip
    yield from _table(("provider", "models", "names", "places", "who is wrong", "why"), rows)
    yield f"\n{len(left)} without a reason.\n"
    yield from (f"- {each}" for each in left)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def main(arguments: Sequence[str]) -> int:
    """Write the page to standard output; 1 when a disagreement has no reason."""
    parser = argparse.ArgumentParser(prog="python -m flo2_pricing_list.report")
    parser.add_argument("--allow", required=True, type=Path)
    parser.add_argument("--map", required=True, type=Path)
    parser.add_argument("--read-on", required=True)
    parser.add_argument("--at", required=True, type=datetime.fromisoformat)
    given = parser.parse_args(arguments)
    theirs = GenaiPrices(GenaiPrices.Config(installed=True, skip=("sandbox",)))
    layers = [
        PriceList().layer(),
        theirs.layer(),
        LiteLLMMap(LiteLLMMap.Config(str(given.map), given.read_on)).layer(),
    ]
    accepted = read_accepted(given.allow)
    at = given.at.astimezone(UTC)
    open_ = False
    for line in page(layers, accepted, theirs.skipped, at, theirs.version):
        sys.stdout.write(f"{line}\n")
        open_ = open_ or (line.endswith(" without a reason.\n") and not line.startswith("\n0 "))
    return 1 if open_ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
