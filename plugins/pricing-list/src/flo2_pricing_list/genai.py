"""Rows for the providers that this package has no table for, from the installed `genai-prices`.

The conversion is exact or says why not: a model whose prices our meters cannot express without
changing the sum is left out and listed in `skipped`. Where genai-prices is lenient, we are strict:
no price before its first date, no input price for cache reads that have none of their own, and no
standard price for a context value it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, ClassVar, Final

from attrs import evolve, frozen

from flo2.errors import PricingError
from flo2.money import exact
from flo2.prices import Defaults, Layer, PackedRows, PriceRow, Tier, row_id
from flo2_pricing_list.artefacts import read_artefact
from flo2_pricing_list.clauses import equals_of, literals_of, may_meet, only_equals, regex_of
from flo2_pricing_list.contested import CONTESTED
from flo2_pricing_list.derived import UPLIFTED_GEMINI, VERTEX_GLOBAL, VERTEX_REGIONS
from flo2_pricing_list.fees import ALIASES, FEES
from flo2_pricing_list.sources import CURATED
from flo2_pricing_list.words import AS_TEXT, KINDS, METERS

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

__all__ = ["GenaiPrices", "Skipped"]

_PACKAGE: Final = "genai-prices"
_READ_ON: Final = {"0.2.3": date(2026, 11, 23)}
"""When a version of the data was looked at; it carries no date of its own."""
_NOT_READ: Final = date(1970, 1, 1)

_GOOGLE: Final = frozenset({"google", "google-vertex"})
_USUAL: Final[dict[str, frozenset[str]]] = {"service_tier": frozenset({"", "default", "standard"})}
_DEFAULTS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    # What the prices are for is what their page shows first; other regions cost more or the same.
    "bedrock": _USUAL | {"region": frozenset({"", "us-east-1", "us-east-2", "us-west-2"})},
    "google": _USUAL | {"traffic_type": frozenset({"", "ON_DEMAND"})},
    "google-vertex": _USUAL
    | {"traffic_type": frozenset({"", "ON_DEMAND"}), "region": VERTEX_REGIONS},
    # Groq says "on_demand" for its list prices (recordings of its API, 2026-11).
    "groq": {"service_tier": _USUAL["service_tier"] | {"on_demand"}},
}
"""Kind → what an answer says, or the plugin of its host, when list prices hold."""

_SAID_ANYWAY: Final = (("service_tier", "default"),)
"""A variant of no consequence: the prices without a tier are for this one."""

_TRAFFIC: Final = {"flex": "ON_DEMAND_FLEX", "priority": "ON_DEMAND_PRIORITY"}
"""How Vertex names the tiers in its answers (reference of `UsageMetadata`; recordings)."""

_MINIMA: Final = {
    # "a minimum of 10 seconds per request" (https://groq.com/pricing, read 2026-11).
    ("groq", "input_seconds"): Decimal(10),
}
"""(kind, meter) → the least that is billed."""

_NEVER_BY_PATTERN: Final[Mapping[str, str]] = {
    # A government's region costs a fifth more (LiteLLM's map 1.106.2), and their clauses would take
    # any id that has a model's name in it.
    "bedrock": r"(?!us-gov\.)",
}

_LOWER_CASE_IDS: Final = frozenset({"openrouter"})
"""Providers whose model ids are lower-case: no case-blind pattern is needed for exact names."""


@frozen
class Skipped:
    """A model that was not converted, and why."""

    provider: str
    model: str
    reason: str


@frozen
class _Period:
    start: date | None
    stop: date | None
    prices: Mapping[str, Any]
    when: Mapping[str, frozenset[str]]


class GenaiPrices:
    """Rows of `genai-prices` for all providers that have not all their prices in a table here.

    They are compiled into this package, as of the version that `rows().origin` names; the package
    itself takes 0.3 s and 90 MB to import, so it is read only where somebody asks for it.
    """

    kind: ClassVar[str] = "genai-prices"
    precedence: ClassVar[int] = 20
    newer: ClassVar[Mapping[str, Any]] = {"installed": True}
    """Settings under which it reads what may be newer; see `flo2 prices update`."""

    @frozen
    class Config:
        """Which providers to leave out, and where to read.

        Attributes:
            skip: Our kinds; by default those that have all their prices in a table here.
            installed: Read the installed package (the extra `genai`), not the compiled copy.
        """

        skip: tuple[str, ...] = CURATED
        installed: bool = False

    def __init__(self, config: Config | None = None, services: object = None) -> None:
        self.config = config or self.Config()

    def rows(self) -> Iterable[PriceRow]:
        """Give the rows: of the installed package or, made model by model, of the compiled copy.

        Raises:
            PricingError: the package is asked for and not installed.
        """
        if self.config.installed:
            return self._converted[0]
        if not self._packed.about.keys() & set(self.config.skip):
            return self._packed
        return tuple(row for row in self._packed if row.provider not in self.config.skip)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Name the models of the installed package that were left out."""
        return self._converted[1]

    @property
    def version(self) -> str:
        """Name the installed package."""
        return f"{_PACKAGE} {_installed()}"

    @property
    def read_on(self) -> date:
        """When the installed version was looked at."""
        return _READ_ON.get(_installed(), _NOT_READ)

    def defaults(self) -> Defaults:
        """Give the context values at which the rows hold unless they say otherwise."""
        providers = (
            {row.provider for row in self.rows()}
            if self.config.installed
            else (self._packed.about.keys() - set(self.config.skip))
        )
        return {name: _DEFAULTS.get(name, _USUAL) for name in providers}

    def layer(self) -> Layer:
        """Give both as a layer of a book."""
        return Layer(self.kind, self.rows(), self.defaults())

    @cached_property
    def _packed(self) -> PackedRows:
        return read_artefact(self.kind)

    @cached_property
    def _converted(self) -> tuple[tuple[PriceRow, ...], tuple[Skipped, ...]]:
        try:
            from genai_prices.data import providers  # noqa: PLC0415  # optional, and 1.6 MB
        except ImportError as exc:
            raise PricingError(
                "genai-prices is not installed; run: pip install 'flo2-pricing-list[genai]'"
            ) from exc
        installed = _installed()
        rows: list[PriceRow] = []
        skipped: list[Skipped] = []
        skip = self.config.skip
        for provider in providers:
            for kind in KINDS.get(provider.id, (provider.id,)):
                if provider.id in skip or kind in skip:
                    continue
                converter = _Converter(provider, kind, installed)
                for name, reason in CONTESTED.get(kind, {}).items():
                    skipped.append(Skipped(kind, name, f"contested: {reason}"))
                for model in provider.models:
                    try:
                        rows += converter.model(model)
                    except (_Inexpressible, PricingError) as exc:
                        skipped.append(Skipped(kind, model.id, str(exc)))
        return tuple(rows), tuple(skipped)


