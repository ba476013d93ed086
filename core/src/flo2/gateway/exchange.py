"""One client request from plan to last byte: the only place where the parts meet.

access → resolve → losses → strategy → executor → answer → exchange record → observers.
Imports: everything below the gateway.
"""

from __future__ import annotations

import json
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING

from anyio import CancelScope

from flo2.canonical import Loss
from flo2.dialects.base import unsupported
from flo2.errors import (
    AllAttemptsFailed,
    Flo2Error,
    PluginError,
    ProviderError,
    RefusedCall,
    StoreError,
    Unavailable,
    UnsupportedCall,
    WireError,
    WireTimeout,
)
from flo2.executor import Attempt
from flo2.gateway.answer import Answer
from flo2.gateway.caller import Caller, check_access
from flo2.gateway.resolve import Resolved, Target, resolve
from flo2.money import add, text
from flo2.plan import Candidate, Plan
from flo2.protocols import Call, Inbound, Strategy
from flo2.records import Exchange, Intent, Pend, Role, Settle, Void

if TYPE_CHECKING:
    from flo2.gateway.runtime import Runtime

__all__ = ["OpenExchange", "as_provider_error"]


class OpenExchange:
    """An async context manager giving the `Answer` of one call."""

    __slots__ = (
        "_answer",
        "_overhead_us",
        "_plan",
        "_recorded",
        "_resolved",
        "_runtime",
        "_targets",
        "_waited_us",
        "attempts",
        "caller",
        "canonical",
        "exchange_id",
        "inbound",
        "started_us",
    )

    def __init__(
        self, runtime: Runtime, caller: Caller, inbound: Inbound, *, canonical: bool = False
    ) -> None:
        """Prepare.

        Args:
            runtime: The composed gateway.
            caller: Who calls; authenticated.
            inbound: What is asked.
            canonical: The caller reads events, not bytes.
        """
        self._runtime = runtime
        self.caller = caller
        self.inbound = inbound
        self.canonical = canonical
        self.started_us = runtime.services.now_us()
        self.exchange_id = runtime.new_id(self.started_us)
        self.attempts: list[Attempt] = []
        self._resolved: Resolved | None = None
        self._targets: dict[str, Target] = {}
        self._plan: Plan | None = None
        self._answer: Answer | None = None
        self._recorded = False
        self._waited_us = 0
        self._overhead_us: int | None = None

    async def __aenter__(self) -> Answer:
        """Plan, run, and give the answer at its first content, or whole when it is no stream.

        Raises:
            RefusedCall: flo2 says no; nothing was spent.
            ProviderError: no attempt answered; what the client should see.
        """
        try:
            plan = self._make_plan()
            before = self._runtime.services.now_us()
            attempt = await self._runtime.executor.run(plan, self)
            self._waited_us = self._runtime.services.now_us() - before
            self._answer = answer = Answer(self, attempt, self.inbound.dialect)
            if not answer.is_stream and not self.canonical:
                await answer.read()
            answer.headers.update(self._headers(attempt))
        except RefusedCall as exc:
            self._record(exc.status, "refused", str(exc))
            raise
        except AllAttemptsFailed as exc:
            error = as_provider_error(exc.last)
            self._record(error.status or 502, "failed", str(error))
            raise error from exc
        except StoreError as exc:
            msg = f"the ledger cannot be written, so nothing was sent: {exc}"
            raise Unavailable(msg, code="ledger_unavailable", retry_after_s=1) from exc
        except Flo2Error as exc:
            self._record(500, "failed", str(exc))
            raise
        return answer

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End: an answer that was not read to its end is settled, drained or pending."""
        answer = self._answer
        if answer is None:
            return
        left = [attempt for attempt in self.attempts if self._is_open(attempt)]
        for attempt in left:
            with CancelScope(shield=True):
                await self._runtime.drains.take(attempt, "disconnected")
        ended = "disconnected" if left else "served"
        self._record(answer.status, "disconnected" if ended == "disconnected" else "served", None)

    def _is_open(self, attempt: Attempt) -> bool:
        return attempt.reply is not None and not attempt.ended and not attempt.lost

    # Planning -------------------------------------------------------------------------------

    def _make_plan(self) -> Plan:
        runtime, inbound = self._runtime, self.inbound
        if not runtime.ledger.healthy:
            msg = "the ledger is too far behind to take calls; try again"
            raise Unavailable(msg, code="ledger_unavailable", retry_after_s=1)
        model = self.caller.route or inbound.peek.model
        check_access(self.caller.key, model)
        tenant = runtime.snapshot.tenant(self.caller.key.account)
        self._resolved = resolved = resolve(model, tenant, runtime.providers)
        candidates = self._candidates(resolved)
        if len(candidates) == 1 and resolved.route is None:
            self._plan = Plan.fallback(candidates, why="the only target of this model")
            return self._plan
        strategy = runtime.strategy(resolved.strategy, resolved.options)
        self._plan = plan = self._ask(strategy, candidates)
        known = {candidate.id for candidate in candidates}
        if foreign := [c.id for c in plan.candidates if c.id not in known]:
            msg = f"strategy {resolved.strategy!r} planned {foreign[0]!r}, which is no candidate"
            raise PluginError(msg)
        return plan

    def _ask(self, strategy: Strategy, candidates: list[Candidate]) -> Plan:
        try:
            return strategy.plan(self.inbound, candidates, self._runtime.view())
        except Flo2Error:
            raise
        except Exception as exc:  # border: a plugin's own code
            msg = f"strategy {strategy.kind!r} raised {type(exc).__name__}: {exc}"
            raise PluginError(msg) from exc

    def _candidates(self, resolved: Resolved) -> list[Candidate]:
        """Make the candidates; those that would lose what must not be lost are left out."""
        inbound, runtime = self.inbound, self._runtime
        surface = inbound.dialect
        candidates: list[Candidate] = []
        refused: list[Loss] = []
        unable: list[str] = []
        only = len(resolved.targets) == 1 and resolved.route is None
        for target in resolved.targets:
            dialect = target.bound.dialect_for(surface)
            if dialect is None or not target.bound.can(surface.operation):
                unable.append(target.bound.name)
                continue
            losses: tuple[Loss, ...] = ()
            if dialect.name != surface.name:
                losses = dialect.check(inbound.request, target.profile)
                if bad := runtime.loss_policy.refused(losses):
                    refused += bad
                    continue
            self._targets[target.id] = target
            candidates.append(
                Candidate(
                    id=target.id,
                    provider=target.bound.name,
                    model=target.model,
                    credential_id=None if target.credential is None else target.credential.id,
                    weight=target.weight,
                    bounds=None if only else runtime.bounds(target, surface, inbound),
                    losses=losses,
                    data_terms=() if target.credential is None else target.credential.data_terms,
                    expected=None if only else runtime.expected(target, surface, inbound),
                )
            )
        if candidates:
            return candidates
        if refused:
            raise UnsupportedCall(unsupported(refused), losses=[str(loss) for loss in refused])
        msg = (
            f"{' and '.join(sorted(set(unable)))} cannot serve {surface.name} calls; "
            f"choose another model"
        )
        raise UnsupportedCall(msg, param="model")

    # Attempts (called by the executor) --------------------------------------------------------

    def __call__(self, candidate: Candidate, *, role: Role) -> Attempt:
        """Make the next attempt."""
        runtime, inbound, caller = self._runtime, self.inbound, self.caller
        target = self._targets[candidate.id]
        bound = target.bound
        surface = inbound.dialect
        dialect = bound.dialect_for(surface) or surface
        spoken = bool(bound.provider.facts.dialects)
        same = spoken and dialect.name == surface.name
        passthrough = same and not inbound.rewritten and bool(inbound.body)
        number = len(self.attempts) + 1
        entry_id = f"{self.exchange_id}.{number}"
        if role == "primary" and caller.role != "primary":
            role = caller.role
        call = Call(
            inbound=inbound,
            dialect=dialect,
            model=target.model,
            credential=runtime.credential(target),
            profile=target.profile,
            passthrough=passthrough,
            full=not passthrough or self.canonical,
            entry_id=entry_id,
        )
        plan = self._plan
        bounds = candidate.bounds or runtime.bounds(target, dialect, inbound)
        intent = Intent(
            entry_id=entry_id,
            exchange_id=self.exchange_id,
            attempt=number,
            role=role,
            account=caller.key.account,
            key_id=caller.key.id,
            credential_id=candidate.credential_id,
            provider=bound.name,
            provider_kind=bound.priced_as,
            api=dialect.api,
            model_requested=inbound.peek.model,
            model=target.model,
            started_us=runtime.services.now_us(),
            attribution=caller.attribution,
            route=None if self._resolved is None else self._resolved.route,
            project=None if target.credential is None else target.credential.project,
            parent=caller.parent,
            low=bounds.low,
            high=bounds.high,
            why="" if plan is None else plan.reasons.get(candidate.id, plan.why),
            losses=tuple(str(loss) for loss in candidate.losses),
        )
        opener = {
            "chat": bound.provider.chat,
            "embed": getattr(bound.provider, "embed", None),
            "count_tokens": getattr(bound.provider, "count_tokens", None),
        }[surface.operation]
        assert opener is not None  # noqa: S101  # narrowing: `can` was asked before
        attempt = Attempt(runtime.tools, opener, bound.provider.facts, call, intent, candidate.id)
        self.attempts.append(attempt)
        return attempt

    def outlives(self, candidate: Candidate) -> bool:
        """Whether a stream of this candidate must run on though the client leaves."""
        facts = self._targets[candidate.id].bound.provider.facts
        return self.inbound.peek.stream and facts.cancel_semantics != "stops"

    # What is told and kept --------------------------------------------------------------------

    def _headers(self, attempt: Attempt) -> dict[str, str]:
        intent = attempt.intent
        headers = dict(attempt.reply.headers) if attempt.reply is not None else {}
        headers["x-flo2-request-id"] = self.exchange_id
        headers["x-flo2-provider"] = intent.provider
        headers["x-flo2-model"] = (
            attempt.observed.model if attempt.observed is not None else None
        ) or intent.model
        headers["x-flo2-attempts"] = str(len(self.attempts))
        if (total := self._total()) is not None and attempt.end is not None:
            headers["x-flo2-cost-usd"] = total
        headers["x-flo2-cost-status"] = _status(attempt.end)
        headers["x-flo2-overhead-ms"] = f"{self._overhead() / 1000:.3f}"
        if losses := self._losses():
            headers["x-flo2-losses"] = "; ".join(losses)[:1024].encode("ascii", "replace").decode()
        return headers

    def _total(self) -> str | None:
        """The booked cost of all attempts, or None while any of them is not known."""
        total = Decimal(0)
        for attempt in self.attempts:
            match attempt.end:
                case Settle(total=amount) if amount is not None:
                    total = add(total, amount)
                case Void():
                    continue
                case _:
                    return None
        return text(total)

    def _losses(self) -> tuple[str, ...]:
        asked = self.attempts[-1].intent.losses if self.attempts else ()
        answered = () if self._answer is None else self._answer.losses
        return (*asked, *(str(loss) for loss in answered))

    def _overhead(self) -> int:
        """Microseconds up to the answer's first byte that were not spent at the provider."""
        if self._overhead_us is None:
            took = self._runtime.services.now_us() - self.started_us
            self._overhead_us = max(took - self._waited_us, 0)
        return self._overhead_us

    def summary(self) -> bytes:
        """A short receipt as JSON, for the trailing comment of a stream."""
        last = self.attempts[-1].end if self.attempts else None
        return json.dumps(
            {
                "request_id": self.exchange_id,
                "provider": self.attempts[-1].intent.provider if self.attempts else None,
                "cost_usd": self._total(),
                "cost_status": _status(last),
                "attempts": len(self.attempts),
            }
        ).encode()

    def _record(self, status: int, client: str, error: str | None) -> None:
        if self._recorded:
            return
        self._recorded = True
        runtime, caller, plan = self._runtime, self.caller, self._plan
        resolved = self._resolved
        exchange = Exchange(
            exchange_id=self.exchange_id,
            account=caller.key.account,
            key_id=caller.key.id,
            surface=self.inbound.dialect.name,
            model_requested=self.inbound.peek.model,
            stream=self.inbound.peek.stream,
            status=status,
            started_us=self.started_us,
            ended_us=runtime.services.now_us(),
            overhead_us=self._overhead(),
            attempts=len(self.attempts),
            client=client,  # type: ignore[arg-type]  # one of the literals, by the callers above
            route=None if resolved is None else resolved.route,
            strategy=None if resolved is None else resolved.strategy,
            plan="" if plan is None else plan.why,
            losses=self._losses(),
            error=error,
            attribution=caller.attribution,
        )
        try:
            runtime.ledger.end(exchange)
        except StoreError:
            runtime.log.exception("the exchange record of %s could not be kept", self.exchange_id)
        runtime.observe(exchange)


def as_provider_error(failure: ProviderError | WireError) -> ProviderError:
    """Say a failure as the client should see it.

    A refused credential is told without the provider's own words: they may quote the key.
    """
    if isinstance(failure, ProviderError):
        if failure.kind == "authentication":
            return ProviderError(
                f"provider {failure.provider!r} refused this account's credential "
                f"(HTTP {failure.status}); replace it: flo2 providers add {failure.provider}",
                provider=failure.provider,
                status=failure.status,
                kind="authentication",
                code="provider_credential_refused",
                headers=failure.headers,
            )
        return failure
    kind = "timeout" if isinstance(failure, WireTimeout) else "connection"
    return ProviderError(
        failure.message,
        status=504 if kind == "timeout" else 502,
        kind="timeout" if kind == "timeout" else "connection",
        code="provider_timeout" if kind == "timeout" else "provider_unreachable",
    )


def _status(end: Settle | Pend | Void | None) -> str:
    match end:
        case Settle():
            return end.status
        case Pend():
            return "pending"
        case Void():
            return "void"
        case None:
            return "open"
