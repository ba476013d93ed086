"""Price rows in a compact, content-hashed artefact, read model by model.

An artefact is text: a line that says what it holds, then a line per model, sorted, so that a change
of data reads well in a diff. `pack` writes one after the checks that a book makes of any rows;
`PackedRows` reads one: names at once, and a model's rows when the model is asked for, which is why
ten thousand rows cost a start next to nothing.
Pure. Imports: prices.rows, prices.naming, prices.match, prices.shelf.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Struct

from flo2.errors import PricingError
from flo2.money import exact, text
from flo2.prices.match import check_overlaps
from flo2.prices.names import NameIndex
from flo2.prices.naming import conditions_id
from flo2.prices.rows import Defaults, Evidence, PriceRow, Tier
from flo2.prices.schedule import Schedule, Window
from flo2.prices.shelf import About, IndexedRows, digest_of

__all__ = ["PackedRows", "pack"]

_FORMAT: Final = "flo2-prices/1"


class _Hours(Struct, frozen=True, omit_defaults=True):
    windows: list[tuple[int, int, int]]
    zone: str = "UTC"
    holidays: list[date] = []
    outside: bool = False


class _Origin(Struct, frozen=True, omit_defaults=True):
    """How rows are known, and what their ids begin with."""

    source: str
    read_on: date
    evidence: Evidence
    prefix: str = ""


class _Price(Struct, frozen=True, omit_defaults=True):
    """Rows of one model that differ in nothing but meter and price."""

    rates: dict[str, str]
    origin: int = 0
    per: int = 1_000_000
    when: dict[str, list[str]] = {}
    tier: tuple[int, int | None, bool] | None = None
    since: datetime | None = None
    until: datetime | None = None
    hours: int | None = None
    minimum: str | None = None
    step: str | None = None
    tail: str | None = None


class _Model(Struct, frozen=True, omit_defaults=True):
    provider: str
    name: str
    models: list[str] | None = None
    pattern: str | None = None
    prices: list[_Price] = []


class _Names(Struct, frozen=True):
    """What of a model's line is read at once."""

    provider: str
    name: str
    models: list[str] | None = None
    pattern: str | None = None


class _About(Struct, frozen=True):
    currency: str
    rows: int
    models: int
    newest: date


class _Head(Struct, frozen=True):
    format: str
    content: str
    digest: str
    about: dict[str, str]
    defaults: dict[str, dict[str, list[str]]]
    providers: dict[str, _About]
    origins: list[_Origin]
    hours: list[_Hours]


_PREFIX: Final = re.compile(r"(?:[^/:]+:)?")

_HEAD: Final = msgspec.json.Decoder(_Head)
_NAMES: Final = msgspec.json.Decoder(_Names)
_MODEL: Final = msgspec.json.Decoder(_Model)
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def pack(rows: Iterable[PriceRow], defaults: Defaults, about: Mapping[str, str]) -> bytes:
    """Write rows as an artefact; the same rows in any order give the same bytes.

    Args:
        rows: Their ids are a word and a colon or nothing, `provider/name/meter`, and conditions;
            see `prices.naming`.
        defaults: Provider → context key → values at which rows without that key hold.
        about: Where the rows come from, in words: who made them, which version, read when.

    Raises:
        AmbiguousPrice, CurrencyMismatch: as in making a book.
        PricingError: two rows have one id, or an id does not say what the row is for.
    """
    held = IndexedRows(rows)
    check_overlaps(held, defaults, "the rows to pack")
    writer = _Writer()
    named = sorted(held, key=lambda row: (row.provider, writer.name(row), row.id))
    lines = [
        _ENCODER.encode(writer.model(list(of_it))) for _, of_it in groupby(named, key=writer.place)
    ]
    body = b"".join(line + b"\n" for line in lines)
    head = _Head(
        format=_FORMAT,
        content="",
        digest=held.digest,
        about=dict(about),
        defaults={
            provider: {key: sorted(values) for key, values in keys.items()}
            for provider, keys in defaults.items()
        },
        providers={
            name: _About(each.currency, each.rows, each.models, each.newest)
            for name, each in held.about.items()
        },
        origins=list(writer.origins),
        hours=[_hours(each) for each in writer.schedules],
    )
    content = _content(head, body)
    data = _ENCODER.encode(msgspec.structs.replace(head, content=content)) + b"\n" + body
    if digest_of(PackedRows(data)) != held.digest:
        raise PricingError("the rows do not read back as they were written")
    return data


