"""Reconciliation: the ledger against the providers' own bills, to the token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flo2 import Register, hookimpl

if TYPE_CHECKING:
    import click

__all__ = [
    "flo2_api",
    "flo2_register_commands",
    "flo2_register_explainers",
    "flo2_register_importers",
]

flo2_api = (1, 0)


@hookimpl
def flo2_register_importers(register: Register) -> None:
    """Register the formats."""
    from flo2_reconcile.catalogue import IMPORTERS  # noqa: PLC0415  # `flo2 --help` needs none

    for importer in IMPORTERS:
        register(importer)


@hookimpl
def flo2_register_explainers(register: Register) -> None:
    """Register the causes."""
    from flo2_reconcile.catalogue import EXPLAINERS  # noqa: PLC0415  # same

    for explainer in EXPLAINERS:
        register(explainer)


@hookimpl
def flo2_register_commands(cli: click.Group) -> None:
    """Add `flo2 reconcile`, `flo2 statement` and `flo2 audit`."""
    from flo2_reconcile.commands import audit, reconcile, statement  # noqa: PLC0415  # same

    cli.add_command(reconcile)
    cli.add_command(statement)
    cli.add_command(audit)
