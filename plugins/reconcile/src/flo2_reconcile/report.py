"""What reconciliation found, as JSON values and as CSV lines; money is text.

Imports: reconciler, applying, times.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import IO, Any, Final

from flo2 import Finding, Gap
from flo2.money import add, text
from flo2_reconcile.applying import Planned, source_of
from flo2_reconcile.match import Compared
from flo2_reconcile.reconciler import Outcome
from flo2_reconcile.times import stamp

__all__ = ["finding_json", "gap_json", "outcome_json", "short_keys", "summary", "write_csv"]

_COLUMNS: Final = (
    *("kind", "cause", "report", "from", "until", "model", "project", "api_key", "service_tier"),
    *("processing", "measure", "difference", "usd", "entries", "note"),
)


def outcome_json(outcome: Outcome, planned: Planned) -> dict[str, Any]:
    """Give everything; what is unexplained stands first."""
    return {
        "provider": outcome.provider,
        "account": outcome.account,
        "from": stamp(outcome.since_us),
        "until": stamp(outcome.until_us),
        "pulled_at": stamp(outcome.now_us),
        "proven": outcome.is_proven,
        "unexplained": [gap_json(gap) for gap in outcome.unexplained],
        "findings": [finding_json(found) for found in outcome.findings],
        "reports": [_compared(one) for one in outcome.compared],
        "entries": outcome.entries,
        "to_write": {"records": len(planned.records), "disputes": len(planned.disputes)},
        "charges": [
            {
                "report": each.report,
                "invoice": each.invoice,
                "charge": each.charge,
                "amount": text(each.amount),
                "currency": each.currency,
            }
            for each in outcome.charges
        ],
        "notices": dict(outcome.notices),
    }


def gap_json(gap: Gap) -> dict[str, Any]:
    """Give what nobody explains of a cell."""
    return {
        "report": gap.report,
        "from": stamp(gap.start_us),
        "until": stamp(gap.end_us),
        "keys": dict(gap.keys),
        "difference": _figures(gap.left),
        "billed": _figures(gap.billed),
        "booked": _figures(gap.booked),
    }


def finding_json(found: Finding) -> dict[str, Any]:
    """Give a part of a difference and its cause."""
    return {
        "cause": found.cause,
        "source": source_of(found),
        "report": found.report,
        "from": stamp(found.start_us),
        "until": stamp(found.end_us),
        "keys": dict(found.keys),
        "difference": _figures(found.quantities),
        "usd": text(found.amount),
        "entries": sorted({*found.parts, *(end.entry_id for end in found.ends)}),
        "waits": found.waits,
        "implied_per_million": _figures(found.dispute),
        "note": found.note,
    }


def summary(outcome: Outcome) -> dict[str, tuple[int, Decimal]]:
    """Give, by cause, how many findings there are and what they add to the cost."""
    sums: dict[str, tuple[int, Decimal]] = {}
    for found in outcome.findings:
        count, amount = sums.get(found.cause, (0, Decimal(0)))
        sums[found.cause] = (count + 1, add(amount, found.amount))
    return sums


def short_keys(keys: Mapping[str, str]) -> str:
    """Give keys for people: without those that say the usual."""
    usual = {"standard", "online", "global", "0-200k", ""}
    shown = [value for name, value in keys.items() if name != "provider" and value not in usual]
    return " ".join(shown)


def write_csv(outcome: Outcome, out: IO[str]) -> None:
    """Write one line for each measure of each finding, unexplained first."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(_lines(outcome))


def _lines(outcome: Outcome) -> Iterator[Sequence[str]]:
    for gap in outcome.unexplained:
        for name, count in sorted(gap.left.items()):
            yield ["unexplained", "", *_place(gap), name, text(Decimal(count)), "", "", ""]
    for found in outcome.findings:
        entries = " ".join(sorted({*found.parts, *(end.entry_id for end in found.ends)}))
        figures = sorted(found.quantities.items()) or [("", Decimal(0))]
        for place, (name, count) in enumerate(figures):
            usd = text(found.amount) if place == 0 else ""
            figure = text(Decimal(count))
            yield ["explained", found.cause, *_place(found), name, figure, usd, entries, found.note]


def _place(at: Gap | Finding) -> list[str]:
    keys = [at.keys.get(key, "") for key in _COLUMNS[5:10]]
    return [at.report, stamp(at.start_us), stamp(at.end_us), *keys]


def _compared(one: Compared) -> dict[str, Any]:
    return {
        "report": one.sheet.report,
        "split_by": list(one.dims),
        "buckets": len(one.sheet.starts),
        "cells": one.cells,
        "billed": _figures(one.billed),
        "booked": _figures(one.booked),
    }


def _figures(measures: Mapping[str, int | Decimal]) -> dict[str, int | str]:
    return {
        name: count if isinstance(count, int) else text(count)
        for name, count in sorted(measures.items())
    }
