"""The gates that stand between a call's plan and its first attempt, out of what accounts declared.

Imports: admission, limits, budgets, executor, providers' protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from flo2.admission import Admission, Gate
from flo2.budgets import Alerts, Budget, BudgetGate, Keeper, Purse, read_budget
from flo2.budgets.bounding import refers_elsewhere
from flo2.budgets.gate import Worst
from flo2.dialects.base import Profile
from flo2.errors import ConfigError, RefusedCall
from flo2.executor.bounding import input_bound, output_bound
from flo2.limits import Limiter
from flo2.limits.shelf import Blocking, Shelf
from flo2.memory_store import MemoryStore
from flo2.protocols import DescribesModels, Inbound
from flo2.secrets import resolve

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from flo2.executor import Booking
    from flo2.gateway.directory import Snapshot
    from flo2.gateway.resolve import Bound
    from flo2.ledger import Ledger
    from flo2.plan import Candidate
    from flo2.secrets import ReferenceResolver
    from flo2.services import Services
    from flo2.stored import Declaration
    from flo2.stores import Store

__all__ = ["Gates"]

_NO_ANSWER: Final = frozenset({"embed", "moderate"})
_BY_TOKENS: Final = _NO_ANSWER | {"chat"}


class Gates:
    """Makes the gates anew whenever what accounts declared has changed.

    Attributes:
        keeper: Looks after budgets beside the calls.
        now_us: Wall clock of the gates that are made from here on.
        limiter: Keeps the limits of every account.
    """

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        services: Services,
        booking: Booking,
        providers: Mapping[str, Bound],
        group: TaskGroup,
        blocking: Blocking,
        pepper: bytes,
        resolver: ReferenceResolver | None,
    ) -> None:
        """Keep what gates are made of.

        Args:
            store: Leases budgets' money.
            ledger: Its writer is who leases.
            services: Clocks, wire, environment.
            booking: Bounds what a call may cost.
            providers: Say what their models can do.
            group: Where alerts are told.
            blocking: Runs the store's methods for limits.
            pepper: Keys the names of counters.
            resolver: Reads `vault:` references.
        """
        self._sizes = _Sizes(booking, providers, services)
        self._pepper = pepper
        self.now_us: Callable[[], int] = services.now_us
        now_us = services.now_us
        self._purse = Purse(store, ledger.writer, services.clock)
        read = partial(resolve, environ=services.environ, resolver=resolver)
        alerts = Alerts(store, services.wire, read, now_us, group)
        shelf = Shelf(store, blocking, now_us) if store.kind != MemoryStore.kind else None
        self.limiter: Limiter = Limiter(services, input_bound, pepper, shelf)
        self.keeper: Keeper = Keeper(store, self._purse, alerts, now_us, services.clock)

    def admission(self, snapshot: Snapshot) -> Admission | None:
        """Make what asks every account's gates; None: nobody has declared any."""
        budgets = {
            account: self._budget_gate(declared) for account, declared in snapshot.budgets.items()
        }
        self.keeper.gates = budgets
        self.limiter.configure(snapshot.limits)
        gates: dict[str, list[Gate]] = {account: [self.limiter] for account in snapshot.limits}
        for account, gate in budgets.items():
            gates.setdefault(account, []).append(gate)
        if not gates:
            return None
        caps = {account: gate.prepared for account, gate in budgets.items() if gate.prepares}
        return Admission(gates, caps)

    def _budget_gate(self, declared: Sequence[Declaration]) -> BudgetGate:
        budgets: list[Budget] = []
        problem = None
        for each in declared:
            try:
                budgets.append(read_budget(each))
            except ConfigError as exc:  # edited by hand, or written by a newer flo2
                problem = str(exc)
        return BudgetGate(
            budgets, self._purse, self._sizes, self.now_us, self._pepper, problem=problem
        )


class _Sizes:
    """Bounds calls that the usual bound leaves open; as `budgets.Sizes`."""

    def __init__(
        self, booking: Booking, providers: Mapping[str, Bound], services: Services
    ) -> None:
        self._booking = booking
        self._providers = providers
        self._now_us = services.now_us

    def worst(
        self, account: str, candidate: Candidate, inbound: Inbound, *, by_model: bool
    ) -> Worst:
        """Bound an attempt."""
        bound = self._providers[candidate.provider]
        priced_as, model, now_us = bound.priced_as, candidate.model, self._now_us()
        none = self._booking.most(priced_as, model, now_us, (0, 0), account)
        if none.high is None or none.currency != "USD":
            return Worst(None, "unpriced", f"its currency is {none.currency}" if none.high else "")
        provider = bound.provider
        facts = None
        if by_model and isinstance(provider, DescribesModels):
            facts = provider.describe(model)
        operation = inbound.dialect.operation
        if operation not in _BY_TOKENS:
            return Worst(None, "unit")
        answer = 0 if operation in _NO_ANSWER else output_bound(inbound)
        if answer is None and facts is not None and facts.max_output_tokens is not None:
            answer = facts.max_output_tokens * max(inbound.peek.n, 1)
        if answer is None:
            return Worst(None, "answer")
        prompt = _prompt(inbound)
        if prompt is None and facts is not None:
            prompt = facts.context_window
        if prompt is None:
            return Worst(None, "prompt")
        most = self._booking.most(priced_as, model, now_us, (prompt, answer), account)
        return Worst(most.high, "unpriced")


def _prompt(inbound: Inbound) -> int | None:
    """Bound the prompt; of a request that was built in Python, by what it is when written down."""
    if inbound.body:
        return None if refers_elsewhere(inbound.body) else input_bound(inbound)
    try:
        body = inbound.rendered(inbound.dialect, inbound.peek.model, Profile()).body
    except RefusedCall:
        return None
    return input_bound(Inbound(inbound.dialect, body, inbound.peek))
