"""Price a call under the contracts in force: the engine and the list are those of everybody.

Each line keeps its list amount. A meter with a negotiated rate is priced by that row, any other by
the list's; then come provisioned capacity, or discounts. Pure. Imports: contracts.*, prices, money.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal

from msgspec.structs import replace

from flo2.canonical.usage import Usage
from flo2.contracts.stacking import Factor, product, stack
from flo2.contracts.terms import Capacity, Contract, Discount
from flo2.errors import PricingError
from flo2.money import ZERO, add, divide, multiply, subtract
from flo2.prices import Cost, CostLine, Layer, PriceBook, PricingContext, build

__all__ = ["Terms"]

_MEMO_SIZE: Final = 4096
_Base = Literal["list", "rates"]
_Key = tuple[str, str, str, frozenset[tuple[str, str]], _Base]


class Terms:
    """The terms of a single call that one stretch of time has; nothing in it changes them.

    Args:
        contracts: In force, in order of name.
        discounts: Those in force, with their full names.
        capacity: Likewise.

    Attributes:
        id: The contracts' ids, joined by `+`.
    """

    __slots__ = ("_capacity", "_cards", "_contracts", "_discounts", "_memo", "id")

    def __init__(
        self,
        contracts: Sequence[Contract],
        discounts: Sequence[tuple[str, Discount]],
        capacity: Sequence[tuple[str, Capacity]],
    ) -> None:
        self.id: str = "+".join(contract.id for contract in contracts)
        self._contracts = tuple(contracts)
        self._discounts = tuple(discounts)
        self._capacity = tuple(capacity)
        self._cards: tuple[str, PriceBook] | None = None
        self._memo: dict[_Key, tuple[tuple[Factor, ...], Decimal]] = {}

    def price(self, book: PriceBook, usage: Usage, context: PricingContext) -> Cost:
        """Price one attempt; see `PriceBook.price`.

        Returns:
            A cost whose lines carry list amount, contract amount, factors and contract. Where
            neither list nor contract has a price for a meter, what the list says of it.
        """
        try:
            cards = self.cards(book)
        except PricingError as exc:
            reason = f"the contract {self.id} does not go with this price book: {exc}"
            return book.no_cost("unpriced", context, reason)
        if not self._is_special(cards, usage, context):
            cost = book.price(usage, context)
            if cost.total is None:
                return cost
            agreed = [
                self._agreed(line, line.list_amount, context, "list", line.model)
                for line in cost.lines
            ]
            return self._cost(cost, agreed)
        listed = book.no_cost("pending", context, usage.problem or "")
        if usage.problem is not None:
            return listed
        model = context.model_billed
        total = usage.input_total if context.input_total is None else context.input_total
        pieces = [(model, "", Usage(usage.quantities), total)]
        for sub in usage.subcalls:
            part = Usage(sub.quantities)
            pieces.append((sub.model or model, sub.model or model, part, part.input_total))
        lines: list[CostLine] = []
        try:
            for name, label, part, input_total in pieces:
                here = replace(context, model_billed=name, input_total=input_total)
                problem = self._piece(lines, book, cards, part, here, label)
                if problem is not None:
                    return problem
            return self._cost(listed, lines)
        except (ArithmeticError, ValueError) as exc:
            return book.no_cost("pending", context, f"a meter is not within 60 digits: {exc!r}")

    def cards(self, book: PriceBook) -> PriceBook:
        """Give the negotiated rates as a book, at the values of context that the list's rows have.

        Raises:
            PricingError: two rates meet at those values.
        """
        if self._cards is None or self._cards[0] != book.version:
            rows = [rate.row for contract in self._contracts for rate in contract.rates]
            made = build([Layer(f"contract {self.id}", rows, book.defaults)] if rows else [])
            self._cards = (book.version, made)
        return self._cards[1]

    def surcharge(self, provider: str, model: str) -> Decimal:
        """Give the most that surcharges multiply a call of a model by; 1 without any."""
        percents = [
            each.percent
            for _, each in self._discounts
            if each.percent < 0 and each.scope.covers_model(provider, model)
        ]
        factor = Decimal(1)
        for percent in percents:
            factor = multiply(factor, subtract(1, divide(percent, 100)[0]))
        return factor

    # --------------------------------------------------------------------------------------------

    def _is_special(self, cards: PriceBook, usage: Usage, context: PricingContext) -> bool:
        """Say whether some meter may be priced otherwise than by multiplying its list lines."""
        names = [context.model_billed, *(sub.model for sub in usage.subcalls if sub.model)]
        return any(
            cards.rows_for(context.provider, name)
            or self._provided(context.provider, name, context.context) is not None
            for name in names
        )

    def _piece(
        self,
        lines: list[CostLine],
        book: PriceBook,
        cards: PriceBook,
        usage: Usage,
        context: PricingContext,
        label: str,
    ) -> Cost | None:
        """Append the lines of one model; give the problem instead when there is one."""
        provided = self._provided(context.provider, context.model_billed, context.context)
        for meter, quantity in usage.quantities.items():

            def listed(count: int | Decimal, meter: str = meter) -> Cost:
                return book.price(Usage({meter: count}), context)

            used = Usage({meter: quantity})
            whole = book.price(used, context)
            if whole.status == "pending":
                return whole
            carded = cards.price(used, context)
            base: _Base = "list"
            if carded.total is not None:
                base = "rates"
                found = _beside(carded.lines, whole.total, lambda n: listed(n).total)
            elif whole.total is not None:
                found = [(line, line.list_amount) for line in whole.lines]
            elif provided is not None and provided[1].scope.counts(meter):
                # Nobody sells it by the unit, so there is no list price that could be named.
                row, currency = provided[0], whole.currency
                line = CostLine(meter, quantity, ZERO, 1, ZERO, ZERO, currency, row, book.version)
                found = [(line, ZERO)]
            else:
                return whole
            for line, amount in found:
                lines.append(self._agreed(line, amount, context, base, label, book.version))
        return None

    def _agreed(
        self,
        line: CostLine,
        listed: Decimal,
        context: PricingContext,
        base: _Base,
        label: str,
        book: str | None = None,
    ) -> CostLine:
        """Give a line as the contract has it; `book`: the list's version, for a rate's line."""
        model = label or context.model_billed
        said = context.context
        key = (context.provider, model, line.dimension, frozenset(said.items()), base)
        found = self._memo.get(key)
        if found is None:
            if len(self._memo) >= _MEMO_SIZE:
                self._memo.clear()
            factors = self._factors(context.provider, model, line.dimension, said, base)
            found = self._memo[key] = (factors, product(factors))
        factors, factor = found
        amount, rounded = line.amount, line.rounded
        if factors:
            amount, rounded = _times(line, factor)
        return CostLine(
            line.dimension,
            line.quantity,
            line.unit_price,
            line.per,
            amount,
            listed,
            line.currency,
            line.row,
            line.book if book is None else book,
            rounded,
            label,
            factors,
            self.id,
        )

    def _factors(
        self, provider: str, model: str, meter: str, context: Mapping[str, str], base: _Base
    ) -> tuple[Factor, ...]:
        provided = self._provided(provider, model, context)
        if provided is not None and provided[1].scope.counts(meter):
            return ((provided[0], ZERO),)
        return stack(
            [
                (name, each)
                for name, each in self._discounts
                if each.on in {base, "all"}
                and each.scope.counts(meter)
                and each.scope.covers(provider, model, context)
            ]
        )

    def _provided(
        self, provider: str, model: str, context: Mapping[str, str]
    ) -> tuple[str, Capacity] | None:
        for name, each in self._capacity:
            if each.scope.covers(provider, model, context):
                return name, each
        return None

    @staticmethod
    def _cost(listed: Cost, lines: Sequence[CostLine]) -> Cost:
        total = ZERO
        for line in lines:
            total = add(total, line.amount)
        return Cost(tuple(lines), "settled", total, listed.currency, listed.book)


def _beside(
    lines: Sequence[CostLine],
    listed: Decimal | None,
    upto: Callable[[int | Decimal], Decimal | None],
) -> list[tuple[CostLine, Decimal]]:
    """Set the list's amount beside lines at negotiated rates of one meter.

    Where graduated rates make several lines, each has what the list asks for its part of the
    quantity, the lowest first; together they have what it asks for all.
    """
    if listed is None:
        return [(line, line.amount) for line in lines]  # the rate is the only price there is
    if len(lines) == 1:
        return [(lines[0], listed)]
    found: list[tuple[CostLine, Decimal]] = []
    done: int | Decimal = 0
    before = ZERO
    for index, line in enumerate(lines):
        done += line.quantity
        here = listed if index == len(lines) - 1 else upto(done)
        here = before if here is None else here
        found.append((line, subtract(here, before)))
        before = here
    return found


def _times(line: CostLine, factor: Decimal) -> tuple[Decimal, bool]:
    """Multiply a line's amount; what was rounded is worked out anew, so it is rounded once."""
    if not line.rounded:
        return multiply(line.amount, factor), False
    return divide(multiply(multiply(line.quantity, line.unit_price), factor), line.per)
