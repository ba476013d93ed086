"""The hooks a plugin may implement. Each runs once, while a gateway is composed.

A request never passes through pluggy: hooks give classes, and objects of these classes do the work.
An implementation declares only the arguments it wants. Imports: protocols (for types), pluggy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pluggy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager

    import click

    from flo2.gateway import Gateway
    from flo2.secrets import Secret

__all__ = ["PROJECT", "Register", "hookimpl", "hookspec"]

PROJECT = "flo2"
hookspec: pluggy.HookspecMarker = pluggy.HookspecMarker(PROJECT)
hookimpl: pluggy.HookimplMarker = pluggy.HookimplMarker(PROJECT)


class Register(Protocol):
    """The callback a register hook is given; it knows which plugin calls it, and for what."""

    def __call__(self, item: type[Any], *, replace: bool = False) -> None:
        """Register a class under its `kind`.

        Args:
            item: The class.
            replace: Take the name over from another plugin on purpose.

        Raises:
            PluginError: the class lacks what its slot needs, or the name is taken.
        """
        ...


@hookspec
def flo2_register_providers(register: Register) -> None:
    """Register upstream kinds: classes that satisfy `flo2.Provider`."""


@hookspec
def flo2_register_strategies(register: Register) -> None:
    """Register routing strategies: classes that satisfy `flo2.Strategy`."""


@hookspec
def flo2_register_pricing(register: Register) -> None:
    """Register price sources: classes that satisfy `flo2.PriceSource`."""


@hookspec
def flo2_register_stores(register: Register) -> None:
    """Register stores: classes that satisfy `flo2.Store`."""


@hookspec
def flo2_register_observers(register: Register) -> None:
    """Register observers: classes that satisfy `flo2.Observer`."""


@hookspec
def flo2_register_importers(register: Register) -> None:
    """Register readers of providers' bills: classes that satisfy `flo2.Importer`."""


@hookspec
def flo2_register_explainers(register: Register) -> None:
    """Register explainers of what a bill and the ledger differ by: see `flo2.Explainer`."""


@hookspec
def flo2_register_commands(cli: click.Group) -> None:
    """Add sub-commands to the `flo2` command line."""


@hookspec
def flo2_routes(gateway: Gateway) -> Mapping[str, Any] | None:
    """Give ASGI apps to mount, by path prefix (`/ui`); under `/api` they need the admin token."""


@hookspec
def flo2_lifespan(gateway: Gateway) -> AbstractAsyncContextManager[None] | None:
    """Give a context to hold open while the gateway runs; left in reverse order at its end."""


@hookspec(firstresult=True)
def flo2_resolve_secret(reference: str) -> Secret | None:
    """Resolve a `vault:…` reference; None: not mine. Asked during calls: answer from memory."""
