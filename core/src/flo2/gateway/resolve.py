"""From the model a client names to the targets that may serve it.

In this order: a route of the account, `provider/model`, a bare name that one provider knows.
Pure. Imports: stored, protocols, directory.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from attrs import field, frozen

from flo2.dialects.base import Dialect, Operation, Profile
from flo2.errors import InvalidRequest, NotFound
from flo2.gateway.directory import Tenant
from flo2.money import divide
from flo2.protocols import KnowsModels, Profiles, Provider, SpeaksPerModel
from flo2.stored import RouteSpec, SealedCredential

__all__ = ["Bound", "Resolved", "Target", "resolve"]

_MEMO_LIMIT: Final = 4096


@frozen
class Bound:
    """A configured provider: its name here, and the object.

    Attributes:
        listed: Models the price book names for its kind, for bare names.
        priced_as: The provider whose price rows apply.
    """

    name: str
    provider: Provider
    host: str = ""
    listed: frozenset[str] = frozenset()
    priced_as: str = field(init=False)

    @priced_as.default
    def _priced_as(self) -> str:
        return self.name if self.provider.facts.priced_by_name else self.provider.kind

    def knows(self, model: str) -> bool:
        """Whether a bare model name is this provider's, or one that it has a price for."""
        return self.claims(model) or model in self.listed

    def claims(self, model: str) -> bool:
        """Whether the provider itself says that a bare model name is its own."""
        return isinstance(self.provider, KnowsModels) and self.provider.knows(model)

    def profile(self, model: str) -> Profile:
        """Facts about one of its models."""
        provider = self.provider
        return provider.profile(model) if isinstance(provider, Profiles) else Profile()

    def can(self, operation: Operation) -> bool:
        """Whether it has the ability."""
        return callable(getattr(self.provider, operation, None))

    def dialects_for(self, surface: Dialect, model: str) -> tuple[Dialect, ...]:
        """Choose what may be spoken to it for a surface's calls, the preferred one first.

        The client's own dialect where the provider speaks it, for then bytes can pass through;
        else every one that asks for the same thing. A provider without dialects takes the
        canonical form: the client's own stands for it.
        """
        provider = self.provider
        spoken = provider.facts.dialects
        if not spoken:
            return (surface,) if surface.operation == "chat" else ()
        if isinstance(provider, SpeaksPerModel):
            spoken = provider.speaks(model)
        for dialect in spoken:
            if dialect.name == surface.name:
                return (dialect,)
        return tuple(each for each in spoken if each.operation == surface.operation)


@frozen
class Target:
    """One way to serve a model: provider × model × credential, fixed for a snapshot."""

    id: str
    bound: Bound
    model: str
    credential: SealedCredential | None
    profile: Profile
    weight: Decimal | None = None
    account: str = ""


@frozen
class Resolved:
    """What a model name means for an account.

    Attributes:
        route: Name of the route, or None.
        strategy: Kind of the strategy that plans it.
        options: Its settings.
        memo: What was worked out of it, by surface; dies with the snapshot.
    """

    targets: tuple[Target, ...]
    route: str | None = None
    strategy: str = "ordered"
    options: Mapping[str, Any] = field(factory=dict)
    memo: dict[str, object] = field(factory=dict, repr=False, eq=False)


def resolve(model: str, tenant: Tenant, providers: Mapping[str, Bound]) -> Resolved:
    """Find what a model name means.

    Raises:
        NotFound: nothing serves it; the message says what comes near, and what to do.
        InvalidRequest: two providers know the bare name.
    """
    found = tenant.memo.get(model)
    if isinstance(found, Resolved):
        return found
    resolved = _resolve(model, tenant, providers)
    if len(tenant.memo) >= _MEMO_LIMIT:
        tenant.memo.clear()
    tenant.memo[model] = resolved
    return resolved


