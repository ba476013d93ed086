"""The price book: immutable, named by the hash of its rows, strict about what it does not know.

Exactly one row must match a provider, model, meter, context and instant. None: the cost is
`unpriced` and says what is missing. There is no default, no nearest model and no other provider.
Imports: money, canonical, prices.*.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal

from attrs import frozen

from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS, Usage
from flo2.errors import CurrencyMismatch, PricingError
from flo2.money import ZERO, add, divide, multiply, text
from flo2.prices.bounds import bound
from flo2.prices.context import PricingContext
from flo2.prices.cost import Bounds, Cost, CostLine
from flo2.prices.match import applies, check_overlaps, unknown_values
from flo2.prices.quantities import parts_of
from flo2.prices.rows import Defaults, PriceRow
from flo2.prices.shelf import About, Layer, RowsById, Shelf
from flo2.prices.tables import Rate, Resolved, compile_rows

__all__ = ["Explanation", "PriceBook", "build"]

_MEMO_SIZE: Final = 4096
"""Resolved (provider, model, context) triples kept; names come from answers, so it is bounded."""

_MOST: Final = 10**12
"""Of a meter, in one call; a count beyond is a counter that overflowed, and its sum no cost."""

_NOTHING: Final[frozenset[Any]] = frozenset()

_Key = tuple[str, str, frozenset[tuple[str, str]], frozenset[str]]


@frozen
class Explanation:
    """A cost line beside the row that priced it."""

    line: CostLine
    row: PriceRow

    def __str__(self) -> str:
        """Say the sum in words."""
        line, row = self.line, self.row
        return (
            f"{line.dimension}: {line.quantity} x {text(line.unit_price)} / {line.per} "
            f"= {text(line.amount)} {line.currency}{' (rounded)' if line.rounded else ''}; "
            f"row {row.id}, {row.evidence}, {row.source}, read {row.read_on.isoformat()}"
        )


def build(layers: Iterable[Layer]) -> PriceBook:
    """Make a book; earlier layers win.

    A model that a layer prices hides every row of later layers for that (provider, model). Default
    values of a context key are taken from the first layer that states them for the provider.

    Raises:
        AmbiguousPrice: two rows of one layer match the same usage.
        CurrencyMismatch: a provider's rows are in two currencies.
        PricingError: two rows have one id.
    """
    return PriceBook(tuple(layers))


class PriceBook:
    """Dated rows of all sources, ready to price.

    Attributes:
        version: `sha256:` and the hash of all rows; the order of rows and files changes nothing.
        rows: All rows, hidden ones too, by id; some are made when they are asked for.
    """

    __slots__ = ("_currencies", "_defaults", "_memo", "_shelves", "rows", "version")

    def __init__(self, layers: Sequence[Layer] = ()) -> None:
        """Check and name the rows; see `build`."""
        self._shelves: tuple[Shelf, ...] = tuple(layer.rows for layer in layers)
        self.rows: Mapping[str, PriceRow] = RowsById(self._shelves)
        self._currencies: Mapping[str, str] = _currencies(layers)
        defaults: dict[str, dict[str, frozenset[str]]] = {}
        for layer in layers:
            for provider, keys in layer.defaults.items():
                for key, values in keys.items():
                    defaults.setdefault(provider, {}).setdefault(key, frozenset(values))
        self._defaults: Mapping[str, Mapping[str, frozenset[str]]] = defaults
        for layer in layers:
            for provider in layer.rows.about:
                # What was checked when the layer was made is looked at again only where another
                # layer's defaults let more rows hold at once.
                if layer.rows.checked.get(provider) != defaults.get(provider, {}):
                    check_overlaps(layer.rows.of(provider), defaults, layer.name)
        self._memo: dict[_Key, Resolved] = {}
        self.version: str = _hash(layers, defaults)

    # ------------------------------------------------------------------------------------ pricing

    def price(self, usage: Usage, context: PricingContext) -> Cost:
        """Price one attempt.

        Args:
            usage: Disjoint meters; cache reads are *not* inside `input_tokens`.
            context: Billed model, tier, region, and `at`: when the attempt began.

        Returns:
            Exact lines per meter and their sum; or `unpriced` or `pending` with a reason that
            names what is missing, no lines and no total.
        """
        if (cost := self._at_once(usage, context)) is not None:
            return cost
        if usage.problem is not None:
            return self.no_cost("pending", context, usage.problem)
        model = context.model_billed
        lines: list[CostLine] = []
        try:
            problem = self._price(lines, context, model, usage, context.input_total, "")
            for sub in usage.subcalls:
                if problem is not None:
                    break
                # A subcall that names no model ran on the attempt's own (a `compaction`).
                name = sub.model or model
                problem = self._price(lines, context, name, Usage(sub.quantities), None, name)
            if problem is not None:
                return self.no_cost(*problem)
            amount = ZERO
            for line in lines:
                amount = add(amount, line.amount)
        except (ArithmeticError, ValueError) as exc:
            return self.no_cost("pending", context, f"a meter is not within 60 digits: {exc!r}")
        currency = self._currencies.get(context.provider, "USD")
        return Cost(tuple(lines), "settled", amount, currency, self.version)

    def no_cost(
        self, status: Literal["unpriced", "pending"], context: PricingContext, reason: str
    ) -> Cost:
        """Say that there is no figure, and why."""
        return Cost((), status, None, self.currency(context.provider), self.version, reason)

    def _at_once(self, usage: Usage, context: PricingContext) -> Cost | None:
        """Price an answer whose every meter is one multiplication; None: there is more to it."""
        if usage.problem is not None or usage.subcalls:
            return None
        provider, model, said = context.provider, context.model_billed, context.context
        stated = frozenset(said.items()) if said else _NOTHING
        resolved = self._memo.get((provider, model, stated, _NOTHING)) or self.resolve(
            provider, model, said
        )
        if resolved.problem is not None:
            return None
        span = resolved.span(context.at) if resolved.dated else resolved.spans[0]
        tags = span.plain[0]
        if span.cuts:
            total = context.input_total
            tags = span.plain[span.index(usage.input_total if total is None else total)]
        version, amount = self.version, ZERO
        lines: list[CostLine] = []
        try:
            for meter, quantity in usage.quantities.items():
                tag = tags.get(meter)
                if tag is None or type(quantity) is not int or not 0 < quantity <= _MOST:
                    return None
                price, currency = multiply(quantity, tag.each), tag.currency
                amount = add(amount, price)
                # By position, in the order of the fields.
                lines.append(
                    CostLine(
                        meter,
                        quantity,
                        tag.unit_price,
                        tag.per,
                        price,
                        price,  # list_amount
                        currency,
                        tag.row,
                        version,
                    )
                )
        except ArithmeticError:
            return None
        return Cost(tuple(lines), "settled", amount, resolved.currency, version)

    def _price(
        self,
        lines: list[CostLine],
        context: PricingContext,
        model: str,
        usage: Usage,
        input_total: int | None,
        label: str,
    ) -> tuple[Literal["unpriced", "pending"], PricingContext, str] | None:
        """Append a line per meter; give the problem instead when there is one."""
        said = context.context
        stated = frozenset(said.items()) if said else _NOTHING
        resolved = self._memo.get((context.provider, model, stated, _NOTHING)) or self.resolve(
            context.provider, model, said
        )
        if resolved.problem is not None:
            return "unpriced", context, resolved.problem
        span = resolved.span(context.at) if resolved.dated else resolved.spans[0]
        table = span.tables[0]
        if span.cuts:
            total = usage.input_total if input_total is None else input_total
            table = span.tables[span.index(total)]
        version = self.version
        for meter, quantity in usage.quantities.items():
            if type(quantity) is not int and not _is_exact(quantity):
                return "pending", context, f"meter {meter!r} is {quantity!r}: no exact number"
            if quantity <= 0:
                if quantity == 0:
                    continue
                return "pending", context, f"meter {meter!r} is negative: {quantity}"
            if quantity > _MOST:
                return "pending", context, f"meter {meter!r} is {quantity}: no call uses so much"
            rates = table.get(meter, ())
            parts = parts_of([rate.row for rate in rates], quantity)
            if parts is None:
                total = usage.input_total if input_total is None else input_total
                missing = _missing(meter, rates, model=model, context=context, total=total)
                return "unpriced", context, missing
            for row, count in parts:
                amount, rounded = divide(multiply(count, row.unit_price), row.per)
                lines.append(
                    CostLine(
                        meter,
                        count,
                        row.unit_price,
                        row.per,
                        amount,
                        amount,
                        row.currency,
                        row.id,
                        version,
                        rounded,
                        label,
                    )
                )
        return None

    def bounds(
        self,
        context: PricingContext,
        input_low: int,
        input_high: int | None,
        output_high: int | None,
        *,
        undecided: Iterable[str] = (),
        input_meters: Sequence[str] = INPUT_METERS,
        output_meters: Sequence[str] = OUTPUT_METERS,
    ) -> Bounds:
        """Bound what a call can cost in tokens, before it runs.

        Args:
            context: As known before the call; `input_total` is not used.
            input_low: The prompt has at least so many tokens.
            input_high: And at most so many; None: not known.
            output_high: The answer has at most so many; None: not known.
            undecided: Context keys whose value only the answer will tell (a `service_tier` of
                `auto`): every value that has rows is reckoned with.
            input_meters: Meters the prompt may be counted in; without cache writes, say, where the
                request asks for none.
            output_meters: The same for the answer.

        Returns:
            The cheapest way to bill the least, the dearest to bill the most, all tiers in reach
            included. (0, None) for what the book does not know.
        """
        resolved = self.resolve(
            context.provider, context.model_billed, context.context, frozenset(undecided)
        )
        if resolved.problem is not None:
            return Bounds(ZERO, None, resolved.currency)
        return bound(
            resolved,
            context.at,
            input_low=input_low,
            input_high=input_high,
            output_high=output_high,
            input_meters=input_meters,
            output_meters=output_meters,
        )

    # ------------------------------------------------------------------------------------- lookup

    def currency(self, provider: str) -> str:
        """Give the currency of a provider's rows; USD where there are none."""
        return self._currencies.get(provider, "USD")

    def providers(self) -> tuple[str, ...]:
        """Name the providers that have rows."""
        return tuple(sorted(self._currencies))

    def models(self, provider: str) -> tuple[str, ...]:
        """Name the provider's models that have rows by exact name (patterns left out)."""
        return tuple(sorted({name for shelf in self._shelves for name in shelf.names(provider)}))

    @property
    def defaults(self) -> Mapping[str, Mapping[str, frozenset[str]]]:
        """Provider → context key → the values at which rows without that key hold."""
        return self._defaults

    def about(self, provider: str) -> tuple[About, ...]:
        """Give each layer's rows for a provider in numbers, the first one first."""
        found = (shelf.about.get(provider) for shelf in self._shelves)
        return tuple(each for each in found if each is not None)

    @property
    def newest(self) -> date | None:
        """When the last of all rows was read; None: there is none."""
        read = (each.newest for shelf in self._shelves for each in shelf.about.values())
        return max(read, default=None)

    def rows_for(self, provider: str, model: str) -> tuple[PriceRow, ...]:
        """Give all rows that price a model, in any context and at any time."""
        for shelf in self._shelves:
            if found := shelf.find(provider, model):
                return found
        return ()

    def explain(self, cost: Cost) -> tuple[Explanation, ...]:
        """Set each line of a cost beside its row.

        Raises:
            PricingError: the cost was priced by another book.
        """
        try:
            return tuple(Explanation(line, self.rows[line.row]) for line in cost.lines)
        except KeyError as exc:
            raise PricingError(
                f"price row {exc.args[0]!r} of book {cost.book!r} is not in book {self.version!r}"
            ) from exc

    def resolve(
        self,
        provider: str,
        model: str,
        context: Mapping[str, str],
        undecided: frozenset[str] = _NOTHING,
    ) -> Resolved:
        """Give a model's rates in a context, compiled; kept, so that a second time is cheap."""
        stated = frozenset(context.items()) if context else _NOTHING
        key = (provider, model, stated, undecided)
        found = self._memo.get(key)
        if found is None:
            if len(self._memo) >= _MEMO_SIZE:
                self._memo.clear()
            found = self._memo[key] = self._compile(provider, model, context, undecided)
        return found

    def _compile(
        self, provider: str, model: str, context: Mapping[str, str], undecided: frozenset[str]
    ) -> Resolved:
        currency = self.currency(provider)
        if provider not in self._currencies:
            return Resolved((), (), currency, f"no price row for provider {provider!r}")
        rows = self.rows_for(provider, model)
        if not rows:
            return Resolved(
                (), (), currency, f"no price row for model {model!r} of provider {provider!r}"
            )
        defaults = self._defaults.get(provider, {})
        holding = [row for row in rows if applies(row, context, defaults, undecided)]
        if holding:
            return compile_rows(holding, currency)
        unknown = unknown_values(rows, context, defaults) or sorted(
            f"{key}={value!r}" for key, value in context.items()
        )
        return Resolved(
            (),
            (),
            currency,
            f"no price row for model {model!r} of provider {provider!r} with {', '.join(unknown)}",
        )


