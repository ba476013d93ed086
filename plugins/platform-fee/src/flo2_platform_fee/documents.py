"""Numbered, immutable documents: invoices, and the credit notes that correct them.

What a month comes to is claimed once, then given the next free number of one chain for the whole
operator, both by `Store.first_setting`. Whoever is interrupted, or comes at the same time,
finishes with the same number. Imports: months, slots, assigning, plans.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from attrs import frozen

from flo2 import InvalidRequest, NotFound, Store, StoreError
from flo2.instants import instant, timestamp
from flo2.money import ZERO, exact, subtract, text
from flo2_platform_fee.assigning import claim_name
from flo2_platform_fee.months import money, month_body
from flo2_platform_fee.plans import minor_digits
from flo2_platform_fee.slots import Slots, canonical

__all__ = ["Document", "credit", "credits_of", "document", "documents", "issue", "verify"]

_CLOCK_SLACK: Final = timedelta(minutes=5)
_MOST_TEXT: Final = 500


@frozen
class Document:
    """An invoice or a credit note.

    Attributes:
        number: 1, 2, 3 …, without a gap over all accounts of the operator.
        prev_hash: Hash of the document before; "" for the first.
        hash: SHA-256 over number, `prev_hash` and body, hex.
        body: JSON values; money is text.
    """

    number: int
    prev_hash: str
    hash: str
    body: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON values."""
        head = {"number": self.number, "hash": self.hash, "prev_hash": self.prev_hash}
        return head | dict(self.body)


def issue(store: Store, account: str, month: date, now_us: int) -> Document:
    """Issue a month's invoice; one that was issued is given as it is.

    Raises:
        NotFound: the account has no plan in that month.
        InvalidRequest: the month is not over, or the clock stands before the last document.
        StoreError: records of the month were pruned.
    """
    name = claim_name(account, month)
    held = store.setting(name)
    if held is None:
        body = month_body(store, account, month, now_us, over=True)
        after = _checked_head(store, now_us)
        held = store.first_setting(name, canonical({"after": after, "body": body}))
    return _numbered(store, held)


def credit(
    store: Store, number: int, amount: Decimal, reason: str, reference: str, now_us: int
) -> Document:
    """Issue a credit note on an invoice; the same reference once more gives the same note.

    Raises:
        NotFound: there is no such invoice.
        InvalidRequest: the amount is none, or more than is left of the invoice; the reference
            stands for another note; the clock stands before the last document.
    """
    invoice = document(store, number)
    if invoice.body["kind"] != "invoice":
        raise InvalidRequest(f"document {number} is no invoice; credit the invoice it corrects")
    currency = invoice.body["currency"]
    _check_credit(amount, currency, reason, reference)
    slots, place = Slots(store, f"platform_fee/credit/{number}"), 1
    left = exact(invoice.body["total"])
    wish = {"amount": money(amount, currency), "reason": reason, "reference": reference}
    after = _checked_head(store, now_us)
    while True:
        held = slots.read(place)
        if held is None:
            if amount > left:
                raise InvalidRequest(
                    f"{text(amount)} {currency} is more than the {text(left)} {currency} that are "
                    f"left of invoice {number}",
                    code="credit_too_large",
                )
            body = {
                "kind": "credit_note",
                "account": invoice.body["account"],
                "account_name": invoice.body["account_name"],
                "month": invoice.body["month"],
                "issued_at": timestamp(now_us),
                "currency": currency,
                "invoice": number,
                "part": place,
                **wish,
            }
            held = slots.offer(place, canonical({"after": after, "body": body}))
        found = json.loads(held)["body"]
        note = _numbered(store, held)  # also of a note whose writer was interrupted
        if found["reference"] == reference:
            if any(found[key] != value for key, value in wish.items()):
                raise InvalidRequest(
                    f"reference {reference!r} stands for credit note {note.number} already",
                    code="reference_taken",
                )
            return note
        left = subtract(left, exact(found["amount"]))
        place += 1


def credits_of(store: Store, number: int) -> list[Document]:
    """Give the credit notes on an invoice."""
    held = Slots(store, f"platform_fee/credit/{number}")
    return [_numbered(store, each) for each in held]


def document(store: Store, number: int) -> Document:
    """Give a document by its number.

    Raises:
        NotFound: there is none.
    """
    held = Slots(store, "platform_fee/document").read(number) if number > 0 else None
    if held is None:
        raise NotFound(f"there is no document {number}; see: flo2 fees list")
    return _document(held)


def documents(store: Store, account: str | None = None) -> Iterator[Document]:
    """Give documents in order, of one account or of all, one at a time."""
    for held in Slots(store, "platform_fee/document"):
        found = _document(held)
        if account is None or found.body["account"] == account:
            yield found


def verify(store: Store) -> int:
    """Check that every document is what was issued, and follows the one before.

    Returns:
        How many there are.

    Raises:
        StoreError: one was changed; names it.
    """
    before, number = "", 0
    for number, found in enumerate(documents(store), 1):
        fits = (found.number, found.prev_hash) == (number, before)
        if not fits or found.hash != _hash(number, before, found.body):
            raise StoreError(f"document {number} is not what was issued: its hash does not fit")
        before = found.hash
    return number


def _numbered(store: Store, held: str) -> Document:
    """Give a claimed body its number, or find the one it has.

    It can have none up to `after`: that was the last one before the body was claimed.
    """
    claim = json.loads(held)
    slots = Slots(store, "platform_fee/document")
    number, body = int(claim["after"]), claim["body"]
    prev = _document(slots.read(number) or "").hash if number else ""
    while True:
        number += 1
        text_of = slots.read(number)
        if text_of is None:
            made = {
                "number": number,
                "prev_hash": prev,
                "hash": _hash(number, prev, body),
                "body": body,
            }
            text_of = slots.offer(number, canonical(made))
        found = _document(text_of)
        if found.body == body:
            return found
        prev = found.hash


def _checked_head(store: Store, now_us: int) -> int:
    slots = Slots(store, "platform_fee/document")
    head = slots.head()
    if head and (held := slots.read(head)) is not None:
        last = datetime.fromisoformat(_document(held).body["issued_at"])
        if instant(now_us) + _CLOCK_SLACK < last:
            raise InvalidRequest(
                f"the clock says {instant(now_us):%Y-%m-%d %H:%M} UTC, and document {head} was "
                f"issued at {last:%Y-%m-%d %H:%M}; set the clock right",
                code="clock_is_behind",
            )
    return head


def _check_credit(amount: Decimal, currency: str, reason: str, reference: str) -> None:
    digits = minor_digits(currency)
    if amount <= ZERO or exact(money(amount, currency)) != amount:
        raise InvalidRequest(
            f"{text(amount)} is no amount to credit: more than 0, at most {digits} decimals",
            param="amount",
        )
    for name, given in (("reason", reason), ("reference", reference)):
        if not given.strip() or len(given) > _MOST_TEXT:
            raise InvalidRequest(f"a credit note needs a {name} of 1 to {_MOST_TEXT} characters")


def _document(held: str) -> Document:
    found = json.loads(held)
    return Document(found["number"], found["prev_hash"], found["hash"], found["body"])


def _hash(number: int, prev: str, body: Mapping[str, Any]) -> str:
    made = canonical({"number": number, "prev_hash": prev, "body": body})
    return hashlib.sha256(made.encode()).hexdigest()
