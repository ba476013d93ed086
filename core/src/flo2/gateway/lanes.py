"""The ways a resolved model can serve one surface: each target with the dialect to speak to it.

What does not depend on the single call is worked out once per snapshot and kept.
Pure. Imports: resolve, protocols, plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from attrs import evolve, field, frozen

from flo2.canonical import Loss
from flo2.dialects.base import ChecksBody, Dialect, Profile
from flo2.errors import UnsupportedCall
from flo2.gateway.resolve import Resolved, Target
from flo2.plan import Candidate, Plan
from flo2.protocols import Call, Reply

__all__ = ["Lane", "Lanes", "Planned", "lanes_for"]

Opener = Callable[[Call], AbstractAsyncContextManager[Reply]]
CheckBody = Callable[[bytes, Profile], tuple[Loss, ...]]


@frozen
class Lane:
    """One target as this surface reaches it.

    Attributes:
        dialect: The dialect to speak to its provider.
        same: It is the client's own dialect, so bytes can pass through.
        checked: Losses are looked for in each call, though its bytes may pass through.
        check_body: The dialect's way to look for them in those bytes, where it has one.
        opener: The provider's method for this operation.
        candidate: What a strategy sees of it, before bounds and losses of the single call.
        others: The same target in other dialects, for calls that this one cannot express as well.
    """

    target: Target
    dialect: Dialect
    same: bool
    checked: bool
    opener: Opener = field(repr=False)
    candidate: Candidate
    check_body: CheckBody | None = field(default=None, repr=False)
    others: tuple[Lane, ...] = ()


@frozen
class Planned:
    """A plan, and what its candidates stand for."""

    plan: Plan
    resolved: Resolved
    lanes: Mapping[str, Lane]


@frozen
class Lanes:
    """All lanes of a resolved model.

    Attributes:
        by_id: The lanes by their candidates' ids.
        sole: What is planned where there is nothing to choose or to check: no route, one target,
            no translation.
    """

    by_id: Mapping[str, Lane]
    sole: Planned | None


def lanes_for(resolved: Resolved, surface: Dialect) -> Lanes:
    """Find the lanes of a resolved model for a surface.

    Raises:
        UnsupportedCall: none of its providers can serve this surface's calls.
    """
    found = resolved.memo.get(surface.name)
    if isinstance(found, Lanes):
        return found
    lanes = tuple(
        lane for target in resolved.targets if (lane := _lane(target, surface)) is not None
    )
    if not lanes:
        names = " and ".join(sorted({target.bound.name for target in resolved.targets}))
        msg = f"{names} cannot serve {surface.name} calls; choose another model"
        raise UnsupportedCall(msg, param="model")
    by_id = {lane.candidate.id: lane for lane in lanes}
    sole = None
    if len(lanes) == 1 and lanes[0].same and not lanes[0].checked and resolved.route is None:
        plan = Plan.fallback([lanes[0].candidate], why="the only target of this model")
        sole = Planned(plan, resolved, by_id)
    made = resolved.memo[surface.name] = Lanes(by_id, sole)
    return made


def _lane(target: Target, surface: Dialect) -> Lane | None:
    bound, credential = target.bound, target.credential
    dialects = bound.dialects_for(surface, target.model)
    if not dialects or not bound.can(surface.operation):
        return None
    candidate = Candidate(
        id=target.id,
        provider=bound.name,
        model=target.model,
        credential_id=None if credential is None else credential.id,
        weight=target.weight,
        data_terms=() if credential is None else credential.data_terms,
    )
    facts = bound.provider.facts
    opener: Opener = getattr(bound.provider, surface.operation)
    lanes = [
        Lane(
            target,
            dialect,
            same=bool(facts.dialects) and dialect.name == surface.name,
            checked=facts.adapts or dialect.name != surface.name,
            opener=opener,
            candidate=candidate,
            check_body=dialect.check_body if isinstance(dialect, ChecksBody) else None,
        )
        for dialect in dialects
    ]
    return evolve(lanes[0], others=tuple(lanes[1:]))
