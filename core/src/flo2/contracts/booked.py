"""What a period is folded over: the entries of the ledger, with what was corrected of them.

Pure. Imports: contracts.parts, contracts.scope, records, instants, money.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from flo2.contracts.parts import Called, Part
from flo2.contracts.scope import Validity
from flo2.instants import instant
from flo2.money import ZERO, subtract, total
from flo2.prices.cost import CostLine
from flo2.records import REPRICE, Adjust, Entry, Settle

__all__ = ["CAUSES", "Booked", "Reader", "called"]

CAUSES: Final[frozenset[str]] = frozenset({"allowance", "volume_tier", "commitment"})
"""The causes of adjustments that a closed month has made; a later fold starts without them."""

Booked = tuple[Entry, Sequence[Adjust]]
"""An entry and the adjustments that have a part for it."""

Reader = Callable[[Validity], Iterable[Booked]]
"""Gives the entries of a stretch of time, with their adjustments, in the order they began."""


def called(entry: Entry, adjustments: Iterable[Adjust]) -> Called | None:
    """Give what terms of a period see of an entry; None where its cost is not known.

    That is its lines, those of a repricing where there is one, and what else was corrected. A
    correction in another currency than the entry's is in no sum.
    """
    end, intent = entry.end, entry.intent
    if not isinstance(end, Settle) or end.total is None:
        return None
    lines: Sequence[CostLine] = end.lines
    booked = [end.total]
    for each in adjustments:
        if each.cause not in CAUSES and each.currency == end.currency:
            booked.append(each.amounts.get(intent.entry_id, ZERO))
            if each.cause == REPRICE and each.lines:
                lines = each.lines
    model = end.model_billed or intent.model
    parts = [
        Part(
            intent.provider_kind,
            line.model or model,
            line.dimension,
            line.quantity,
            line.amount,
            line.list_amount,
            end.context,
        )
        for line in lines
    ]
    rest = subtract(total(booked), total(line.amount for line in lines))
    if rest:
        parts.append(Part(intent.provider_kind, model, "correction", 1, rest, rest, end.context))
    return Called(intent.entry_id, instant(intent.started_us), tuple(parts))
