"""One client request from plan to last byte: the only place where the parts meet.

plan → executor → answer → exchange record → observers. Imports: everything below the gateway.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from anyio import CancelScope
from msgspec import Struct, field

from flo2.admission import Asked, Grant
from flo2.errors import (
    AllAttemptsFailed,
    Flo2Error,
    InvalidHeader,
    ProviderError,
    RefusedCall,
    StoreError,
    Unavailable,
    WireError,
    WireTimeout,
)
from flo2.executor import Attempt
from flo2.gateway.answer import Answer
from flo2.gateway.caller import Caller
from flo2.gateway.homes import find_home
from flo2.gateway.lanes import Planned
from flo2.gateway.planning import make_plan
from flo2.money import add, text
from flo2.plan import Candidate
from flo2.prices import Bounds
from flo2.protocols import Call, Credential, Inbound
from flo2.records import Exchange, Intent, Pend, Role, Settle, Void
from flo2.secrets import redact

if TYPE_CHECKING:
    from flo2.gateway.runtime import Runtime

__all__ = ["OpenExchange", "as_provider_error"]

ClientEnd = Literal["served", "disconnected", "refused", "failed"]

_ERROR_CHARS = 2000
"""How much of an error is kept; a provider's may be a whole page."""

_NO_KEY = Credential(None)
_NO_HEADERS: Mapping[str, str] = {}

_CLIENT_CLOSED = 499
"""What nginx logs for a client that left; nobody sees it as an answer."""


