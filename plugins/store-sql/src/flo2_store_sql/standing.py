"""Where an entry stands, and what it adds to the sums. Pure.

Amounts are added as whole numbers of 1e-18, and kept as three: ones, 1e-9 and 1e-18, the latter two
below 1e9. A sum of nine thousand million amounts fits into 64 bits, so a database can add them
exactly. What is finer than 1e-18, or 1e9 and more, is kept as text and added here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Row

from flo2.money import ZERO, add, multiply
from flo2.records import Intent, Pend, Settle, Void, is_awaited
from flo2_store_sql.cubes import DIMENSIONS, HOUR_US
from flo2_store_sql.rows import storable

__all__ = [
    "ADJUSTED",
    "ENTRIES",
    "HIGH",
    "LOW",
    "METER",
    "ONE",
    "STANDING_COLUMNS",
    "TOTAL",
    "UNBOUNDED",
    "Amounts",
    "Standing",
    "from_limbs",
    "standing_of",
    "to_limbs",
]

ONE: Final = 10**18
"""Units of one."""

ENTRIES, TOTAL, ADJUSTED = "entries", "total", "adjusted"
LOW, HIGH, UNBOUNDED = "low", "high", "unbounded"
METER: Final = "meter:"
"""What the name of a meter's sum begins with."""

_NANO: Final = 10**9
_LIMIT: Final = 10**9
_SHIFT: Final = Decimal(ONE)
_UNIT: Final = Decimal("1e-18")
_FROM_INTENT: Final = attrgetter("provider", "model", "key_id")
_ROUTED: Final = attrgetter("route", "experiment", "arm", "role")
_MODEL: Final = DIMENSIONS.index("model")
_meters: Final = msgspec.json.Decoder(dict[str, int | Decimal]).decode

STANDING_COLUMNS: Final = (
    *("entry_id", "account", "started_us", "status", "currency", "model_billed", "tags"),
    *("total", "pending_low", "pending_high", "low", "high", "meters"),
    *DIMENSIONS,
)
"""The columns of `ledger_entries` that `standing_of` reads."""


_FIRST: Final = STANDING_COLUMNS.index(DIMENSIONS[0])
_LAST: Final = _FIRST + len(DIMENSIONS)


class Amounts(dict[str, int]):
    """Sums by name, in units; `odd` holds what does not fit into them."""

    __slots__ = ("odd",)

    def __init__(self) -> None:
        super().__init__()
        self.odd: dict[str, Decimal] = {}

    def put(self, name: str, amount: int | Decimal, sign: int = 1) -> None:
        """Add an amount, or take it away."""
        units = _units(amount)
        if units is not None:
            self[name] = self.get(name, 0) + sign * units
        else:
            self.odd[name] = add(self.odd.get(name, ZERO), multiply(amount, sign))

    def take(self, other: Amounts) -> Amounts:
        """Add all of another; gives itself."""
        for name, units in other.items():
            self[name] = self.get(name, 0) + units
        for name, amount in other.odd.items():
            self.odd[name] = add(self.odd.get(name, ZERO), amount)
        return self

    def sum(self, name: str) -> Decimal:
        """Give a sum, exactly."""
        units, odd = self.get(name), self.odd.get(name) if self.odd else None
        if not units:
            return odd or ZERO
        return multiply(units, _UNIT) if odd is None else add(multiply(units, _UNIT), odd)

    @property
    def nothing(self) -> bool:
        """Whether every sum is zero."""
        return not any(self.values()) and not any(self.odd.values())


