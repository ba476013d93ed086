"""A provider's bill in one shape, and what reads bills and explains where they differ.

An importer turns a provider's report into `BillingRow`s; the reconciler lays them beside the ledger
and hands what is left over, gap by gap, to explainers. Pure data and protocols.
Imports: records, money.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import BinaryIO, ClassVar, Final, Literal, NamedTuple, Protocol, runtime_checkable

from attrs import define, field, frozen

from flo2.money import ZERO, add, subtract, total
from flo2.records import Intent, Pend, Settle, Void

__all__ = [
    "ADMIN_ROLE",
    "BILLING_KEYS",
    "COVERED",
    "EVERY_METER",
    "REQUESTS",
    "BillQuery",
    "BillWindow",
    "BillingRow",
    "Booked",
    "BooksView",
    "ChargeKind",
    "EntryColumns",
    "Explainer",
    "FetchesBills",
    "Finding",
    "Gap",
    "Importer",
    "ReadsColumns",
    "Shift",
    "is_money",
    "meter_of",
    "money_of",
    "plus",
]

BILLING_KEYS: Final = (
    "provider",
    "project",
    "api_key",
    "model",
    "service_tier",
    "processing",
    "inference_geo",
    "context_window",
)
"""What a bill may be split by. `service_tier` is `standard` where list prices hold, `processing` is
`batch` or `online`, `inference_geo` is `global` where nothing else is said."""

REQUESTS: Final = "requests"
"""The measure that counts calls; the others are meters, or what `money_of` names."""

ADMIN_ROLE: Final = ":admin"
"""Stands after the provider's name in a credential that bills are asked for with: calls look
credentials up by the bare name, and the vault seals the name in, so none is made with this one."""

COVERED: Final = "(covered)"
EVERY_METER: Final = "(every meter)"
"""See `BillingRow.meter`."""

ChargeKind = Literal["usage", "credit", "tax", "rounding", "fee"]
"""`usage` is compared with the ledger; the others are shown beside it and belong to no call."""


_MONEY: Final = "$ "


def plus(a: int | Decimal, b: int | Decimal, sign: int = 1) -> int | Decimal:
    """Add figures, or take one away; whole numbers stay ints."""
    if type(a) is int and type(b) is int:
        return a + sign * b
    return add(a, b) if sign > 0 else subtract(a, b)


def money_of(meter: str) -> str:
    """Name the measure that is a meter's money; "" for money that no meter is named for."""
    return f"{_MONEY}{meter}"


def is_money(measure: str) -> bool:
    """Say whether a measure is money."""
    return measure.startswith(_MONEY)


def meter_of(measure: str) -> str:
    """Name the meter whose count, or whose money, a measure is."""
    return measure.removeprefix(_MONEY)


@frozen
class BillingRow:
    """One figure of a bill.

    Attributes:
        report: Which report of which provider (`acme.usage`); rows of one report are comparable. A
            row that only covers a span may be of any report whose name begins so (`acme.*`).
        pointer: Where it stands, for people: file, line, bucket.
        start_us, end_us: The span it is for, microseconds UTC, the end not included.
        keys: What it is split by, of `BILLING_KEYS`; a key that is absent is not told.
        meter: A meter of the ledger, `requests`, or "": money of all meters together. `COVERED`:
            the row only says that the report has this span; `EVERY_METER`: and that a meter it does
            not name was not used.
        quantity: How much; None where the source states money alone.
        amount: Money; None where it states quantities alone.
        currency: ISO 4217.
        rate: Units of `currency` for one of the ledger's; None where the bill does not say.
        charge: What kind of charge it is.
        noisy: The source writes money as a binary float: compared at 1e-9 of it.
        identity: Equal for what is the same figure, told twice; "" where lines may repeat.
        invoice: The invoice it is on; "" where the source does not say.
    """

    report: str
    pointer: str
    start_us: int
    end_us: int
    keys: Mapping[str, str]
    meter: str = ""
    quantity: int | Decimal | None = None
    amount: Decimal | None = None
    currency: str = "USD"
    rate: Decimal | None = None
    charge: ChargeKind = "usage"
    noisy: bool = False
    identity: str = ""
    invoice: str = ""


