"""What a translation could not carry, and what to do about it.

Pure. Imports: nothing of flo2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from attrs import frozen

__all__ = ["Loss", "LossPolicy", "Severity"]

Severity = Literal["note", "drop", "refuse"]
"""`note`: changed in form, same meaning · `drop`: left out, the answer may differ ·
`refuse`: leaving it out would change what was asked; refused before money is spent."""


@frozen
class Loss:
    """One thing the target dialect cannot express.

    Attributes:
        path: Where it stood in the request or answer (`messages[2].content[0]`, `logit_bias`).
        reason: Why, in a few words.
        severity: What becomes of it by default.
    """

    path: str
    reason: str
    severity: Severity = "drop"

    def __str__(self) -> str:
        """Write it as the header and the receipt show it."""
        return f"{self.path}: {self.reason}"


@frozen
class LossPolicy:
    """Which losses refuse a call.

    Attributes:
        refuse: Severities that refuse; by default only `refuse`. Add `drop` to be strict.
    """

    refuse: frozenset[Severity] = frozenset({"refuse"})

    def refused(self, losses: Iterable[Loss]) -> tuple[Loss, ...]:
        """Pick the losses that refuse the call."""
        return tuple(loss for loss in losses if loss.severity in self.refuse)
