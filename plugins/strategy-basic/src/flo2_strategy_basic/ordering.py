"""What the strategies of this package share: the resting go last, and each one is told why.

Pure. Imports: flo2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from flo2 import Candidate, Plan, RouteView, Stage

__all__ = ["dollars", "in_turn", "name", "rested", "together"]


def name(candidate: Candidate) -> str:
    """Name a candidate as a client could have asked for it."""
    return f"{candidate.provider}/{candidate.model}"


def dollars(amount: Decimal | None) -> str:
    """Write an amount for a reason, rounded for reading only; None: unpriced."""
    if amount is None:
        return "unpriced"
    return f"${amount:.6f}".rstrip("0").rstrip(".")


def rested(
    candidates: Iterable[Candidate], view: RouteView
) -> tuple[list[Candidate], list[Candidate]]:
    """Part those that work from those that rest after failures; order is kept in both.

    Those that rest stay in the plan, at its end: where everything rests, trying is better than
    refusing.
    """
    working: list[Candidate] = []
    resting: list[Candidate] = []
    for candidate in candidates:
        (working if view.health(candidate).available else resting).append(candidate)
    return working, resting


def in_turn(
    working: Sequence[Candidate], resting: Sequence[Candidate], why: str, *, retries: int = 0
) -> Plan:
    """Try one after the other."""
    return together((), [*working, *resting], resting, why, retries=retries)


def together(
    at_once: Sequence[Candidate],
    then: Sequence[Candidate],
    resting: Sequence[Candidate],
    why: str,
    *,
    delay_s: float = 0.0,
    retries: int = 0,
) -> Plan:
    """Try some at once or staggered, and the others in turn should all of these fail."""
    first = (Stage(tuple(at_once), delay_s=delay_s),) if at_once else ()
    stages = (*first, *(Stage((candidate,), retries=retries) for candidate in then))
    reasons = {candidate.id: "it rests after failures, so it comes last" for candidate in resting}
    if resting and stages[0].candidates[0].id in reasons:
        why = f"every target rests after failures, so they are tried nevertheless: {why}"
    for candidate in stages[0].candidates:
        reasons.pop(candidate.id, None)
    return Plan(stages, why=why, reasons=reasons)
