"""The gate of one account's budgets: what is asked before a call's first attempt.

Imports: admission, spending, errors, model, purse, bounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal, Protocol

from attrs import frozen

from flo2.admission import Asked, Terms
from flo2.budgets.bounding import capped, refers_elsewhere, uses_server_tools
from flo2.budgets.model import Budget
from flo2.budgets.purse import Denied, Missing, Pot, Purse
from flo2.budgets.rules import Rule
from flo2.errors import BudgetExceeded, InvalidRequest, RefusedCall, Unavailable
from flo2.instants import timestamp
from flo2.money import ZERO, add, multiply, text
from flo2.plan import Candidate
from flo2.protocols import Inbound
from flo2.records import Attribution, Intent, Pend, Settle, Void
from flo2.spending import counted
from flo2.stored import IssuedKey

__all__ = ["BudgetGate", "Sizes", "Worst"]

_HEADER: Final = "x-flo2-budget"
_CURRENCY: Final = "USD"
_NO_COST: Final = "count_tokens"
Unbound = Literal["unpriced", "prompt", "answer", "tools", "unit"]

_WHY: Final[Mapping[Unbound, tuple[str, str | None]]] = {
    "unpriced": ("it has no price in US dollars", "model"),
    "prompt": ("its prompt has no bound (images, files, references)", None),
    "answer": ("its answer has no bound; send max_tokens", "max_tokens"),
    "unit": ("what it is billed by (images, characters, seconds) has no bound", None),
    "tools": ("tools that run at the provider have no bound", "tools"),
}


@frozen
class Worst:
    """What an attempt costs at most; `high` None: for `why` nobody can say."""

    high: Decimal | None
    why: Unbound = "answer"
    detail: str = ""


class Sizes(Protocol):
    """Bounds what candidates may cost, where the usual bound is not enough."""

    def worst(
        self, account: str, candidate: Candidate, inbound: Inbound, *, by_model: bool
    ) -> Worst:
        """Bound an attempt.

        Args:
            account: Whose.
            candidate: Where.
            inbound: What is asked.
            by_model: What the client left unbounded is bounded by what the model can do.
        """
        ...


class BudgetGate:
    """Asks the budgets of one account."""

    def __init__(
        self,
        budgets: Sequence[Budget],
        purse: Purse,
        sizes: Sizes,
        now_us: Callable[[], int],
        pepper: bytes,
        *,
        problem: str | None = None,
    ) -> None:
        """Make the rules ready.

        Args:
            budgets: The account's.
            purse: This worker's money.
            sizes: Bounds calls.
            now_us: Wall clock.
            pepper: Keys the digests by which counters of customers and the like are named.
            problem: Why a declaration cannot be read: then no call is let through.
        """
        self.budgets: Sequence[Budget] = budgets
        self.problem: str | None = problem
        self._rules = [Rule(budget, purse, pepper) for budget in budgets]
        self._caps = [rule for rule in self._rules if rule.budget.unbounded == "cap"]
        self._purse = purse
        self._sizes = sizes
        self._now_us = now_us

    @property
    def prepares(self) -> bool:
        """Whether it may set a bound on an answer."""
        return bool(self._caps)

    def prepared(self, key: IssuedKey, whom: Attribution, inbound: Inbound) -> Inbound:
        """Give a request as it may be planned: with a bound on its answer, where one is demanded.

        Raises:
            InvalidRequest: the request cannot be read.
        """
        if inbound.dialect.operation != "chat" or inbound.peek.max_output_tokens is not None:
            return inbound
        found = [rule.budget for rule in self._caps if rule.applies(key, whom)]
        least = min(found, key=lambda budget: budget.max_tokens or 0, default=None)
        if least is None or least.max_tokens is None:
            return inbound
        return capped(inbound, least.max_tokens, least.name)

    async def admit(self, asked: Asked) -> BudgetGrant | None:
        """Hold what a call may cost at most.

        Raises:
            BudgetExceeded: a hard budget has not as much.
            InvalidRequest: it has no finite bound, or does not say whom it is for.
            Unavailable: a hard budget cannot be asked.
        """
        if asked.inbound.dialect.operation == _NO_COST:
            return None
        if self.problem is not None:
            msg = f"{self.problem}; until it is declared anew, this account's calls are refused"
            raise Unavailable(msg, code="budget_unreadable")
        now_us = self._now_us()
        pairs = [
            (rule, claim)
            for rule in self._rules
            if (claim := rule.claim(asked.key, asked.attribution, now_us)) is not None
        ]
        if not pairs:
            return None
        hard = [rule.budget for rule, claim in pairs if claim.hard]
        holds, total = self._worst(asked, hard)
        claims = [claim for _, claim in pairs]
        try:
            missing = await self._purse.hold(claims, total)
        except Denied as denied:
            rule = next(rule for rule, claim in pairs if claim is denied.claim)
            raise _refusal(rule, denied, total) from denied.__cause__
        notes = [_note(rule, missing[claim.pot]) for rule, claim in pairs
                 if claim.pot in missing]  # fmt: skip
        if len(holds) < len({each.id for each in asked.plan.candidates}):
            notes.append("what this call costs has no bound, so its budgets hold nothing for it")
        terms = Terms(tuple(claim.pot.counter for claim in claims), holds, tuple(notes))
        held = [(claim.pot, claim.pot not in missing) for claim in claims]
        told = (*asked.inbound.notes, *notes)
        return BudgetGrant(self._purse, held, total, terms, told)

    def _worst(self, asked: Asked, hard: Sequence[Budget]) -> tuple[Mapping[str, Decimal], Decimal]:
        """Say what is held for each candidate's attempts, and for all that may run."""
        holds: dict[str, Decimal] = {}
        total = ZERO
        body = asked.inbound.body
        tools, elsewhere = uses_server_tools(body), refers_elsewhere(body)
        by_model = bool(hard) and all(budget.unbounded == "model_max" for budget in hard)
        for stage in asked.plan.stages:
            for candidate in stage.candidates:
                hold = holds.get(candidate.id)
                if hold is None:
                    hold = self._bound(
                        asked, candidate, hard, tools=tools, elsewhere=elsewhere, by_model=by_model
                    )
                    if hold is None:
                        continue
                    holds[candidate.id] = hold
                total = add(total, multiply(hold, stage.retries + 1))
        return holds, total

    def _bound(
        self,
        asked: Asked,
        candidate: Candidate,
        hard: Sequence[Budget],
        *,
        tools: bool,
        elsewhere: bool,
        by_model: bool,
    ) -> Decimal | None:
        if not tools and not elsewhere:
            bounds = asked.bounds(candidate)
            if bounds.high is not None and bounds.currency == _CURRENCY:
                return bounds.high
        worst = Worst(None, "tools")
        if not tools:
            account = asked.key.account
            worst = self._sizes.worst(account, candidate, asked.inbound, by_model=by_model)
        if worst.high is None and hard:
            raise _unbounded(hard, candidate, worst)
        return worst.high


