"""From what an answer showed to what it cost, and to the status of its ledger entry.

Pure but for the book it is handed: reads no clock, counts no tokens itself. Unknown stays unknown.
Imports: canonical, contracts, dialects, money, prices.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Literal

from flo2.canonical.usage import INPUT_METERS, Usage
from flo2.contracts.account import AccountContracts
from flo2.dialects.base import Observed
from flo2.money import ZERO, add, subtract
from flo2.prices import Bounds, Cost, PriceBook, PricingContext

__all__ = ["Meter", "Status", "is_final", "outcome"]

Status = Literal["settled", "reported", "pending", "void", "unpriced"]
"""The status an entry gets when its attempt ends; `open` is what it had before."""


def is_final(observed: Observed) -> bool:
    """Say whether the usage seen so far is the last word.

    Complete answers only, and streams that broke off after both the finish reason and the usage:
    before that a dialect may hold a placeholder (a `message_start` says one output token, and
    gateways have booked it).
    """
    return observed.complete or (observed.finish is not None and observed.usage is not None)


def outcome(
    status: int | None,
    *,
    sent: bool,
    final: bool = False,
    cost: Cost | None = None,
    error_code: str | None = None,
    billed_errors: Container[str] = (),
) -> Status:
    """Say which status an attempt's entry gets (reference: who bills what when it fails).

    Args:
        status: The upstream HTTP status, or None when no answer came.
        sent: Whether the provider may have begun to process (`WireError.sent`).
        final: Whether the usage is the last word; see `is_final`.
        cost: The cost of that usage, or None when the provider told no usage.
        error_code: The provider's own error code, where it answered with an error.
        billed_errors: Codes it bills nevertheless (`Facts.billed_errors`).

    Returns:
        `void` for what never reached the provider and for an error status before any 200, unless
        the provider declares the error billed; `pending` for what was perhaps billed and has no
        usage (timeout after sending, stream cut short, complete answer without usage); else as the
        cost says.
    """
    if status is None:
        return "pending" if sent else "void"
    if not 200 <= status < 300:
        return "pending" if error_code is not None and error_code in billed_errors else "void"
    if not final:
        return "pending"
    return "pending" if cost is None else cost.status


class Meter:
    """Prices attempts with the book of the moment.

    Args:
        book: Gives the current price book; called once per figure, so a reload is seen at once and
            one figure never mixes two books.

    Attributes:
        contracts: Account → what it has agreed with its providers; replaced whole when that
            changes. An account that is not here pays list prices.
    """

    __slots__ = ("_book", "contracts")

    def __init__(self, book: Callable[[], PriceBook]) -> None:
        self._book = book
        self.contracts: Mapping[str, AccountContracts] = {}

    @property
    def book(self) -> PriceBook:
        """The current price book."""
        return self._book()

    def cost(self, usage: Usage | None, context: PricingContext, account: str = "") -> Cost:
        """Price an attempt of an account; `pending` when the provider told no usage."""
        book = self._book()
        if usage is None:
            return book.no_cost("pending", context, "the answer told no usage")
        if self.contracts and (agreed := self.contracts.get(account)) is not None:
            return agreed.price(book, usage, context)
        return book.price(usage, context)

    def bounds(
        self,
        context: PricingContext,
        input_low: int,
        input_high: int | None,
        output_high: int | None,
        *,
        undecided: Iterable[str] = (),
    ) -> Bounds:
        """Bound a call before it runs; see `PriceBook.bounds`.

        A strategy compares list prices. A hold must also cover what only the answer decides: name
        those context keys in `undecided` (`service_tier` and `speed`, say), and every value that
        has rows is reckoned with.
        """
        return self._book().bounds(context, input_low, input_high, output_high, undecided=undecided)

    def pending_bounds(
        self,
        usage: Usage | None,
        context: PricingContext,
        input_high: int | None,
        output_high: int | None,
        account: str = "",
    ) -> Bounds:
        """Bound an attempt that ended without a last word on its usage.

        Args:
            usage: What the answer said before it broke off (its counts only ever grow), or None.
            context: As for `cost`.
            input_high: The prompt has at most so many tokens; not needed where `usage` counts it.
            output_high: The answer has at most so many.
            account: Whose it is.

        Returns:
            At least what the counts so far cost, nothing without any; at most the whole prompt and
            the longest answer. Under a contract: the least and the most by list or contract.
        """
        book = self._book()
        listed = self._pending_at_list(book, usage, context, input_high, output_high)
        if not self.contracts or (agreed := self.contracts.get(account)) is None:
            return listed
        known = 0 if usage is None or usage.problem is not None else usage.input_total
        sizes = (known, known or input_high, output_high)
        wide = agreed.bounds(book, listed, context, sizes)
        if usage is None or usage.problem is not None:
            return wide
        least = agreed.price(book, usage, context).total
        return Bounds(ZERO if least is None else least, wide.high, wide.currency)

    def _pending_at_list(
        self,
        book: PriceBook,
        usage: Usage | None,
        context: PricingContext,
        input_high: int | None,
        output_high: int | None,
    ) -> Bounds:
        if usage is None or usage.problem is not None:
            return book.bounds(context, 0, input_high, output_high)
        floor = book.price(usage, context)
        known = usage.input_total
        whole = book.bounds(context, known, known or input_high, output_high)
        if floor.total is None:
            # A meter without a row has been used: its money is in no bound.
            return Bounds(whole.low, None, whole.currency)
        if not known:
            return whole
        # The prompt is counted exactly; only the answer may still grow, at this prompt's tier.
        prompt = book.price(
            Usage({m: q for m, q in usage.quantities.items() if m in INPUT_METERS}), context
        )
        no_answer = book.bounds(context, known, known, 0)
        if whole.high is None or no_answer.high is None or prompt.total is None:
            return Bounds(floor.total, None, floor.currency)
        answer = subtract(whole.high, no_answer.high)
        return Bounds(floor.total, add(prompt.total, answer), floor.currency)