@runtime_checkable
class Importer(Protocol):
    """Reads one format of bills."""

    kind: ClassVar[str]

    def recognises(self, name: str, head: bytes) -> bool:
        """Say whether a file is of this format, by its name and its first 64 KiB."""
        ...

    def rows(self, name: str, file: BinaryIO) -> Iterator[BillingRow]:
        """Read a file, in bounded memory.

        Raises:
            BillingError: it is not what it should be; says the place and what was expected.
        """
        ...


@frozen
class BillWindow:
    """The span a bill is asked for, whole buckets of `width` (`1m`, `1h`, `1d`).

    Attributes:
        project: The project or team of the admin credential, or "".
    """

    start_us: int
    end_us: int
    width: str
    project: str = ""


@frozen
class BillQuery:
    """One request for a page of a report.

    Attributes:
        report: Short name, good for a file's name.
        path: Path and query below the provider's own host.
        page: Its number within the report, from 0.
        body: What is posted; empty: it is a GET.
    """

    report: str
    path: str
    page: int = 0
    body: bytes = b""


@runtime_checkable
class FetchesBills(Protocol):
    """An importer whose reports can be asked for over the network; does no IO itself."""

    base_url: ClassVar[str]
    """The host that an admin credential is bound to."""

    def auth(self, secret: str) -> Sequence[tuple[str, str]]:
        """Give the headers that authenticate."""
        ...

    def queries(self, window: BillWindow) -> Sequence[BillQuery]:
        """Give the first page of each report."""
        ...

    def after(self, query: BillQuery, body: bytes) -> BillQuery | None:
        """Read a page and give the next query; None: it was the last.

        Raises:
            BillingError: the page is not what it should be.
        """
        ...


@frozen
class Booked:
    """An entry of the ledger as bills count it.

    Attributes:
        keys: What bills split by; every one of `BILLING_KEYS` that is known.
        measures: `requests`, meters and money by meter; empty while it is pending.
        intent, end: What was written.
    """

    entry_id: str
    exchange_id: str
    at_us: int
    keys: Mapping[str, str]
    measures: Mapping[str, int | Decimal]
    intent: Intent
    end: Settle | Pend | Void | None

    @property
    def is_open(self) -> bool:
        """Whether its amount is not known yet."""
        return self.end is None or isinstance(self.end, Pend)

    @property
    def is_void(self) -> bool:
        """Whether the provider is said not to bill it."""
        return isinstance(self.end, Void)


@define(eq=False)
class Gap:
    """What a bill and the ledger differ by, in one bucket under one set of keys.

    Attributes:
        report, start_us, end_us, keys: As in the rows.
        left: Bill minus ledger, by measure; only what is not zero. Explainers take from it.
        billed, booked: Both sides, by measure.
        measures: All that this report tells.
        slack: How far a measure may be off because the source rounds it.
    """

    report: str
    start_us: int
    end_us: int
    keys: Mapping[str, str]
    left: dict[str, int | Decimal]
    billed: Mapping[str, int | Decimal]
    booked: Mapping[str, int | Decimal]
    measures: frozenset[str]
    slack: Mapping[str, Decimal] = field(factory=dict)

    def told(self, measures: Mapping[str, int | Decimal]) -> dict[str, int | Decimal]:
        """Give those of the measures that this report tells."""
        return {name: count for name, count in measures.items() if name in self.measures and count}

    def holds(self, measures: Mapping[str, int | Decimal], sign: int = 1) -> bool:
        """Say whether these measures, as far as they are told, fit into what is left."""
        told = self.told(measures)
        return bool(told) and all(
            plus(plus(self._off(name), self.left.get(name, 0), sign), count, -1) >= 0
            for name, count in told.items()
        )

    def take(self, measures: Mapping[str, int | Decimal], sign: int = 1) -> None:
        """Take what is explained out of what is left."""
        for name, count in self.told(measures).items():
            rest = plus(self.left.get(name, 0), count, -sign)
            off = self._off(name)
            if off.copy_negate() <= rest <= off:
                self.left.pop(name, None)
            else:
                self.left[name] = rest

    def _off(self, name: str) -> Decimal:
        return self.slack.get(name, ZERO)