class OpenExchange(Struct, eq=False):
    """An async context manager giving the `Answer` of one call.

    Attributes:
        caller: Who calls; authenticated.
        inbound: What is asked.
        canonical: The caller reads events, not bytes.
    """

    _runtime: Runtime
    caller: Caller
    inbound: Inbound
    started_us: int
    exchange_id: str
    canonical: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    _planned: Planned | None = None
    _answer: Answer | None = None
    _grant: Grant | None = None
    _recorded: bool = False
    _waited_us: int = 0
    _overhead_us: int | None = None

    async def __aenter__(self) -> Answer:
        """Plan, run, and give the answer at its first content, or whole when it is no stream.

        Raises:
            RefusedCall: flo2 says no; nothing was spent.
            ProviderError: no attempt answered; what the client should see.
        """
        # Begun here and not in a coroutine of its own: every call would pay for it.
        runtime, inbound = self._runtime, self.inbound
        peek = inbound.peek
        try:
            home = (
                None if peek.continues is None else await find_home(runtime, self.caller, inbound)
            )
            admission, caller = runtime.admission, self.caller
            if admission is not None:
                if caller.key.account in admission.gates:
                    inbound = admission.prepared(caller.key, caller.attribution, inbound)
                    self.inbound = inbound
                else:  # others have declared something
                    admission = None
            self._planned = planned = make_plan(runtime, self.caller, inbound, home)
            if admission is not None:
                self._grant = await admission.admit(self._asked(planned))
            attempt = await runtime.executor.run(planned.plan, self, may_be_gone=peek.stream)
            # A plain answer was complete when its first byte was noted; a stream has just begun.
            known_us = None if peek.stream else attempt.first_byte_us
            self._waited_us = (known_us or runtime.services.now_us()) - self.attempts[
                0
            ].intent.started_us
            dialect = inbound.dialect
            told = dialect.stream_content_type if peek.stream else dialect.content_type
            self._answer = answer = Answer(
                self, attempt, dialect, peek.stream, told or _told_type(attempt)
            )
            if not peek.stream and not self.canonical:
                await answer.read()
            answer.headers = self._headers(attempt)
            return answer
        except RefusedCall as exc:
            self._record(exc.status, "refused", str(exc))
            exc.request_id = self.exchange_id
            raise
        except AllAttemptsFailed as exc:
            error = as_provider_error(exc.last)
            error.request_id = self.exchange_id
            self._record(error.status or 502, "failed", str(error))
            raise error from exc
        except StoreError as exc:
            # Why names files of the server; the ledger has logged it, once.
            self.attempts = [one for one in self.attempts if one.ended or one.lost or one.reply]
            told = "nothing more" if self.attempts else "nothing"
            msg = f"the ledger cannot be written, so {told} was sent; the server's log says why"
            self._record(503, "failed" if self.attempts else "refused", msg)
            refusal = Unavailable(msg, code="ledger_unavailable", retry_after_s=1)
            refusal.request_id = self.exchange_id
            raise refusal from exc
        except Flo2Error as exc:
            self._record(500, "failed", str(exc))
            raise
        except BaseException:  # cancelled: the client left while it waited, or a bug
            self._record(_CLIENT_CLOSED, "disconnected", None)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End: an answer that was not read to its end is settled, drained or pending."""
        answer = self._answer
        if answer is None:
            return  # nothing was begun
        if self._recorded and answer.closed and len(self.attempts) == 1:
            self._answer = None  # it names this exchange: a cycle, which only the collector ends
            return
        for attempt in self.attempts:
            if attempt.ended and (answer.closed or attempt is not answer.attempt):
                continue
            if attempt.reply is not None and not attempt.lost:
                with CancelScope(shield=True):
                    await self._runtime.drains.take(attempt, "disconnected")
        self._record(answer.status, "served" if answer.told else "disconnected", None)
        self._answer = None

    def _asked(self, planned: Planned) -> Asked:
        runtime, inbound, caller, lanes = self._runtime, self.inbound, self.caller, planned.lanes

        def bounds(candidate: Candidate) -> Bounds:
            return candidate.bounds or runtime.bounds(lanes[candidate.id].target, inbound)

        def expected(candidate: Candidate) -> Decimal | None:
            lane = lanes[candidate.id]
            return candidate.expected or runtime.expected(lane.target, lane.dialect, inbound)

        return Asked(
            self.exchange_id,
            caller.key,
            caller.attribution,
            inbound,
            planned.plan,
            planned.resolved.route,
            bounds,
            expected,
        )

    # Called by the executor -------------------------------------------------------------------

    def __call__(self, candidate: Candidate, *, role: Role) -> Attempt:
        """Make the next attempt."""
        runtime, inbound, caller, planned = self._runtime, self.inbound, self.caller, self._planned
        assert planned is not None  # noqa: S101  # narrowing: the executor runs its plan
        lane = planned.lanes[candidate.id]
        target, dialect = lane.target, lane.dialect
        bound = target.bound
        passthrough = lane.same and not inbound.rewritten
        number = len(self.attempts) + 1
        entry_id = f"{self.exchange_id}.{number}"
        sealed = target.credential
        credential = _NO_KEY if sealed is None else runtime.opened(bound, sealed)
        call = Call(
            inbound,
            dialect,
            target.model,
            credential,
            target.profile,
            passthrough,
            not passthrough or self.canonical,
            entry_id,
        )
        plan, key, priced_as = planned.plan, caller.key, bound.priced_as
        tools = runtime.tools
        now = tools.now_us()
        bounds = candidate.bounds or tools.booking.bounds(
            priced_as, target.model, now, inbound, key.account
        )
        terms = None if self._grant is None else self._grant.terms
        # By position, in the order of the fields, as in `Booking.end`.
        intent = Intent(
            entry_id,
            self.exchange_id,
            number,
            caller.role if role == "primary" else role,
            key.account,
            key.id,
            candidate.credential_id,
            bound.name,  # provider
            priced_as,  # provider_kind
            dialect.api,
            inbound.peek.model,  # model_requested
            target.model,
            now,  # started_us
            caller.attribution,
            planned.resolved.route,
            credential.project,
            caller.parent,
            None,  # experiment
            None,  # arm
            None if terms is None else terms.holds.get(candidate.id),  # hold
            bounds.low,
            bounds.high,
            plan.reasons.get(candidate.id, plan.why) if plan.reasons else plan.why,
            tuple(str(loss) for loss in candidate.losses) if candidate.losses else (),
            () if terms is None else terms.budgets,
        )
        facts = bound.provider.facts
        attempt = Attempt(tools, lane.opener, facts, call, intent, candidate.id, self._grant)
        self.attempts.append(attempt)
        return attempt

    def outlives(self, candidate: Candidate) -> bool:
        """Whether a stream of this candidate must run on though the client leaves."""
        planned = self._planned
        if planned is None or not self.inbound.peek.stream:
            return False
        facts = planned.lanes[candidate.id].target.bound.provider.facts
        return facts.cancel_semantics != "stops"

    # What is told and kept --------------------------------------------------------------------

    def _headers(self, attempt: Attempt) -> dict[str, str]:
        intent, end, reply = attempt.intent, attempt.end, attempt.reply
        model = None if reply is None else reply.observed.model
        overhead = self._overhead_us
        if overhead is None:
            overhead = self._overhead(self._runtime.services.now_us())
        headers = {
            **(_NO_HEADERS if reply is None else reply.headers),
            # In place of a provider's words about our own credential.
            **(_NO_HEADERS if self._grant is None else self._grant.headers),
            "x-flo2-request-id": self.exchange_id,
            "x-flo2-provider": intent.provider,
            "x-flo2-model": model or intent.model,
            "x-flo2-attempts": str(len(self.attempts)),
            "x-flo2-cost-status": end.status if type(end) is Settle else _status(end),
            "x-flo2-cache": "off",
            "x-flo2-overhead-ms": f"{overhead / 1000:.3f}",
        }
        if type(end) is Settle and end.total is not None and len(self.attempts) == 1:
            headers["x-flo2-cost-usd"] = text(end.total)  # without a frame of its own
        elif end is not None and (total := self._total()) is not None:
            headers["x-flo2-cost-usd"] = total
        if losses := self._losses():
            headers["x-flo2-losses"] = "; ".join(losses)[:1024].encode("ascii", "replace").decode()
        return headers

    def _total(self) -> str | None:
        """The booked cost of all attempts, or None while any of them is not known."""
        total = Decimal(0)
        for attempt in self.attempts:
            end = attempt.end
            if isinstance(end, Settle) and end.total is not None:
                total = add(total, end.total)
            elif not isinstance(end, Void):
                return None
        return text(total)

    def _losses(self) -> tuple[str, ...]:
        asked = self.attempts[-1].intent.losses if self.attempts else ()
        answer = self._answer
        if answer is None or not answer.losses:
            return asked
        return (*asked, *map(str, answer.losses))

    def _overhead(self, now_us: int) -> int:
        """Microseconds up to the answer's first byte that were not spent at the provider."""
        if self._overhead_us is None:
            self._overhead_us = max(now_us - self.started_us - self._waited_us, 0)
        return self._overhead_us

    def summary(self) -> bytes:
        """A short receipt as JSON, for the trailing comment of a stream."""
        last = self.attempts[-1]
        facts = {
            "request_id": self.exchange_id,
            "provider": last.intent.provider,
            "cost_usd": self._total(),
            "cost_status": _status(last.end),
            "attempts": len(self.attempts),
        }
        return json.dumps(facts).encode()

    def _record(self, status: int, client: ClientEnd, error: str | None) -> None:
        if self._recorded:
            return
        exchange = self._exchange(status, client, error, self._runtime.services.now_us())
        self._runtime.ledger.end(exchange)
        self._runtime.observe(exchange)

    def served(self, now_us: int) -> Exchange:
        """Make the record of a plain answer, to be written with its attempt's, before it leaves."""
        exchange = self._exchange(200, "served", None, now_us)
        self._runtime.observe(exchange)
        return exchange

    def _exchange(self, status: int, client: ClientEnd, error: str | None, now_us: int) -> Exchange:
        self._recorded = True
        if self._grant is not None:
            self._grant.closed()
        caller, planned, inbound = self.caller, self._planned, self.inbound
        resolved = None if planned is None else planned.resolved
        key, peek = caller.key, inbound.peek
        return Exchange(
            self.exchange_id,
            key.account,
            key.id,
            inbound.dialect.name,  # surface
            peek.model,  # model_requested
            peek.stream,
            status,
            self.started_us,
            now_us,  # ended_us
            self._overhead(now_us),
            len(self.attempts),
            client,
            None if resolved is None else resolved.route,
            None if resolved is None else resolved.strategy,
            "" if planned is None else planned.plan.why,
            self._losses(),
            None if error is None else redact(error[:_ERROR_CHARS]),
            caller.attribution,
            inbound.notes if self._grant is None else (*inbound.notes, *self._grant.terms.notes),
            () if planned is None or len(planned.lanes) == 1 else _targets(planned),
        )


def _targets(planned: Planned) -> tuple[str, ...]:
    targets = [lane.target for lane in planned.lanes.values()]
    return tuple(f"{target.bound.name}/{target.model}" for target in targets)


def _told_type(attempt: Attempt) -> str:
    """Give the type that the provider says, for a dialect that leaves it to the provider."""
    told = {} if attempt.reply is None else attempt.reply.headers
    return told.get("content-type", "application/octet-stream")


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
    if isinstance(failure, InvalidHeader):
        return ProviderError(
            failure.message, status=400, kind="invalid_request", code="invalid_header"
        )
    if isinstance(failure, WireTimeout):
        return ProviderError(failure.message, status=504, kind="timeout", code="provider_timeout")
    return ProviderError(
        failure.message, status=502, kind="connection", code="provider_unreachable"
    )


def _status(end: Settle | Pend | Void | None) -> str:
    if isinstance(end, Settle):
        return end.status
    if isinstance(end, Pend):
        return "pending"
    return "open" if end is None else "void"
