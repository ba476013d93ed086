"""Write what reconciliation found: adjustments beside entries, ends of pending ones, disputes.

The id of an adjustment follows from where and why it is made, so a second run writes nothing; where
the amount has changed meanwhile, the difference is written; where the cause is gone, it is taken
back. No record is ever edited. Imports: reconciler.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from hashlib import sha256

from attrs import frozen

from flo2 import Adjust, Declaration, Finding, Settle, Store, Void
from flo2.ledger import Corrections
from flo2.money import ZERO, add, subtract, text, total
from flo2_reconcile.booked import OURS
from flo2_reconcile.reconciler import Outcome
from flo2_reconcile.times import stamp

__all__ = ["DISPUTE", "Planned", "apply", "plan"]

DISPUTE = "price-dispute"
"""The kind of declaration that a contradicted price row opens."""


@frozen
class Planned:
    """What is to be written; empty when the ledger says it already."""

    records: tuple[Adjust | Settle | Void, ...]
    disputes: tuple[Declaration, ...]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to write."""
        return not self.records and not self.disputes


def plan(outcome: Outcome, store: Store) -> Planned:
    """Work out what has to be written so that the ledger says what the bill says."""
    wanted: dict[str, _Wanted] = {}
    ends: list[Settle | Void] = []
    for found in outcome.findings:
        ends += found.ends
        if found.parts:
            base = _base(found, outcome.account)
            into = wanted.setdefault(base, _Wanted(found.cause, source_of(found), {}))
            for entry_id, part in found.parts.items():
                into.parts[entry_id] = add(into.parts.get(entry_id, ZERO), part)
    written: dict[str, list[Adjust]] = {}
    for each in outcome.ours:
        written.setdefault(each.entry_id.partition(".")[0], []).append(each)
    covered = {
        f"{one.sheet.report} {stamp(start)}"
        for one in outcome.compared
        for start in one.sheet.starts
    }
    for base, adjusts in written.items():
        if base not in wanted and adjusts[0].source.partition("/")[0] in covered:
            wanted[base] = _Wanted(adjusts[0].cause, adjusts[0].source, {})
    records = [
        *ends,
        *(record for base, each in wanted.items() for record in _due(base, each, written, outcome)),
    ]
    return Planned(tuple(records), tuple(_disputes(outcome, store)))


def apply(planned: Planned, store: Store, corrections: Corrections) -> int:
    """Write it.

    Args:
        planned: As `plan` gives it.
        store: Where disputes are kept.
        corrections: Made before the first entry was read, so that two who correct at once are told
            apart.

    Returns:
        How many records and disputes were written.

    Raises:
        StoreError: somebody else corrected meanwhile, or the store fails.
    """
    for record in planned.records:
        corrections.add(record)
    corrections.flush()
    for dispute in planned.disputes:
        store.put_declaration(dispute)
    return len(planned.records) + len(planned.disputes)


@frozen
class _Wanted:
    cause: str
    source: str
    parts: dict[str, Decimal]


def source_of(found: Finding) -> str:
    """Say which bill and which bucket of it says so."""
    keys = " ".join(f"{name}={value}" for name, value in sorted(found.keys.items()) if value)
    return f"{found.report} {stamp(found.start_us)}/{stamp(found.end_us)} {keys}".rstrip()


def _base(found: Finding, account: str) -> str:
    named = f"{account}|{found.cause}|{source_of(found)}"
    return f"{OURS}{sha256(named.encode()).hexdigest()[:32]}"


def _due(
    base: str, wanted: _Wanted, written: Mapping[str, list[Adjust]], outcome: Outcome
) -> Iterator[Adjust]:
    kept = written.get(base, [])
    parts = dict(wanted.parts)
    for adjust in kept:
        for entry_id, part in adjust.amounts.items():
            parts[entry_id] = subtract(parts.get(entry_id, ZERO), part)
    parts = {entry_id: part for entry_id, part in sorted(parts.items()) if part}
    # An amount that is laid on all calls of a cell would be laid otherwise once a pending one among
    # them is closed; the amount is the same, and stays where it is.
    if parts and total(parts.values()):
        # The first one has the bare id, so that two nodes that apply the same bill agree.
        number = f".{len(kept)}" if kept else ""
        yield Adjust(
            f"{base}{number}",
            outcome.account,
            outcome.now_us,
            wanted.cause,
            wanted.source,
            parts,
        )


def _disputes(outcome: Outcome, store: Store) -> Iterable[Declaration]:
    known = {each.name: each.document for each in store.declarations(DISPUTE, outcome.account)}
    for found in outcome.findings:
        for meter, implied in found.dispute.items():
            model = found.keys.get("model", "")
            keys = {name: value for name, value in found.keys.items() if value}
            name = sha256(f"{found.report}|{sorted(keys.items())}|{meter}".encode()).hexdigest()
            document = {
                "provider": outcome.provider,
                "model": model,
                "meter": meter,
                "keys": keys,
                "implied_per_million": text(implied),
                "source": source_of(found),
                "note": found.note,
            }
            name = name[:32]
            if name not in known:
                known[name] = document
                yield Declaration(outcome.account, DISPUTE, name, document, outcome.now_us)
