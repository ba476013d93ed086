"""A month of an account, out of the store: its statement, and what closing it books.

Blocking. Imports: contracts, ledger, stores, errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import groupby

from attrs import frozen

from flo2.contracts.booked import Booked
from flo2.contracts.calendar import month_span
from flo2.contracts.closing import Closing, fee_records, fees_id
from flo2.contracts.scope import Validity
from flo2.contracts.statement import Change, Statement, currency_of, make_statement
from flo2.errors import ContractError
from flo2.gateway.agreeing import account_contracts
from flo2.instants import instant, microseconds
from flo2.ledger.adjusted import Adjusted, adjusted_entries
from flo2.ledger.corrections import Corrections
from flo2.money import ZERO
from flo2.stores import EntryFilter, Store

__all__ = ["Closed", "close_month", "month_name", "statement_of"]


@frozen
class Closed:
    """A closed month: its statement, and how many records closing it wrote."""

    statement: Statement
    written: int


def month_name(month: date) -> str:
    """Write a month as `2026-11`."""
    return f"{month:%Y-%m}"


def statement_of(store: Store, account: str, month: date, now_us: int) -> Statement:
    """Fold a month of an account, up to now.

    Raises:
        ContractError: a contract of the account cannot be read.
    """
    return _fold(store, account, month, now_us, None)


def close_month(store: Store, account: str, month: date, now_us: int) -> Closed:
    """Book what the terms of a month make of its calls, and its fees; a second time, what differs.

    Raises:
        ContractError: the month is not over, or a contract cannot be read.
        StoreError: somebody else corrects entries at the same time; what is written stands.
    """
    corrections = Corrections(store)  # before the first entry is read: its place is the lock
    versions = account_contracts(store, account).versions
    closing = Closing(account, month_name(month), now_us, currency_of(versions, month))

    def note(change: Change) -> None:
        closing.note(change)
        for adjust in closing.ready:
            corrections.add(adjust)
        closing.ready.clear()

    zones = {each.zone for each in versions if not each.is_empty} or {"UTC"}
    for zone in sorted(zones):
        end = month_span(month, zone).until
        if end is not None and instant(now_us) < end:
            said = f"{closing.month} is not over before {end.isoformat()}; see it to date with: "
            raise ContractError([said + f"flo2 contracts statement --month {closing.month}"])
    statement = _fold(store, account, month, now_us, note)
    for adjust in closing.rest():
        corrections.add(adjust)
    booked = _fees(store, account, closing.month)
    for record in fee_records(statement, closing.month, booked, now_us):
        corrections.add(record)
    corrections.flush()
    return Closed(statement, corrections.written)


def _fold(
    store: Store,
    account: str,
    month: date,
    now_us: int,
    note: Callable[[Change], None] | None,
) -> Statement:
    contracts = account_contracts(store, account)
    if contracts.unreadable is not None:
        raise ContractError([contracts.unreadable])

    def read(span: Validity) -> Iterator[Booked]:
        until = span.until or span.since  # a month has an end
        where = EntryFilter(
            account, since_us=microseconds(span.since), until_us=microseconds(until)
        )
        found = adjusted_entries(store, where)
        for _, together in groupby(found, key=lambda each: each.entry.intent.started_us):
            for each in sorted(together, key=_entry_id):
                yield each.entry, each.adjustments

    return make_statement(account, contracts.versions, month, instant(now_us), read, note)


def _fees(store: Store, account: str, month: str) -> Mapping[str, Decimal]:
    """Give the fees of the month that are booked, by entry id."""
    found = adjusted_entries(store, EntryFilter(account, exchange_id=fees_id(account, month)))
    return {each.entry.intent.entry_id: each.total or ZERO for each in found}


def _entry_id(each: Adjusted) -> str:
    return each.entry.intent.entry_id