class BudgetGrant:
    """What is held for one call, under all its budgets."""

    __slots__ = ("_closed", "_held", "_purse", "_running", "_waiting", "headers", "terms")

    def __init__(
        self,
        purse: Purse,
        held: Sequence[tuple[Pot, bool]],
        total: Decimal,
        terms: Terms,
        told: Sequence[str],
    ) -> None:
        """Keep it.

        Args:
            purse: Where it goes back to.
            held: Under which counters, and whether anything is held there.
            total: How much.
            terms: What its records say.
            told: What the client is told.
        """
        self.terms: Terms = terms
        self.headers: Mapping[str, str] = {_HEADER: "; ".join(told)} if told else {}
        self._purse = purse
        self._held = held
        self._waiting = total
        self._running: dict[str, Decimal] = {}
        self._closed = False

    def begun(self, intent: Intent) -> None:
        """Set an attempt's share apart; what was not foreseen comes out of what is in hand."""
        hold = ZERO if intent.hold is None else intent.hold
        self._running[intent.entry_id] = hold
        foreseen = min(hold, self._waiting)
        self._waiting = add(self._waiting, -foreseen)
        if hold != foreseen:
            self._give(add(foreseen, -hold))

    def ended(self, intent: Intent, end: Settle | Pend | Void) -> None:
        """Take back what an attempt did not spend."""
        hold = self._running.pop(intent.entry_id, None)
        if hold is None:
            return
        spent, pending = counted(intent.hold, end)
        self._give(hold, add(spent, pending))
        self._end()

    def closed(self) -> None:
        """Take back what was held for attempts that were not needed."""
        if self._closed:
            return
        self._closed = True
        waiting, self._waiting = self._waiting, ZERO
        self._give(waiting)
        self._end()

    def _give(self, amount: Decimal, cost: Decimal = ZERO) -> None:
        for pot, holds in self._held:
            left = add(amount if holds else ZERO, -cost)
            if left:
                self._purse.settle(pot, left)

    def _end(self) -> None:
        if self._closed and not self._running:
            for pot, _ in self._held:
                self._purse.release(pot)
            self._held = ()


def _unbounded(hard: Sequence[Budget], candidate: Candidate, worst: Worst) -> RefusedCall:
    strict = next((each for each in hard if each.unbounded != "model_max"), hard[0])
    why, param = _WHY[worst.why]
    detail = f" ({worst.detail})" if worst.detail else ""
    msg = (
        f"budget {strict.name!r} ({strict.sentence()}) takes no call whose cost has no bound, and "
        f"for {candidate.provider}/{candidate.model} {why}{detail}"
    )
    code = "unpriced_model" if worst.why == "unpriced" else "unbounded_call"
    return InvalidRequest(msg, code=code, param=param)


def _refusal(rule: Rule, denied: Denied, total: Decimal) -> RefusedCall:
    budget, pot = rule.budget, denied.claim.pot
    if denied.why == "unknown":
        msg = (
            f"budget {budget.name!r} cannot be asked now, and without it no call is sent; the "
            "server's log says why"
        )
        return Unavailable(msg, code="budget_unavailable", retry_after_s=1)
    left = text(pot.left)
    headers = {_HEADER: budget.name, f"{_HEADER}-left-usd": left}
    anew = "it never begins anew"
    if rule.period.end_us is not None:
        at = headers[f"{_HEADER}-resets-at"] = timestamp(rule.period.end_us)
        anew = f"it begins anew at {at}"
    msg = (
        f"budget {budget.name!r} ({budget.sentence()}): this call may cost up to {text(total)} USD "
        f"and {left} USD is left; ask for a shorter answer (max_tokens), or raise the limit; {anew}"
    )
    return BudgetExceeded(msg, code="budget_exceeded", headers=headers)


def _note(rule: Rule, why: Missing) -> str:
    budget = rule.budget
    if why == "unknown":
        return f"budget {budget.name!r} could not be asked; the call went on, as it is soft"
    return f"budget {budget.name!r} ({budget.sentence()}) has too little left; it is soft"