def _installed() -> str:
    try:
        return version(_PACKAGE)
    except PackageNotFoundError:
        return "unknown"


class _Inexpressible(Exception):
    """Our meters or rows cannot say it."""


class _Converter:
    """Converts the models of one provider, in their order: the first that matches a name has it."""

    def __init__(self, provider: Provider, kind: str, installed: str) -> None:
        self.provider = kind
        urls = provider.pricing_urls or ["no page named"]
        self.source = f"genai-prices {installed} (provider page {urls[0]})"
        self.read_on = _READ_ON.get(installed, _NOT_READ)
        # Nobody gets a contested name, by a pattern neither.
        self._contested = frozenset(CONTESTED.get(kind, ()))
        self._taken: set[str] = set(self._contested)
        self._wild: list[tuple[Any, list[str | None]]] = []

    def model(self, model: ModelInfo) -> list[PriceRow]:
        """Convert one model; its names are taken even when it cannot be converted."""
        found = names, pattern = self._match(model)
        if not names and pattern is None:
            if self._contested.issuperset(equals_of(model.match)):
                raise _Inexpressible("contested: each of its names")
            raise _Inexpressible("an earlier model matches all of its names")
        rows: list[PriceRow] = []
        for period in _periods(model):
            if self.provider == "google-vertex":
                when = _as_vertex_says(period.when)
                if any(map(UPLIFTED_GEMINI.fullmatch, (model.id, *names))):
                    when = {**when, "region": VERTEX_GLOBAL}
                period = evolve(period, when=when)  # noqa: PLW2901
            for key, price in period.prices.items():
                meters, per = self._meters(model.id, key, period.prices)
                rows += self._rows(model.id, found, period, (meters, per), price)
        if not rows:
            raise _Inexpressible("no price is given")
        return [*rows, *self._fees(model.id, found)]

    def _fees(self, model: str, match: tuple[frozenset[str], str | None]) -> Iterator[PriceRow]:
        names, pattern = match
        for fee in FEES.get(self.provider, ()):
            yield PriceRow(
                id="fees:"
                + row_id(self.provider, model, fee.dimension, when={}, tier=None, valid_from=None),
                provider=self.provider,
                models=names,
                pattern=pattern,
                dimension=fee.dimension,
                unit_price=fee.unit_price,
                per=fee.per,
                source=fee.source,
                read_on=fee.read_on,
                evidence="published",
            )

    def _match(self, model: ModelInfo) -> tuple[frozenset[str], str | None]:
        literal = {name for name in equals_of(model.match) if name not in self._taken}
        names = {n for n in literal if not any(match.is_match(n) for match, _ in self._wild)}
        names.update(ALIASES.get(self.provider, {}).get(model.id, ()))
        pattern = None
        if wild := not only_equals(model.match):
            own = literals_of(model.match)
            before = [regex_of(match) for match, texts in self._wild if may_meet(texts, own)]
            before += [re.escape(n) for n in sorted(self._taken) if model.match.is_match(n)]
            unless = f"(?!(?:{'|'.join(before)})\\Z)" if before else ""
            never = _NEVER_BY_PATTERN.get(self.provider, "")
            pattern = f"(?i:{never}{unless}{regex_of(model.match)})"
        elif names and self.provider not in _LOWER_CASE_IDS:
            # Their matching is blind to case, and answers write `meta-llama/Llama-3.3`.
            pattern = f"(?i:{'|'.join(map(re.escape, sorted(names)))})"
        self._taken |= names
        if wild:
            self._wild.append((model.match, literals_of(model.match)))
        return frozenset(names), pattern

    def _meters(
        self, model: str, key: str, prices: Mapping[str, Any]
    ) -> tuple[tuple[str, ...], int]:
        """Give the meters that pay a price, and how many units it is for."""
        meters, per = METERS[key]
        if self.provider in _GOOGLE:
            as_text = AS_TEXT.get(key, {})
            meters = (*meters, *(meter for own, meter in as_text.items() if own not in prices))
            if key == "web_searches_kcount":
                # Of 2.x a prompt with searches is billed, of later ones each search.
                meters = ("grounded_prompts",) if model.startswith("gemini-2") else meters
            if key == "output_mtok" and model.endswith("-tts"):
                meters = (*meters, "output_audio_tokens")  # what it says is all its output
        return meters, per

    def _rows(
        self,
        model: str,
        match: tuple[frozenset[str], str | None],
        period: _Period,
        unit: tuple[Iterable[str], int],
        price: Any,
    ) -> Iterator[PriceRow]:
        meters, per = unit
        names, pattern = match
        for tier, unit_price in _tiers(price):
            for meter in meters:
                valid_from = _midnight(period.start)
                yield PriceRow(
                    id="genai-prices:"
                    + row_id(
                        self.provider,
                        model,
                        meter,
                        when=period.when,
                        tier=tier,
                        valid_from=valid_from,
                    ),
                    provider=self.provider,
                    models=names,
                    pattern=pattern,
                    dimension=meter,
                    unit_price=exact(unit_price),
                    per=per,
                    source=self.source,
                    read_on=self.read_on,
                    evidence="third_party",
                    when=period.when,
                    tier=tier,
                    valid_from=valid_from,
                    valid_until=_midnight(period.stop),
                    minimum=_MINIMA.get((self.provider, meter)),
                )