def _is_exact(quantity: object) -> bool:
    return isinstance(quantity, Decimal) and quantity.is_finite()


def _missing(
    meter: str, rates: Sequence[Rate], *, model: str, context: PricingContext, total: int
) -> str:
    """Say exactly which row was looked for, or which ones were found."""
    where = f"meter {meter!r} of model {model!r} of provider {context.provider!r}"
    if rates:
        ids = " and ".join(repr(rate.row.id) for rate in rates)
        if all(rate.row.is_graduated for rate in rates):
            return f"graduated price rows {ids} leave a part without a price: {where}"
        return f"price rows {ids} both match {where}; give the model its own row by exact name"
    told = "".join(f", {key}={value!r}" for key, value in sorted(context.context.items()))
    at = context.instant.isoformat()
    return f"no price row for {where} at {at}, {total} input tokens{told}"


def _currencies(layers: Sequence[Layer]) -> Mapping[str, str]:
    found: dict[str, tuple[str, str]] = {}
    for layer in layers:
        for provider, about in layer.rows.about.items():
            currency, where = found.setdefault(provider, (about.currency, layer.name))
            if currency != about.currency:
                raise CurrencyMismatch(
                    f"{layer.name!r} prices provider {provider!r} in {about.currency!r}, and "
                    f"{where!r} in {currency!r}; keep one currency per provider"
                )
    return {provider: currency for provider, (currency, _) in found.items()}


def _hash(layers: Sequence[Layer], defaults: Defaults) -> str:
    """Hash the layers' hashes, in their order, and the defaults in force."""
    values = {
        provider: {key: sorted(allowed) for key, allowed in sorted(keys.items())}
        for provider, keys in sorted(defaults.items())
    }
    digests = [layer.rows.digest for layer in layers if len(layer.rows)]
    written = json.dumps([digests, values], sort_keys=True)
    return "sha256:" + hashlib.sha256(written.encode()).hexdigest()
