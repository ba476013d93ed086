"""Where two sources give two prices for the same thing: an alarm for whoever keeps a price list.

Pure. Imports: canonical, money, prices.book, prices.context.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import combinations
from typing import Final

from attrs import frozen

from flo2.canonical.usage import Usage
from flo2.money import text
from flo2.prices.book import PriceBook, build
from flo2.prices.context import PricingContext
from flo2.prices.shelf import Layer

__all__ = ["Accepted", "Disagreement", "Tally", "disagreements", "tally"]

_MILLION: Final = 1_000_000
_TOTALS: Final = (1000, 150_000, 250_000, 300_000)
"""Prompts on either side of every threshold that is in use (128, 200 and 272 thousand)."""

_CONTEXTS: Final[tuple[Mapping[str, str], ...]] = (
    {},
    {"service_tier": "flex"},
    {"service_tier": "priority"},
    {"processing": "batch"},
    {"speed": "fast"},
)


@frozen
class Disagreement:
    """Two prices for a million of a meter.

    Attributes:
        sources: Names of the two layers.
        prices: What each says, in the same order.
        rows: Ids of the rows that say it.
        input_total: The prompt at which it was noticed first.
    """

    provider: str
    model: str
    meter: str
    context: Mapping[str, str]
    sources: tuple[str, str]
    prices: tuple[Decimal, Decimal]
    rows: tuple[str, str]
    input_total: int

    def __str__(self) -> str:
        """Say it in one line."""
        said = "".join(f", {key}={value}" for key, value in self.context.items())
        (one, other), (low, high) = self.sources, self.prices
        return (
            f"{self.provider}/{self.model} {self.meter} at {self.input_total} input tokens{said}: "
            f"{one} {text(low)}, {other} {text(high)} a million"
        )


@frozen
class Accepted:
    """A disagreement that was looked into; `*` and `?` in a text stand for others.

    Attributes:
        reason: Why it is as it is, and who is right.
        source: One of the two sources, where the reason is about that one alone.
    """

    provider: str
    model: str
    meter: str
    reason: str
    source: str = "*"

    def covers(self, found: Disagreement) -> bool:
        """Say whether it is about this one."""
        return (
            fnmatchcase(found.provider, self.provider)
            and fnmatchcase(found.model, self.model)
            and fnmatchcase(found.meter, self.meter)
            and any(fnmatchcase(each, self.source) for each in found.sources)
        )


@frozen
class Tally:
    """How often two sources price the same place alike.

    Attributes:
        models: Models that both price by exact name or pattern.
        agree: Places (model, meter, context) with one price at every length of prompt.
        differ: The others.
    """

    models: int
    agree: int
    differ: int


def disagreements(layers: Sequence[Layer], at: datetime) -> Iterator[Disagreement]:
    """Compare sources, two at a time, wherever both have a price.

    Args:
        layers: The sources, each by itself.
        at: The instant to compare at (aware).

    Yields:
        One for each model, meter, context and pair of sources, at the shortest prompt.
    """
    for _, _, found in _compared(layers, at):
        yield from (each for each in found if each is not None)


def tally(layers: Sequence[Layer], at: datetime) -> Mapping[tuple[tuple[str, str], str], Tally]:
    """Count agreements: (names of two sources, provider) → how they compare."""
    counts: dict[tuple[tuple[str, str], str], Tally] = {}
    for sources, provider, found in _compared(layers, at):
        if found:
            differ = sum(each is not None for each in found)
            old = counts.get((sources, provider), Tally(0, 0, 0))
            counts[sources, provider] = Tally(
                old.models + 1, old.agree + len(found) - differ, old.differ + differ
            )
    return counts


def _compared(
    layers: Sequence[Layer], at: datetime
) -> Iterator[tuple[tuple[str, str], str, list[Disagreement | None]]]:
    """Yield, for each model of two sources, what is found in each place; None: they agree."""
    books = [(layer, build([layer])) for layer in layers]
    for (one, a), (other, b) in combinations(books, 2):
        sources = one.name, other.name
        for provider in sorted(set(a.providers()) & set(b.providers())):
            for model in sorted({*a.models(provider), *b.models(provider)}):
                rows = a.rows_for(provider, model)
                meters = sorted(
                    {row.dimension for row in rows}
                    & {row.dimension for row in b.rows_for(provider, model)}
                )
                yield (
                    sources,
                    provider,
                    list(_of_model(sources, (a, b), (provider, model), meters, at)),
                )


def _of_model(
    sources: tuple[str, str],
    books: tuple[PriceBook, PriceBook],
    model: tuple[str, str],
    meters: Iterable[str],
    at: datetime,
) -> Iterator[Disagreement | None]:
    provider, name = model
    for meter in meters:
        usage = Usage({meter: _MILLION})
        for said in _CONTEXTS:
            compared = False
            for total in _TOTALS:
                context = PricingContext(provider, "chat", name, name, at, said, total)
                first, second = (book.price(usage, context) for book in books)
                if first.total is None or second.total is None:
                    continue
                compared = True
                if first.total == second.total:
                    continue
                yield Disagreement(
                    provider, name, meter, said, sources, (first.total, second.total),
                    (first.lines[0].row, second.lines[0].row), total,
                )  # fmt: skip
                break
            else:
                if compared:
                    yield None
