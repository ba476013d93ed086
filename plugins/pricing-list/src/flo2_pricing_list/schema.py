"""Read price tables written as TOML (or made from CSV) into rows; say all that is wrong at once.

Pure: takes parsed documents, opens nothing. The format is in the README.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final, get_args

from attrs import field, frozen

from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.errors import PricingError
from flo2.money import exact
from flo2.prices import ABSENT, Evidence, PriceRow, Tier, row_id
from flo2_pricing_list.hours import read_schedule

__all__ = ["Table", "parse"]

PER_TOKENS: Final = 1_000_000
_UNITS: Final = re.compile(
    r"[a-z][a-z0-9_]*_(requests|prompts|seconds|hours|days|characters|pages|images|pixels|sessions|calls|searches|units)"
)
_NAME: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)
_CURRENCY: Final = "USD"
_MOST: Final = 10**12
_LEAST: Final = Decimal("1e-15")
"""What is past these is a slip of the pen, or worse."""
_DOCUMENT: Final = {
    "provider", "currency", "source", "sources", "read_on", "evidence", "defaults", "when", "model"
}  # fmt: skip
_MODEL: Final = {"name", "aliases", "pattern", "price"}
_PRICE: Final = {
    "rates", "per", "when", "over", "at_least", "up_to", "below", "graduated", "valid_from",
    "valid_until", "schedule", "minimum", "step", "source", "read_on", "evidence",
}  # fmt: skip


@frozen
class Table:
    """Rows and the context values at which list prices hold."""

    rows: tuple[PriceRow, ...]
    defaults: Mapping[str, Mapping[str, frozenset[str]]] = field(factory=dict)


def parse(
    document: Mapping[str, Any], *, file: str, prefix: str = "", places: Sequence[str] = ()
) -> Table:
    """Read a price file: one provider's table, or several under `providers`.

    Args:
        document: As `tomllib` gives it (with `parse_float=Decimal`, or text for numbers).
        file: Its name, for errors.
        prefix: What its row ids begin with, so that two sources never share one.
        places: Where each of several tables was read, where that is not its number.

    Raises:
        PricingError: with one line per problem, each with its path.
    """
    reader = _Reader(file, prefix)
    many = document.get("providers")
    tables: Iterable[Any] = [document] if many is None else many
    if many is not None:
        reader.only(document, {"providers"}, "")
        if not isinstance(many, list):
            reader.bad("providers", f"expected tables, got {many!r}")
            tables = ()
    for index, table in enumerate(tables):
        place = places[index] if places else f"providers[{index}]."
        reader.provider(table, "" if many is None else place)
    if reader.problems:
        raise PricingError("\n".join(reader.problems))
    return Table(tuple(reader.rows), reader.defaults)


class _Reader:
    """Collects rows and problems; goes on after each problem."""

    def __init__(self, file: str, prefix: str) -> None:
        self.file = file
        self.prefix = prefix
        self.rows: list[PriceRow] = []
        self.defaults: dict[str, dict[str, frozenset[str]]] = {}
        self.problems: list[str] = []
        self._ids: set[str] = set()

    def bad(self, path: str, problem: str) -> None:
        self.problems.append(f"{problem} @ {self.file}: {path}")

    def only(self, table: Mapping[str, Any], known: set[str], path: str) -> None:
        for key in sorted(table.keys() - known):
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            self.bad(f"{path}{key}", f"unknown key {key!r}{hint}")

    def text(self, table: Mapping[str, Any], key: str, path: str, default: str = "") -> str:
        value = table.get(key, default)
        if not isinstance(value, str) or not value:
            self.bad(f"{path}{key}", f"missing text {key!r}, got {value!r}")
            return ""
        return value

    def provider(self, table: Any, path: str) -> None:
        if not isinstance(table, Mapping):
            self.bad(path, f"a provider is a table, got {table!r}")
            return
        self.only(table, _DOCUMENT, path)
        provider = self.text(table, "provider", path)
        if provider and _NAME.fullmatch(provider) is None:
            self.bad(f"{path}provider", f"{provider!r} is no name of a provider")
        currency = table.get("currency", _CURRENCY)
        if currency != _CURRENCY:
            self.bad(
                f"{path}currency",
                f"prices are in {_CURRENCY}, got {currency!r}; give the price in {_CURRENCY}, an "
                "invoice's own rate of exchange belongs to the invoice",
            )
        defaults = self.defaults.setdefault(provider, {})
        defaults.update(self.values(table.get("defaults", {}), f"{path}defaults"))
        models = table.get("model", [])
        if not isinstance(models, list) or not models:
            self.bad(f"{path}model", "no [[model]] in the table")
            return
        base = {
            **table,
            "when": self.values(table.get("when", {}), f"{path}when"),
            "sources": self.sources(table.get("sources", {}), f"{path}sources"),
        }
        for index, model in enumerate(models):
            self.model(base, model, f"{path}model[{index}].")

    def sources(self, table: Any, path: str) -> Mapping[str, str]:
        """Read short names for what many prices say of where they were read."""
        if isinstance(table, Mapping) and all(isinstance(each, str) for each in table.values()):
            return table
        self.bad(path, f"expected a table of texts, got {table!r}")
        return {}

    def values(self, table: Any, path: str) -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        if not isinstance(table, Mapping):
            self.bad(path, f"expected a table of lists, got {table!r}")
            return found
        for key, values in table.items():
            if (
                not isinstance(values, list)
                or not values
                or not all(isinstance(value, str) for value in values)
            ):
                self.bad(f"{path}.{key}", f"expected a list of texts, got {values!r}")
            elif "*" in values:
                self.bad(f"{path}.{key}", f"no wildcards: list the values ({ABSENT!r}: not stated)")
            else:
                found[key] = frozenset(values)
        return found

    def model(self, base: Mapping[str, Any], model: Any, path: str) -> None:
        if not isinstance(model, Mapping):
            self.bad(path, f"a model is a table, got {model!r}")
            return
        self.only(model, _MODEL, path)
        name = self.text(model, "name", path)
        aliases = model.get("aliases", [])
        if not isinstance(aliases, list) or not all(isinstance(a, str) and a for a in aliases):
            self.bad(f"{path}aliases", f"expected a list of texts, got {aliases!r}")
            return
        pattern = model.get("pattern")
        if pattern is not None and not isinstance(pattern, str):
            self.bad(f"{path}pattern", f"expected a regular expression, got {pattern!r}")
            return
        prices = model.get("price", [])
        if not isinstance(prices, list) or not prices:
            self.bad(f"{path}price", f"model {name!r} has no [[model.price]]")
            return
        for index, price in enumerate(prices):
            self.price(base, price, f"{path}price[{index}].", (name, frozenset(aliases), pattern))

    def price(
        self,
        base: Mapping[str, Any],
        price: Any,
        path: str,
        model: tuple[str, frozenset[str], str | None],
    ) -> None:
        if not isinstance(price, Mapping) or not isinstance(price.get("rates"), Mapping):
            self.bad(path, f"a price is a table with `rates`, got {price!r}")
            return
        self.only(price, _PRICE, path)
        when = {**base["when"], **self.values(price.get("when", {}), f"{path}when")}
        tier = self.tier(price, path)
        valid_from = self.instant(price, "valid_from", path)
        valid_until = self.instant(price, "valid_until", path)
        merged = {**base, **price}
        schedule = None
        if "schedule" in price:
            schedule = read_schedule(price["schedule"], f"{path}schedule", self.bad)
        minimum, step = self.units(price, "minimum", path), self.units(price, "step", path)
        source = self.text(merged, "source", path)
        source = base["sources"].get(source, source)
        read_on = merged.get("read_on")
        if type(read_on) is not date:
            self.bad(f"{path}read_on", f"expected a date like 2026-11-25, got {read_on!r}")
            return
        evidence: Any = merged.get("evidence")
        if evidence not in get_args(Evidence):
            self.bad(f"{path}evidence", f"{evidence!r} is none of {list(get_args(Evidence))}")
            return
        per = price.get("per", PER_TOKENS)
        if type(per) is not int or per > _MOST:
            self.bad(f"{path}per", f"expected a whole number of units, got {per!r}")
            return
        for dimension, value in price["rates"].items():
            self.dimension(dimension, f"{path}rates.{dimension}")
            unit_price = self.number(value, f"{path}rates.{dimension}")
            if unit_price is None:
                continue
            name, aliases, pattern = model
            provider = str(base.get("provider", ""))
            id_ = self.prefix + row_id(
                provider,
                name,
                dimension,
                when=when,
                tier=tier,
                valid_from=valid_from,
                schedule=schedule,
            )
            if id_ in self._ids:
                self.bad(f"{path}rates.{dimension}", f"row {id_!r} is there twice")
                continue
            self._ids.add(id_)
            try:
                row = PriceRow(
                    id=id_,
                    provider=provider,
                    models=aliases | {name},
                    dimension=dimension,
                    unit_price=unit_price,
                    per=per,
                    source=source,
                    read_on=read_on,
                    evidence=evidence,
                    pattern=pattern,
                    currency=str(base.get("currency", "USD")),
                    when=when,
                    tier=tier,
                    valid_from=valid_from,
                    valid_until=valid_until,
                    schedule=schedule,
                    minimum=minimum,
                    step=step,
                )
            except PricingError as exc:
                self.bad(f"{path}rates.{dimension}", str(exc))
                continue
            self.rows.append(row)

    def dimension(self, dimension: str, path: str) -> None:
        known = (*INPUT_METERS, *OUTPUT_METERS)
        if dimension not in known and not _UNITS.fullmatch(dimension):
            near = difflib.get_close_matches(dimension, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            self.bad(path, f"unknown meter {dimension!r}{hint}")

    def number(self, value: Any, path: str) -> Decimal | None:
        try:
            number = exact(value)
        except (TypeError, ValueError) as exc:
            self.bad(path, str(exc))
            return None
        if number > _MOST or 0 < number < _LEAST:
            self.bad(path, f"{value!r} is no number that a price or a count of units has")
            return None
        return number

    def units(self, price: Mapping[str, Any], key: str, path: str) -> Decimal | None:
        return None if key not in price else self.number(price[key], f"{path}{key}")

    def instant(self, price: Mapping[str, Any], key: str, path: str) -> datetime | None:
        value = price.get(key)
        if value is None:
            return None
        if type(value) is date:
            return datetime.combine(value, time(), UTC)
        if isinstance(value, datetime) and value.tzinfo is not None and value.year > 1:
            return value.astimezone(UTC)
        self.bad(
            f"{path}{key}", f"expected a date (UTC) or an instant with its zone, got {value!r}"
        )
        return None

    def tier(self, price: Mapping[str, Any], path: str) -> Tier | None:
        edges: dict[str, int] = {}
        for key in ("over", "at_least", "up_to", "below"):
            value = price.get(key)
            if value is None:
                continue
            if type(value) is not int or not 0 <= value <= _MOST:
                self.bad(f"{path}{key}", f"expected a count of tokens, got {value!r}")
                return None
            edges[key] = value
        graduated = price.get("graduated", False)
        if type(graduated) is not bool:
            self.bad(f"{path}graduated", f"expected true or false, got {graduated!r}")
            return None
        for one, other in (("over", "at_least"), ("up_to", "below")):
            if one in edges and other in edges:
                self.bad(path, f"give {one!r} or {other!r}, not both")
                return None
        if not edges and not graduated:
            return None
        start = edges.get("at_least", edges["over"] + 1 if "over" in edges else 0)
        stop = edges.get("below", edges["up_to"] + 1 if "up_to" in edges else None)
        try:
            return Tier(start, stop, graduated)
        except PricingError as exc:
            self.bad(path, str(exc))
            return None
