"""Stores with an account and its calls."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from flo2 import Account, MemoryStore, Record, Store
from flo2.instants import microseconds
from flo2.testing.records import an_exchange, an_intent, linked, settle_of
from flo2_platform_fee.assigning import assign, put_plan
from flo2_platform_fee.fees import Assignment

NOVEMBER = date(2026, 11, 1)
DECEMBER_2 = microseconds(datetime(2026, 12, 2, tzinfo=UTC))
FLAT = {"subscription": "30.00"}


def at(day: int, hour: int = 12, month: int = 11) -> int:
    return microseconds(datetime(2026, month, day, hour, tzinfo=UTC))


def a_store(*accounts: str) -> MemoryStore:
    store = MemoryStore()
    for name in accounts or ("default",):
        store.put_account(Account(name, name.title(), 0))
    return store


def calls(
    store: Store,
    times: Iterable[int],
    *,
    account: str = "default",
    tokens: int = 10,
    paid: str = "1",
    first: int = 1,
    **changes: Any,
) -> None:
    """Append an answered call for each time; tokens and money are nothing to the fee."""
    records: list[Record] = []
    for number, started in enumerate(times, first):
        intent = an_intent(number, account=account, started_us=started)
        meters = {"output_tokens": tokens}
        records += [intent, settle_of(intent, meters=meters, lines=(), total=Decimal(paid))]
        fields: dict[str, Any] = {"account": account, "started_us": started, "status": 200}
        fields |= {"exchange_id": intent.exchange_id, "client": "served", **changes}
        records.append(an_exchange(number, **fields))
    store.append(linked(*records, writer=f"{account}{first}"))


def charged(
    store: Store,
    plan: dict[str, Any],
    since: date = NOVEMBER,
    *,
    account: str = "default",
    name: str = "plan",
    seats: int = 0,
) -> None:
    put_plan(store, name, plan)
    assign(store, account, Assignment(name, since, None, seats), DECEMBER_2)
