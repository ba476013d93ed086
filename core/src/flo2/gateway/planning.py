"""From a call to its plan: access, resolution, losses, bounds, strategy.

Imports: lanes, resolve, caller, runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from flo2.canonical import Loss, LossPolicy
from flo2.dialects.base import unsupported
from flo2.errors import Flo2Error, PluginError, RefusedCall, Unavailable, UnsupportedCall
from flo2.gateway.caller import Caller, check_access
from flo2.gateway.homes import Home, lanes_at
from flo2.gateway.lanes import Lane, Lanes, Planned, lanes_for
from flo2.gateway.resolve import resolve
from flo2.plan import Candidate, Plan
from flo2.protocols import Inbound, Strategy

if TYPE_CHECKING:
    from flo2.gateway.runtime import Runtime

__all__ = ["make_plan"]


def make_plan(
    runtime: Runtime, caller: Caller, inbound: Inbound, home: Home | None = None
) -> Planned:
    """Decide what to try for a call.

    Args:
        runtime: The running gateway.
        caller: Who calls.
        inbound: What is asked.
        home: Where the answer lies that the call goes on from, if it goes on from one.

    Raises:
        RefusedCall: the call cannot be taken; nothing was spent.
        PluginError: the strategy raised, or planned what is no candidate.
    """
    if not runtime.ledger.healthy:
        msg = (
            "the ledger cannot be written or is too far behind, so nothing was sent; try again, or "
            "see the server's log"
        )
        raise Unavailable(msg, code="ledger_unavailable", retry_after_s=1)
    model = caller.route or inbound.peek.model
    key = caller.key
    if key.models:
        check_access(key, model)
    tenant = runtime.snapshot.tenant(key.account)
    resolved = resolve(model, tenant, runtime.providers)
    lanes = lanes_for(resolved, inbound.dialect)
    if home is not None:
        lanes = lanes_at(lanes, home)
    if lanes.sole is not None and not inbound.rewritten:
        return lanes.sole
    candidates, by_id = _candidates(runtime, lanes, inbound)
    if len(candidates) == 1 and resolved.route is None:
        plan = Plan.fallback(candidates, why="the only target of this model")
        return Planned(plan, resolved, by_id)
    strategy = runtime.strategy(resolved.strategy, resolved.options)
    return Planned(_ask(runtime, strategy, inbound, candidates), resolved, by_id)


def _candidates(
    runtime: Runtime, lanes: Lanes, inbound: Inbound
) -> tuple[list[Candidate], Mapping[str, Lane]]:
    """Give each lane the bounds and losses of this call; those that would lose too much go."""
    candidates: list[Candidate] = []
    by_id: dict[str, Lane] = {}
    refused: list[Loss] = []
    for first in lanes.by_id.values():
        lane = first
        losses: tuple[Loss, ...] = ()
        if not first.same:
            inbound.request  # noqa: B018  # parses, or refuses before any attempt is made
        if first.checked or inbound.rewritten:
            lane, losses = _least_lossy(first, inbound, runtime.loss_policy)
            if bad := runtime.loss_policy.refused(losses):
                refused += bad
                continue
        bounds = runtime.bounds(lane.target, inbound)
        expected = None  # to compare targets by, where there are some to compare
        if len(lanes.by_id) > 1:
            expected = runtime.expected(lane.target, lane.dialect, inbound)
        candidates.append(lane.candidate.of_call(bounds, losses, expected))
        by_id[lane.candidate.id] = lane
    if not candidates:
        raise UnsupportedCall(unsupported(refused), losses=[str(loss) for loss in refused])
    return candidates, by_id


def _least_lossy(
    first: Lane, inbound: Inbound, policy: LossPolicy
) -> tuple[Lane, tuple[Loss, ...]]:
    """Choose among a target's dialects the one that says most of a request."""
    best: tuple[tuple[int, int], Lane, tuple[Loss, ...]] | None = None
    for lane in (first, *first.others):
        if lane.same and not inbound.rewritten and lane.check_body is not None:
            losses = lane.check_body(inbound.body, lane.target.profile)
        else:
            losses = _check(lane, inbound)
        weight = (
            len(policy.refused(losses)),
            sum(1 for loss in losses if loss.severity != "note"),
        )
        if best is None or weight < best[0]:
            best = weight, lane, losses
        if not any(weight):
            break
    assert best is not None  # noqa: S101  # narrowing: the first lane is always looked at
    return best[1], best[2]


def _check(lane: Lane, inbound: Inbound) -> tuple[Loss, ...]:
    """Say what a translation loses, by making it: it is the one that will be sent."""
    target = lane.target
    if not lane.same:
        with suppress(RefusedCall):  # a loss for `check` can be too much for `render`
            return inbound.rendered(lane.dialect, target.model, target.profile).losses
    return lane.dialect.check(inbound.request, target.profile)


def _ask(
    runtime: Runtime, strategy: Strategy, inbound: Inbound, candidates: list[Candidate]
) -> Plan:
    try:
        plan = strategy.plan(inbound, candidates, runtime.view())
    except Flo2Error:
        raise
    except Exception as exc:  # border: a plugin's own code
        # Its words stay in the log: they may hold what this client must not see.
        runtime.log.exception("strategy %r raised", strategy.kind)
        msg = f"strategy {strategy.kind!r} raised {type(exc).__name__}; see the server's log"
        raise PluginError(msg) from exc
    known = {candidate.id for candidate in candidates}
    if foreign := [c.id for c in plan.candidates if c.id not in known]:
        msg = f"strategy {strategy.kind!r} planned {foreign[0]!r}, which is no candidate"
        raise PluginError(msg)
    return plan
