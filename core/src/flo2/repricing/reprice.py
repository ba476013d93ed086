"""Price booked entries anew, and say what has to be written so that the ledger follows.

An entry is never edited. One that was priced gets an `Adjust` over the difference; one that was
unpriced and now has a price gets the `Settle` it was waiting for. What the provider stated itself,
what is not billed and what is not known yet stay as they are.
Pure. Imports: canonical, ledger, money, prices, records.
"""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256

from attrs import frozen
from msgspec.structs import replace

from flo2.ledger import Adjusted
from flo2.money import ZERO, subtract, text, total
from flo2.prices import Cost
from flo2.records import REPRICE, Adjust, Entry, Settle
from flo2.repricing.compare import Compared
from flo2.repricing.replay import NO_CALLS, Pricer, as_charged, context_of, usage_of

__all__ = ["Repriced", "compare_books", "corrections", "price_anew", "reprice"]


@frozen
class Repriced:
    """An entry, what price books have made of it until now, and what this one makes of it.

    Attributes:
        corrected: What corrections of its price add to an entry that was booked without one: they
            stood for the price that it now gets.
    """

    compared: Compared
    cost: Cost | None = None
    corrected: Decimal = ZERO


def price_anew(entry: Entry, price: Pricer) -> Cost | None:
    """Price what an entry used.

    Returns:
        Its cost, as the ledger would book it today; None where no price bears on it: it is not
        ended, not billed, not known, or no call to a provider.
    """
    end = entry.end
    if not isinstance(end, Settle) or entry.intent.role in NO_CALLS:
        return None
    return as_charged(price(usage_of(end), context_of(entry.intent, end)), end)


def compare_books(entry: Entry, old: Pricer, new: Pricer) -> Compared:
    """Price what an entry used by two books."""
    before, after = price_anew(entry, old), price_anew(entry, new)
    if before is None or after is None:
        return Compared(entry, entry.total, entry.total, entry.currency)
    if before.total is None:
        return Compared(entry, None, after.total, after.currency, after.reason)
    if after.total is not None and after.currency != before.currency:
        reason = f"in {after.currency}, before in {before.currency}"
        return Compared(entry, before.total, None, before.currency, reason)
    return Compared(entry, before.total, after.total, before.currency, after.reason)


def reprice(adjusted: Adjusted, price: Pricer) -> Repriced:
    """Price a booked entry anew.

    What has no price any more keeps the one that is booked: a book that does not know a model is no
    evidence that it was free.
    """
    entry, booked = adjusted.entry, adjusted.priced
    currency = entry.currency
    cost = None if entry.status == "reported" else price_anew(entry, price)
    if cost is None:
        return Repriced(Compared(entry, booked, booked, currency))
    if booked is None:
        compared = Compared(entry, None, cost.total, cost.currency, cost.reason)
        return Repriced(compared, cost, adjusted.price_corrections)
    if cost.total is None:
        return Repriced(Compared(entry, booked, booked, currency, cost.reason))
    if cost.currency != currency:
        reason = f"booked in {currency}, this book is in {cost.currency}"
        return Repriced(Compared(entry, booked, booked, currency, reason))
    return Repriced(Compared(entry, booked, cost.total, currency), cost)


def corrections(repriced: Repriced, at_us: int, source: str) -> tuple[Adjust | Settle, ...]:
    """Make the records that let the ledger follow; none where it says so already.

    Args:
        repriced: As `reprice` gives it.
        at_us: Now.
        source: Who says so: the price book.
    """
    compared, cost = repriced.compared, repriced.cost
    entry, end = compared.entry, compared.entry.end
    if cost is None or cost.total is None or not isinstance(end, Settle):
        return ()
    if compared.before is not None:
        difference = subtract(cost.total, compared.before)
        return (_adjust(entry, difference, at_us, source, cost),) if difference else ()
    settled = replace(
        end,
        status="settled",
        lines=cost.lines,
        total=cost.total,
        list_total=total(line.list_amount for line in cost.lines),
        currency=cost.currency,
        book=cost.book,
        reason=f"unpriced when it ended ({end.reason}); priced later by {source}",
    )
    if not repriced.corrected:
        return (settled,)
    return settled, _adjust(entry, subtract(ZERO, repriced.corrected), at_us, source, cost)


def _adjust(entry: Entry, amount: Decimal, at_us: int, source: str, cost: Cost) -> Adjust:
    entry_id = entry.intent.entry_id
    told = f"{entry_id} {at_us} {cost.book} {text(amount)}"
    return Adjust(
        f"adj-{sha256(told.encode()).hexdigest()[:32]}",
        entry.intent.account,
        at_us,
        REPRICE,
        source,
        {entry_id: amount},
        entry.currency,  # as it was booked: what is taken back may be in another than the cost
        cost.book,
        cost.lines,
    )
