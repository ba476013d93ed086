"""A month of one account: what it paid its providers, and what it kept.

Imports: nothing of flo2_reconcile.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from attrs import define, field

from flo2 import Entry, Pend, Settle
from flo2.ledger import Adjusted
from flo2.money import ZERO, add, divide, multiply, subtract, text

__all__ = ["ProviderMonth", "Statement", "make_statement"]

_READS: Final = {
    "cache_read_tokens": "input_tokens",
    "cache_read_audio_tokens": "input_audio_tokens",
    "cache_read_image_tokens": "input_image_tokens",
}
_RACES: Final = frozenset({"race", "hedge"})


@define
class ProviderMonth:
    """What went to one provider, in one currency.

    Attributes:
        paid: What its calls cost, corrections included: paid to the provider directly.
        listed: The same at list price.
        corrections: What adjustments added; a part of `paid`.
        cache_saved: What reads of the provider's cache would have cost more as plain input.
        races: What attempts cost that lost a race or a hedge.
        judges: What judges, shadows and audits cost.
        pending: Calls whose amount is not known yet; between `pending_low` and `pending_high`.
        unpriced: Calls without a price.
    """

    provider: str
    currency: str
    calls: int = 0
    paid: Decimal = ZERO
    listed: Decimal = ZERO
    corrections: Decimal = ZERO
    cache_saved: Decimal = ZERO
    races: Decimal = ZERO
    judges: Decimal = ZERO
    pending: int = 0
    pending_low: Decimal = ZERO
    pending_high: Decimal | None = ZERO
    unpriced: int = 0
    tokens: int = 0

    @property
    def discounts(self) -> Decimal:
        """What contracts took off the list price; all of it is the account's."""
        return subtract(add(self.listed, self.corrections), self.paid)

    def count(self, entry: Entry) -> None:
        """Add an entry."""
        end = entry.end
        if isinstance(end, Settle):
            self.calls += 1
            self.tokens += sum(int(n) for name, n in end.meters.items() if name.endswith("_tokens"))
            if end.total is None:
                self.unpriced += 1
                return
            self.paid = add(self.paid, end.total)
            self.listed = add(self.listed, end.total if end.list_total is None else end.list_total)
            self.cache_saved = add(self.cache_saved, _saved(end))
            if entry.intent.role in _RACES and end.outcome == "lost":
                self.races = add(self.races, end.total)
            if entry.intent.role in {"judge", "shadow", "audit"}:
                self.judges = add(self.judges, end.total)
        elif entry.status in {"open", "pending"}:
            self.pending += 1
            bounds = end if isinstance(end, Pend) else entry.intent
            self.pending_low = add(self.pending_low, bounds.low or ZERO)
            unbounded = self.pending_high is None or bounds.high is None
            self.pending_high = (
                None if unbounded else add(self.pending_high or ZERO, bounds.high or ZERO)
            )

    def correct(self, amount: Decimal) -> None:
        """Add a part of an adjustment."""
        self.paid = add(self.paid, amount)
        self.corrections = add(self.corrections, amount)


@define
class Statement:
    """A month of one account.

    Attributes:
        platform_fee: What the operator of flo2 charges for the gateway; None: none is known here.
        cache_hits: Answers from flo2's own cache: no provider was asked.
    """

    account: str
    month: str
    providers: list[ProviderMonth]
    cache_hits: int = 0
    platform_fee: Decimal | None = None
    markup: Decimal = field(default=Decimal("0.00"), init=False)

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON values; money is text."""
        return {
            "account": self.account,
            "month": self.month,
            "providers": [_row(each) for each in self.providers],
            "cache_hits": self.cache_hits,
            "platform_fee": None if self.platform_fee is None else text(self.platform_fee),
            "markup": f"{self.markup:.2f}",
        }


def make_statement(account: str, month: str, entries: Iterable[Adjusted]) -> Statement:
    """Add a month up, in bounded memory.

    Args:
        account: Whose.
        month: `2026-11`, UTC.
        entries: The entries begun in it, with their adjustments.
    """
    found: dict[tuple[str, str], ProviderMonth] = {}
    hits = 0
    for adjusted in entries:
        entry = adjusted.entry
        if entry.intent.role == "cache_hit":
            hits += 1
            continue
        currency = entry.end.currency if isinstance(entry.end, Settle) else "USD"
        place = (entry.intent.provider, currency)
        into = found.setdefault(place, ProviderMonth(*place))
        into.count(entry)
        entry_id = entry.intent.entry_id
        for each in adjusted.adjustments:
            other = (entry.intent.provider, each.currency)
            amount = each.amounts.get(entry_id, ZERO)
            found.setdefault(other, ProviderMonth(*other)).correct(amount)
    rows = sorted(found.values(), key=lambda each: (each.provider, each.currency))
    return Statement(account, month, rows, hits)


def _saved(end: Settle) -> Decimal:
    """Say what cache reads would have cost more as plain input, by the same answer's prices."""
    prices = {line.dimension: line for line in end.lines if not line.model}
    saved = ZERO
    for read, plain in _READS.items():
        ours, other = prices.get(read), prices.get(plain)
        if ours is not None and other is not None:
            whole = divide(multiply(ours.quantity, other.unit_price), other.per)[0]
            paid = divide(multiply(ours.quantity, ours.unit_price), ours.per)[0]
            saved = add(saved, subtract(whole, paid))
    return saved


def _row(each: ProviderMonth) -> dict[str, Any]:
    high = each.pending_high
    return {
        "provider": each.provider,
        "currency": each.currency,
        "calls": each.calls,
        "tokens": each.tokens,
        "paid": text(each.paid),
        "at_list": text(each.listed),
        "discounts_kept": text(each.discounts),
        "corrections": text(each.corrections),
        "cache_savings": text(each.cache_saved),
        "race_cost": text(each.races),
        "judge_cost": text(each.judges),
        "pending": each.pending,
        "pending_low": text(each.pending_low),
        "pending_high": None if high is None else text(high),
        "unpriced": each.unpriced,
    }