def _periods(model: ModelInfo) -> Iterator[_Period]:
    """Give the stretches of time, standard prices first, then each variant over them."""
    standard = list(_standard(model))
    yield from standard
    variants: dict[tuple[tuple[str, str], ...], list[Any]] = {}
    for variant in model.price_variants or ():
        variants.setdefault(tuple(sorted(variant.when.items())), []).append(variant)
    for said, found in variants.items():
        if said == _SAID_ANYWAY:
            if any(_fields(v.prices).items() - standard[-1].prices.items() for v in found):
                raise _Inexpressible("the usual tier has a price of its own")
            continue
        when = {key: frozenset({value}) for key, value in said}
        dated = sorted(((_start(v.constraint), v) for v in found), key=lambda each: _order(each[0]))
        for index, (begin, variant) in enumerate(dated):
            end = dated[index + 1][0] if index + 1 < len(dated) else None
            if end is not None and end == begin:
                raise _Inexpressible(f"two variants for {dict(said)} from one day")
            prices = _fields(variant.prices)
            for period in standard:
                start = max(filter(None, (begin, period.start)), default=None)
                stop = min(filter(None, (end, period.stop)), default=None)
                if start is None or stop is None or start < stop:
                    yield _Period(start, stop, {**period.prices, **prices}, when)


