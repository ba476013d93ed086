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

__all__ = ["Accepted", "Disagreement", "Survey", "Tally", "disagreements", "survey"]

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


@frozen
class Survey:
    """How sources compare.

    Attributes:
        tallies: (names of two sources, provider) → how often they agree.
        disagreements: Where they do not.
    """

    tallies: Mapping[tuple[tuple[str, str], str], Tally]
    disagreements: tuple[Disagreement, ...]


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


def survey(layers: Sequence[Layer], at: datetime) -> Survey:
    """Compare sources as `disagreements` does, and count where they agree as well."""
    tallies: dict[tuple[tuple[str, str], str], Tally] = {}
    differing: list[Disagreement] = []
    for sources, provider, found in _compared(layers, at):
        if found:
            differ = [each for each in found if each is not None]
            differing += differ
            old = tallies.get((sources, provider), Tally(0, 0, 0))
            agree = old.agree + len(found) - len(differ)
            tallies[sources, provider] = Tally(old.models + 1, agree, old.differ + len(differ))
    return Survey(tallies, tuple(differing))


def _compared(
    layers: Sequence[Layer], at: datetime
) -> Iterator[tuple[tuple[str, str], str, list[Disagreement | None]]]:
    """Yield, for each model of two sources, what is found in each place; None: they agree."""
    books = [(layer, build([layer])) for layer in layers]
    for (one, a), (other, b) in combinations(books, 2):
        sources = one.name, other.name
        for provider in sorted(set(a.providers()) & set(b.providers())):
            for model in sorted({*a.models(provider), *b.models(provider)}):
                meters = {row.dimension for row in a.rows_for(provider, model)}
                if meters:
                    meters &= {row.dimension for row in b.rows_for(provider, model)}
                if meters:
                    pair, name = (a, b), (provider, model)
                    yield (
                        sources,
                        provider,
                        list(_of_model(sources, pair, name, sorted(meters), at)),
                    )


def _of_model(
    sources: tuple[str, str],
    books: tuple[PriceBook, PriceBook],
    model: tuple[str, str],
    meters: Iterable[str],
    at: datetime,
) -> Iterator[Disagreement | None]:
    provider, name = model
    both = []
    for said in _CONTEXTS:
        resolved = [book.resolve(provider, name, said) for book in books]
        if all(each.problem is None for each in resolved):
            tiered = any(each.span(at).cuts for each in resolved)
            both.append((said, _TOTALS if tiered else _TOTALS[:1]))
    for meter in meters:
        usage = Usage({meter: _MILLION})
        for said, totals in both:
            compared = False
            for total in totals:
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
