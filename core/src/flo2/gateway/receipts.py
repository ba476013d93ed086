"""A receipt as JSON: what happened to one call, why, and what it cost, line by line.

Pure. Imports: ledger, records, repricing, instants, money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from flo2.instants import timestamp
from flo2.ledger import Adjusted, Receipt
from flo2.money import add, subtract, text, total
from flo2.prices import CostLine
from flo2.prices.cost import DIFFERENCE
from flo2.records import Attribution, Entry, Pend, Settle, Void
from flo2.repricing import Alternative

__all__ = ["entry_json", "key_of", "receipt_json"]


def key_of(receipt: Receipt) -> str | None:
    """Say which issued key made the call."""
    if receipt.exchange is not None:
        return receipt.exchange.key_id
    return receipt.entries[0].intent.key_id if receipt.entries else None


def receipt_json(
    receipt: Receipt, others: Mapping[str, Sequence[Alternative]] | None = None
) -> dict[str, Any]:
    """Write a receipt.

    Args:
        receipt: The call.
        others: Entry → what its tokens would have cost elsewhere; see `repricing.alternatives`.

    Returns:
        `id`, times, who and for whom, `status` of the answer, `plan` (why this model), `losses`,
        `cost` (`total_usd` is a decimal string, corrections included, None while an attempt is not
        known), `attempts`.
    """
    exchange = receipt.exchange
    attempts = [
        entry_json(each.entry)
        | _adjusted(each)
        | _alternatives(each, (others or {}).get(each.entry.intent.entry_id, ()))
        for each in receipt.adjusted
    ]
    first = receipt.entries[0].intent if receipt.entries else None
    attribution = exchange.attribution if exchange is not None else None
    if attribution is None and first is not None:
        attribution = first.attribution
    facts: dict[str, Any] = {
        "object": "flo2.call",
        "id": exchange.exchange_id if exchange is not None else first and first.exchange_id,
        "account": exchange.account if exchange is not None else first and first.account,
        "key": key_of(receipt),
        "state": "ended" if exchange is not None else _unended(receipt),
    }
    if exchange is not None:
        facts |= {
            "surface": exchange.surface,
            "model_requested": exchange.model_requested,
            "stream": exchange.stream,
            "status": exchange.status,
            "client": exchange.client,
            "started_at": timestamp(exchange.started_us),
            "ended_at": timestamp(exchange.ended_us),
            "duration_ms": (exchange.ended_us - exchange.started_us) / 1000,
            "overhead_ms": exchange.overhead_us / 1000,
            "route": exchange.route,
            "strategy": exchange.strategy,
            "plan": exchange.plan,
            "candidates": list(exchange.candidates),
            "losses": list(exchange.losses),
            "notes": list(exchange.notes),
            "error": exchange.error,
        }
    facts["attribution"] = attribution_json(attribution) if attribution is not None else {}
    facts["cost"] = _cost(receipt.adjusted)
    facts["attempts"] = attempts
    return facts


def _unended(receipt: Receipt) -> str:
    """Say of a call without its exchange record: `running`, or `crashed` together with flo2."""
    ends = [entry.end for entry in receipt.entries]
    return "crashed" if any(e is not None and e.outcome == "crashed" for e in ends) else "running"


def attribution_json(attribution: Attribution) -> dict[str, Any]:
    """Write whom a call is for."""
    return {
        "team": attribution.team,
        "feature": attribution.feature,
        "customer": attribution.customer,
        "end_user": attribution.end_user,
        "tags": dict(attribution.tags),
    }


def entry_json(entry: Entry) -> dict[str, Any]:
    """Write one attempt."""
    intent, end = entry.intent, entry.end
    facts: dict[str, Any] = {
        "id": intent.entry_id,
        "attempt": intent.attempt,
        "role": intent.role,
        "provider": intent.provider,
        "credential": intent.credential_id,
        "api": intent.api,
        "model": intent.model,
        "why": intent.why,
        "losses": list(intent.losses),
        "status": entry.status,
        "started_at": timestamp(intent.started_us),
    }
    if intent.budgets:
        facts |= {"budgets": list(intent.budgets), "hold_usd": _money(intent.hold)}
    if end is None:
        return facts | {"bounds_usd": _bounds(intent.low, intent.high)}
    facts |= {
        "outcome": end.outcome,
        "ended_at": timestamp(end.ended_us),
        "duration_ms": (end.ended_us - intent.started_us) / 1000,
        "time_to_first_token_ms": (
            None if end.first_byte_us is None else (end.first_byte_us - intent.started_us) / 1000
        ),
        "http_status": end.http_status,
        "reason": end.reason,
    }
    match end:
        case Settle():
            facts |= {
                "model_billed": end.model_billed,
                "provider_request_id": end.provider_request_id,
                "finish": end.finish,
                "usage": _numbers(end.meters),
                "informational": _numbers(end.informational),
                "raw_usage": end.raw_usage,
                "context": dict(end.context),
                "cost_usd": _money(end.total),
                "reported_usd": _money(end.reported_total),
                "provider_difference_usd": _money(_difference(end)),
                "list_cost_usd": _money(end.list_total),
                "currency": end.currency,
                "price_book": end.book,
                "lines": [_line(line) for line in end.lines],
            }
        case Pend():
            facts |= {
                "model_billed": end.model_billed,
                "provider_request_id": end.provider_request_id,
                "raw_usage": end.raw_usage,
                "cost_usd": None,
                "bounds_usd": _bounds(end.low, end.high),
            }
        case Void():
            facts |= {"cost_usd": "0", "rule": end.source}
    return facts


def _difference(end: Settle) -> Decimal | None:
    """Give what the provider's own charge is more than our lines; None where it states none."""
    if end.reported_total is None:
        return None
    return total(line.amount for line in end.lines if line.dimension == DIFFERENCE)