def _order(start: date | None) -> date:
    return start or date.min


def _as_vertex_says(when: Mapping[str, frozenset[str]]) -> Mapping[str, frozenset[str]]:
    tiers = when.get("service_tier")
    if tiers is None:
        return when
    others = {key: values for key, values in when.items() if key != "service_tier"}
    return others | {"traffic_type": frozenset(_TRAFFIC.get(tier, tier) for tier in tiers)}


def _standard(model: ModelInfo) -> Iterator[_Period]:
    if not isinstance(model.prices, list):
        yield _Period(None, None, _fields(model.prices), {})
        return
    starts = [_start(price.constraint) for price in model.prices]
    dated = starts[1:]
    if None in dated or dated != sorted(filter(None, dated)):
        raise _Inexpressible("its dated prices are not in order")
    for index, price in enumerate(model.prices):
        stop = starts[index + 1] if index + 1 < len(starts) else None
        yield _Period(starts[index], stop, _fields(price.prices), {})


def _start(constraint: Any) -> date | None:
    if constraint is None:
        return None
    start = getattr(constraint, "start_date", None)
    if not isinstance(start, date):
        raise _Inexpressible("prices by time of day, without the days they are for")
    return start


def _fields(prices: ModelPrice) -> dict[str, Any]:
    found = {key: price for key, price in vars(prices).items() if price is not None}
    # The parent of `input_audio_hours`: the same hours once more.
    if found.get("audio_hours") == found.get("input_audio_hours"):
        found.pop("audio_hours", None)
    unknown = sorted(found.keys() - METERS.keys())
    if unknown:
        raise _Inexpressible(f"no meter for {', '.join(unknown)}")
    return found


def _tiers(price: Any) -> Iterator[tuple[Tier | None, Decimal]]:
    """Split a tiered price; its tiers begin above their `start`, and hold for all tokens."""
    if isinstance(price, Decimal):
        yield None, price
        return
    edges = [0, *(tier.start + 1 for tier in price.tiers), None]
    prices = [price.base, *(tier.price for tier in price.tiers)]
    for index, unit_price in enumerate(prices):
        yield Tier(edges[index] or 0, edges[index + 1]), unit_price


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)
