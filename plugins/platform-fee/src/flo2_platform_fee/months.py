"""What a month of an account comes to: the body of its invoice.

Imports: assigning, fees, metering, plans.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from flo2 import EntryFilter, InvalidRequest, NotFound, Store
from flo2.contracts.calendar import month_span
from flo2.contracts.scope import Validity
from flo2.instants import instant, microseconds, timestamp
from flo2.money import text, total
from flo2_platform_fee.assigning import assignments, plans
from flo2_platform_fee.fees import ROUNDING, FeeLine, Stretch, fee_lines, stretches
from flo2_platform_fee.metering import count
from flo2_platform_fee.plans import FeePlan, minor_digits

__all__ = ["money", "month_body"]


def money(amount: Decimal, currency: str) -> str:
    """Write an invoiced amount with all digits of its cents."""
    return f"{amount:.{minor_digits(currency)}f}"


def month_body(
    store: Store, account: str, month: date, now_us: int, *, over: bool = False
) -> dict[str, Any]:
    """Add a month up, as JSON values; money is text.

    Args:
        store: Where plans, assignments and the ledger are.
        account: Whose.
        month: Its first day.
        now_us: The time.
        over: Refuse a month that has not ended in its plans' zone.

    Raises:
        NotFound: the account has no plan in it, or there is no such account.
        InvalidRequest: the month has not begun, or is not over.
        StoreError: records of it were pruned.
    """
    names = {each.id: each.name for each in store.accounts()}
    if account not in names:
        raise NotFound(f"there is no account {account!r}", param="account")
    parts = stretches(assignments(store, account), plans(store), month)
    if not parts:
        raise NotFound(
            f"account {account!r} has no fee plan in {month:%Y-%m}; assign one: "
            "flo2 fees plans assign",
            code="no_fee_plan",
        )
    span, now = month_span(month, parts[0].plan.zone), instant(now_us)
    if over and now < _end(span):
        raise InvalidRequest(
            f"{month:%Y-%m} is not over; see what it comes to so far: flo2 fees preview",
            code="month_not_over",
        )
    if now < span.since:
        raise InvalidRequest(f"{month:%Y-%m} has not begun", code="month_not_over")
    lines = fee_lines(parts, count(store, account, parts, span), month)
    currency = parts[0].plan.currency
    used: dict[str, FeePlan] = {each.plan.name: each.plan for each in parts}
    return {
        "kind": "invoice",
        "account": account,
        "account_name": names[account],
        "month": f"{month:%Y-%m}",
        "zone": parts[0].plan.zone,
        "issued_at": timestamp(now_us),
        "currency": currency,
        "rounding": ROUNDING,
        "plans": {name: dict(plan.document) for name, plan in sorted(used.items())},
        "stretches": [_stretch_json(each) for each in parts],
        "lines": [_line_json(each, currency) for each in lines],
        "total": money(total(each.amount for each in lines), currency),
        "tokens": _tokens(store, account, span),
    }


def _end(span: Validity) -> datetime:
    return span.since if span.until is None else span.until


def _tokens(store: Store, account: str, span: Validity) -> dict[str, Any]:
    """Say what went to the providers, beside the fee; nothing of it enters the fee."""
    where = EntryFilter(
        account, since_us=microseconds(span.since), until_us=microseconds(_end(span))
    )
    rows = [
        {
            "provider": row.group[0],
            "currency": row.currency,
            "entries": row.entries,
            "paid": text(row.total),
            "not_known_yet": row.statuses.get("pending", 0) + row.statuses.get("open", 0),
            "unpriced": row.statuses.get("unpriced", 0),
        }
        for row in store.usage(where, ("provider",))
    ]
    return {"paid_to": "the providers, directly", "providers": rows, "markup": "0.00"}


def _stretch_json(each: Stretch) -> dict[str, Any]:
    return {
        "plan": each.plan.name,
        "since": each.since.isoformat(),
        "until": each.until.isoformat(),
        "seats": each.seats,
        "trial": each.trial,
    }


def _line_json(each: FeeLine, currency: str) -> dict[str, Any]:
    return {
        "plan": each.plan,
        "charge": each.charge,
        "quantity": each.quantity,
        "days": each.days,
        "of_days": each.of_days,
        "exact": str(each.exact),
        "amount": money(each.amount, currency),
    }