def _content(head: _Head, body: bytes) -> str:
    bare = _ENCODER.encode(msgspec.structs.replace(head, content=""))
    return hashlib.sha256(bare + body).hexdigest()


def _hours(schedule: Schedule) -> _Hours:
    return _Hours(
        [(each.day, each.start, each.stop) for each in schedule.windows],
        schedule.zone,
        sorted(schedule.holidays),
        schedule.outside,
    )


class _Writer:
    """Writes models; collects what they share."""

    def __init__(self) -> None:
        self.origins: dict[_Origin, int] = {}
        self.schedules: dict[Schedule, int] = {}

    def _parts(self, row: PriceRow) -> tuple[str, str, str]:
        """Take an id apart: what it begins with, the model's name, and the conditions."""
        before, _, rest = row.id.partition(f"{row.provider}/")
        name, meter, tail = rest.partition(f"/{row.dimension}")
        if not meter or not name or _PREFIX.fullmatch(before) is None or ":" in row.provider:
            raise PricingError(
                f"row id {row.id!r} does not say what it is for; "
                f"expected {row.provider}/NAME/{row.dimension}…, and perhaps a word: before it"
            )
        return before, name, tail

    def name(self, row: PriceRow) -> str:
        return self._parts(row)[1]

    def place(self, row: PriceRow) -> tuple[object, ...]:
        return row.provider, self.name(row), row.models, row.pattern

    def model(self, rows: list[PriceRow]) -> _Model:
        first = rows[0]
        name = self.name(first)
        prices: dict[bytes, _Price] = {}
        for row in rows:
            price = self._price(row)
            key = _ENCODER.encode(msgspec.structs.replace(price, rates={}))
            prices.setdefault(key, price).rates.update(price.rates)
        return _Model(
            first.provider,
            name,
            None if first.models == {name} else sorted(first.models),
            first.pattern,
            list(prices.values()),
        )

    def _price(self, row: PriceRow) -> _Price:
        before, _, tail = self._parts(row)
        origin = _Origin(row.source, row.read_on, row.evidence, before)
        usual = conditions_id(row.when, row.tier, row.valid_from, row.schedule)
        return _Price(
            rates={row.dimension: text(row.unit_price)},
            origin=self.origins.setdefault(origin, len(self.origins)),
            per=row.per,
            when={key: sorted(values) for key, values in sorted(row.when.items())},
            tier=None if row.tier is None else (row.tier.start, row.tier.stop, row.tier.graduated),
            since=row.valid_from,
            until=row.valid_until,
            hours=None
            if row.schedule is None
            else self.schedules.setdefault(row.schedule, len(self.schedules)),
            minimum=None if row.minimum is None else text(row.minimum),
            step=None if row.step is None else text(row.step),
            tail=None if tail == usual else tail,
        )


