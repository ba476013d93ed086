"""Which plans there are, and which account is charged by which, since when.

A plan that an account was ever assigned does not change: prices change by a new plan, assigned
from a day on. Plans, and an account's assignments, are lists of versions, so that of two operators
at once neither undoes the other. Imports: plans, fees, slots.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from urllib.parse import quote

from attrs import evolve

from flo2 import InvalidRequest, NotFound, Store
from flo2.contracts.calendar import next_month
from flo2.instants import instant
from flo2_platform_fee.fees import Assignment
from flo2_platform_fee.plans import FeePlan, read_plan
from flo2_platform_fee.slots import Slots, canonical

__all__ = [
    "assign",
    "assignment_json",
    "assignments",
    "claim_name",
    "find_plan",
    "plans",
    "put_plan",
]

_PLANS: Final = "platform_fee/plans"
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 9000
_MOST_SEATS: Final = 10**9


def plans(store: Store) -> dict[str, FeePlan]:
    """Give every plan by its name."""
    slots = Slots(store, _PLANS)
    return _plans(slots.read(slots.head()))


def find_plan(store: Store, name: str) -> FeePlan:
    """Give a plan.

    Raises:
        NotFound: there is none of this name.
    """
    known = plans(store)
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise NotFound(f"there is no fee plan {name!r}; known: {names}", param="plan")
    return known[name]


def put_plan(store: Store, name: str, document: Mapping[str, Any]) -> bool:
    """Declare a plan.

    Returns:
        Whether anything changed.

    Raises:
        ConfigError: it is wrong, or contradicts itself.
        InvalidRequest: an account is, or was, assigned it, and it would change.
    """
    plan = read_plan(name, document)
    slots = Slots(store, _PLANS)
    while True:
        head = slots.head()
        known = _plans(slots.read(head))
        if known.get(name) == plan:
            return False
        if name in known:
            _check_unused(store, name)
        every = canonical({key: each.document for key, each in (known | {name: plan}).items()})
        if slots.offer(head + 1, every) == every:
            return True


def assignments(store: Store, account: str) -> list[Assignment]:
    """Give an account's assignments, in the order of their days."""
    slots = _slots(store, account)
    newest = slots.read(slots.head())
    return [] if newest is None else _read(newest)


def assign(store: Store, account: str, new: Assignment, now_us: int) -> list[Assignment]:
    """Assign a plan; one without an end that is in force ends where the new one begins.

    Returns:
        All assignments of the account now. The same once more changes nothing.

    Raises:
        NotFound: there is no such plan.
        InvalidRequest: no day lies in it, it overlaps another one, a month that it changes is
            invoiced, or the plan's currency or zone is not that of the account's other ones.
    """
    plan = find_plan(store, new.plan)
    _check(plan, new)
    slots = _slots(store, account)
    while True:
        head = slots.head()
        text = slots.read(head)
        held = [] if text is None else _read(text)
        if new in held:
            return held
        _check_others(store, plan, held)
        _check_invoiced(store, account, new, now_us)
        merged = canonical([assignment_json(each) for each in _merged(held, new)])
        if slots.offer(head + 1, merged) == merged:
            return _read(merged)


def assignment_json(each: Assignment) -> dict[str, Any]:
    """Give an assignment as JSON values."""
    return {
        "plan": each.plan,
        "since": each.since.isoformat(),
        "until": None if each.until is None else each.until.isoformat(),
        "seats": each.seats,
    }


def claim_name(account: str, month: date) -> str:
    """Name the setting that holds what an account's month was invoiced at."""
    return f"platform_fee/month/{quote(account, safe='')}/{month:%Y-%m}"


def _check_unused(store: Store, name: str) -> None:
    users = [
        account.id
        for account in store.accounts()
        if any(each.plan == name for each in assignments(store, account.id))
    ]
    if users:
        raise InvalidRequest(
            f"fee plan {name!r} is assigned to {', '.join(users)} and does not change; set the "
            "new prices under another name and assign that one from a day on",
            code="plan_in_use",
        )


def _plans(text: str | None) -> dict[str, FeePlan]:
    held = {} if text is None else json.loads(text)
    return {name: read_plan(name, document) for name, document in held.items()}


def _check(plan: FeePlan, new: Assignment) -> None:
    if not _FIRST_YEAR <= new.since.year <= _LAST_YEAR:
        raise InvalidRequest(f"{new.since} is no day to begin; use one since {_FIRST_YEAR}")
    if new.until is not None and not new.since < new.until:
        raise InvalidRequest(f"no day lies between {new.since} and {new.until} (not included)")
    if not 0 <= new.seats <= _MOST_SEATS:
        raise InvalidRequest(f"{new.seats} seats cannot be charged; use 0 to {_MOST_SEATS}")
    priced = plan.tariff("seats") is not None
    if priced != bool(new.seats):
        say = "needs a number of seats" if priced else "has no price for seats"
        raise InvalidRequest(f"fee plan {plan.name!r} {say}", param="seats")


def _check_others(store: Store, plan: FeePlan, held: list[Assignment]) -> None:
    known = plans(store)
    for each in held:
        other = known[each.plan]
        if (other.currency, other.zone) != (plan.currency, plan.zone):
            raise InvalidRequest(
                f"fee plan {plan.name!r} is in {plan.currency} and {plan.zone}, the account's "
                f"{other.name!r} in {other.currency} and {other.zone}; one account, one of each"
            )


def _check_invoiced(store: Store, account: str, new: Assignment, now_us: int) -> None:
    """Refuse what would change an invoiced month; no later one than this can be."""
    month = new.since.replace(day=1)
    this = instant(now_us).date()
    while month <= this and (new.until is None or month < new.until):
        if store.setting(claim_name(account, month)) is not None:
            raise InvalidRequest(
                f"{month:%Y-%m} of account {account!r} is invoiced; assign from the month after, "
                "and correct the invoice by a credit note: flo2 fees credit",
                code="month_invoiced",
            )
        month = next_month(month)


def _merged(held: list[Assignment], new: Assignment) -> list[Assignment]:
    found = []
    for each in held:
        kept = each
        if each.until is None and each.since < new.since:
            kept = evolve(each, until=new.since)
        if (kept.until is None or kept.until > new.since) and (
            new.until is None or new.until > kept.since
        ):
            until = kept.until or "further notice"
            raise InvalidRequest(
                f"it overlaps plan {kept.plan!r}, assigned from {kept.since} to {until}",
                code="assignments_overlap",
            )
        found.append(kept)
    return sorted([*found, new], key=lambda each: each.since)


def _slots(store: Store, account: str) -> Slots:
    return Slots(store, f"platform_fee/assignments/{quote(account, safe='')}")


def _read(text: str) -> list[Assignment]:
    return [
        Assignment(
            each["plan"],
            date.fromisoformat(each["since"]),
            None if each["until"] is None else date.fromisoformat(each["until"]),
            each["seats"],
        )
        for each in json.loads(text)
    ]
