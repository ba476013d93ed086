"""What a call is asked between its plan and its first attempt: whether its account may still spend.

A gate (rate limits, budgets) grants a call what it may need at most, learns how each attempt ended,
and takes back what was not used. Gates are asked in turn; when one refuses, those before it take
their grants back. An account that has declared nothing meets no gate.
Pure. Imports: plan, protocols, prices, records, stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from attrs import field, frozen

from flo2.plan import Candidate, Plan
from flo2.prices import Bounds
from flo2.protocols import Inbound
from flo2.records import Attribution, Intent, Pend, Settle, Void
from flo2.stored import IssuedKey

__all__ = ["Admission", "Asked", "Gate", "Grant", "Grants", "Prepare", "Terms", "value_of"]


Prepare = Callable[[IssuedKey, Attribution, Inbound], Inbound]
"""Gives a request as it may be planned."""


def value_of(dimension: str, key: IssuedKey, whom: Attribution) -> str | None:
    """Say whom a call is for, in one dimension; None where nobody said.

    A tag that the key itself carries goes before what the client says.
    """
    match dimension:
        case "team":
            return key.team
        case "key":
            return key.first_id
        case "customer":
            return whom.customer
        case "feature":
            return whom.feature
        case "end_user":
            return whom.end_user
        case _:
            name = dimension.removeprefix("tag:")
            return key.tags.get(name) or whom.tags.get(name) or None


@frozen
class Asked:
    """A call that wants to begin.

    Attributes:
        key: Who calls; its account and team.
        plan: All that may run, at once or in turn, retries included.
        route: The route it goes by, or None.
        bounds: Least and most that a candidate's attempt may cost.
        expected: What an attempt of this size usually costs; None: unpriced.
    """

    exchange_id: str
    key: IssuedKey
    attribution: Attribution
    inbound: Inbound
    plan: Plan
    route: str | None
    bounds: Callable[[Candidate], Bounds] = field(repr=False, eq=False)
    expected: Callable[[Candidate], Decimal | None] = field(repr=False, eq=False)


@frozen
class Terms:
    """What a grant says of the attempts that run under it.

    Attributes:
        budgets: The counters that their money counts in; each intent names them.
        holds: Candidate id → what is held for each of its attempts.
        notes: For the receipt: what was changed, or found, that the client did not ask for.
    """

    budgets: tuple[str, ...] = ()
    holds: Mapping[str, Decimal] = field(factory=dict)
    notes: tuple[str, ...] = ()


class Grant(Protocol):
    """What one gate gave to one call; none of its methods raises or waits."""

    @property
    def terms(self) -> Terms:
        """What the records of the call say; the same for as long as it runs."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """What the answer tells the client."""
        ...

    def begun(self, intent: Intent) -> None:
        """Note an attempt: its intent is written, its end will follow."""
        ...

    def ended(self, intent: Intent, end: Settle | Pend | Void) -> None:
        """Note how an attempt that had begun has ended; perhaps after `closed`."""
        ...

    def closed(self) -> None:
        """Note that no further attempt begins; what is neither used nor running goes back."""
        ...


class Gate(Protocol):
    """Something that may refuse a call for what has been used before it."""

    async def admit(self, asked: Asked) -> Grant | None:
        """Grant a call what it may need; None: nothing here is about it.

        Raises:
            RefusedCall: no; nothing is held for it.
        """
        ...


class Grants:
    """The grants of one call as one."""

    __slots__ = ("_all", "terms")

    def __init__(self, grants: Sequence[Grant]) -> None:
        """Keep them, in the order of their gates."""
        self._all = tuple(grants)
        terms = [each.terms for each in grants]
        self.terms: Terms = Terms(
            tuple(name for each in terms for name in each.budgets),
            {name: hold for each in terms for name, hold in each.holds.items()},
            tuple(note for each in terms for note in each.notes),
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """What the answer tells the client."""
        return {name: value for each in self._all for name, value in each.headers.items()}

    def begun(self, intent: Intent) -> None:
        """Note an attempt."""
        for each in self._all:
            each.begun(intent)

    def ended(self, intent: Intent, end: Settle | Pend | Void) -> None:
        """Note how an attempt has ended."""
        for each in self._all:
            each.ended(intent, end)

    def closed(self) -> None:
        """Note that no further attempt begins."""
        for each in self._all:
            each.closed()


@frozen
class Admission:
    """The gates of each account that has any, in the order they are asked.

    Attributes:
        gates: By account.
        caps: By account, what sets a bound on answers that their clients leave open.
    """

    gates: Mapping[str, Sequence[Gate]]
    caps: Mapping[str, Prepare] = field(factory=dict)

    def prepared(self, key: IssuedKey, whom: Attribution, inbound: Inbound) -> Inbound:
        """Give a request as it may be planned: an account may demand a bound on every answer.

        Raises:
            InvalidRequest: the request cannot be read.
        """
        prepare = self.caps.get(key.account)
        return inbound if prepare is None else prepare(key, whom, inbound)

    async def admit(self, asked: Asked) -> Grant | None:
        """Ask the gates of the call's account.

        Raises:
            RefusedCall: one of them refuses; nothing is held for the call.
        """
        gates = self.gates.get(asked.key.account)
        if not gates:
            return None
        grants: list[Grant] = []
        try:
            for gate in gates:
                if (grant := await gate.admit(asked)) is not None:
                    grants.append(grant)  # noqa: PERF401  # a refusal must find those before it
        except BaseException:  # refused, or cancelled while a gate waited for the store
            Grants(grants).closed()
            raise
        if len(grants) == 1:
            return grants[0]
        return Grants(grants) if grants else None
