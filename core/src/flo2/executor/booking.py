"""Turn what an attempt showed into its end record: settled, pending, void or unpriced.

Pure but for the price book. Imports: meter, records, protocols.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from flo2.canonical import Usage
from flo2.dialects.base import Dialect, Observed
from flo2.errors import ProviderError, RefusedCall, WireError
from flo2.executor.bounding import input_bound, output_bound
from flo2.instants import instant
from flo2.meter import Meter, Status, is_final
from flo2.meter import outcome as told
from flo2.money import ZERO, total
from flo2.prices import Bounds, Cost
from flo2.prices.bounds import ceiling
from flo2.prices.charged import charged
from flo2.prices.context import PricingContext
from flo2.protocols import Facts, Inbound
from flo2.records import Intent, Outcome, Pend, Settle, SubMeters, Void

__all__ = ["Booking"]

_Failure = ProviderError | WireError | RefusedCall
_UNDECIDED: Final = frozenset({"service_tier", "speed", "inference_geo"})
"""Context that only the answer tells; a bound reckons with every value that has a price."""
_BYTES_A_TOKEN: Final = 4
_OK: Final = 200
_USUAL_PROMPT: Final = 1000
_USUAL_ANSWER: Final = 500
_NOTHING: Final = Observed()
_UNSTATED: Final[Mapping[str, str]] = {}
_ANY_TIME: Final = instant(0)
"""Where prices do not change with time, one instant is as good as another."""


class Booking:
    """Writes end records by the current price book."""

    def __init__(self, meter: Meter) -> None:
        """Keep the meter."""
        self.meter = meter

    def bounds(
        self, provider_kind: str, model: str, at_us: int, call: Inbound, account: str = ""
    ) -> Bounds:
        """Bound what a call may cost before it runs: by list price, or as agreed where dearer."""
        meter, peek = self.meter, call.peek
        resolved = meter.book.resolve(provider_kind, model, _UNSTATED, _UNDECIDED)
        # The prompt is searched last, and only where that can make a bound.
        if (
            resolved.problem is None
            and peek.max_output_tokens is not None
            and (prompt := input_bound(call)) is not None
        ):
            answer = peek.max_output_tokens * max(peek.n, 1)
            at = _ANY_TIME if not resolved.dated else instant(at_us)
            listed = ceiling(resolved, at, prompt, answer)
        else:
            listed = Bounds(ZERO, None, resolved.currency)
        if not meter.contracts or (agreed := meter.contracts.get(account)) is None:
            return listed
        context = PricingContext(provider_kind, "", model, model, instant(at_us))
        sizes = (0, input_bound(call), output_bound(call))
        return agreed.bounds(meter.book, listed, context, sizes, _UNDECIDED)

    def most(
        self,
        provider_kind: str,
        model: str,
        at_us: int,
        sizes: tuple[int, int],
        account: str = "",
    ) -> Bounds:
        """Bound what a prompt and an answer of at most so many tokens may cost."""
        book, at = self.meter.book, instant(at_us)
        resolved = book.resolve(provider_kind, model, _UNSTATED, _UNDECIDED)
        if resolved.problem is not None:
            return Bounds(ZERO, None, resolved.currency)
        listed = ceiling(resolved, at, *sizes)
        agreed = self.meter.contracts.get(account)
        if agreed is None:
            return listed
        context = PricingContext(provider_kind, "", model, model, at)
        return agreed.bounds(book, listed, context, (0, *sizes), _UNDECIDED)

    def expected(
        self,
        provider_kind: str,
        dialect: Dialect,
        model: str,
        at_us: int,
        call: Inbound,
        account: str = "",
    ) -> Decimal | None:
        """Price a call of this size with a usual answer, to compare targets; None: unpriced.

        Four bytes a token and a nominal answer: the same for every target, so the order of the
        prices is right where the sums are not. Never held, never booked.
        """
        prompt = len(call.body) // _BYTES_A_TOKEN or _USUAL_PROMPT
        quantities = {"input_tokens": prompt}
        if dialect.operation == "chat":
            bound = output_bound(call)
            quantities["output_tokens"] = min(_USUAL_ANSWER, bound or _USUAL_ANSWER)
        at = instant(at_us)
        context = PricingContext(provider_kind, dialect.api, model, model, at, {}, prompt)
        return self.meter.cost(Usage(quantities), context, account).total

    def end(
        self,
        *,
        intent: Intent,
        facts: Facts,
        outcome: Outcome,
        observed: Observed | None,
        failure: _Failure | None,
        http_status: int | None,
        ended_us: int,
        first_byte_us: int | None,
        inbound: Inbound | None = None,
    ) -> Settle | Pend | Void:
        """Make the end record of an attempt.

        Never raises: an answer that holds what no dialect gives makes a pending entry.

        Args:
            intent: What was written when it began.
            facts: What the provider declares about billing of errors.
            outcome: How the attempt ended.
            observed: What its answer showed, or None when there was none.
            failure: Why it failed, or None; a `RefusedCall` means that nothing was sent.
            http_status: The upstream status, or None when no answer came.
            ended_us: When it ended.
            first_byte_us: When its first byte came, or None.
            inbound: The request, to bound a pending one.
        """
        seen = observed or _NOTHING
        usage = seen.usage
        try:
            context = PricingContext(
                intent.provider_kind,
                intent.api,
                intent.model,
                seen.model or intent.model,
                instant(intent.started_us),
                {} if usage is None else usage.context,
            )
            final = seen.complete or is_final(seen)
            cost = self.meter.cost(usage, context, intent.account) if final else None
            if cost is not None and usage is not None and usage.reported is not None:
                cost = charged(cost, usage.reported)
            status: Status
            if failure is None and http_status == _OK and cost is not None:
                status = cost.status  # as `told` says it, of nearly every attempt
            elif failure is None:
                status = told(http_status, sent=True, final=final, cost=cost)
            else:
                status = _status(failure, http_status, facts, final=final, cost=cost)
            if status == "void":
                return Void(
                    entry_id=intent.entry_id,
                    ended_us=ended_us,
                    outcome=outcome,
                    reason=_reason(failure, "it never reached the provider"),
                    source=facts.error_rule if http_status is not None else "nothing was sent",
                    http_status=http_status,
                    first_byte_us=first_byte_us,
                )
            if status != "pending" and cost is not None and usage is not None:
                # By position, in the order of the fields: 20 names cost 0.7 µs to sort in.
                return Settle(
                    intent.entry_id,
                    ended_us,
                    cost.status if cost.status != "pending" else "unpriced",
                    outcome,
                    usage.quantities,  # meters
                    cost.lines,
                    cost.total,
                    _list_total(cost),
                    cost.currency,
                    cost.book,
                    seen.model,  # model_billed
                    seen.response_id,  # provider_request_id
                    usage.informational,
                    usage.raw,
                    usage.context,
                    cost.total if cost.status == "reported" else None,  # reported_total
                    first_byte_us,
                    seen.finish,
                    http_status,
                    cost.reason,
                    _beside(usage) if usage.subcalls else (),
                )
            bounds = self.meter.pending_bounds(
                usage,
                context,
                input_bound(inbound) if inbound is not None else None,
                output_bound(inbound) if inbound is not None else None,
                intent.account,
            )
            return Pend(
                entry_id=intent.entry_id,
                ended_us=ended_us,
                outcome=outcome,
                reason=_why_pending(seen, cost, failure, outcome),
                low=bounds.low,
                high=bounds.high,
                model_billed=seen.model,
                provider_request_id=seen.response_id,
                raw_usage=usage.raw if usage is not None else {},
                first_byte_us=first_byte_us,
                http_status=http_status,
            )
        except Exception as exc:  # border: a plugin's usage; no attempt stays open  # noqa: BLE001
            return Pend(
                entry_id=intent.entry_id,
                ended_us=ended_us,
                outcome=outcome,
                reason=f"what the answer told cannot be booked: {type(exc).__name__}",
                low=Decimal(0),
                first_byte_us=first_byte_us,
                http_status=http_status,
            )


def _beside(usage: Usage) -> tuple[SubMeters, ...]:
    return tuple(SubMeters(sub.model, sub.quantities) for sub in usage.subcalls)


def _list_total(cost: Cost) -> Decimal | None:
    """Add up list prices; without a contract they are the very amounts that were added up."""
    for line in cost.lines:
        if line.list_amount is not line.amount:
            return total(line.list_amount for line in cost.lines)
    return cost.total


def _status(
    failure: _Failure,
    http_status: int | None,
    facts: Facts,
    *,
    final: bool,
    cost: Cost | None,
) -> Status:
    sent = failure.sent if isinstance(failure, WireError) else not isinstance(failure, RefusedCall)
    return told(
        status=http_status,
        sent=sent,
        final=final,
        cost=cost,
        error_code=failure.code if isinstance(failure, ProviderError) else None,
        billed_errors=facts.billed_errors,
    )


def _reason(failure: _Failure | None, otherwise: str) -> str:
    return otherwise if failure is None else str(failure)


def _why_pending(
    seen: Observed,
    cost: Cost | None,
    failure: _Failure | None,
    outcome: Outcome,
) -> str:
    if cost is not None and cost.reason:
        return cost.reason
    if failure is not None:
        return str(failure)
    if seen.error is not None:
        return str(seen.error)
    ways = {
        "lost": "it lost a race and was stopped before it told its usage",
        "disconnected": "the client left before the provider told the usage",
    }
    return ways.get(outcome, "the answer told no usage")