def _resolve(model: str, tenant: Tenant, providers: Mapping[str, Bound]) -> Resolved:
    if (route := tenant.routes.get(model)) is not None:
        return _of_route(route, tenant, providers)
    head, slash, rest = model.partition("/")
    if slash and rest and head in providers and _serves(tenant, providers[head]):
        return Resolved(tuple(_targets(providers[head], rest, tenant)))
    if slash and head in providers and not rest:
        msg = f"model {model!r} names a provider and no model; write {head}/MODEL"
        raise NotFound(msg, code="model_not_found", param="model")
    if slash and head in providers:
        msg = f"no credential for provider {head!r} in this account; run: flo2 providers add {head}"
        raise NotFound(msg, code="model_not_found", param="model")
    mine = [bound for bound in providers.values() if _serves(tenant, bound)]
    # Whose name it is comes before who has a price for it: a host of another maker's models
    # would otherwise make every name of the maker's ambiguous.
    knowing = [bound for bound in mine if bound.claims(model)]
    knowing = knowing or [bound for bound in mine if bound.knows(model)]
    if len(knowing) > 1:
        names = ", ".join(f"{bound.name}/{model}" for bound in knowing)
        msg = f"model {model!r} is known to several providers; name one: {names}"
        raise InvalidRequest(msg, code="ambiguous_model", param="model")
    if knowing:
        return Resolved(tuple(_targets(knowing[0], model, tenant)))
    raise NotFound(
        _no_such_model(model, tenant, mine, providers), code="model_not_found", param="model"
    )


def _serves(tenant: Tenant, bound: Bound) -> bool:
    return not bound.provider.facts.needs_key or bound.name in tenant.credentials


def _targets(
    bound: Bound,
    model: str,
    tenant: Tenant,
    *,
    weight: Decimal | None = None,
    only: str | None = None,
) -> Iterable[Target]:
    profile = bound.profile(model)
    credentials: Sequence[SealedCredential | None] = tenant.credentials.get(bound.name, ())
    if not bound.provider.facts.needs_key and not credentials:
        credentials = (None,)
    if only is not None:
        credentials = [c for c in credentials if c is not None and only in {c.id, c.name}]
    if weight is not None and credentials:
        # Several credentials share the weight of their target.
        weight = divide(weight, Decimal(len(credentials)))[0]
    for credential in credentials:
        credential_id = "-" if credential is None else credential.id
        id_ = f"{bound.name}/{model}@{credential_id}"
        yield Target(id_, bound, model, credential, profile, weight, tenant.account)


def _of_route(route: RouteSpec, tenant: Tenant, providers: Mapping[str, Bound]) -> Resolved:
    targets: list[Target] = []
    for spec in route.targets:
        bound = providers.get(spec.provider)
        if bound is not None and _serves(tenant, bound):
            targets += _targets(bound, spec.model, tenant, weight=spec.weight, only=spec.credential)
    if not targets:
        wanted = ", ".join(sorted({spec.provider for spec in route.targets}))
        msg = (
            f"route {route.name!r} has no usable target: this account has no credential for "
            f"{wanted}; run: flo2 providers add NAME"
        )
        raise NotFound(msg, code="model_not_found", param="model")
    return Resolved(tuple(targets), route.name, route.strategy, route.options)


def _no_such_model(
    model: str, tenant: Tenant, mine: Sequence[Bound], providers: Mapping[str, Bound]
) -> str:
    elsewhere = [b.name for b in providers.values() if b not in mine and b.knows(model)]
    if elsewhere:
        name = elsewhere[0]
        return (
            f"model {model!r} is one of provider {name!r}, for which this account has no "
            f"credential; run: flo2 providers add {name}"
        )
    known = [*tenant.routes, *(f"{b.name}/{m}" for b in mine for m in sorted(b.listed))]
    near = difflib.get_close_matches(model, known, 3, 0.5)
    hint = f"; did you mean {' or '.join(map(repr, near))}" if near else ""
    have = ", ".join(b.name for b in mine) or "none"
    return (
        f"no provider of this account knows model {model!r} (providers: {have}){hint}. "
        "Any model of a provider can be called as PROVIDER/MODEL; GET /v1/models lists them."
    )