class PackedRows:
    """Rows of an artefact, made when they are asked for.

    Attributes:
        origin: Where the rows come from, in words.
    """

    __slots__ = (
        "_body", "_head", "_index", "_last", "_lines", "_schedules", "about", "checked", "digest",
        "origin", "prefixes",
    )  # fmt: skip

    def __init__(self, data: bytes, *, name: str = "price artefact") -> None:
        """Read the names; the hash of the whole is compared.

        Raises:
            PricingError: it is cut short, changed, or of another format.
        """
        first, _, body = data.partition(b"\n")
        try:
            head = _HEAD.decode(first)
            if head.format != _FORMAT or head.content != _content(head, body):
                raise PricingError(
                    f"{name} is not what was written: its content has another hash, or its format "
                    f"{head.format!r} is not {_FORMAT!r}; install it anew"
                )
            self._read(body)
            self._schedules = [_schedule(each) for each in head.hours]
        except (msgspec.DecodeError, ValueError) as exc:
            raise PricingError(f"{name} cannot be read: {exc}") from exc
        self._head = head
        self._last: tuple[tuple[str, str], tuple[PriceRow, ...]] = (("", ""), ())
        self.digest: str = head.digest
        self.prefixes: frozenset[str] = frozenset(each.prefix for each in head.origins)
        self.origin: Mapping[str, str] = MappingProxyType(head.about)
        self.about: Mapping[str, About] = {
            provider: About(each.currency, each.rows, each.models, each.newest)
            for provider, each in head.providers.items()
        }
        self.checked: Mapping[str, Mapping[str, frozenset[str]]] = {
            provider: {
                key: frozenset(values) for key, values in head.defaults.get(provider, {}).items()
            }
            for provider in head.providers
        }

    def _read(self, body: bytes) -> None:
        self._body = body
        entries: dict[str, list[tuple[list[str], str | None, int]]] = {}
        self._lines: dict[str, dict[str, list[int]]] = {}
        start = 0
        while start < len(body):
            stop = body.index(b"\n", start)
            told = _NAMES.decode(body[start:stop])
            names = [told.name] if told.models is None else told.models
            entries.setdefault(told.provider, []).append((names, told.pattern, start))
            self._lines.setdefault(told.provider, {}).setdefault(told.name, []).append(start)
            start = stop + 1
        self._index: dict[str, NameIndex[int]] = {
            provider: NameIndex(found) for provider, found in entries.items()
        }

    def __len__(self) -> int:
        return sum(each.rows for each in self.about.values())

    def __iter__(self) -> Iterator[PriceRow]:
        for provider in self._lines:
            yield from self.of(provider)

    def defaults(self) -> Mapping[str, Mapping[str, frozenset[str]]]:
        """Give the context values at which its rows hold unless they say otherwise."""
        return {provider: keys for provider, keys in self.checked.items() if keys}

    def names(self, provider: str) -> Iterable[str]:
        """Give the provider's models that have rows by exact name."""
        index = self._index.get(provider)
        return () if index is None else index.names()

    def find(self, provider: str, model: str) -> tuple[PriceRow, ...]:
        """Give the rows of a model: those by exact name, or those whose pattern matches."""
        last = self._last  # a book asks again for each context
        if last[0] == (provider, model):
            return last[1]
        index = self._index.get(provider)
        if index is None:
            return ()
        found = tuple(row for start in index.find(model) for row in self._rows(start))
        self._last = (provider, model), found
        return found

    def of(self, provider: str) -> Iterable[PriceRow]:
        """Give all rows of a provider."""
        for starts in self._lines.get(provider, {}).values():
            for start in starts:
                yield from self._rows(start)

    def get(self, row: str) -> PriceRow | None:
        """Give a row by its id."""
        head, _, rest = row.partition("/")
        before, colon, provider = head.rpartition(":")
        lines = self._lines.get(provider)
        if lines is None or before + colon not in self.prefixes:
            return None
        # Names have slashes as well, so each of them may be where the name ends.
        parts = rest.split("/")
        for count in range(1, len(parts)):
            for start in lines.get("/".join(parts[:count]), ()):
                for found in self._rows(start):
                    if found.id == row:
                        return found
        return None

    def _rows(self, start: int) -> Iterator[PriceRow]:
        model = _MODEL.decode(self._body[start : self._body.index(b"\n", start)])
        names = frozenset([model.name] if model.models is None else model.models)
        currency = self.about[model.provider].currency
        for price in model.prices:
            yield from self._of_price(model, names, currency, price)

    def _of_price(
        self, model: _Model, names: frozenset[str], currency: str, price: _Price
    ) -> Iterator[PriceRow]:
        when = {key: frozenset(values) for key, values in price.when.items()}
        tier = None if price.tier is None else Tier(*price.tier)
        schedule = None if price.hours is None else self._schedules[price.hours]
        origin = self._head.origins[price.origin]
        tail = (
            conditions_id(when, tier, price.since, schedule) if price.tail is None else price.tail
        )
        rest: dict[str, Any] = {
            "provider": model.provider,
            "models": names,
            "per": price.per,
            "source": origin.source,
            "read_on": origin.read_on,
            "evidence": origin.evidence,
            "pattern": model.pattern,
            "currency": currency,
            "when": when,
            "tier": tier,
            "valid_from": price.since,
            "valid_until": price.until,
            "schedule": schedule,
            "minimum": _number(price.minimum),
            "step": _number(price.step),
        }
        for meter, unit_price in price.rates.items():
            yield PriceRow(
                id=f"{origin.prefix}{model.provider}/{model.name}/{meter}{tail}",
                dimension=meter,
                unit_price=exact(unit_price),
                **rest,
            )


def _number(value: str | None) -> Decimal | None:
    return None if value is None else exact(value)


def _schedule(hours: _Hours) -> Schedule:
    windows = [Window(*each) for each in hours.windows]
    return Schedule(windows, hours.zone, frozenset(hours.holidays), hours.outside)
