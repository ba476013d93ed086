"""The models a key may call, for the surfaces' lists.

Pure. Imports: directory, resolve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flo2.gateway.directory import Tenant
from flo2.gateway.resolve import Bound
from flo2.keys import allows_model
from flo2.protocols import ModelInfo
from flo2.stored import IssuedKey

__all__ = ["list_models"]


def list_models(
    key: IssuedKey, tenant: Tenant, providers: Mapping[str, Bound]
) -> Sequence[ModelInfo]:
    """List routes, then `provider/model` for every priced model of the account's providers.

    A simulated provider shows only in an account that has no real one.
    """
    mine = [b for b in providers.values() if b.name in tenant.credentials]
    mine += [
        b
        for b in providers.values()
        if not b.provider.facts.needs_key
        and b.name not in tenant.credentials
        and (not b.provider.facts.simulated or not mine)
    ]
    routes = [
        ModelInfo(name, "flo2", owned_by="flo2", display_name=f"route: {route.strategy}")
        for name, route in sorted(tenant.routes.items())
    ]
    models = [
        ModelInfo(f"{bound.name}/{model}", bound.name, owned_by=bound.name)
        for bound in mine
        for model in sorted(bound.listed)
    ]
    return [info for info in (*routes, *models) if allows_model(key, info.id)]
