"""What a strategy decides, as data: stages of attempts, and why.

A plan is run by the executor; a strategy never opens a connection, sees a secret or writes a
record. Pure. Imports: canonical, prices, records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Protocol

from attrs import field, frozen
from attrs.validators import ge, min_len

from flo2.canonical import Loss
from flo2.prices.cost import Bounds

__all__ = [
    "Candidate",
    "Health",
    "Latency",
    "Plan",
    "RouteView",
    "Stage",
]


@frozen
class Candidate:
    """A target that could serve the call: provider × model × credential.

    Attributes:
        id: Stable id of the triple, for health and receipts.
        provider: Configured name of the provider.
        model: Model name as the provider knows it.
        credential_id: Which credential is used; opaque, never a secret. None: keyless.
        weight: As configured in the route, or None.
        bounds: Least and most it may cost, or None when unpriced.
        losses: What translating this request for it would lose.
        data_terms: Terms declared on the credential.
        expected: What a call of this size usually costs, or None when unpriced. To compare targets
            by, where the client set no bound on the answer; never held, never booked.
    """

    id: str
    provider: str
    model: str
    credential_id: str | None = None
    weight: Decimal | None = None
    bounds: Bounds | None = None
    losses: tuple[Loss, ...] = ()
    data_terms: tuple[str, ...] = ()
    expected: Decimal | None = None

    def of_call(
        self, bounds: Bounds, losses: tuple[Loss, ...], expected: Decimal | None
    ) -> Candidate:
        """Give the candidate as it stands for one call."""
        # Every field named: `evolve` takes 4 µs.
        return Candidate(
            self.id,
            self.provider,
            self.model,
            self.credential_id,
            self.weight,
            bounds,
            losses,
            self.data_terms,
            expected,
        )


@frozen
class Stage:
    """Attempts that run at once or staggered; the next stage begins when all of them have failed.

    Attributes:
        candidates: At least one. The first starts at once.
        delay_s: Each further one starts this many seconds after the one before it, unless that has
            already given content: 0 is a race, more is a hedge.
        retries: How often a candidate of this stage is tried again after a retryable failure.
    """

    candidates: tuple[Candidate, ...] = field(validator=min_len(1))
    delay_s: float = field(default=0.0, validator=ge(0))
    retries: int = field(default=0, validator=ge(0))


@frozen
class Plan:
    """What to try, and why.

    Attributes:
        stages: In order.
        why: One sentence for the receipt: why this candidate, what the others would have cost.
        reasons: Candidate id → its own reason, for the ones that need another.
    """

    stages: tuple[Stage, ...] = field(validator=min_len(1))
    why: str = ""
    reasons: Mapping[str, str] = field(factory=dict)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All candidates, in the order they would be tried."""
        return tuple(c for stage in self.stages for c in stage.candidates)

    @classmethod
    def fallback(cls, candidates: Sequence[Candidate], *, why: str = "", retries: int = 0) -> Plan:
        """Try one after the other."""
        return cls(tuple(Stage((c,), retries=retries) for c in candidates), why=why)

    @classmethod
    def race(cls, candidates: Sequence[Candidate], *, delay_s: float = 0.0, why: str = "") -> Plan:
        """Try all at once (`delay_s` 0) or staggered; the first content wins."""
        return cls((Stage(tuple(candidates), delay_s=delay_s),), why=why)


@frozen
class Latency:
    """Measured latency of a candidate, in seconds; None while unknown."""

    time_to_first_token_s: float | None = None
    total_s: float | None = None
    samples: int = 0


@frozen
class Health:
    """Whether a candidate works at the moment.

    Attributes:
        available: False while it is cooling down after failures or a rate limit.
        failures: Consecutive failures.
        retry_at: Clock seconds at which it may be tried again, or None.
    """

    available: bool = True
    failures: int = 0
    retry_at: float | None = None


class RouteView(Protocol):
    """All that a strategy may know of the world: read-only, the same for the whole plan."""

    @property
    def now(self) -> float:
        """Clock seconds."""
        ...

    @property
    def rng(self) -> Random:
        """A seeded source of randomness."""
        ...

    def health(self, candidate: Candidate) -> Health:
        """Say whether it works."""
        ...

    def latency(self, candidate: Candidate) -> Latency:
        """Say how fast it has been."""
        ...