def _adjusted(adjusted: Adjusted) -> dict[str, Any]:
    """Write what was corrected of an entry, and what it costs with that."""
    entry_id = adjusted.entry.intent.entry_id
    if not adjusted.adjustments:
        return {}
    return {
        "adjustments": [
            {
                "id": each.entry_id,
                "at": timestamp(each.at_us),
                "cause": each.cause,
                "source": each.source,
                "amount": text(each.amounts[entry_id]),
                "currency": each.currency,
                "price_book": each.book,
                "lines": [_line(line) for line in each.lines],
            }
            for each in adjusted.adjustments
        ],
        "adjusted_cost_usd": _money(adjusted.total),
    }


def _alternatives(adjusted: Adjusted, others: Sequence[Alternative]) -> dict[str, Any]:
    """Write what the tokens of an entry would have cost elsewhere, beside what they do cost."""
    booked = adjusted.total
    end = adjusted.entry.end
    currency = end.currency if isinstance(end, Settle) else "USD"
    told = []
    for each in others:
        cost, difference = each.cost, None
        if booked is not None and cost.total is not None and cost.currency == currency:
            difference = subtract(cost.total, booked)
        told.append(
            {
                "target": each.target,
                "status": "unpriced" if cost.total is None else "priced",
                "cost": _money(cost.total),
                "currency": cost.currency,
                "difference": _money(difference),
                "reason": cost.reason,
            }
        )
    return {"alternatives": told} if told else {}


def _cost(entries: Sequence[Adjusted]) -> dict[str, Any]:
    known, unknown = Decimal(0), 0
    statuses: dict[str, int] = {}
    for each in entries:
        status, amount = each.entry.status, each.total
        statuses[status] = statuses.get(status, 0) + 1
        if amount is None:
            unknown += 1
        else:
            known = add(known, amount)
    return {
        "total_usd": None if unknown else text(known),
        "known_usd": text(known),
        "statuses": statuses,
        "markup_usd": "0",
    }


def _line(line: CostLine) -> dict[str, Any]:
    return {
        "dimension": line.dimension,
        "quantity": _number(line.quantity),
        "unit_price": text(line.unit_price),
        "per": line.per,
        "amount": text(line.amount),
        "list_amount": text(line.list_amount),
        "currency": line.currency,
        "row": line.row,
        "book": line.book,
        "rounded": line.rounded,
        "model": line.model,
        "factors": {name: text(factor) for name, factor in line.factors},
        "contract": line.contract,
    }


def _numbers(values: Mapping[str, int | Decimal]) -> dict[str, int | str]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: int | Decimal) -> int | str:
    return value if isinstance(value, int) else text(value)


def _money(value: Decimal | None) -> str | None:
    return None if value is None else text(value)


def _bounds(low: Decimal | None, high: Decimal | None) -> dict[str, str | None]:
    return {"low": _money(low), "high": _money(high)}