@frozen
class Shift:
    """What an explanation changes about the ledger's side, for the reports looked at later."""

    at_us: int
    keys: Mapping[str, str]
    measures: Mapping[str, int | Decimal]


@frozen
class Finding:
    """A part of a difference, and its cause.

    Attributes:
        cause: A word or a few.
        report, start_us, end_us, keys: Where it shows.
        quantities: Bill minus ledger, by measure, as far as this explains it.
        note: What happened and what to do, for people.
        parts: Entry → what is added to its cost; empty: nothing is to be written.
        ends: Records that close pending entries.
        shifts: See `Shift`.
        waits: It will mend itself; the bill is to be pulled again later.
        dispute: The bill contradicts a price row: meter → implied price of a million units.
    """

    cause: str
    report: str
    start_us: int
    end_us: int
    keys: Mapping[str, str]
    quantities: Mapping[str, int | Decimal]
    note: str = ""
    parts: Mapping[str, Decimal] = field(factory=dict)
    ends: tuple[Settle | Void, ...] = ()
    shifts: tuple[Shift, ...] = ()
    waits: bool = False
    dispute: Mapping[str, Decimal] = field(factory=dict)

    @property
    def amount(self) -> Decimal:
        """What it adds to the ledger's cost."""
        closed = [end.total for end in self.ends if isinstance(end, Settle)]
        return total([*self.parts.values(), *(each for each in closed if each is not None)])


class EntryColumns(NamedTuple):
    """An entry as one row tells it, without the records behind it; structures are JSON text.

    Attributes:
        lines: Its cost lines; what they say of other models inside the answer, their `model` says.
    """

    entry_id: str
    started_us: int
    project: str | None
    credential_id: str | None
    role: str
    model: str
    model_billed: str | None
    status: str
    total: str | None
    meters: str | None
    lines: str | None
    context: str | None


@runtime_checkable
class ReadsColumns(Protocol):
    """A store that can give entries as rows, many times quicker than as records."""

    def columns(
        self, account: str, provider: str, since_us: int, until_us: int, *, lines: bool
    ) -> Iterator[EntryColumns]:
        """Give the entries of a provider, by its name or kind, begun in a span; in no order.

        Args:
            account: Whose.
            provider: The provider's configured name, or its kind.
            since_us: The span's beginning, microseconds UTC.
            until_us: Its end, not included.
            lines: Whether cost lines are wanted; without, `lines` is None, or `"model":` where
                other models were used inside the answer.
        """
        ...


class BooksView(Protocol):
    """What explainers may know of the ledger."""

    now_us: int
    """When the bill was pulled."""

    def within(self, gap: Gap) -> Sequence[Booked]:
        """Give the entries of a gap's bucket and keys, in the order they began."""
        ...

    def priced(
        self, like: Booked, meters: Mapping[str, int | Decimal], keys: Mapping[str, str]
    ) -> Settle | None:
        """Price meters in an entry's circumstances, as far as `keys` do not say otherwise.

        Returns:
            What the entry would settle as; None where the book has no price.
        """
        ...

    def knows(self, key: str, value: str) -> bool:
        """Say whether the account has any entry or credential under this value of a key."""
        ...


class Explainer(Protocol):
    """Explains one kind of difference."""

    kind: ClassVar[str]
    order: ClassVar[int]
    """When it is asked: the lower, the earlier. Below 21 it may be shown two neighbouring buckets
    alone, before it is shown each of them among others."""

    def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
        """Take from the gaps what this explains, and say so. Never more than is left."""
        ...
