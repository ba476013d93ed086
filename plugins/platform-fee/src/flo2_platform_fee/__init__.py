"""The platform fee: how an operator charges for the gateway, never for tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flo2 import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

    from flo2 import Gateway

__all__ = ["flo2_api", "flo2_register_commands", "flo2_routes"]

flo2_api = (1, 0)


@hookimpl
def flo2_register_commands(cli: click.Group) -> None:
    """Add `flo2 fees`."""
    from flo2_platform_fee.commands import fees  # noqa: PLC0415  # `flo2 --help` needs none

    cli.add_command(fees)


@hookimpl
def flo2_routes(gateway: Gateway) -> Mapping[str, Any]:
    """Give `/api/fees` for the operator, and `/fees` for an account's own documents."""
    from flo2_platform_fee.routes import account_app, operator_app  # noqa: PLC0415  # starlette

    return {"/api/fees": operator_app(gateway), "/fees": account_app(gateway)}
