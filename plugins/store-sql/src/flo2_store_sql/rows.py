"""Ledger records as rows, and rows as ledger records. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

from msgspec.structs import fields
from sqlalchemy import Row

from flo2.errors import StoreError
from flo2.ledger.codec import (
    decode,
    decode_attribution,
    encode_attribution,
    encode_json,
    kind_of,
    subject_of,
)
from flo2.records import Adjust, Attribution, Exchange, Intent, Pend, Record, Settle, Void
from flo2.stores import ChainLink

__all__ = [
    "ADJUSTMENT_COLUMNS",
    "END_COLUMNS",
    "ENTRY_COLUMNS",
    "EXCHANGE_COLUMNS",
    "INTENT_COLUMNS",
    "RECORD_COLUMNS",
    "adjustment_rows",
    "end_row",
    "exchange_row",
    "intent_row",
    "is_clean",
    "link_of",
    "record_of",
    "record_row",
    "storable",
]

_ATTRIBUTION: Final = ("team", "feature", "customer", "end_user")
_ATTRIBUTED: Final = (Intent, Exchange)
_BOUNDS: Final = ("hold", "low", "high")
_INTENT: Final = tuple(
    each.name
    for each in fields(Intent)
    if each.name not in {"attribution", "losses", "budgets", *_BOUNDS}
)
_EXCHANGE: Final = tuple(
    each.name
    for each in fields(Exchange)
    if each.name not in {"attribution", "losses", "plan", "notes"}
)
_ENDED: Final = ("entry_id", "ended_us", "outcome", "reason", "first_byte_us", "http_status")
_SETTLED: Final = (
    "status",
    "model_billed",
    "provider_request_id",
    "finish",
    "currency",
    "book",
)
_TOTALS: Final = ("total", "list_total", "reported_total")

RECORD_COLUMNS: Final = (
    "writer",
    "seq",
    "prev_hash",
    "hash",
    "kind",
    "subject",
    "account",
    "payload",
    "attribution",
    "attribution_salt",
    "attribution_digest",
)
INTENT_COLUMNS: Final = (
    *_INTENT, *_BOUNDS, *_ATTRIBUTION, "tags", "losses", "budgets", "writer", "status",
)  # fmt: skip
EXCHANGE_COLUMNS: Final = (*_EXCHANGE, *_ATTRIBUTION, "tags")
END_COLUMNS: Final = (
    *_ENDED,
    *_SETTLED,
    *_TOTALS,
    "meters",
    "lines",
    "context",
    "pending_low",
    "pending_high",
    "source",
)
"""What a closing record says, `entry_id` first."""
ADJUSTMENT_COLUMNS: Final = ("adjust_id", "entry_id", "account", "amount", "currency")
ENTRY_COLUMNS: Final = (*INTENT_COLUMNS[:-1], *END_COLUMNS[1:])
"""An entry that begins and ends at once: all of an intent but its status, and how it ended."""

_NO_END: Final = (None,) * 3
_NO_SETTLEMENT: Final = (None,) * 9

_PAYLOAD: Final = RECORD_COLUMNS.index("payload")
_SAID: Final = RECORD_COLUMNS.index("attribution")
_NUL: Final = "\\u0000"  # as JSON escapes it
_REPLACED: Final = "\ufffd"

# One call gives all values of a record: a third of the time of asking for each by name.
_intent_values: Final = attrgetter(*_INTENT)
_exchange_values: Final = attrgetter(*_EXCHANGE)
_attribution_values: Final = attrgetter(*_ATTRIBUTION)
_ended_values: Final = attrgetter(*_ENDED)
_settled_values: Final = attrgetter(*_SETTLED)


def record_row(link: ChainLink) -> Sequence[Any]:
    """Make the row of `ledger_records`, as `RECORD_COLUMNS`."""
    record = link.record
    account = attribution = None
    if isinstance(record, Adjust):
        account = record.account
    elif isinstance(record, _ATTRIBUTED):
        account = record.account
        if link.attribution_salt:
            attribution = encode_attribution(record.attribution).decode()
    return (
        link.writer,
        link.seq,
        link.prev_hash,
        link.hash,
        kind_of(record),
        subject_of(record),
        account,
        link.payload.decode(),
        attribution,
        link.attribution_salt or None,
        link.attribution_digest,
    )


def is_clean(row: Sequence[Any]) -> bool:
    """Say whether a text column can hold every text of a record as it is.

    Args:
        row: The record's row, as `RECORD_COLUMNS`.

    The payload and the attribution tell: what no column holds is a NUL, which JSON escapes, or a
    lone surrogate, which is written as U+FFFD. Two searches cost a tenth of looking at each value.
    """
    payload, attribution = row[_PAYLOAD], row[_SAID]
    if _NUL in payload or _REPLACED in payload:
        return False
    return attribution is None or not (_NUL in attribution or _REPLACED in attribution)


def intent_row(writer: str, intent: Intent, *, clean: bool = False) -> Sequence[Any]:
    """Make the row of `ledger_entries` for an entry that begins, as `INTENT_COLUMNS`.

    Args:
        writer: Whose journal it is in.
        intent: The record.
        clean: What `is_clean` says of it; as in the functions below.
    """
    return (
        *_texts(_intent_values(intent), clean=clean),
        _money(intent.hold),
        _money(intent.low),
        _money(intent.high),
        *_attribution_row(intent.attribution, clean=clean),
        _json(intent.losses) if intent.losses else "[]",
        _json(intent.budgets) if intent.budgets else None,
        writer,
        "open",
    )


def end_row(record: Settle | Pend | Void, *, clean: bool = False) -> Sequence[Any]:
    """Make what a closing record changes in `ledger_entries`, as `END_COLUMNS`."""
    ended = _texts(_ended_values(record), clean=clean)
    if isinstance(record, Settle):
        return (
            *ended,
            *_texts(_settled_values(record), clean=clean),
            _money(record.total),
            _money(record.list_total),
            _money(record.reported_total),
            _json(record.meters),
            _json(record.lines),
            _json(record.context) if record.context else "{}",
            *_NO_END,
        )
    if isinstance(record, Pend):
        billed = _texts((record.model_billed, record.provider_request_id), clean=clean)
        bounds = (_money(record.low), _money(record.high))
        return (*ended, "pending", *billed, *_NO_SETTLEMENT, *bounds, None)
    source = _texts((record.source,), clean=clean)
    return (*ended, "void", None, None, None, None, None, "0", *[None] * 7, *source)


def adjustment_rows(adjust: Adjust) -> list[Sequence[Any]]:
    """Make the rows of `ledger_adjustments`, as `ADJUSTMENT_COLUMNS`: one for each part."""
    told = (storable(adjust.account), storable(adjust.currency))
    return [
        (adjust.entry_id, storable(entry), told[0], _money(amount), told[1])
        for entry, amount in adjust.amounts.items()
    ]


def exchange_row(exchange: Exchange, *, clean: bool = False) -> Sequence[Any]:
    """Make the row of `exchanges`, as `EXCHANGE_COLUMNS`."""
    return (
        *_texts(_exchange_values(exchange), clean=clean),
        *_attribution_row(exchange.attribution, clean=clean),
    )


def record_of(row: Row[Any]) -> Record:
    """Read a row of `ledger_records` back.

    Raises:
        StoreError: it is no record.
    """
    try:
        attribution = None if row.attribution is None else decode_attribution(row.attribution)
        return decode(row.kind, row.payload, attribution)
    except ValueError as exc:
        raise StoreError(
            f"writer {row.writer!r}, record {row.seq}: cannot be read back: it was edited ({exc}); "
            "see `flo2 ledger verify`"
        ) from exc


def link_of(row: Row[Any]) -> ChainLink:
    """Read a row of `ledger_records` back, with its place in the chain.

    Raises:
        StoreError: it is no record, or is found by other values than its own.
    """
    record = record_of(row)
    attribution = getattr(record, "attribution", None)
    same = (
        subject_of(record) == row.subject
        and getattr(record, "account", None) == row.account
        and (
            row.attribution is None
            or (
                isinstance(attribution, Attribution)
                and encode_attribution(attribution).decode() == row.attribution
            )
        )
    )
    if not same:
        raise StoreError(
            f"writer {row.writer!r}, record {row.seq}: is found by foreign values: it was edited"
        )
    return ChainLink(
        writer=row.writer,
        seq=row.seq,
        prev_hash=row.prev_hash,
        hash=row.hash,
        record=record,
        payload=row.payload.encode(),
        attribution_digest=row.attribution_digest,
        attribution_salt=row.attribution_salt or "",
    )


def storable(value: Any) -> Any:
    """Give what a text column holds in a value's place; a record's payload keeps the value itself.

    PostgreSQL refuses NUL in text, UTF-8 a lone surrogate.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return value


def _attribution_row(attribution: Attribution, *, clean: bool) -> Sequence[Any]:
    return (
        *_texts(_attribution_values(attribution), clean=clean),
        _json(attribution.tags) if attribution.tags else "{}",
    )


def _texts(values: Iterable[Any], *, clean: bool) -> Iterable[Any]:
    """Leave out of values what a text column cannot hold."""
    return values if clean else map(storable, values)


def _money(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _json(value: Any) -> str:
    return encode_json(value).decode()
