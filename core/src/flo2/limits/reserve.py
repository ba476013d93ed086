"""How much of a limit a call may need, and how much an attempt has used.

Pure. Imports: admission, spec, records, canonical, errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from flo2.admission import Asked
from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.errors import InvalidRequest
from flo2.limits.spec import Limit, Unit, whole_units
from flo2.plan import Candidate
from flo2.protocols import Inbound
from flo2.records import Intent, Pend, Settle, Void

__all__ = ["InputBound", "Need", "Target", "need", "target_of", "used"]

InputBound = Callable[[Inbound], int | None]
"""Gives a count that the prompt's tokens cannot pass, or None."""

_CURRENCY: Final = "USD"
_BYTES_A_TOKEN: Final = 4
_USUAL_PROMPT: Final = 1000
_USUAL_ANSWER: Final = 500
_ONE: Final[frozenset[Unit]] = frozenset({"requests", "parallel"})
_METERS: Final[Mapping[Unit, tuple[str, ...]]] = {
    "tokens": (*INPUT_METERS, *OUTPUT_METERS),
    "input_tokens": INPUT_METERS,
    "output_tokens": OUTPUT_METERS,
}


class Target(NamedTuple):
    """What tells the attempts of a plan apart."""

    provider: str
    model: str
    credential_id: str | None


class Need(NamedTuple):
    """What a call may need at most.

    Attributes:
        total: All that may run, at once or in turn, retries included.
        shares: What one attempt at a target may need; None: one, wherever it is.
    """

    total: int
    shares: Mapping[Target, int] | None


_ANY_ATTEMPT: Final = Need(1, None)


def target_of(intent: Intent) -> Target:
    """Say at which target an attempt is made."""
    return Target(intent.provider, intent.model, intent.credential_id)


def need(limit: Limit, asked: Asked, input_bound: InputBound) -> Need | None:
    """Say what a call may need of a limit; None: nothing of it falls under the limit.

    Raises:
        InvalidRequest: it has no bound, and the limit wants one.
    """
    once = limit.unit in _ONE
    if once and not limit.of_attempts:
        return _ANY_ATTEMPT
    total, shares = 0, dict[Target, int]()
    for stage in asked.plan.stages:
        for candidate in stage.candidates:
            if not limit.serves(candidate.provider, candidate.model):
                continue
            share = 1 if once else _share(limit, asked, candidate, input_bound)
            shares[Target(candidate.provider, candidate.model, candidate.credential_id)] = share
            total += share * (1 + stage.retries)
    if not shares:
        return None
    return Need(1 if once else total, shares)


def used(limit: Limit, end: Settle | Pend | Void, share: int) -> int:
    """Say what an attempt has used; as long as that is not known, what it may have at most."""
    if isinstance(end, Void):
        return 0
    if isinstance(end, Pend):
        if limit.unit == "usd" and end.high is not None:
            return whole_units("usd", end.high)
        return share
    if limit.unit == "usd":
        known = end.total is not None and end.currency == _CURRENCY
        return whole_units("usd", end.total) if known and end.total is not None else share
    return sum(int(end.meters.get(meter, 0)) for meter in _METERS[limit.unit])


def _share(limit: Limit, asked: Asked, candidate: Candidate, input_bound: InputBound) -> int:
    if limit.unit == "usd":
        return _money(limit, asked, candidate)
    inbound = asked.inbound
    tokens = 0
    if limit.unit != "output_tokens":
        bound = input_bound(inbound)
        if bound is None:
            bound = len(inbound.body) // _BYTES_A_TOKEN or _USUAL_PROMPT
            _refuse_unbounded(limit, "its prompt has no bound (images, files, references)", None)
        tokens += bound
    if limit.unit != "input_tokens" and inbound.dialect.operation == "chat":
        peek = inbound.peek
        if peek.max_output_tokens is None:
            _refuse_unbounded(limit, "its answer has no bound; send max_tokens", "max_tokens")
        tokens += (peek.max_output_tokens or _USUAL_ANSWER) * max(peek.n, 1)
    return tokens


def _money(limit: Limit, asked: Asked, candidate: Candidate) -> int:
    bounds = asked.bounds(candidate)
    if bounds.high is not None and bounds.currency == _CURRENCY:
        return whole_units("usd", bounds.high)
    what = f"{candidate.provider}/{candidate.model}"
    _refuse_unbounded(limit, f"what it costs at {what} has no bound; send max_tokens", "max_tokens")
    return whole_units("usd", asked.expected(candidate) or bounds.low)


def _refuse_unbounded(limit: Limit, why: str, param: str | None) -> None:
    """Refuse a call that has no bound, where the limit wants one.

    Raises:
        InvalidRequest: it does.
    """
    if limit.unbounded == "refuse":
        msg = f"limit {limit.name!r} ({limit.sentence()}) takes no call without a bound: {why}"
        raise InvalidRequest(msg, code="unbounded_call", param=param)
