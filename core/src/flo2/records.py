"""The ledger's records: append-only facts, and the entry they fold into.

An attempt is one entry, made of `Intent → Settle | Pend | Void`, later perhaps another `Settle`
(closing a pend, or pricing what was unpriced) or an `Adjust`. An `Exchange` is one client request
with its 0..n attempts. No record ever changes. Times are microseconds since the Unix epoch, UTC.
Each is made at every call and written down as JSON, so it is a struct of msgspec: filled in by
position, one takes 0.2 µs, a frozen attrs class 1.4. `msgspec.structs.replace` changes a copy.
Pure data. Imports: prices, money.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal

from attrs import evolve, frozen
from msgspec import Struct, field

from flo2.money import total
from flo2.prices.cost import CostLine

__all__ = [
    "REPRICE",
    "Adjust",
    "Attribution",
    "Entry",
    "EntryStatus",
    "Exchange",
    "Intent",
    "Outcome",
    "Pend",
    "Record",
    "Role",
    "Settle",
    "SubMeters",
    "Void",
    "fold_entry",
    "is_awaited",
]

EntryStatus = Literal["open", "settled", "reported", "pending", "unpriced", "void"]

Role = Literal[
    "primary",
    "retry",
    "fallback",
    "race",
    "hedge",
    "cache_hit",
    "batch_item",
    "judge",
    "shadow",
    "embedding",
    "audit",
    "fee",
]
"""What an attempt was made for; a `fee` is no attempt: what a contract asks for a month."""

Outcome = Literal["answered", "lost", "disconnected", "broken", "refused", "unreachable", "crashed"]
"""How the attempt ended: answered · lost a race · the client left · broke off · the provider said
no · never reached it · flo2 died (told by the open intent afterwards)."""


class Attribution(Struct, frozen=True, gc=False, omit_defaults=True):
    """Whom a call is for. Team comes from the key, never from a header."""

    team: str | None = None
    feature: str | None = None
    customer: str | None = None
    end_user: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class Intent(Struct, frozen=True, gc=False, omit_defaults=True):
    """Written, durably, before a provider sees a byte of the attempt.

    Attributes:
        entry_id: `<exchange_id>.<attempt>`.
        parent: Entry or exchange that caused an internal call, or None.
        provider: Configured name; `provider_kind` the plugin's kind.
        project: The provider-side project or organisation of the credential, or None.
        api: The billing word of the dialect (`chat`, `messages`, `embeddings`, …).
        model_requested: As the client wrote it; `model` as sent to the provider.
        hold: Worst case reserved for it in USD, or None.
        low, high: Bounds of its cost in USD, or None when unknown.
        why: The strategy's reason for this candidate.
        losses: What the translation could not carry.
        budgets: Counters of the account's budgets that its money counts in (`flo2.spending`).
    """

    entry_id: str
    exchange_id: str
    attempt: int
    role: Role
    account: str
    key_id: str
    credential_id: str | None
    provider: str
    provider_kind: str
    api: str
    model_requested: str
    model: str
    started_us: int
    attribution: Attribution = field(default_factory=Attribution)
    route: str | None = None
    project: str | None = None
    parent: str | None = None
    experiment: str | None = None
    arm: str | None = None
    hold: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    why: str = ""
    losses: tuple[str, ...] = ()
    budgets: tuple[str, ...] = ()


class SubMeters(Struct, frozen=True, gc=False):
    """What another model used inside the same answer; None: the attempt's own model."""

    model: str | None
    meters: Mapping[str, int | Decimal]


class Settle(Struct, frozen=True, gc=False, omit_defaults=True):
    """The attempt's usage is known.

    Attributes:
        status: `settled`: priced exactly · `reported`: the provider stated the money ·
            `unpriced`: the book has no row (then `total` is None).
        meters: The disjoint meters; `raw_usage` the provider's own object, the evidence.
        context: What bore on the price (service_tier, region, …).
        reported_total: What the provider itself said it costs, or None.
        reason: Why it is unpriced, or a remark.
        subcalls: What other models used inside this answer; in none of `meters`.
    """

    entry_id: str
    ended_us: int
    status: Literal["settled", "reported", "unpriced"]
    outcome: Outcome
    meters: Mapping[str, int | Decimal]
    lines: tuple[CostLine, ...]
    total: Decimal | None
    list_total: Decimal | None
    currency: str
    book: str
    model_billed: str | None = None
    provider_request_id: str | None = None
    informational: Mapping[str, int] = field(default_factory=dict)
    raw_usage: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)
    reported_total: Decimal | None = None
    first_byte_us: int | None = None
    finish: str | None = None
    http_status: int | None = None
    reason: str | None = None
    subcalls: tuple[SubMeters, ...] = ()


class Pend(Struct, frozen=True, gc=False):
    """The attempt was billed, or perhaps billed; the amount is not yet known."""

    entry_id: str
    ended_us: int
    outcome: Outcome
    reason: str
    low: Decimal | None = None
    high: Decimal | None = None
    model_billed: str | None = None
    provider_request_id: str | None = None
    raw_usage: Mapping[str, Any] = field(default_factory=dict)
    first_byte_us: int | None = None
    http_status: int | None = None