class Standing(NamedTuple):
    """An entry as the tables tell it: where it belongs, and what it costs.

    Attributes:
        sent: The model as it was sent; among the dimensions is the one that was billed.
        dimensions: In the order of `flo2_store_sql.cubes.DIMENSIONS`.
        low, high: Bounds, of an entry that is open or pending.
    """

    account: str
    started_us: int
    sent: str
    dimensions: tuple[str | None, ...]
    status: str
    currency: str
    total: Decimal | None
    low: Decimal | None
    high: Decimal | None
    meters: Mapping[str, int | Decimal]
    tags: str | None = None

    @classmethod
    def begun(cls, intent: Intent, *, clean: bool) -> Standing:
        """Give what an intent begins."""
        who = intent.attribution
        provider, model, key = _FROM_INTENT(intent)
        dimensions = (
            *(provider, model, key, who.team, who.feature),
            *_ROUTED(intent),
            *(who.customer, who.end_user),
        )
        if not clean:
            dimensions = tuple(map(storable, dimensions))
        return cls(
            intent.account if clean else storable(intent.account),
            intent.started_us,
            dimensions[_MODEL] or "",
            dimensions,
            "open",
            "USD",
            None,
            intent.low,
            intent.high,
            {},
        )

    def ended(self, record: Settle | Pend | Void, *, clean: bool) -> Standing:
        """Give what a closing record makes of it, as `flo2.records.fold_entry` does."""
        if not is_awaited(self.status, record):
            return self
        # Made anew and not by `_replace`, which takes five times as long.
        if isinstance(record, Void):
            return self._now(None, "void", "USD", ZERO, None, None, {})
        billed = record.model_billed if clean else storable(record.model_billed)
        if isinstance(record, Pend):
            return self._now(billed, "pending", "USD", None, record.low, record.high, {})
        currency = record.currency if clean else storable(record.currency)
        return self._now(billed, record.status, currency, record.total, None, None, record.meters)

    def _now(
        self,
        billed: str | None,
        status: str,
        currency: str,
        total: Decimal | None,
        low: Decimal | None,
        high: Decimal | None,
        meters: Mapping[str, int | Decimal],
    ) -> Standing:
        return Standing(
            self.account,
            self.started_us,
            self.sent,
            _of_model(self.dimensions, billed or self.sent),
            status,
            currency,
            total,
            low,
            high,
            meters,
            self.tags,
        )

    def nameless(self) -> Standing:
        """Give it without its attribution."""
        gone = {"team", "feature", "customer", "end_user"}
        kept = (
            None if name in gone else value
            for name, value in zip(DIMENSIONS, self.dimensions, strict=True)
        )
        return self._replace(dimensions=tuple(kept), tags=None)

    @property
    def hour(self) -> int:
        """The hour it began in, since the Unix epoch."""
        return self.started_us // HOUR_US

    def amounts(self, into: Amounts, sign: int = 1) -> None:
        """Add what it comes to, or take it away."""
        into[ENTRIES] = into.get(ENTRIES, 0) + sign * ONE
        if self.status in {"open", "pending"}:
            into.put(LOW, self.low or ZERO, sign)
            if self.high is None:
                into[UNBOUNDED] = into.get(UNBOUNDED, 0) + sign * ONE
            else:
                into.put(HIGH, self.high, sign)
        elif self.total is not None:
            into.put(TOTAL, self.total, sign)
        for meter, quantity in self.meters.items():
            into.put(METER + (meter if meter.isprintable() else storable(meter)), quantity, sign)


def standing_of(row: Row[Any]) -> Standing:
    """Read a row of `STANDING_COLUMNS`."""
    dimensions = tuple(row[_FIRST:_LAST])
    low, high = row.low, row.high
    if row.status != "open":
        low, high = row.pending_low, row.pending_high
    return Standing(
        row.account,
        row.started_us,
        row.model,
        _of_model(dimensions, row.model_billed or row.model),
        row.status,
        row.currency or "USD",
        None if row.total is None else Decimal(row.total),
        None if low is None else Decimal(low),
        None if high is None else Decimal(high),
        _meters(row.meters) if row.meters else {},
        row.tags,
    )


def _of_model(dimensions: tuple[str | None, ...], model: str) -> tuple[str | None, ...]:
    return (*dimensions[:_MODEL], model, *dimensions[_MODEL + 1 :])


def to_limbs(units: int) -> tuple[int, int, int]:
    """Split units into ones, 1e-9 and 1e-18; the ones carry the sign."""
    rest, atto = divmod(units, _NANO)
    whole, nano = divmod(rest, _NANO)
    return whole, nano, atto


def from_limbs(whole: Any, nano: Any, atto: Any) -> int:
    """Put sums of limbs together; PostgreSQL gives them as Decimals."""
    return int(whole) * ONE + int(nano) * _NANO + int(atto)


def _units(amount: int | Decimal) -> int | None:
    if not -_LIMIT < amount < _LIMIT:
        return None
    if isinstance(amount, int):
        return amount * ONE
    scaled = multiply(amount, _SHIFT)
    units = int(scaled)
    return units if units == scaled else None
