"""Contracts, statements and invoices as JSON; money is text. Pure. Imports: contracts, money."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flo2.contracts import Contract
from flo2.contracts.invoice import Invoice
from flo2.contracts.statement import Statement
from flo2.gateway.agreeing import Declared
from flo2.money import text

__all__ = ["declared_json", "invoice_json", "statement_json", "terms_of"]


def terms_of(contract: Contract) -> dict[str, list[str]]:
    """Name the terms of a contract by their kind."""
    kinds = {
        "rates": [rate.row.id.removeprefix(f"{contract.id}/") for rate in contract.rates],
        "discounts": [each.name for each in contract.discounts],
        "capacity": [each.name for each in contract.capacity],
        "allowances": [each.name for each in contract.allowances],
        "volume_tiers": [each.name for each in contract.volume_tiers],
        "commitments": [each.name for each in contract.commitments],
        "credits": [each.name for each in contract.credits],
    }
    return {kind: names for kind, names in kinds.items() if names}


def declared_json(each: Declared, held: Contract) -> dict[str, Any]:
    """Write a version of a contract; `held` says when it is in force beside the others."""
    return {
        "account": each.account,
        "name": each.contract.name,
        "id": each.contract.id,
        "in_force_from": _date(held.validity.since),
        "in_force_until": _date(held.validity.until),
        "terms": terms_of(each.contract),
        "document": dict(each.document),
    }


def statement_json(statement: Statement) -> dict[str, Any]:
    """Write a statement."""
    return {
        "object": "flo2.statement",
        "account": statement.account,
        "month": f"{statement.month:%Y-%m}",
        "at": _date(statement.at),
        "over": statement.over,
        "currency": statement.currency,
        "contracts": list(statement.contracts),
        "entries": statement.entries,
        "not_known": statement.waiting,
        "other_currency": statement.foreign,
        "list": text(statement.listed),
        "calls": text(statement.called),
        "terms": [
            {
                "kind": used.kind,
                "name": used.name,
                "amount": text(used.amount),
                **{name: text(value) for name, value in used.facts.items()},
            }
            for used in statement.used
        ],
        "changes": text(statement.changes),
        "fees": [
            {
                "kind": fee.kind,
                "name": fee.name,
                "contract": fee.contract,
                "from": _date(fee.span.since),
                "until": _date(fee.span.until),
                "quantity": text(fee.quantity),
                "unit_price": text(fee.unit_price),
                "per": fee.per,
                "amount": text(fee.amount),
                "rounded": fee.rounded,
            }
            for fee in statement.fees
        ],
        "cost": text(statement.cost),
        "prepaid": text(statement.prepaid),
        "upfront": text(statement.upfront),
        "credits": text(statement.credited),
        "cash": text(statement.cash),
    }


def invoice_json(invoice: Invoice) -> dict[str, Any]:
    """Write an invoice."""
    rate = invoice.rate
    return {
        "currency": invoice.currency,
        "lines": [{"text": line.text, "amount": text(line.amount)} for line in invoice.lines],
        "exact": text(invoice.exact),
        "due": f"{invoice.due:f}",
        "rate": None
        if rate is None
        else {
            "of": rate.of,
            "rate": text(rate.rate),
            "on": rate.on.isoformat(),
            "source": rate.source,
        },
    }


def _date(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
