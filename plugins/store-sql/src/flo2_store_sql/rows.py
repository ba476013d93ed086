"""Ledger records as rows, and rows as ledger records. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import fields
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
from flo2.records import Attribution, Exchange, Intent, Pend, Record, Settle, Void
from flo2.stores import ChainLink

__all__ = ["end_row", "exchange_row", "intent_row", "link_of", "record_of", "record_row"]

_Values = dict[str, Any]

_END_COLUMNS = (
    "outcome",
    "model_billed",
    "provider_request_id",
    "finish",
    "reason",
    "source",
    "ended_us",
    "first_byte_us",
    "http_status",
    "list_total",
    "reported_total",
    "currency",
    "book",
)
_ATTRIBUTION = ("team", "feature", "customer", "end_user")
_INTENT_COLUMNS = tuple(
    each.name for each in fields(Intent) if each.name not in {"attribution", "losses"}
)
_EXCHANGE_COLUMNS = tuple(
    each.name for each in fields(Exchange) if each.name not in {"attribution", "losses", "plan"}
)


def record_row(link: ChainLink) -> _Values:
    """Make the row of `ledger_records`."""
    record = link.record
    attribution = None
    if isinstance(record, Intent | Exchange) and link.attribution_salt:
        attribution = encode_attribution(record.attribution).decode()
    return {
        "writer": link.writer,
        "seq": link.seq,
        "prev_hash": link.prev_hash,
        "hash": link.hash,
        "kind": kind_of(record),
        "subject": subject_of(record),
        "account": getattr(record, "account", None),
        "payload": link.payload.decode(),
        "attribution": attribution,
        "attribution_salt": link.attribution_salt or None,
        "attribution_digest": link.attribution_digest,
    }


def intent_row(writer: str, intent: Intent) -> _Values:
    """Make the row of `ledger_entries` for an entry that begins."""
    row = {name: _plain(getattr(intent, name)) for name in _INTENT_COLUMNS}
    row |= _attribution_row(intent.attribution)
    row["losses"] = _json(intent.losses)
    row["writer"] = writer
    row["status"] = "open"
    return row


def end_row(record: Settle | Pend | Void) -> _Values:
    """Make what a closing record changes in `ledger_entries`; the entry's id is `of`."""
    row = {name: _plain(getattr(record, name, None)) for name in _END_COLUMNS}
    row |= dict.fromkeys(("total", "pending_low", "pending_high", "meters", "lines", "context"))
    row["of"] = record.entry_id
    match record:
        case Settle():
            row["status"] = record.status
            row["total"] = _plain(record.total)
            row["meters"] = _json(record.meters)
            row["lines"] = _json(record.lines)
            row["context"] = _json(record.context)
        case Pend():
            row["status"] = "pending"
            row["pending_low"] = _plain(record.low)
            row["pending_high"] = _plain(record.high)
        case Void():
            row["status"] = "void"
            row["total"] = "0"
    return row


def exchange_row(exchange: Exchange) -> _Values:
    """Make the row of `exchanges`."""
    row = {name: _plain(getattr(exchange, name)) for name in _EXCHANGE_COLUMNS}
    return row | _attribution_row(exchange.attribution)


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


def _attribution_row(attribution: Attribution) -> _Values:
    row = {name: _plain(getattr(attribution, name)) for name in _ATTRIBUTION}
    row["tags"] = _json(attribution.tags)
    return row


def _plain(value: Any) -> Any:
    """Write money as text, and leave out what a text column cannot hold."""
    if type(value) is str:
        if value.isprintable():
            return value
        # PostgreSQL refuses NUL in text, UTF-8 a lone surrogate.
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return str(value) if isinstance(value, Decimal) else value


def _json(value: Any) -> str:
    return encode_json(value).decode()