class Void(Struct, frozen=True, gc=False):
    """The attempt is not billed, by the provider's declared rule; `source` says whose and where."""

    entry_id: str
    ended_us: int
    outcome: Outcome
    reason: str
    source: str
    http_status: int | None = None
    first_byte_us: int | None = None


REPRICE: Final = "reprice"
"""The cause of an adjustment that follows a price book."""


class Adjust(Struct, frozen=True, gc=False, omit_defaults=True):
    """A later correction; never edits what it corrects.

    It belongs to the period of the entries it corrects, not to that of `at_us`, and to whatever
    they are attributed to: every entry has its own part, so that no sum has to guess.

    Attributes:
        entry_id: The adjustment's own id; of several records with one id the first counts.
        account: Whose entries they are.
        cause: What was wrong, a word or a few (`reprice`, `tier_served`, `late_data`, …).
        source: Who says so: a bill and its line, a price book, a person.
        amounts: Entry → what is added to its cost, in `currency`; negative for a refund.
        book: The price book it follows, for a repricing.
        lines: The cost lines that now hold, for a repricing of one entry.
    """

    entry_id: str
    account: str
    at_us: int
    cause: str
    source: str
    amounts: Mapping[str, Decimal]
    currency: str = "USD"
    book: str | None = None
    lines: tuple[CostLine, ...] = ()

    @property
    def amount(self) -> Decimal:
        """What is added to the sum of all these entries."""
        return total(self.amounts.values())


class Exchange(Struct, frozen=True, gc=False, omit_defaults=True):
    """One authenticated client request and how it was answered.

    Attributes:
        surface: The dialect the client spoke.
        status: HTTP status of the answer.
        plan: The strategy's explanation of the whole plan.
        losses: What the client was not told in full, request and answer.
        client: `served`, `disconnected` before the end, or `refused` before any attempt.
        overhead_us: Time that was flo2's own, not the provider's.
        candidates: The targets it could go to, `provider/model`, in their order; empty where there
            was but one.
        notes: What flo2 changed, or found, that the client did not ask for (a cap, a soft budget).
    """

    exchange_id: str
    account: str
    key_id: str
    surface: str
    model_requested: str
    stream: bool
    status: int
    started_us: int
    ended_us: int
    overhead_us: int
    attempts: int
    client: Literal["served", "disconnected", "refused", "failed"]
    route: str | None = None
    strategy: str | None = None
    plan: str = ""
    losses: tuple[str, ...] = ()
    error: str | None = None
    attribution: Attribution = field(default_factory=Attribution)
    notes: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()


Record = Intent | Settle | Pend | Void | Adjust | Exchange


@frozen
class Entry:
    """An attempt as its records tell it.

    Attributes:
        intent: How it began.
        status: Where it stands.
        end: The record that decided the status, or None while open.
        ends: Every Settle, Pend and Void, in the order written.
    """

    intent: Intent
    status: EntryStatus = "open"
    end: Settle | Pend | Void | None = None
    ends: tuple[Settle | Pend | Void, ...] = ()

    @property
    def currency(self) -> str:
        """Of its cost; USD as long as that is not known."""
        return self.end.currency if isinstance(self.end, Settle) else "USD"

    @property
    def total(self) -> Decimal | None:
        """The booked cost: exact, zero when void, None when it is not known."""
        match self.end:
            case Settle():
                return self.end.total
            case Void():
                return Decimal(0)
            case _:
                return None


def fold_entry(records: Iterable[Record]) -> Entry:
    """Fold the records of one entry, in the order written, into the entry.

    A `Settle` closes an open or pending entry, and with a price an unpriced one as well: as long as
    the amount is not known, the entry waits for it. Nothing reopens a settled or void one.

    Raises:
        ValueError: there is no intent.
    """
    entry: Entry | None = None
    for record in records:
        if isinstance(record, Intent):
            entry = entry or Entry(record)
        elif entry is not None and isinstance(record, Settle | Pend | Void):
            entry = _apply(entry, record)
    if entry is None:
        msg = "an entry begins with an intent; none was given"
        raise ValueError(msg)
    return entry


def _apply(entry: Entry, record: Settle | Pend | Void) -> Entry:
    ends = (*entry.ends, record)
    if not is_awaited(entry.status, record):
        return evolve(entry, ends=ends)
    status: EntryStatus
    match record:
        case Settle():
            status = record.status
        case Pend():
            status = "pending"
        case Void():
            status = "void"
    return evolve(entry, status=status, end=record, ends=ends)


def is_awaited(status: str, record: Settle | Pend | Void) -> bool:
    """Say whether an entry that stands so still waits for what a record says."""
    if status == "unpriced":
        return isinstance(record, Settle) and record.status != "unpriced"
    return status in {"open", "pending"}
