"""The ways a resolved model can serve one surface: each target with the dialect to speak to it.

What does not depend on the single call is worked out once per snapshot and kept.
Pure. Imports: resolve, protocols, plan.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from attrs import field, frozen

from flo2.dialects.base import Dialect
from flo2.errors import UnsupportedCall
from flo2.gateway.resolve import Resolved, Target
from flo2.plan import Candidate, Plan
from flo2.protocols import Call, Reply

__all__ = ["Lane", "Lanes", "lanes_for"]

Opener = Callable[[Call], AbstractAsyncContextManager[Reply]]
_METHODS = {"chat": "chat", "embed": "embed", "count_tokens": "count_tokens"}


@frozen
class Lane:
    """One target as this surface reaches it.

    Attributes:
        dialect: The dialect to speak to its provider.
        same: It is the client's own dialect, so bytes can pass through.
        checked: Losses are looked for in each call, though its bytes may pass through.
        opener: The provider's method for this operation.
        candidate: What a strategy sees of it, before bounds and losses of the single call.
    """

    target: Target
    dialect: Dialect
    same: bool
    checked: bool
    opener: Opener = field(repr=False)
    candidate: Candidate


@frozen
class Lanes:
    """All lanes of a resolved model.

    Attributes:
        sole: The plan, where there is nothing to choose or to check: no route, one target, no
            translation.
    """

    lanes: tuple[Lane, ...]
    sole: Plan | None


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
    sole = None
    if len(lanes) == 1 and lanes[0].same and not lanes[0].checked and resolved.route is None:
        sole = Plan.fallback([lanes[0].candidate], why="the only target of this model")
    made = resolved.memo[surface.name] = Lanes(lanes, sole)
    return made


def _lane(target: Target, surface: Dialect) -> Lane | None:
    bound, credential = target.bound, target.credential
    dialect = bound.dialect_for(surface)
    if dialect is None or not bound.can(surface.operation):
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
    same = bool(facts.dialects) and dialect.name == surface.name
    checked = facts.adapts or dialect.name != surface.name
    opener: Opener = getattr(bound.provider, _METHODS[surface.operation])
    return Lane(target, dialect, same, checked, opener, candidate)
